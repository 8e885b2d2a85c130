/* A received file in the place of a partition's own: nothing that either holds is lost, whatever comes meanwhile. */
import test, { type ExecutionContext } from 'ava';
import type { FileManifest } from '../../src/env/workers.js';
import { CONTEXT_ENTRY_BYTES } from '../../src/versioning/record.js';
import { seal } from '../../src/versioning/write.js';
import type { InstallRefusal } from '../../src/storage/move-storage.js';
import { DROP_RECORD, type Stored } from '../../src/storage/storage.js';
import { HASH, place, testRecordBytes, TestWrite } from './engine-requests.js';
import { Twin } from './engine-twin.js';
import { World, type WorldOptions } from './engine-world.js';

const PARTITIONS = 64;
const PATH = 'incoming/one';

function opened(seed: number, options: Partial<WorldOptions> = {}): World {
  const world = new World({ seed, partitionCount: PARTITIONS, ...options });
  const error = world.start();
  if (error !== null) throw error;
  return world;
}

/** A write by another actor: beside what it has not seen it is a sibling. */
class ActorWrite extends TestWrite {
  readonly #actor: number;

  constructor(
    name: string,
    value: string,
    counter: number,
    actor: number,
    onPlaced: (stored: Stored) => void = () => undefined,
  ) {
    super(name, value, counter, PARTITIONS, true, onPlaced);
    this.#actor = actor;
  }

  override encode(target: Uint8Array, at: number): void {
    super.encode(target, at);
    const entry = at + 24 + this.key.length;
    target[entry + 7] = this.#actor;
    target[entry + CONTEXT_ENTRY_BYTES + 7] = this.#actor;
    seal(target, at, testRecordBytes(this.key, this.value.length), HASH);
  }
}

class ReapWrite extends TestWrite {
  readonly reaping: { readonly fence: number; readonly atMs: number };

  constructor(name: string, fence: number) {
    super(name, null, 0, PARTITIONS, true, () => undefined);
    this.reaping = { fence, atMs: 5 };
  }

  override decide(stored: Parameters<TestWrite['decide']>[0]): number {
    super.decide(stored);
    return DROP_RECORD;
  }
}

function writeNow(world: World, write: TestWrite): void {
  world.up().write(write);
  world.time.runUntil(() => write.state === 'acked');
}

function raiseNow(world: World, fence: number): void {
  let isDurable = false;
  const onWritten = (): void => {
    isDurable = true;
  };
  world.up().reaps.raise(0, { fence, reapedAt: 0, trimmedAt: 0 }, { durable: true, onWritten });
  world.time.runUntil(() => isDurable);
}

/** The file of partition 0 of a store of its own, after `fill`. */
function fileFrom(seed: number, fill: (donor: World) => void): Uint8Array {
  const donor = opened(seed);
  fill(donor);
  donor.flush();
  let manifest: FileManifest | null = null;
  donor.disk.makeFolder('outgoing', () => {
    donor.up().moves.copyFile(0, 'outgoing/one', (error, made) => {
      if (error !== null) throw error;
      manifest = made ?? null;
    });
  });
  donor.time.runUntil(() => manifest !== null);
  return donor.disk.contents('outgoing/one');
}

interface Told {
  isDone: boolean;
  error: Error | null;
  refusal: InstallRefusal | null;
}

function install(world: World, bytes: Uint8Array, partition = 0): Told {
  if (!world.disk.paths().includes(PATH)) world.disk.restore(PATH, bytes);
  const told: Told = { isDone: false, error: null, refusal: null };
  world.up().moves.installFile(partition, PATH, (error, refusal) => {
    told.isDone = true;
    told.error = error;
    told.refusal = refusal ?? null;
  });
  return told;
}

function installNow(world: World, bytes: Uint8Array, partition = 0): InstallRefusal | null {
  const told = install(world, bytes, partition);
  world.time.runUntil(() => told.isDone || world.fatal !== null);
  if (told.error !== null) throw told.error;
  return told.refusal;
}

function trustNow(world: World): void {
  let isTrusted = false;
  world.up().trust(0, () => {
    isTrusted = true;
  });
  world.time.runUntil(() => isTrusted);
}

const NAMES: readonly string[] = ((): readonly string[] => {
  const world = new World({ seed: 0, partitionCount: PARTITIONS });
  return Array.from({ length: 14 }, (_, i) => world.nameIn(1, i));
})();
const LONG: string = new World({ seed: 0, partitionCount: PARTITIONS }).nameIn(1, 40, 'x'.repeat(600));

const valueAt = (world: World, name: string): string => {
  const read = world.get(name);
  return read.state === 'absent' || read.value === '' ? 'absent' : read.value;
};

