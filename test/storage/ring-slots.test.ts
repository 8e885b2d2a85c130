/* The ring on the disk: after a power cut at any call it is the old one or the new one, and never none. */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { RING_DOCUMENT_BYTES_MAX } from '../../src/ring/ring-file.js';
import { RING_PATH, RingSlots } from '../../src/storage/ring-slots.js';
import { SlotsDamagedError } from '../../src/storage/slots.js';
import { finish, HASH } from '../support/log-world.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';

const SLOT_BYTES = 1_048_576;

interface Scene {
  readonly time: SimulatedTime;
  readonly disk: SimulatedDisk;
  readonly slots: RingSlots;
}

function document(version: number, length: number = 2_000 + 1_000 * version): Uint8Array {
  const bytes = new Uint8Array(length);
  new Prng(version).fill(bytes);
  return bytes;
}

function scene(seed: number = 1): Scene {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(seed) });
  return { time, disk, slots: finish(time, RingSlots.create(disk, HASH, document(1))) };
}

const open = (time: SimulatedTime, disk: SimulatedDisk): RingSlots | null => finish(time, RingSlots.open(disk, HASH));

function save({ time, slots }: Scene, bytes: Uint8Array): Error | null {
  let answer: Error | null | undefined;
  slots.save(bytes, (error) => {
    answer = error;
  });
  time.runUntil(() => answer !== undefined);
  return answer ?? null;
}

const found = ({ time }: Scene, disk: SimulatedDisk): Uint8Array | undefined => open(time, disk)?.document;

test('each ring is found as it was kept, from the smallest to the largest', (t) => {
  const world = scene();
  t.deepEqual(found(world, world.disk.clone()), document(1));
  for (const [version, length] of [
    [2, 100],
    [3, RING_DOCUMENT_BYTES_MAX],
    [4, 1],
    [5, 5_000],
  ] as const) {
    t.is(save(world, document(version, length)), null);
    t.deepEqual(world.slots.document, document(version, length));
    t.deepEqual(found(world, world.disk.clone()), document(version, length));
  }
});

test('where there is no ring none is made up', (t) => {
  const time = new SimulatedTime();
  t.is(open(time, new SimulatedDisk({ timers: time, random: new Prng(1) })), null);
});

test('a power cut at any call: the old ring or the new one, and what was said to be kept in any case', (t) => {
  const seen = new Set<string>();
  for (let k = 1; k <= 80; k++) {
    const world = scene(k);
    t.is(save(world, document(2)), null);
    world.disk.fail({ at: 1 + (k % 4), code: k % 2 === 0 ? 'EIO' : 'SHORT', forever: true });
    const error = save(world, document(3));
    if (error !== null) t.deepEqual(world.slots.document, document(2), 'it goes by what it has');
    const kept = found(world, world.disk.crash()) as Uint8Array;
    const isNew = kept.length === document(3).length;
    t.deepEqual(kept, document(isNew ? 3 : 2), `cut ${k}`);
    if (error === null) t.true(isNew, `cut ${k}`);
    seen.add(`${error === null ? 'kept' : 'not kept'}, ${isNew ? 'new' : 'old'}`);
  }
  t.true(seen.has('kept, new') && seen.has('not kept, old'), [...seen].join('; '));
});

test('a power cut while it is being written: the old ring or the new one', (t) => {
  const seen = new Set<boolean>();
  for (let k = 1; k <= 80; k++) {
    const world = scene(k);
    t.is(save(world, document(2)), null);
    world.slots.save(document(3), () => undefined);
    world.time.runFor((k % 16) / 4);
    const kept = found(world, world.disk.crash()) as Uint8Array;
    seen.add(kept.length === document(3).length);
    t.deepEqual(kept, document(kept.length === document(3).length ? 3 : 2), `cut ${k}`);
  }
  t.deepEqual([...seen].sort(), [false, true]);
});

test('a save that failed can be made again, and then outlives a power cut', (t) => {
  for (let k = 1; k <= 60; k++) {
    const world = scene(k);
    t.is(save(world, document(2)), null);
    world.disk.fail({ at: 1 + (k % 2), code: k % 4 < 2 ? 'EIO' : 'ENOSPC' });
    t.not(save(world, document(3)), null);
    t.deepEqual(world.slots.document, document(2));
    t.is(save(world, document(4)), null);
    t.deepEqual(found(world, world.disk.crash()), document(4), `failure ${k}`);
  }
});

test('a slot that rots leaves the other one, and two that rot are said so', (t) => {
  const world = scene();
  t.is(save(world, document(2)), null);
  const newest = world.disk.clone();
  const at = [0, SLOT_BYTES].find((start) =>
    newest
      .contents(RING_PATH)
      .subarray(start + 32, start + 64)
      .equals(document(2).subarray(0, 32)),
  );
  newest.flipBit(RING_PATH, (at as number) + 40, 3);
  t.deepEqual(found(world, newest), document(1));
  newest.flipBit(RING_PATH, SLOT_BYTES - (at as number) + 40, 3);
  t.throws(() => open(world.time, newest), {
    instanceOf: SlotsDamagedError,
    message: /Neither copy in ring\/document/,
  });
});

test('rings are kept one after the other', (t) => {
  const { slots } = scene();
  slots.save(document(2), () => undefined);
  t.throws(
    () => {
      slots.save(document(3), () => undefined);
    },
    { message: /one after the other/ },
  );
});
