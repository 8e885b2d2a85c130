/* A partition that goes as a whole: all of it or nothing, whatever happens meanwhile, and its fence stays. */
import test from 'ava';
import { TestRead, TestWrite } from './engine-requests.js';
import { Twin } from './engine-twin.js';
import { World, type WorldOptions } from './engine-world.js';
import { SUSPICIONS } from '../../src/storage/partition.js';
import { MemoryStorage } from '../support/memory-storage.js';

const PARTITIONS = 64;

function opened(seed: number, options: Partial<WorldOptions> = {}): World {
  const world = new World({ seed, partitionCount: PARTITIONS, ...options });
  const error = world.start();
  if (error !== null) throw error;
  return world;
}

/** Names of partition 0, and of others. */
function namesOf(world: World): { readonly inside: readonly string[]; readonly outside: readonly string[] } {
  const inside = Array.from({ length: 6 }, (_, i) => world.nameIn(1, i));
  const outside = Array.from({ length: 20 }, (_, i) => `other${i}`).filter((name) => world.partitionOf(name) > 0);
  return { inside, outside: outside.slice(0, 6) };
}

interface Told {
  isDone: boolean;
  error: Error | null;
}

function drop(world: World, partition = 0): Told {
  const told: Told = { isDone: false, error: null };
  world.up().moves.dropPartition(
    partition,
    () => true,
    (error) => {
      told.isDone = true;
      told.error = error;
    },
  );
  return told;
}

function dropNow(world: World, partition = 0): void {
  const told = drop(world, partition);
  world.time.runUntil(() => told.isDone || world.fatal !== null);
  if (told.error !== null) throw told.error;
}

function raiseNow(world: World, partition: number, fence: number): void {
  let isDurable = false;
  const onWritten = (): void => {
    isDurable = true;
  };
  world.up().reaps.raise(partition, { fence, reapedAt: fence, trimmedAt: 0 }, { durable: true, onWritten });
  world.time.runUntil(() => isDurable);
}

const states = (world: World, names: readonly string[]): string[] => names.map((name) => world.get(name).state);
const fileOf = (world: World, partition: number): string => world.files.path(partition);

for (const where of ['buffer', 'file', 'both'] as const) {
  for (const ending of ['kill', 'power', 'clean'] as const) {
    test(`all of it goes, from ${where}, and stays gone after ${ending}; nothing else does`, (t) => {
      const world = opened(1, { cacheBytesMax: 50_000 });
      const { inside, outside } = namesOf(world);
      for (const name of [...inside, ...outside]) world.put(name, 'one');
      if (where !== 'buffer') world.flush();
      for (let i = 0; i < 3; i++) for (const name of inside) world.get(name);
      if (where === 'both') for (const name of inside.slice(3)) world.put(name, 'two', 2);
      dropNow(world);
      const check = (): void => {
        t.deepEqual(new Set(states(world, inside)), new Set(['absent']));
        t.deepEqual(new Set(states(world, outside)), new Set(['ok']));
        t.false(world.disk.paths().includes(fileOf(world, 0)));
        t.deepEqual(world.up().status().suspectPartitions, []);
        t.true(
          world
            .up()
            .liveTree(0)
            .all()
            .every((word) => word === 0),
        );
      };
      check();
      world.time.runFor(3_000);
      if (ending === 'clean') t.is(world.stop(), null);
      else world.crash(ending);
      t.is(world.start(), null);
      check();
      t.is(world.put(inside[0] as string, 'again').state, 'acked');
      world.flush();
      t.like(world.get(inside[0] as string), { state: 'ok', value: 'again', from: 'file' });
      t.is(world.get(inside[1] as string).state, 'absent');
    });
  }
}

test('the fence stays where it is, in the log and when the log has forgotten', (t) => {
  for (const isFlushed of [false, true]) {
    for (const forgets of [false, true]) {
      const world = opened(2);
      const { inside, outside } = namesOf(world);
      for (const name of inside) world.put(name, 'one');
      raiseNow(world, 0, 7);
      if (isFlushed) world.flush();
      dropNow(world);
      t.is(world.up().reaps.stampOf(0), 7);
      if (forgets) {
        for (let i = 0; i < 120; i++) world.put(outside[0] as string, 'x'.repeat(2_000), i + 1);
        world.flush();
        world.time.runFor(4_000);
      }
      world.crash('power');
      t.is(world.start(), null);
      t.deepEqual([world.up().reaps.stampOf(0), world.up().reaps.reapedAt(0)], [7, 7]);
      t.deepEqual(new Set(states(world, inside)), new Set(['absent']));
    }
  }
});

test('the log forgets a drop once nothing needs it', (t) => {
  const world = opened(3);
  const { inside, outside } = namesOf(world);
  for (const name of inside) world.put(name, 'one');
  dropNow(world);
  for (let i = 0; i < 150; i++) world.put(outside[0] as string, 'x'.repeat(2_000), i + 1);
  world.flush();
  world.time.runFor(4_000);
  t.true(world.up().status().logSegments <= 2);
  t.is(world.stop(), null);
  t.is(world.start(), null);
  t.deepEqual(world.up().status().suspectPartitions, []);
  t.deepEqual(new Set(states(world, inside)), new Set(['absent']));
});