function checkWhole(t: ExecutionContext, world: World): void {
  t.deepEqual(
    [...world.up().liveTree(0).all()],
    ((): number[] => {
      world.flush();
      return [...world.up().storedLeaves(0)];
    })(),
  );
  new Twin(world).checkFile(0);
}

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

const CONTENTS = (): Uint8Array =>
  fileFrom(1, (donor) => {
    for (const name of NAMES.slice(0, 8)) donor.put(name, 'theirs 3', 3);
    raiseNow(donor, 4);
  });

/** What a key may read as: its counter, and that of the file where it is newer. */
function newest(value: string): number {
  return value === 'absent' ? 0 : Number.parseInt(value.split(' ')[1] as string, 10);
}

test('writes that come meanwhile are merged, too, and a crash at any moment loses none of them', (t) => {
  const bytes = CONTENTS();
  const seen = { old: 0, installed: 0, done: 0 };
  for (let round = 0; round < 120; round++) {
    const world = opened(1_000 + round, { batchOperationsMax: 2, alwaysCold: round % 5 === 0 });
    // Some older than the file's, some newer, some not in it; in the buffer, in the file, in both.
    const counters = new Map<string, number>();
    const acked = new Map<string, number>();
    const put = (name: string, counter: number): TestWrite => {
      counters.set(name, counter);
      return world.write(name, `ours ${counter}`, counter, true, () => undefined);
    };
    const first = NAMES.slice(4, 12).map((name, i) => ({ name, write: put(name, 1 + (i % 4) * 2) }));
    world.time.runUntil(() => first.every(({ write }) => write.state === 'acked'));
    for (const { name } of first) acked.set(name, counters.get(name) as number);
    if (round % 3 > 0) world.flush();
    if (round % 3 === 2) world.put(NAMES[5] as string, 'ours 4', 4);
    const told = install(world, bytes);
    const writes: { readonly name: string; readonly counter: number; readonly write: TestWrite }[] = [];
    const steps = Math.floor(round * 1.5);
    for (let i = 0; i < steps && world.fatal === null; i++) {
      world.time.step();
      if (i % 7 !== 3) continue;
      // Blind writes by others: above all that was written here, and beside what only the file has.
      const name = NAMES[(i * 5) % NAMES.length] as string;
      const counter = 10 + i;
      writes.push({ name, counter, write: put(name, counter) });
    }
    t.is(world.fatal, null);
    if (told.error !== null) throw told.error;
    const isDone = told.isDone;
    if (isDone) t.is(told.refusal, null);
    for (const { name, counter, write } of writes) if (write.state === 'acked') acked.set(name, counter);
    const isLeftUp = round % 4 === 3;
    if (isLeftUp) {
      world.time.runUntil(() => told.isDone);
      for (const { name, counter, write } of writes) {
        world.time.runUntil(() => write.state === 'acked');
        acked.set(name, counter);
      }
    } else {
      world.crash(round % 4 === 0 ? 'kill' : 'power');
      t.is(world.start(), null, `round ${round}`);
    }
    t.deepEqual(world.up().status().quarantined, [], `round ${round}`);
    for (const [name, counter] of acked)
      t.true(
        newest(valueAt(world, name)) >= counter,
        `round ${round}: ${name} has ${valueAt(world, name)}, not ${counter}`,
      );
    const isInstalled = valueAt(world, NAMES[0] as string) !== 'absent' && !world.disk.paths().includes(PATH);
    if (isDone || isLeftUp) {
      t.true(isInstalled, `round ${round}`);
      t.deepEqual(world.up().status().suspectPartitions, [0]);
      for (const name of NAMES.slice(0, 8)) t.true(newest(valueAt(world, name)) >= 3, `round ${round}: ${name}`);
    }
    seen[isDone || isLeftUp ? 'done' : isInstalled ? 'installed' : 'old'] += 1;
    // Until it is done nobody takes what is there for whole.
    if (isInstalled) t.deepEqual(world.up().status().suspectPartitions, [0], `round ${round}`);
    checkWhole(t, world);
    t.is(world.stop(), null);
    t.is(world.start(), null);
    t.deepEqual(world.up().status().quarantined, []);
    for (const [name, counter] of acked) t.true(newest(valueAt(world, name)) >= counter, `round ${round}: again`);
  }
  t.true(seen.old > 10 && seen.installed > 5 && seen.done > 20, JSON.stringify(seen));
});

