/*
 * Files and logs that are not what they should be: the store goes on, and says which partitions may lack something.
 */
import test from 'ava';
import { encodeHome, HOME_KEY } from '../../src/storage/partition-home.js';
import { SUSPICIONS } from '../../src/storage/partition.js';
import { storageKey } from '../../src/storage/storage-key.js';
import { DIGEST, HASH, NODE, place } from './engine-requests.js';
import { World } from './engine-world.js';

/** A world whose log has been given back up to the flush, so that only the file holds `name`. */
function flushedWorld(seed: number, name: string): World {
  const world = new World({ seed });
  world.start();
  world.put(name, 'old');
  const filler = world.nameIn(1, 900);
  for (let i = 0; i < 4; i++) for (let k = 0; k < 30; k++) world.put(filler, 'x'.repeat(2_000), i + 1);
  world.flush();
  world.time.runFor(4_000);
  return world;
}

function reopen(world: World): void {
  const error = world.start();
  if (error !== null) throw error;
}

function keyOf(name: string): Uint8Array {
  const { hashHi, hashLo } = place(Buffer.from(name, 'latin1'), 256);
  return storageKey(hashHi, hashLo, Buffer.from(name, 'latin1'), DIGEST);
}

test('a partition file swapped for an older one of the same store is found out', (t) => {
  const world = flushedWorld(1, 'a');
  const older = world.medium.snapshot(world.pathOf('a'));
  world.put('a', 'new', 2);
  world.flush();
  world.time.runFor(2_000); // the table is written, then the log may forget
  world.stop();
  world.medium.swap(world.pathOf('a'), older);
  reopen(world);
  t.deepEqual(world.up().status().suspectPartitions, [world.partitionOf('a')]);
  t.like(world.get('a'), {
    state: 'unknown',
    hasMark: false,
    reason: 'The partition file is older than what was flushed to it',
  });

  // Writes go on, and the suspicion outlives restarts until the partition was healed.
  t.is(world.put('a', 'newest', 3).state, 'acked');
  t.like(world.get('a'), { state: 'unknown', value: 'newest' });
  world.stop();
  reopen(world);
  t.is(world.get('a').state, 'unknown');
  let trusted = false;
  world.up().trust(world.partitionOf('a'), (error) => {
    trusted = error === null;
  });
  world.time.runUntil(() => trusted);
  t.like(world.get('a'), { state: 'ok', value: 'newest' });
  world.stop();
  reopen(world);
  t.like(world.get('a'), { state: 'ok', value: 'newest' });
});

test('an older file is found out after a crash, too', (t) => {
  for (const kind of ['kill', 'power'] as const) {
    const world = flushedWorld(2, 'a');
    const older = world.medium.snapshot(world.pathOf('a'));
    for (let i = 0; i < 200; i++) world.put('a', 'x'.repeat(1_000), i + 2);
    world.flush();
    world.time.runFor(3_000);
    world.crash(kind);
    world.medium.swap(world.pathOf('a'), older);
    reopen(world);
    t.deepEqual(world.up().status().suspectPartitions, [world.partitionOf('a')]);
  }
});

test('an older file of which the log still holds everything is healed by replay', (t) => {
  const world = flushedWorld(3, 'a');
  world.crash('kill');
  reopen(world);
  const older = world.medium.snapshot(world.pathOf('a'));
  world.put('a', 'new', 2);
  world.flush();
  world.crash('kill'); // before the table could be written, so before the log could forget
  world.medium.swap(world.pathOf('a'), older);
  reopen(world);
  t.deepEqual(world.up().status().suspectPartitions, []);
  t.is(world.get('a').value, 'new');
});

test('a file that is gone makes its partition suspect, and others are untouched', (t) => {
  const world = flushedWorld(4, 'a');
  const other = world.nameIn(256, 500);
  world.put(other, 'fine');
  world.stop();
  world.disk.discard(world.pathOf('a'));
  reopen(world);
  t.like(world.get('a'), { state: 'unknown', value: '', reason: 'The partition file is gone' });
  t.like(world.get(other), { state: 'ok', value: 'fine' });
  t.is(world.put('a', 'again').state, 'acked');
  world.flush();
  world.crash('kill');
  reopen(world);
  t.like(world.get('a'), { state: 'unknown', value: 'again' });
  t.deepEqual(world.up().status().quarantined, []);
});

test('the file of another node, partition or installation is set aside', (t) => {
  const homes = {
    node: { nodeId: 'f'.repeat(32) as typeof NODE, installation: 1, partition: 0 },
    partition: { nodeId: NODE, installation: 1, partition: 1 },
    installation: { nodeId: NODE, installation: 1, partition: 0 },
  };
  for (const home of Object.values(homes)) {
    const world = flushedWorld(5, 'a');
    world.stop();
    const path = world.pathOf('a');
    const partition = world.partitionOf('a');
    const bytes = encodeHome(
      { ...home, partition: (partition + home.partition) % 256, appliedLsn: 9, partitionCount: 256 },
      HASH,
    );
    world.medium.swap(
      path,
      new Map([...world.medium.snapshot(path), [Buffer.from(HOME_KEY).toString('latin1'), bytes]]),
    );
    reopen(world);
    t.deepEqual(world.up().status().suspectPartitions, [partition]);
    t.is(world.up().status().quarantined.length, 1);
    t.like(world.get('a'), { state: 'unknown', value: '' });
    t.true(world.disk.paths().some((name) => name.startsWith('quarantine/')));
  }
});