test('a crash at any moment leaves all or nothing, and what was written afterwards', (t) => {
  const seen = { all: 0, nothing: 0 };
  for (let round = 0; round < 66; round++) {
    const steps = round % 33;
    const world = opened(100 + round, { batchOperationsMax: 2 });
    const { inside, outside } = namesOf(world);
    for (const name of [...inside, ...outside]) world.put(name, 'one');
    if (steps % 3 === 0) raiseNow(world, 0, 5);
    if (steps % 2 === 0) world.flush();
    for (const name of inside.slice(4)) world.put(name, 'two', 2);
    const told = drop(world);
    const writes: TestWrite[] = [];
    for (let i = 0; i < steps; i++) {
      world.time.step();
      if (i % 9 === 8) writes.push(world.write(world.nameIn(1, 50 + i), 'later', 1, true, () => undefined));
    }
    const isDone = told.isDone;
    const later = writes.map((write) => ({ write, isAcked: write.state === 'acked' }));
    world.crash(round % 4 < 2 ? 'kill' : 'power');
    t.is(world.start(), null, `${steps}`);
    const found = new Set(states(world, inside));
    t.is(found.size, 1, `${steps}: ${[...found].join()}`);
    t.true(found.has('ok') || found.has('absent'), `${steps}: ${[...found].join()}`);
    if (isDone) t.true(found.has('absent'));
    seen[found.has('ok') ? 'all' : 'nothing'] += 1;
    for (const { write, isAcked } of later) {
      const { state } = world.get(Buffer.from(write.key).toString('latin1'));
      if (isAcked) t.is(state, 'ok', `${steps}: what was written later`);
    }
    t.deepEqual(new Set(states(world, outside)), new Set(['ok']));
    if (steps % 3 === 0) t.is(world.up().reaps.stampOf(0), 5, `${steps}`);
    t.deepEqual(world.up().status().suspectPartitions, [], `${steps}`);
    world.flush();
    new Twin(world).checkFile(0);
    t.deepEqual([...world.up().liveTree(0).all()], [...world.up().storedLeaves(0)]);
    t.is(world.stop(), null);
    t.is(world.start(), null);
    t.deepEqual(world.up().status().suspectPartitions, [], `${steps}`);
    t.is(new Set([...found, ...states(world, inside)]).size, 1);
  }
  t.true(seen.all > 2 && seen.nothing > 20, JSON.stringify(seen));
});

test('every k-th call of the disk fails: all or nothing, and a store that cannot go on says so', (t) => {
  const outcome = (k: number, code: string): { readonly calls: number; readonly isFatal: boolean } => {
    const world = opened(7);
    const { inside } = namesOf(world);
    for (const name of inside) world.put(name, 'one');
    world.flush();
    world.time.runFor(3_000);
    const begin = world.disk.calls;
    if (k > 0) world.disk.fail({ at: k, code });
    const told = drop(world);
    world.time.runUntil(() => told.isDone || world.fatal !== null);
    const calls = world.disk.calls - begin;
    const isFatal = world.fatal !== null;
    world.disk.fail(null);
    world.crash(k % 2 === 0 ? 'kill' : 'power');
    t.is(world.start(), null);
    const found = new Set(states(world, inside));
    t.is(found.size, 1);
    if (told.isDone && told.error === null) t.true(found.has('absent'), `${code} at ${k}`);
    return { calls, isFatal };
  };
  const { calls } = outcome(0, 'EIO');
  t.true(calls >= 5);
  let fatal = 0;
  for (const code of ['EIO', 'ENOSPC']) for (let k = 1; k <= calls; k++) if (outcome(k, code).isFatal) fatal += 1;
  t.true(fatal > 3);
});

test('while it is flushed, scanned, scrubbed and read: it waits, and nobody gets what is gone', (t) => {
  for (let seed = 1; seed <= 30; seed++) {
    const world = opened(seed, { alwaysCold: true, batchOperationsMax: 1 });
    const { inside, outside } = namesOf(world);
    for (const name of [...inside, ...outside]) world.put(name, 'one');
    if (seed % 2 === 0) world.flush();
    for (const name of inside) world.put(name, 'two', 2);
    let isFlushed = false;
    world.up().flush(() => {
      isFlushed = true;
    });
    for (let i = world.random.int(30); i > 0; i--) world.time.step();
    const reads = inside.map((name) => world.read(name));
    let isScanned = false;
    world.up().scan({
      partition: new TestRead(inside[0] as string, PARTITIONS).partition,
      fromHi: 0,
      fromLo: 0,
      untilHi: 2 ** 32,
      untilLo: 0,
      recordsMax: 100,
      bytesMax: 1_000_000,
      onRecord: () => undefined,
      onEnd: () => {
        isScanned = true;
      },
    });
    let isScrubbed = false;
    world.up().scrub.scrub(0, 0, () => {
      isScrubbed = true;
    });
    const told = drop(world);
    const second = drop(world);
    world.time.runUntil(() => told.isDone && second.isDone && isScanned && isScrubbed && isFlushed);
    t.is(told.error ?? second.error, null);
    world.time.runUntil(() => reads.every(({ state }) => state !== 'waiting'));
    t.deepEqual(new Set(states(world, inside)), new Set(['absent']), `seed ${seed}`);
    t.deepEqual(new Set(states(world, outside)), new Set(['ok']));
    t.is(world.fatal, null);
    t.is(world.stop(), null);
  }
});