test('what is written meanwhile without knowing of what the file has stands beside it in the end', (t) => {
  const bytes = CONTENTS();
  let unaware = 0;
  for (let round = 0; round < 80; round++) {
    const world = opened(2_000 + round);
    for (const name of NAMES.slice(4, 8)) world.put(name, 'ours 1', 1); // older than the file's: nothing to be written again
    if (round % 2 === 0) world.flush();
    const told = install(world, bytes);
    const isUnaware = new Set<string>();
    const writes: ActorWrite[] = [];
    for (let i = 0; !told.isDone; i++) {
      world.time.step();
      if (i % 8 !== round % 8) continue;
      const name = NAMES[writes.length % 8] as string;
      if (writes.length >= 8) continue;
      const write = new ActorWrite(name, 'beside', 1, 9, ({ start, end }) => {
        if (end === start) isUnaware.add(name);
      });
      writes.push(write);
      world.up().write(write);
    }
    t.is(told.error, null);
    for (const name of isUnaware) {
      unaware += 1;
      t.regex(valueAt(world, name), /theirs 3/, `round ${round}`);
      t.regex(valueAt(world, name), /beside/, `round ${round}`);
    }
    checkWhole(t, world);
  }
  t.true(unaware > 100, `${unaware}`);
});

test('every k-th call of the disk fails, every batch: nothing of ours is lost, and a store that cannot go on says so', (t) => {
  const bytes = CONTENTS();
  const outcome = (k: number, code: string, batch: boolean): { readonly calls: number; readonly isFatal: boolean } => {
    const world = opened(7);
    for (const name of NAMES.slice(4, 10)) world.put(name, 'ours 5', 5);
    world.flush();
    world.put(NAMES[4] as string, 'ours 6', 6);
    world.time.runFor(3_000);
    world.disk.restore(PATH, bytes);
    const begin = world.disk.calls;
    if (batch) world.medium.failing = { at: k, code, forever: false, path: PATH };
    else if (k > 0) world.disk.fail({ at: k, code });
    const told = install(world, bytes);
    world.time.runUntil(() => told.isDone || world.fatal !== null);
    const calls = world.disk.calls - begin;
    const isFatal = world.fatal !== null;
    world.disk.fail(null);
    world.medium.failing = null;
    if (!isFatal) for (const name of NAMES.slice(5, 10)) t.is(valueAt(world, name), 'ours 5', `${code} at ${k}`);
    world.crash(k % 2 === 0 ? 'kill' : 'power');
    t.is(world.start(), null);
    t.deepEqual(world.up().status().quarantined, []);
    t.is(valueAt(world, NAMES[4] as string), 'ours 6');
    for (const name of NAMES.slice(5, 10)) t.is(valueAt(world, name), 'ours 5', `${code} at ${k}`);
    if (told.isDone && told.error === null) t.is(valueAt(world, NAMES[0] as string), 'theirs 3');
    checkWhole(t, world);
    return { calls, isFatal };
  };
  const { calls } = outcome(0, 'EIO', false);
  t.true(calls >= 10);
  let fatal = 0;
  for (const code of ['EIO', 'ENOSPC'])
    for (let k = 1; k <= calls; k++) if (outcome(k, code, false).isFatal) fatal += 1;
  t.true(fatal > 3);
  for (const code of ['EIO', 'ENOSPC']) outcome(1, code, true);
});

test('a store that stops meanwhile has it in its place, or keeps what it had', (t) => {
  const bytes = CONTENTS();
  const seen = { installed: 0, kept: 0 };
  for (let steps = 0; steps < 60; steps++) {
    const world = opened(300 + steps);
    for (const name of NAMES.slice(4, 10)) world.put(name, 'ours 5', 5);
    if (steps % 2 === 0) world.flush();
    const told = install(world, bytes);
    for (let i = 0; i < steps; i++) world.time.step();
    t.is(world.stop(), null, `${steps}`);
    t.true(told.isDone);
    t.is(world.start(), null);
    t.deepEqual(world.up().status().quarantined, [], `${steps}`);
    for (const name of NAMES.slice(4, 10)) t.is(valueAt(world, name), 'ours 5');
    t.is(valueAt(world, NAMES[0] as string), told.error === null ? 'theirs 3' : 'absent', `${steps}`);
    seen[told.error === null ? 'installed' : 'kept'] += 1;
  }
  t.true(seen.installed > 5 && seen.kept > 5, JSON.stringify(seen));
});

test('dropped and installed again and again, under load, it is always what it should be', (t) => {
  const bytes = CONTENTS();
  const world = opened(5, { batchOperationsMax: 3, cacheBytesMax: 50_000 });
  for (let round = 0; round < 12; round++) {
    t.is(installNow(world, bytes), null);
    t.is(valueAt(world, NAMES[0] as string), 'theirs 3');
    world.put(NAMES[12] as string, `ours ${round}`, round + 1);
    if (round % 2 === 0) world.flush();
    checkWhole(t, world);
    let isDropped = false;
    world.up().moves.dropPartition(0, (error) => {
      t.is(error, null);
      isDropped = true;
    });
    world.time.runUntil(() => isDropped);
    for (const name of NAMES) t.is(world.get(name).state, 'absent');
    if (round % 3 === 1) {
      world.crash('power');
      t.is(world.start(), null);
    }
    t.is(world.up().reaps.stampOf(0), 4);
  }
});
