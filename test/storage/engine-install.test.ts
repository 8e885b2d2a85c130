/* A received file in the place of a partition's own: nothing that either holds is lost, whatever comes meanwhile. */
import test from 'ava';
import type { InstallRefusal } from '../../src/storage/move-storage.js';
import { place } from './engine-requests.js';

import {
  PARTITIONS,
  PATH,
  opened,
  ActorWrite,
  ReapWrite,
  writeNow,
  raiseNow,
  fileFrom,
  installNow,
  trustNow,
  NAMES,
  LONG,
  valueAt,
  checkWhole,
} from './engine-install-world.js';
test('into an empty partition: everything is there, doubted until it is trusted, also after a restart', (t) => {
  const bytes = fileFrom(1, (donor) => {
    for (const name of [...NAMES, LONG]) donor.put(name, `theirs ${name.length}`, 3);
  });
  for (const ending of ['kill', 'power', 'clean'] as const) {
    const world = opened(2, { cacheBytesMax: 50_000 });
    t.is(installNow(world, bytes), null);
    t.false(world.disk.paths().includes(PATH));
    for (let i = 0; i < 2; i++) {
      t.deepEqual(world.up().status().suspectPartitions, [0]);
      for (const name of [...NAMES, LONG]) {
        t.like(world.get(name), { state: 'unknown', value: `theirs ${name.length}`, hasMark: false });
      }
      checkWhole(t, world);
      if (i === 1) break;
      if (ending === 'clean') t.is(world.stop(), null);
      else world.crash(ending);
      t.is(world.start(), null);
      t.deepEqual(world.up().status().quarantined, []);
    }
    trustNow(world);
    t.like(world.get(NAMES[0] as string), { state: 'ok' });
  }
});

test('no mark of the file holds, not even one that this store made itself; what is written afterwards bears its own', (t) => {
  const bytes = fileFrom(1, (donor) => {
    donor.put(NAMES[0] as string, 'theirs', 3);
    t.true(donor.get(NAMES[0] as string).hasMark, 'by the very opening of the very node');
  });
  const world = opened(1);
  world.put(NAMES[1] as string, 'ours', 5);
  t.true(world.get(NAMES[1] as string).hasMark);
  installNow(world, bytes);
  for (const name of NAMES.slice(0, 2)) t.false(world.get(name).hasMark);
  world.put(NAMES[1] as string, 'newer', 6);
  t.like(world.get(NAMES[1] as string), { hasMark: true, markCounter: 6 });
  world.flush();
  t.like(world.get(NAMES[1] as string), { hasMark: true, from: 'file' });
});

for (const flushed of [0, 1, 2]) {
  test(`what is here is merged with it (${['all in the buffer', 'all in the file', 'in both'][flushed]})`, (t) => {
    const [a, b, c, d, e, f] = NAMES as [string, string, string, string, string, string];
    const bytes = fileFrom(1, (donor) => {
      donor.put(a, 'theirs newer', 7);
      donor.put(b, 'theirs older', 2);
      donor.put(c, 'theirs alone', 1);
      donor.put(d, 'the same', 4);
      writeNow(donor, new ActorWrite(f, 'theirs beside', 1, 7));
    });
    for (const ending of [null, 'kill', 'power'] as const) {
      const world = opened(3, { alwaysCold: flushed === 2 });
      world.put(a, 'ours older', 3);
      world.put(b, 'ours newer', 5);
      if (flushed === 2) world.flush();
      world.put(d, 'the same', 4);
      world.put(e, 'ours alone', 1);
      writeNow(world, new ActorWrite(f, 'ours beside', 1, 9));
      if (flushed === 1) world.flush();
      if (flushed === 2) world.put(c, null);
      t.is(installNow(world, bytes), null);
      if (ending !== null) {
        world.crash(ending);
        t.is(world.start(), null);
      }
      t.is(valueAt(world, a), 'theirs newer');
      t.is(valueAt(world, b), 'ours newer');
      t.is(valueAt(world, c), 'theirs alone');
      t.is(valueAt(world, d), 'the same');
      t.is(valueAt(world, e), 'ours alone');
      t.is(valueAt(world, f), 'theirs besideours beside');
      checkWhole(t, world);
      t.is(valueAt(world, f), 'theirs besideours beside');
    }
  });
}