test('a store that stops meanwhile ends it, or has not begun', (t) => {
  for (let steps = 0; steps < 40; steps++) {
    const world = opened(300 + steps);
    const { inside } = namesOf(world);
    for (const name of inside) world.put(name, 'one');
    if (steps % 2 === 0) world.flush();
    const told = drop(world);
    for (let i = 0; i < steps; i++) world.time.step();
    t.is(world.stop(), null);
    t.true(told.isDone);
    t.is(world.start(), null);
    t.deepEqual(new Set(states(world, inside)), new Set([told.error === null ? 'absent' : 'ok']), `${steps}`);
    t.deepEqual(world.up().status().suspectPartitions, []);
  }
});

test('it is asked in the moment in which all of it goes: what was written before it was asked is not lost', (t) => {
  const seen = { gone: 0, stayed: 0 };
  for (let steps = 0; steps < 30; steps++) {
    const world = opened(400 + steps, { batchOperationsMax: 1 });
    const { inside } = namesOf(world);
    for (const name of inside) world.put(name, 'one');
    world.up().flush(() => undefined);
    let isWritten = false;
    let ending: boolean | undefined;
    world.up().moves.dropPartition(
      0,
      () => !isWritten,
      (_error, isGone) => {
        ending = isGone;
      },
    );
    for (let i = 0; i < steps; i++) world.time.step();
    const late = world.write(inside[0] as string, 'late', 2, true, () => undefined);
    isWritten = true; // decided in the call, as a hint is beside its record
    world.time.runUntil(() => ending !== undefined && late.state === 'acked');
    t.is(world.get(inside[0] as string).value, 'late', `${steps}`);
    t.is(world.get(inside[1] as string).state, ending === true ? 'absent' : 'ok', `${steps}`);
    seen[ending === true ? 'gone' : 'stayed'] += 1;
    t.is(world.stop(), null);
    t.is(world.start(), null);
    t.is(world.get(inside[0] as string).value, 'late', `${steps}`);
    t.is(world.get(inside[1] as string).state, ending === true ? 'absent' : 'ok', `${steps}`);
  }
  t.true(seen.gone > 2 && seen.stayed > 2, JSON.stringify(seen));
});

test('a partition that comes back while it goes, or since, stays suspect: it is empty, and others have all of it', (t) => {
  for (let steps = 0; steps < 40; steps++) {
    const world = opened(500 + steps);
    const { inside } = namesOf(world);
    for (const name of inside) world.put(name, 'one');
    if (steps % 2 === 0) world.flush();
    let hasGone = false;
    const told: Told = { isDone: false, error: null };
    world.up().moves.dropPartition(
      0,
      () => {
        hasGone = true;
        return true;
      },
      (error) => {
        told.isDone = true;
        told.error = error;
      },
    );
    world.time.runUntil(() => hasGone);
    for (let i = 0; i < steps; i++) world.time.step();
    let isSuspect = false;
    world.up().suspect(0, SUSPICIONS.storeNew, () => {
      isSuspect = true;
    });
    world.time.runUntil(() => told.isDone && isSuspect);
    t.is(told.error, null);
    t.deepEqual(world.up().status().suspectPartitions, [0], `${steps}`);
    world.crash(steps % 4 < 2 ? 'kill' : 'power');
    t.is(world.start(), null);
    t.deepEqual(
      world.up().status().suspectPartitions,
      [0],
      `${steps}: the log tells of the drop, and not of what came since`,
    );
    t.is(world.get(inside[0] as string).state, 'unknown');
  }
});

test('the storage in memory drops what the engine drops', (t) => {
  const storage = new MemoryStorage();
  const { inside, outside } = namesOf(opened(9));
  for (const name of [...inside, ...outside])
    storage.write(new TestWrite(name, 'one', 1, PARTITIONS, false, () => undefined));
  storage.reaps.raise(0, { fence: 7, reapedAt: 0, trimmedAt: 0 }, { durable: true, onWritten: () => undefined });
  storage.holdAcks = true;
  let isDone = false;
  storage.dropPartition(
    0,
    () => true,
    () => {
      isDone = true;
    },
  );
  t.false(isDone, 'it is told when it is on the disk');
  storage.sync();
  t.true(isDone);
  const stateOf = (name: string): string => {
    const read = new TestRead(name, PARTITIONS);
    storage.read(read);
    return read.state;
  };
  t.deepEqual(new Set(inside.map(stateOf)), new Set(['absent']));
  t.deepEqual(new Set(outside.map(stateOf)), new Set(['ok']));
  t.is(storage.reaps.stampOf(0), 7);
});
