/* The ring on the disk: what a node lives by once, it lives by after every crash. */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { type Flow, run } from '../../src/lib/flow.js';
import { RingSlots } from '../../src/storage/ring-slots.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { HASH } from '../sim/tools.js';

const OLD = Uint8Array.of(1, 2, 3);
const NEW = Uint8Array.of(4, 5, 6, 7);

function done<T>(time: SimulatedTime, flow: Flow<T>): T {
  let result: { readonly value: T } | null = null;
  run(flow, (error, value) => {
    if (error !== null) throw error;
    result = { value: value as T };
  });
  while (result === null && time.step());
  if (result === null) throw new Error('it has no end');
  return (result as { readonly value: T }).value;
}

/** The machine after a process was killed that was just keeping another ring. */
function killed(seed: number): { readonly time: SimulatedTime; readonly disk: SimulatedDisk } {
  const time = new SimulatedTime();
  const random = new Prng(seed);
  const disk = new SimulatedDisk({ timers: time, random, capacityBytes: 16 * 1_048_576, delayMsMax: 8 });
  done(time, RingSlots.create(disk, HASH, OLD)).save(NEW, () => undefined);
  for (let steps = random.int(4); steps > 0; steps--) time.step();
  return { time, disk: disk.kill() };
}

test('a ring that was found by a process outlives a power cut, though the one before had not synced it', (t) => {
  let lost = 0;
  for (let seed = 1; seed <= 60; seed++) {
    const { time, disk } = killed(seed);
    const slots = done(time, RingSlots.open(disk, HASH)) as RingSlots;
    done(time, slots.renew(disk));
    const lived = slots.document;
    const found = done(time, RingSlots.open(disk.crash(), HASH))?.document;
    t.deepEqual(found, lived, `seed ${seed}`);
    const other = killed(seed);
    const unseen = done(other.time, RingSlots.open(other.disk.crash(), HASH))?.document;
    if (unseen?.length !== lived.length) lost += 1;
  }
  t.true(lost > 0, 'some would be gone if nobody had written them anew');
});
