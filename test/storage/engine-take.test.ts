/* A file of an archive in the place of an empty partition: all of it and believed, or nothing of it. */
import test, { type ExecutionContext } from 'ava';
import type { FileManifest } from '../../src/env/workers.js';
import type { ForeignFile, InstallRefusal } from '../../src/storage/move-storage.js';
import { SUSPICIONS } from '../../src/storage/partition.js';
import { place } from './engine-requests.js';
import {
  ActorWrite,
  checkWhole,
  copyFrom,
  LONG,
  NAMES,
  opened,
  PARTITIONS,
  PATH,
  raiseNow,
  ReapWrite,
  valueAt,
  writeNow,
} from './engine-install-world.js';
import type { World } from './engine-world.js';

interface Archived {
  readonly bytes: Uint8Array;
  readonly manifest: FileManifest;
}

const [A, B, C] = NAMES as [string, string, string];
const ARCHIVED: Archived = copyFrom(1, (donor) => {
  for (const name of [...NAMES.slice(0, 8), LONG]) donor.put(name, 'theirs 3', 3);
});
/** Made at fence 4, behind a delete that was forgotten. */
const REAPED: Archived = copyFrom(1, (donor) => {
  donor.put(A, 'theirs 3', 3);
  donor.put(B, 'reaped', 1);
  raiseNow(donor, 4);
  writeNow(donor, new ReapWrite(B, 4));
});

interface Taking {
  isDone: boolean;
  error: Error | null;
  refusal: InstallRefusal | null;
}

function take(world: World, { bytes, manifest }: Archived, more: Partial<ForeignFile> = {}, partition = 0): Taking {
  world.disk.restore(PATH, bytes);
  const told: Taking = { isDone: false, error: null, refusal: null };
  world.up().moves.takeFile(partition, { ...manifest, path: PATH, isOurs: true, ...more }, (error, refusal) => {
    Object.assign(told, { isDone: true, error, refusal: refusal ?? null });
  });
  return told;
}

function takeNow(
  world: World,
  archived: Archived,
  more: Partial<ForeignFile> = {},
  partition = 0,
): InstallRefusal | null {
  const told = take(world, archived, more, partition);
  world.time.runUntil(() => told.isDone || world.fatal !== null);
  if (told.error !== null) throw told.error;
  return told.refusal;
}

function holdsAll(t: ExecutionContext, world: World): void {
  for (const name of [...NAMES.slice(0, 8), LONG]) t.like(world.get(name), { state: 'ok', value: 'theirs 3' });
}

test('everything is there, believed, also after a restart, and no mark of the file holds', (t) => {
  for (const ending of ['kill', 'power', 'clean'] as const) {
    const world = opened(2, { cacheBytesMax: 50_000 });
    t.is(takeNow(world, ARCHIVED), null);
    t.false(world.disk.paths().includes(PATH));
    for (let i = 0; i < 2; i++) {
      t.deepEqual(world.up().status().suspectPartitions, []);
      holdsAll(t, world);
      t.false(world.get(A).hasMark);
      checkWhole(t, world);
      if (i === 1) break;
      if (ending === 'clean') t.is(world.stop(), null);
      else world.crash(ending);
      t.is(world.start(), null);
      t.deepEqual(world.up().status().quarantined, []);
    }
  }
});

test('of the same cluster it brings its fence and what was reaped; of another one neither', (t) => {
  for (const isOurs of [true, false]) {
    const world = opened(2);
    t.is(takeNow(world, REAPED, { isOurs }), null);
    t.is(world.up().reaps.floorOf(0), isOurs ? 4 : 0);
    const { hashHi: hi, hashLo: lo } = place(Buffer.from(B), PARTITIONS);
    t.is(world.up().reaps.entriesOf(0, hi, lo).length, isOurs ? 1 : 0);
    t.is(valueAt(world, A), 'theirs 3');
    world.crash('power');
    t.is(world.start(), null);
    t.is(world.up().reaps.floorOf(0), isOurs ? 4 : 0);
    t.is(world.up().reaps.entriesOf(0, hi, lo).length, isOurs ? 1 : 0);
    checkWhole(t, world);
  }
});

test('what is refused changes nothing', (t) => {
  const refused = (
    expected: InstallRefusal,
    before: (world: World) => void,
    archived: Archived = ARCHIVED,
    more: Partial<ForeignFile> = {},
    partition = 0,
  ): void => {
    const world = opened(2);
    before(world);
    const suspects = world.up().status().suspectPartitions;
    const fence = world.up().reaps.floorOf(0);
    t.is(takeNow(world, archived, more, partition), expected);
    t.deepEqual(world.up().status().suspectPartitions, suspects);
    t.is(world.up().reaps.floorOf(0), fence);
    t.is(valueAt(world, B), 'absent');
    world.put(C, 'goes on', 9);
    t.is(valueAt(world, C), 'goes on');
    checkWhole(t, world);
  };
  const put = (world: World): void => {
    world.put(A, 'here', 5);
  };
  refused('not-empty', put);
  refused('not-empty', (world) => {
    put(world);
    world.flush();
  });
  refused('in-doubt', (world) => {
    world.up().suspect(0, SUSPICIONS.fileMissing, () => undefined);
  });
  refused('behind', (world) => {
    raiseNow(world, 1);
  });
  refused(
    'behind',
    (world) => {
      raiseNow(world, 4); // the other cluster's fence says nothing here
    },
    REAPED,
    { isOurs: false },
  );
  refused('foreign', () => undefined, ARCHIVED, {}, 1);
  const nothing = (): void => undefined;
  const { manifest, bytes } = ARCHIVED;
  refused('damaged', nothing, ARCHIVED, { records: manifest.records + 1 });
  refused('damaged', nothing, ARCHIVED, { rootLo: manifest.rootLo ^ 1 });
  refused('damaged', nothing, ARCHIVED, { rootHi: manifest.rootHi ^ 1 });
  const flipped = new Uint8Array(bytes);
  flipped[bytes.length - 100] = (flipped[bytes.length - 100] as number) ^ 1;
  refused('damaged', nothing, { bytes: flipped, manifest });
  const cutOff = { bytes: bytes.subarray(0, bytes.length - 1), manifest };
  t.throws(() => takeNow(opened(2), cutOff), { message: /incoming/ });
});

