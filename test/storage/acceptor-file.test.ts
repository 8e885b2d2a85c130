/* What an acceptor has said is kept, or the file has another id. */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import type { AcceptorState } from '../../src/membership/ring-acceptor.js';
import { ACCEPTOR_PATH, AcceptorFile } from '../../src/storage/acceptor-file.js';
import { SlotsTooNewError } from '../../src/storage/slots.js';
import { finish, HASH } from '../support/log-world.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';

const SLOT_BYTES = 1_052_672;
const LARGEST = 1_048_544;

interface Scene {
  readonly time: SimulatedTime;
  readonly disk: SimulatedDisk;
  readonly file: AcceptorFile;
}

function scene(seed: number = 1): Scene {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(seed) });
  return { time, disk, file: open(time, disk) };
}

let drawn = 0;
const open = (time: SimulatedTime, disk: SimulatedDisk): AcceptorFile =>
  finish(time, AcceptorFile.open(disk, HASH, new Prng(++drawn)));

function write({ time, file }: Pick<Scene, 'time' | 'file'>, state: AcceptorState): Error | null {
  let answer: Error | null | undefined;
  file.write(state, (error) => {
    answer = error;
  });
  time.runUntil(() => answer !== undefined);
  return answer ?? null;
}

const promise = (round: number): AcceptorState => ({ version: 7, promised: { round, ordinal: 3 }, accepted: null });

function accepted(round: number, length: number): AcceptorState {
  const bytes = new Uint8Array(length);
  new Prng(round).fill(bytes);
  const ballot = { round, ordinal: 3 };
  return { version: 7, promised: ballot, accepted: { ballot, document: { bytes, hash: '00ff00ff00ff00ff' } } };
}

test('it is made once, with an id that stays, and holds the largest ring', (t) => {
  const { time, disk, file } = scene();
  t.is(file.found, 'none');
  t.is(file.state, null);
  t.regex(file.acceptorId, /^[0-9a-f]{32}$/);
  for (const state of [promise(1), accepted(2, 100), accepted(3, LARGEST), accepted(4, 1), promise(5)]) {
    t.is(write({ time, file }, state), null);
    const again = open(time, disk.clone());
    t.is(again.found, 'kept');
    t.is(again.acceptorId, file.acceptorId);
    t.deepEqual(again.state, state);
  }
  t.not(scene().file.acceptorId, file.acceptorId);
});

test('a power cut at any call: the old state or the new one, and what was said to be durable in any case', (t) => {
  const before = accepted(1, 3_000);
  const after = accepted(2, 5_000);
  const found = new Set<number>();
  for (let k = 1; k <= 60; k++) {
    const world = scene(k);
    const { time, disk, file } = world;
    t.is(write(world, before), null);
    disk.fail({ at: 1 + (k % 5), code: k % 2 === 0 ? 'EIO' : 'SHORT', forever: true });
    const error = write(world, after);
    const crashed = disk.crash();
    const again = open(time, crashed);
    t.is(again.found, 'kept', `cut ${k}`);
    t.is(again.acceptorId, file.acceptorId);
    const round = again.state?.promised?.round ?? 0;
    t.deepEqual(again.state, round === 1 ? before : after, `cut ${k}`);
    if (error === null) t.is(round, 2);
    found.add(round);
  }
  t.deepEqual([...found].sort(), [1, 2]);
});

test('a power cut while it is made leaves a file, or none', (t) => {
  for (let k = 1; k <= 40; k++) {
    const time = new SimulatedTime();
    const disk = new SimulatedDisk({ timers: time, random: new Prng(k) });
    disk.fail({ at: k % 12, code: 'EIO', forever: true });
    try {
      open(time, disk);
    } catch (error) {
      t.is((error as { code?: string }).code, 'EIO');
    }
    t.not(open(time, disk.crash()).found, 'damaged', `cut ${k}`);
  }
});

test('one slot that rots takes nothing with it', (t) => {
  const world = scene();
  const state = accepted(9, 2_000);
  t.is(write(world, promise(1)), null);
  t.is(write(world, state), null);
  for (const slot of [0, 1]) {
    for (const at of [0, 9, 13, 20, 30, 32, 48, 60, 1_000]) {
      const rotten = world.disk.clone();
      rotten.flipBit(ACCEPTOR_PATH, slot * SLOT_BYTES + at, at % 8);
      const again = open(world.time, rotten);
      t.is(again.acceptorId, world.file.acceptorId);
      t.deepEqual(again.state, state, `slot ${slot}, byte ${at}`);
      // Both are sound again: the other one may rot now.
      rotten.flipBit(ACCEPTOR_PATH, (1 - slot) * SLOT_BYTES + at, at % 8);
      t.deepEqual(open(world.time, rotten).state, state);
    }
  }
});

test('both slots rotten, or the file gone: another id, and no state', (t) => {
  const world = scene();
  t.is(write(world, accepted(9, 2_000)), null);
  const rotten = world.disk.clone();
  for (const slot of [0, 1]) rotten.flipBit(ACCEPTOR_PATH, slot * SLOT_BYTES + 40, 3);
  const gone = world.disk.clone();
  gone.discard(ACCEPTOR_PATH);
  for (const [disk, found] of [
    [rotten, 'damaged'],
    [gone, 'none'],
  ] as const) {
    const another = open(world.time, disk);
    t.is(another.found, found);
    t.not(another.acceptorId, world.file.acceptorId);
    t.is(another.state, null);
    t.is(write({ time: world.time, file: another }, promise(1)), null);
    const again = open(world.time, disk.crash());
    t.is(again.found, 'kept');
    t.is(again.acceptorId, another.acceptorId);
    t.deepEqual(again.state, promise(1));
  }
});

test('a file of a later format is not overwritten', (t) => {
  const { time, disk } = scene();
  const bytes = disk.contents(ACCEPTOR_PATH);
  for (const at of [0, SLOT_BYTES]) {
    bytes.writeUInt32BE(2, at + 8);
    const covered = Buffer.from(bytes.subarray(at, at + 32 + bytes.readUInt32BE(at + 12)));
    covered.fill(0, 24, 32);
    HASH.hashSeeded(covered, 0, covered.length, 0, bytes.readUIntBE(at + 18, 6));
    bytes.writeUInt32BE(HASH.hi, at + 24);
    bytes.writeUInt32BE(HASH.lo, at + 28);
  }
  disk.restore(ACCEPTOR_PATH, bytes);
  t.throws(() => open(time, disk), { instanceOf: SlotsTooNewError, message: /ring\/acceptor has format 2/ });
  t.deepEqual(disk.contents(ACCEPTOR_PATH), bytes);
});
