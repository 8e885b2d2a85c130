import test, { type ExecutionContext } from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { LSNS_LEFT_OUT } from '../../src/storage/recovery.js';
import type { SegmentLogOptions } from '../../src/storage/log-options.js';
import type { Lsn } from '../../src/model/ids.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { bodyOf, LogWorld, type Recovered, recover } from '../support/log-world.js';

const SMALL = 8_192;

function freshDisk(time: SimulatedTime, seed = 1): SimulatedDisk {
  return new SimulatedDisk({ timers: time, random: new Prng(seed) });
}

function start(
  time: SimulatedTime,
  disk: SimulatedDisk,
  options: Partial<SegmentLogOptions> = {},
): { world: LogWorld; recovered: Recovered } {
  const opening = options.opening ?? 1;
  const recovered = recover(time, disk, { opening });
  return {
    recovered,
    world: new LogWorld(time, disk, { segmentBytes: SMALL, ...options, opening, start: recovered.start }),
  };
}

/** Appends entries one batch at a time; LSN l has the body of l, in partition l % 5. */
function fill(world: LogWorld, count: number, size = 100): number[] {
  const lsns: number[] = [];
  for (let i = 0; i < count; i++) {
    const lsn = world.log.lastLsn + 1;
    world.append(bodyOf(lsn, size), lsn % 5);
    lsns.push(lsn);
    world.time.runUntil(() => world.durableLsn === lsn);
  }
  return lsns;
}

/**
 * Nothing invented, in order, and no hole but where damage was reported. `lsns`: everything ever appended; those from
 * `needed` on must be there as far as they are durable.
 */
function check(t: ExecutionContext, recovered: Recovered, lsns: readonly number[], what: string, needed = 1): void {
  let last = 0;
  const known = new Set(lsns);
  const seen = new Set<number>();
  for (const { lsn, body, partition } of recovered.replayed) {
    if (lsn <= last) t.fail(`${what}: LSN ${lsn} after ${last}`);
    if (!known.has(lsn) || partition !== lsn % 5) t.fail(`${what}: LSN ${lsn} was never appended`);
    if (Buffer.compare(body, bodyOf(lsn, body.length)) !== 0) t.fail(`${what}: LSN ${lsn} has another body`);
    last = lsn;
    seen.add(lsn);
  }
  for (const lsn of lsns) {
    if (seen.has(lsn) || lsn < needed || lsn > recovered.durableLsn) continue;
    if (recovered.damage.length === 0)
      t.fail(`${what}: LSN ${lsn} is gone, D is ${recovered.durableLsn}, nothing reported`);
    if (recovered.damagedPartitions !== null && !recovered.damagedPartitions.has(lsn % 5)) {
      t.fail(`${what}: LSN ${lsn} is gone, but partition ${lsn % 5} is not named`);
    }
  }
}

test('what was appended comes back, once, in order, whatever the size', (t) => {
  const time = new SimulatedTime();
  const disk = freshDisk(time);
  const { world } = start(time, disk, { segmentBytes: 16_384 });
  time.runFor(1_000);
  const lsns: number[] = [];
  for (const size of [0, 1, 7, 8, 9, 448, 449, 5_000, 12_000, 100_000, 3]) {
    const lsn = world.append(bodyOf(world.log.lastLsn + 1, size), (world.log.lastLsn + 1) % 5);
    lsns.push(lsn);
  }
  time.runUntil(() => world.durableLsn === lsns.length);
  t.is(world.close(), null);
  const once = recover(time, disk, { readOnly: true });
  t.deepEqual(
    once.replayed.map((entry) => entry.lsn),
    lsns,
  );
  t.deepEqual(
    once.replayed.map((entry) => entry.body.length),
    [0, 1, 7, 8, 9, 448, 449, 5_000, 12_000, 100_000, 3],
  );
  check(t, once, lsns, 'round trip');
  const twice = recover(time, disk);
  t.deepEqual(twice.replayed, once.replayed);
  t.deepEqual(recover(time, disk).replayed, once.replayed);
  t.deepEqual([twice.damage, twice.cut], [[], null]);
});

test('a clean stop leaves out no LSN, an unclean one does', (t) => {
  const time = new SimulatedTime();
  const disk = freshDisk(time);
  const { world } = start(time, disk);
  fill(world, 3);
  t.is(world.close(), null);
  t.is(recover(time, disk, { opening: 2, clean: true, durableLsn: 3, readOnly: true }).start.nextLsn, 4);
  t.is(recover(time, disk, { opening: 2, readOnly: true }).start.nextLsn, 4 + LSNS_LEFT_OUT);
});

