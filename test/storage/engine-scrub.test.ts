/*
 * A scrub beside writes and flushes: what is sound is never called damaged, and what was damaged is found, told, and
 * leaves a tree that is right again once the records have been written anew.
 */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { leafCountOf, leavesEqual, leafIndex } from '../../src/repair/merkle.js';
import { groupKey } from '../../src/storage/engine-leaves.js';
import type { Scrubbed } from '../../src/storage/scrub-storage.js';
import { storageKey } from '../../src/storage/storage-key.js';
import { countFile } from '../../src/workers/walk.js';
import { DIGEST, HASH, place } from './engine-requests.js';
import { World } from './engine-world.js';

const Q = 256;
const LEAVES = leafCountOf(Q);

function keyOf(name: string): Uint8Array {
  const { hashHi, hashLo } = place(Buffer.from(name, 'latin1'), Q);
  return storageKey(hashHi, hashLo, Buffer.from(name, 'latin1'), DIGEST);
}

/** From one end to the other; what was found in all. */
function scrub(
  world: World,
  partition: number,
): Pick<Scrubbed, 'records' | 'damagedCount' | 'wrongLeaves' | 'isBroken'> & {
  readonly names: readonly string[];
} {
  const all = { records: 0, damagedCount: 0, wrongLeaves: 0, isBroken: false };
  const names: string[] = [];
  for (let leaf: number | null = 0; leaf !== null;) {
    let answer: Scrubbed | undefined;
    world.up().scrub.scrub(partition, leaf, (error, found) => {
      if (error !== null) throw error;
      answer = found;
    });
    world.time.runUntil(() => answer !== undefined);
    if (answer === undefined) throw new Error('A scrub is answered');
    all.records += answer.records;
    all.damagedCount += answer.damagedCount;
    all.wrongLeaves += answer.wrongLeaves;
    all.isBroken ||= answer.isBroken;
    names.push(...answer.damaged.map(({ key }) => Buffer.from(key).toString('latin1')));
    leaf = answer.nextLeaf;
  }
  return { ...all, names };
}

function count(world: World, partition: number): ReturnType<typeof countFile> {
  const path = world.files.path(partition);
  return countFile({
    snapshot: (use) => use(world.files.snapshotOf(path)),
    leafCount: LEAVES,
    hash: HASH,
    digest: DIGEST,
    nowMs: () => 0,
  });
}

function worldWith(records: number, seed = 1, cacheBytesMax = 0): { world: World; names: readonly string[] } {
  const world = new World({ seed, cacheBytesMax });
  world.start();
  const names = Array.from({ length: records }, (_, i) => world.nameIn(1, 10 * i));
  for (const name of names) world.put(name, `value of ${name}`);
  world.flush();
  return { world, names };
}

test('a sound partition is found sound, while it is written and flushed', (t) => {
  for (const seed of [1, 2, 3, 4]) {
    const { world, names } = worldWith(40, seed);
    const random = new Prng(seed);
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 12; i++) {
        const name = random.pick(names);
        world.write(
          name,
          random.chance(0.1) ? null : `round ${round}`,
          1 + ((round * 12 + i) % 200),
          false,
          () => undefined,
        );
      }
      world.time.runFor(random.int(40));
      if (round % 7 === 0) world.up().liveTree(0).all();
      t.like(scrub(world, 0), { damagedCount: 0, wrongLeaves: 0, isBroken: false }, `seed ${seed}, round ${round}`);
      t.is(world.up().scrub.compareLive(0), 0);
    }
    world.flush();
    t.true(scrub(world, 0).records > 20);
    t.is(world.lines.filter(({ level }) => level === 'error').length, 0);
  }
});

test('a partition without a file has nothing to be scrubbed', (t) => {
  const { world } = worldWith(1);
  t.like(scrub(world, 7), { records: 0, damagedCount: 0 });
});

test('a damaged record is named, told, no longer hidden by the cache, and gone with the next write', (t) => {
  const { world, names } = worldWith(30, 1, 1_000_000);
  const name = names[11] ?? '';
  for (let i = 0; i < 3; i++) t.is(world.get(name).state, 'ok', 'also the cache has it now');
  world.medium.flip(world.pathOf(name), keyOf(name), 60);
  const found = scrub(world, 0);
  t.like(found, { damagedCount: 1, wrongLeaves: 0, isBroken: false, names: [name] });
  t.is(world.get(name).state, 'unknown');
  t.is(world.up().status().damagedRecords >= 1, true);
  t.deepEqual(world.up().status().suspectPartitions, []);
  t.is(world.put(name, 'anew', 5).state, 'acked');
  world.flush();
  t.like(scrub(world, 0), { records: 30, damagedCount: 0, wrongLeaves: 0 });
  t.like(count(world, 0), { differingLeaves: 0, records: 30, counted: 30 });
});