test('a path with nothing at it is an error, and the partition is free for the next', (t) => {
  const world = opened(2);
  const told = take(world, ARCHIVED, { path: 'incoming/nothing' });
  world.time.runUntil(() => told.isDone);
  t.truthy(told.error);
  t.is(takeNow(world, ARCHIVED), null);
  holdsAll(t, world);
});

test('who makes it suspect meanwhile is believed: it stays so', (t) => {
  let doubted = 0;
  for (let round = 0; round < 60; round++) {
    const world = opened(100 + round);
    const told = take(world, ARCHIVED);
    for (let i = 0; i < round && !told.isDone; i++) world.time.step();
    if (told.isDone) continue;
    world.up().suspect(0, SUSPICIONS.fileDamaged, () => undefined);
    world.time.runUntil(() => told.isDone);
    doubted += 1;
    t.true(told.refusal === 'in-doubt' || told.refusal === null, told.refusal ?? '');
    t.deepEqual(world.up().status().suspectPartitions, [0], `round ${round}`);
  }
  t.true(doubted > 5, `${doubted}`);
});

test('writes that come meanwhile are merged or keep it out; a crash at any moment leaves either', (t) => {
  const seen = { old: 0, doubted: 0, taken: 0, refused: 0 };
  for (let round = 0; round < 120; round++) {
    const world = opened(1_000 + round, { batchOperationsMax: 2, alwaysCold: round % 5 === 0 });
    const told = take(world, ARCHIVED);
    const writes: { readonly name: string; readonly value: string; readonly write: ActorWrite }[] = [];
    for (let i = 0; i < round && !told.isDone; i++) {
      world.time.step();
      if (i % 9 !== 5 || round % 2 === 0) continue;
      const name = NAMES[(i * 5) % NAMES.length] as string;
      const value = `beside ${i}`;
      const write = new ActorWrite(name, value, 1, 20 + i);
      writes.push({ name, value, write });
      world.up().write(write);
    }
    if (told.error !== null) throw told.error;
    const isUp = round % 4 === 3;
    if (isUp) world.time.runUntil(() => told.isDone && writes.every(({ write }) => write.state === 'acked'));
    const { isDone, refusal } = told;
    if (!isUp) {
      world.crash(round % 3 === 0 ? 'kill' : 'power');
      t.is(world.start(), null);
    }
    t.deepEqual(world.up().status().quarantined, []);
    for (const { name, value, write } of writes) {
      if (write.state === 'acked')
        t.true(valueAt(world, name).includes(value), `round ${round}: ${name} lost ${value}`);
    }
    const isThere = valueAt(world, NAMES[7] as string).includes('theirs 3');
    const isSuspect = world.up().status().suspectPartitions.length > 0;
    if (isDone && refusal === null) {
      t.true(isThere, `round ${round}`);
      t.false(isSuspect, `round ${round}`);
      for (const name of NAMES.slice(0, 8)) t.regex(valueAt(world, name), /theirs 3/, `round ${round}: ${name}`);
    }
    if (isThere && !isSuspect) for (const name of NAMES.slice(0, 8)) t.regex(valueAt(world, name), /theirs 3/);
    if (isDone && refusal !== null) t.false(isThere || isSuspect, `round ${round}`);
    seen[isDone ? (refusal === null ? 'taken' : 'refused') : isThere ? 'doubted' : 'old'] += 1;
    checkWhole(t, world);
  }
  t.true(seen.old > 10 && seen.taken > 20 && seen.refused > 10, JSON.stringify(seen));
});

test('every k-th call of the disk fails: what was there is there, or all of the file', (t) => {
  const outcome = (k: number, code: string, batch: boolean): number => {
    const world = opened(7);
    const begin = world.disk.calls;
    if (batch) world.medium.failing = { at: k, code, forever: false, path: PATH };
    else if (k > 0) world.disk.fail({ at: k, code });
    const told = take(world, ARCHIVED);
    world.time.runUntil(() => told.isDone || world.fatal !== null);
    const calls = world.disk.calls - begin;
    world.disk.fail(null);
    world.medium.failing = null;
    world.crash(k % 2 === 0 ? 'kill' : 'power');
    t.is(world.start(), null);
    t.deepEqual(world.up().status().quarantined, []);
    const isThere = valueAt(world, A) === 'theirs 3';
    if (told.isDone && told.error === null && told.refusal === null) {
      t.true(isThere);
      t.deepEqual(world.up().status().suspectPartitions, []);
    }
    if (isThere) for (const name of NAMES.slice(0, 8)) t.is(valueAt(world, name), 'theirs 3', `${code} at ${k}`);
    checkWhole(t, world);
    return calls;
  };
  const calls = outcome(0, 'EIO', false);
  t.true(calls >= 8);
  for (const code of ['EIO', 'ENOSPC']) {
    for (let k = 1; k <= calls; k++) outcome(k, code, false);
    for (let k = 1; k <= 4; k++) outcome(k, code, true);
  }
});