test('many openings, crashes between them, and segments that are freed and used again', (t) => {
  const time = new SimulatedTime();
  let disk = freshDisk(time, 5);
  const random = new Prng(5);
  const lsns: number[] = [];
  let needed = 1;
  let files = 0;
  for (let opening = 1; opening <= 60; opening++) {
    const { world, recovered } = start(time, disk, { opening });
    check(t, recovered, lsns, `opening ${opening}`, needed);
    t.deepEqual(recovered.damage, []);
    t.is(recovered.replayed.at(-1)?.lsn, lsns.at(-1), `opening ${opening}`);
    for (let round = 0; round < 6; round++) {
      lsns.push(...fill(world, 1 + random.int(8), random.int(700)));
      if (random.chance(0.5)) {
        needed = Math.max(needed, lsns[lsns.length - 1 - random.int(10)] ?? 1);
        world.log.release((needed - 1) as Lsn);
        time.runFor(random.int(300));
      }
      t.deepEqual(world.failures, []);
    }
    files = Math.max(files, disk.paths().length);
    disk = disk.crash();
  }
  t.true(files < 40, `segments are used again: ${files} files at most`);
});

/** A torn batch has so many sectors; two to the power of it are tried. The proof of the whole asks for twelve. */
const TORN_SECTORS = Number(process.env['PARTITA_TEST_TORN_SECTORS'] ?? 8);
const TORN_ENTRIES = 5;
const TORN_ENTRY_BYTES = Math.floor((TORN_SECTORS * 512) / TORN_ENTRIES - 60);

/** A log of small segments with one batch in flight that fills TORN_SECTORS sectors. */
function torn(
  recycled: boolean,
  firstOfSegment: boolean,
): { time: SimulatedTime; disk: SimulatedDisk; path: string; before: number; lsns: number[]; needed: number } {
  const time = new SimulatedTime();
  const disk = freshDisk(time, 3);
  const { world } = start(time, disk, { segmentBytes: 16_384 });
  time.runFor(500);
  const lsns: number[] = [];
  if (recycled) {
    for (let round = 0; round < 12; round++) {
      lsns.push(...fill(world, 10, 400));
      world.log.release(world.log.lastLsn);
      time.runFor(300);
    }
  }
  const needed = world.log.lastLsn + 1;
  const writes = firstOfSegment ? 8 : 1;
  for (let write = 0; write < writes; write++) {
    const before = world.log.lastLsn;
    for (let i = 0; i < TORN_ENTRIES; i++) {
      const lsn = world.append(bodyOf(world.log.lastLsn + 1, TORN_ENTRY_BYTES), (world.log.lastLsn + 1) % 5);
      lsns.push(lsn);
    }
    for (;;) {
      const path = disk
        .paths()
        .find((name) => name.endsWith('.seg') && disk.unsyncedSectors(name).length >= TORN_SECTORS);
      const header = path !== undefined && disk.unsyncedSectors(path)[0] === 0;
      if (path !== undefined && header === firstOfSegment) return { time, disk, path, before, lsns, needed };
      if (world.durableLsn === world.log.lastLsn) break;
      time.step();
    }
  }
  throw new Error('The batch that was to be torn never left');
}

for (const recycled of [false, true]) {
  for (const firstOfSegment of [false, true]) {
    const where = `${firstOfSegment ? 'the first one of' : 'further on in'} a ${recycled ? 'used' : 'fresh'} segment`;
    test(`a batch of which every subset of its sectors survived, ${where}`, (t) => {
      const { disk } = torn(recycled, firstOfSegment);
      const sectors = firstOfSegment ? TORN_SECTORS + 1 : TORN_SECTORS; // a segment's header is one sector, what follows it are zeros before and after
      const batchOf = (list: readonly number[]): number[] => list.filter((sector) => sector === 0 || sector >= 8);
      t.is(batchOf(disk.unsyncedSectors(torn(recycled, firstOfSegment).path)).length, sectors);
      let whole = 0;
      for (let subset = 0; subset < 1 << sectors; subset++) {
        const { time, disk: lost, path, before, lsns, needed } = torn(recycled, firstOfSegment);
        const kept = new Set(batchOf(lost.unsyncedSectors(path)).filter((_, index) => (subset & (1 << index)) !== 0));
        const after = lost.crash({ survives: (_, sector) => kept.has(sector), folderChanges: 'none' });
        const recovered = recover(time, after);
        check(t, recovered, lsns, `subset ${subset}`, needed);
        const last = recovered.replayed.at(-1)?.lsn ?? before;
        if (last !== before && last !== lsns.at(-1))
          t.fail(`subset ${subset}: part of a batch, up to ${last} of ${before}`);
        if (recovered.damage.length > 0) t.fail(`subset ${subset}: ${JSON.stringify(recovered.damage)}`);
        if (last === lsns.at(-1)) whole += 1;
        else if (!recycled && !firstOfSegment && subset !== 0 && recovered.cut === null)
          t.fail(`subset ${subset}: a torn batch was not reported`);
      }
      t.is(whole, 1);
    });
  }
}