test('what a suspect partition has lost says nothing of the marks of this opening, and a broken file does', (t) => {
  const world = new World({ seed: 9, hasOtherOwners: true });
  world.start();
  const partition = world.partitionOf('a');
  world.put('a', 'value', 7);
  // Else each put before a new node has met the others would be minted by an actor of its own.
  t.like(world.get('a'), { state: 'unknown', hasMark: true, markCounter: 7 });
  world.flush();
  t.like(world.get('a'), { state: 'unknown', from: 'file', hasMark: true, markCounter: 7 });
  world.up().suspect(partition, SUSPICIONS.fileDamaged);
  t.like(world.get('a'), { state: 'unknown', hasMark: false });
  let trusted = false;
  world.up().trust(partition, (error) => {
    trusted = error === null;
  });
  world.time.runUntil(() => trusted);
  t.like(
    world.get('a'),
    { state: 'ok', hasMark: false },
    'others have brought what it lacked, and its file is what it is',
  );
  world.stop();
  reopen(world);
  t.like(world.get('a'), { state: 'ok', hasMark: false }, 'a mark of an earlier opening');
  t.is(world.put('a', 'newer', 1).state, 'acked');
  t.like(world.get('a'), { state: 'ok', hasMark: true });
});

test('a file that is shorter than its pages is set aside', (t) => {
  const world = flushedWorld(6, 'a');
  world.stop();
  world.medium.broken.add(world.pathOf('a'));
  reopen(world);
  t.is(world.up().status().quarantined.length, 1);
  t.is(world.get('a').state, 'unknown');
});

test('a damaged record is unknown, counted, and whole again when it is written anew', (t) => {
  const world = flushedWorld(7, 'a');
  world.stop();
  for (const byte of [0, 5, 30, 60, 100]) {
    world.medium.flip(world.pathOf('a'), keyOf('a'), byte);
    reopen(world);
    const read = world.get('a');
    t.is(read.state, 'unknown', `byte ${byte}`);
    t.is(read.value, '');
    t.regex(read.reason, /damaged/);
    t.is(world.up().status().damagedRecords, 1);
    let seen = '';
    const write = world.write('a', 'healed', 9, false, (stored) => {
      seen = `${stored.state} ${stored.hasMark}`;
    });
    t.is(seen, 'unknown false');
    world.time.runUntil(() => write.state === 'acked');
    t.like(world.get('a'), { state: 'ok', value: 'healed' });
    world.flush();
    t.like(world.get('a'), { state: 'ok', value: 'healed', from: 'file' });
    t.deepEqual(world.up().liveTree(world.partitionOf('a')).all(), world.up().storedLeaves(world.partitionOf('a')));
    world.stop();
  }
});

test('the leaves are exact after damaged records were replaced, beside good ones in the same leaf', async (t) => {
  const { Twin } = await import('./engine-twin.js');
  const world = new World({ seed: 8, partitionCount: 256 });
  const twin = new Twin(world);
  world.start();
  const names = Array.from({ length: 30 }, (_, i) => world.nameIn(1, i));
  for (const name of names) twin.put(name, 40);
  world.flush();
  for (const name of names.slice(0, 5)) world.medium.flip(world.pathOf(name), keyOf(name), 50);
  for (const name of names.slice(0, 5)) {
    t.is(world.get(name).state, 'unknown');
    t.is(world.put(name, 'again', 5).state, 'acked');
  }
  world.up().liveTree(0).all();
  world.flush();
  t.deepEqual(world.up().liveTree(0).all(), world.up().storedLeaves(0));
  twin.checkFile(0);
});

test('damage to the log below the durable LSN makes partitions suspect, and the rest is replayed', (t) => {
  const world = new World({ seed: 9 });
  world.start();
  for (let i = 0; i < 20; i++) world.put(world.nameIn(4, i), `v${i}`);
  world.time.runFor(500); // an empty batch names what is durable
  world.crash('kill');
  const segment =
    world.disk.paths().find((path) => path.endsWith('.seg') && world.disk.contents(path).includes('v7')) ?? '';
  world.disk.flipBit(segment, world.disk.contents(segment).indexOf('v7'), 3);
  reopen(world);
  t.true(world.up().status().suspectPartitions.length > 0);
  t.true(world.lines.some((line) => line.event === 'log_damaged'));
});

test('a lost partition table makes everything suspect, a torn slot nothing', (t) => {
  const world = flushedWorld(10, 'a');
  world.stop();
  world.disk.flipBit('partitions/table.a', 50, 1);
  reopen(world);
  t.deepEqual(world.up().status().suspectPartitions, []);
  world.stop();
  world.disk.flipBit('partitions/table.a', 60, 1);
  world.disk.flipBit('partitions/table.b', 60, 1);
  reopen(world);
  t.is(world.up().status().suspectPartitions.length, 256);
});

test('a log that is gone while files are not makes everything suspect', (t) => {
  const world = flushedWorld(11, 'a');
  world.stop();
  for (const path of world.disk.paths()) if (path.startsWith('log/')) world.disk.discard(path);
  world.metaLsn = 0;
  reopen(world);
  t.is(world.up().status().suspectPartitions.length, 256);
});

test('after two unclean starts in a row somebody else looks at the files first', (t) => {
  const world = flushedWorld(12, 'a');
  world.crash('kill');
  reopen(world);
  t.is(world.inspections, 0);
  world.crash('kill');
  world.killers.add(world.partitionOf('a'));
  reopen(world);
  t.is(world.inspections, 1);
  t.deepEqual(world.up().status().suspectPartitions, [world.partitionOf('a')]);
  t.is(world.up().status().quarantined.length, 1);
});