test('each side passes the reap log of the other, and both logs are here afterwards', (t) => {
  const [a, b, c] = NAMES as [string, string, string];
  for (const flushed of [false, true]) {
    const bytes = fileFrom(1, (donor) => {
      donor.put(a, 'reaped there', 4);
      writeNow(donor, new ReapWrite(a, 3));
      donor.put(b, 'still there', 4);
      donor.put(c, 'written after', 4);
      raiseNow(donor, 9);
    });
    const world = opened(2);
    world.put(a, 'old copy', 4);
    world.put(b, 'reaped here', 4);
    world.put(c, 'reaped here', 2);
    writeNow(world, new ReapWrite(b, 2));
    writeNow(world, new ReapWrite(c, 2));
    raiseNow(world, 6);
    if (flushed) world.flush();
    t.is(installNow(world, bytes), null);
    for (let i = 0; i < 2; i++) {
      t.is(valueAt(world, a), 'absent');
      t.is(valueAt(world, b), 'absent');
      t.is(valueAt(world, c), 'written after');
      for (const name of [a, b, c]) {
        const { hashHi, hashLo } = place(Buffer.from(name, 'latin1'), PARTITIONS);
        t.is(world.up().reaps.entriesOf(0, hashHi, hashLo).length, 1);
      }
      if (i === 1) break;
      t.deepEqual([world.up().reaps.stampOf(0), world.up().reaps.floorOf(0), world.up().reaps.reapedAt(0)], [9, 9, 3]);
      checkWhole(t, world);
      trustNow(world);
      world.crash('power');
      t.is(world.start(), null);
      t.deepEqual([world.up().reaps.stampOf(0), world.up().reaps.reapedAt(0)], [9, 3]);
    }
  }
});

test('what is refused changes nothing', (t) => {
  const bytes = fileFrom(1, (donor) => {
    for (const name of NAMES) donor.put(name, 'theirs', 3);
    raiseNow(donor, 4);
  });
  const world = opened(2);
  world.put(NAMES[0] as string, 'ours', 5);
  world.flush();
  const check = (refusal: InstallRefusal | null, expected: InstallRefusal): void => {
    t.is(refusal, expected);
    t.true(world.disk.paths().includes(PATH));
    world.disk.discard(PATH);
    t.deepEqual(world.up().status().suspectPartitions, []);
    t.like(world.get(NAMES[0] as string), { state: 'ok', value: 'ours', hasMark: true });
    t.is(world.get(NAMES[1] as string).state, 'absent');
  };
  check(installNow(world, bytes, 1), 'foreign');
  check(installNow(world, bytes.subarray(0, bytes.length - 1)), 'foreign');
  check(installNow(world, Buffer.from('anything')), 'foreign');
  raiseNow(world, 5);
  check(installNow(world, bytes), 'behind');
  const large = opened(3);
  for (let i = 0; i < 9; i++) large.put(large.nameIn(1, 100 + i), 'x'.repeat(1_000_000));
  large.flush();
  t.is(installNow(large, bytes), 'too-much-here');
  t.deepEqual(large.up().status().suspectPartitions, []);
});

test('a path with nothing at it is an error, and the partition is free for the next', (t) => {
  const world = opened(2);
  let failure: Error | null = null;
  world.up().moves.installFile(0, PATH, (error) => {
    failure = error;
  });
  world.time.runUntil(() => failure !== null);
  t.is(
    installNow(
      world,
      fileFrom(1, (donor) => void donor.put(NAMES[0] as string, 'theirs', 3)),
    ),
    null,
  );
  t.is(valueAt(world, NAMES[0] as string), 'theirs');
});