test('an entry whose storage key is damaged is taken out, its record is named, and a repair makes the tree whole', (t) => {
  const { world, names } = worldWith(30);
  const name = names[4] ?? '';
  const path = world.pathOf(name);
  const commit = new Map(world.medium.snapshot(path));
  const old = Buffer.from(keyOf(name)).toString('latin1');
  const changed = Buffer.from(keyOf(name));
  changed[11] = (changed[11] as number) ^ 1;
  commit.set(changed.toString('latin1'), commit.get(old) ?? new Uint8Array(0));
  commit.delete(old);
  world.medium.swap(path, commit);
  t.like(scrub(world, 0), { damagedCount: 1, wrongLeaves: 0, isBroken: false, names: [name] });
  t.is(world.medium.snapshot(path).size, commit.size - 1, 'what no read could meet is gone');
  world.put(name, 'anew', 9);
  world.flush();
  t.like(count(world, 0), { records: 30, counted: 30, differingLeaves: 0, damaged: 0 });
});

test('a leaf that is wrong by itself is an alarm, and is made anew', (t) => {
  const { world, names } = worldWith(30);
  const leaf = leafIndex(place(Buffer.from(names[3] ?? ''), Q).hashHi, LEAVES);
  world.medium.flip(world.pathOf(names[3] ?? ''), groupKey(Math.floor(leaf / 256)), (leaf % 256) * 12);
  t.like(scrub(world, 0), { damagedCount: 0, wrongLeaves: 1 });
  t.true(world.lines.some(({ level, event }) => level === 'error' && event === 'stored_leaves_wrong'));
  t.like(scrub(world, 0), { damagedCount: 0, wrongLeaves: 0 });
  world.put(names[3] ?? '', 'anew', 7);
  world.flush();
  t.like(count(world, 0), { differingLeaves: 0, records: 30 });
});

test('leaves in memory that are not what file and buffer come to are an alarm, and are made anew', (t) => {
  const { world, names } = worldWith(10);
  const live = world.up().liveTree(0).all();
  t.is(world.up().scrub.compareLive(0), 0);
  world
    .up()
    .liveTree(0)
    .toggle(leafIndex(place(Buffer.from(names[2] ?? ''), Q).hashHi, LEAVES), 1, 0, 1);
  t.is(world.up().scrub.compareLive(0), 1);
  t.true(world.lines.some(({ event }) => event === 'live_leaves_wrong'));
  t.is(world.up().scrub.compareLive(0), 0);
  t.deepEqual(world.up().liveTree(0).all(), live);
});

test('a file that cannot be read makes its partition suspect', (t) => {
  const { world } = worldWith(10);
  world.files.snapshotOf = (): never => {
    throw new Error('MDB_CORRUPTED');
  };
  let failed: Error | null = null;
  world.up().scrub.scrub(0, 0, (error) => {
    failed = error;
  });
  world.time.runUntil(() => failed !== null);
  t.deepEqual(world.up().status().suspectPartitions, [0]);
});

test('whatever rots, whenever: once it was found and written anew, the tree is that of the records', (t) => {
  let found = 0;
  for (let seed = 1; seed <= 25; seed++) {
    const { world, names } = worldWith(30, seed, seed % 2 === 0 ? 200_000 : 0);
    const random = new Prng(seed);
    const lost = new Set<string>();
    for (let step = 0; step < 40; step++) {
      const name = random.pick(names);
      const path = world.pathOf(name);
      const commit = world.medium.snapshot(path);
      const dice = random.int(10);
      if (dice < 4) world.write(name, `step ${step}`, 1 + step, false, () => undefined);
      else if (dice < 6) world.time.runFor(random.int(60));
      else if (dice < 7) world.up().liveTree(0).all();
      else if (dice < 9) {
        const entry = commit.get(Buffer.from(keyOf(name)).toString('latin1'));
        if (entry !== undefined) world.medium.flip(path, keyOf(name), random.int(entry.length - 24));
      } else {
        const result = scrub(world, 0);
        for (const damaged of result.names) lost.add(damaged);
        t.is(result.wrongLeaves, 0, `seed ${seed}: damage explains what differs`);
      }
    }
    for (const damaged of scrub(world, 0).names) lost.add(damaged);
    found += lost.size;
    for (const name of lost) world.put(name, 'repaired', 99);
    world.flush();
    t.like(scrub(world, 0), { damagedCount: 0, wrongLeaves: 0, records: 30 }, `seed ${seed}`);
    t.like(count(world, 0), { differingLeaves: 0, counted: 30, records: 30 }, `seed ${seed}`);
    t.is(world.up().scrub.compareLive(0), 0, `seed ${seed}`);
    t.true(leavesEqual(world.up().liveTree(0).all(), world.up().storedLeaves(0)), `seed ${seed}`);
    for (const name of names) t.is(world.get(name).state, 'ok', `seed ${seed}: ${name}`);
  }
  t.true(found > 40, `${found} records were damaged`);
});
