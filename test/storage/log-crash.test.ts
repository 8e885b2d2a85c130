/*
 * Random histories of appends, syncs, releases, failing calls, kills and power cuts, against a dumb twin that remembers
 * every entry. What must hold after every restart: what was called durable is there, what is there was appended, and
 * there is no hole in it; what was called written is there after a kill that the machine survived.
 */
import test, { type ExecutionContext } from 'ava';
import { Prng } from '../../src/lib/prng.js';
import type { Lsn } from '../../src/model/ids.js';
import type { Durability } from '../../src/storage/log-types.js';
import { LSNS_LEFT_OUT } from '../../src/storage/recovery.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { bodyOf, LogWorld, type Recovered, recover } from '../support/log-world.js';

const SMALL = 8_192;

/** Everything that was ever appended, and what must be there. */
class Twin {
  readonly sizes: Map<number, number> = new Map();
  /** Everything up to here was called durable by some opening. */
  durable = 0;
  /** Everything up to here need not be there any more. */
  released = 0;
  /** LSNs that the last recovery left behind: lost for good, never to be seen again. */
  readonly cut: Set<number> = new Set();

  check(t: ExecutionContext, recovered: Recovered, safe: number, what: string): void {
    let last = 0;
    const seen = new Set<number>();
    for (const { lsn, body, partition } of recovered.replayed) {
      if (lsn <= last) t.fail(`${what}: LSN ${lsn} after ${last}`);
      if (this.sizes.get(lsn) !== body.length || partition !== lsn % 7)
        t.fail(`${what}: LSN ${lsn} was never appended`);
      if (Buffer.compare(body, bodyOf(lsn, body.length)) !== 0) t.fail(`${what}: LSN ${lsn} has another body`);
      if (this.cut.has(lsn)) t.fail(`${what}: LSN ${lsn} was cut before and is back`);
      seen.add(lsn);
      last = lsn;
    }
    for (const lsn of this.sizes.keys()) {
      if (seen.has(lsn) || lsn <= this.released || this.cut.has(lsn)) continue;
      if (lsn <= safe) t.fail(`${what}: LSN ${lsn} was acknowledged (up to ${safe}) and is gone`);
      if (lsn < last) t.fail(`${what}: LSN ${lsn} is missing below ${last}`);
      this.cut.add(lsn);
    }
    if (recovered.damage.length > 0) t.fail(`${what}: ${JSON.stringify(recovered.damage)}`);
    if (recovered.start.nextLsn <= Math.max(0, ...this.sizes.keys()))
      t.fail(`${what}: an LSN would be given out twice`);
  }
}

interface History {
  readonly seed: number;
  readonly durability: Durability;
  readonly syncBy?: 'dsync' | 'sync';
  readonly openings: number;
  /** Fail one call of an opening, sometimes. */
  readonly failures: boolean;
}

function runHistory(t: ExecutionContext, history: History): void {
  const random = new Prng(history.seed);
  const time = new SimulatedTime();
  let disk = new SimulatedDisk({ timers: time, random: random.fork() });
  const twin = new Twin();
  let safe = 0;
  for (let opening = 1; opening <= history.openings; opening++) {
    const what = `seed ${history.seed} opening ${opening}`;
    const recovered = recover(time, disk, { opening });
    twin.check(t, recovered, safe, what);
    const { durability, syncBy = 'dsync' } = history;
    const world = new LogWorld(time, disk, {
      opening,
      start: recovered.start,
      segmentBytes: SMALL,
      durability,
      syncBy,
    });
    if (history.failures && random.chance(0.5)) {
      disk.fail({ at: 1 + random.int(60), code: random.pick(['EIO', 'ENOSPC', 'SHORT']), forever: random.chance(0.3) });
    }
    live(world, twin, random);
    twin.durable = Math.max(twin.durable, world.durableLsn);
    disk.fail(null);
    const killed = random.chance(0.4);
    // Only the process died: the kernel has everything that was written, unless it said that it failed.
    safe = killed && world.failures.length === 0 ? Math.max(twin.durable, world.writtenLsn) : twin.durable;
    disk = killed ? disk.kill() : disk.crash();
    if (random.chance(0.3)) {
      disk = interruptRecovery(time, disk, opening, random);
      safe = twin.durable; // that was a power cut
    }
  }
}

function live(world: LogWorld, twin: Twin, random: Prng): void {
  for (let step = random.int(60); step > 0; step--) {
    const choice = random.float();
    if (choice < 0.7) {
      for (let i = random.int(6); i >= 0; i--) {
        const lsn = world.log.lastLsn + 1;
        const size = random.chance(0.02) ? 6_000 + random.int(6_000) : random.int(600);
        twin.sizes.set(lsn, size);
        world.append(bodyOf(lsn, size), lsn % 7);
      }
    } else if (choice < 0.8) {
      world.log.demandSync();
    } else if (choice < 0.85 && world.durableLsn > 0) {
      twin.released = Math.max(twin.released, world.durableLsn - random.int(20));
      world.log.release(twin.released as Lsn);
    }
    world.time.runFor(random.chance(0.1) ? random.int(300) : 4 * random.float());
  }
}

/** Recovery is stopped in its middle, by a power cut. */
function interruptRecovery(time: SimulatedTime, disk: SimulatedDisk, opening: number, random: Prng): SimulatedDisk {
  disk.fail({ at: 1 + random.int(40), code: 'EIO', forever: true });
  try {
    recover(time, disk, { opening: opening + 1 });
  } catch {
    // that is the point
  }
  disk.fail(null);
  return disk.crash();
}

const ALWAYS: Durability = { kind: 'always' };
const HISTORIES = 60;

for (const [name, settings] of Object.entries({
  'always, by O_DSYNC': { durability: ALWAYS, failures: false },
  'always, by fdatasync': { durability: ALWAYS, syncBy: 'sync' as const, failures: false },
  'always, calls failing': { durability: ALWAYS, failures: true },
  interval: { durability: { kind: 'interval' as const, ms: 20 }, failures: false },
  'interval, calls failing': { durability: { kind: 'interval' as const, ms: 20 }, failures: true },
})) {
  test(`random histories: ${name}`, (t) => {
    for (let seed = 1; seed <= HISTORIES; seed++) runHistory(t, { seed, openings: 6, ...settings });
    t.pass();
  });
}

test('every k-th call fails, once and for ever: nothing acknowledged is lost, and the log says that it failed', (t) => {
  let failedAt = 0;
  for (const durability of [ALWAYS, { kind: 'interval', ms: 20 } as const]) {
    for (const code of ['EIO', 'ENOSPC', 'SHORT']) {
      for (const forever of [false, true]) {
        for (let k = 1; ; k++) {
          const time = new SimulatedTime();
          const disk = new SimulatedDisk({ timers: time, random: new Prng(k) });
          const twin = new Twin();
          const world = new LogWorld(time, disk, {
            start: recover(time, disk, { opening: 1 }).start,
            segmentBytes: SMALL,
            durability,
          });
          disk.fail({ at: k, code, forever });
          live(world, twin, new Prng(7));
          time.runFor(300);
          twin.durable = world.durableLsn;
          const what = `${durability.kind}, ${code}${forever ? ' for ever' : ''}, call ${k}`;
          if (disk.injected === 0) break;
          for (const error of world.failures) {
            failedAt += 1;
            t.regex(error.message, /The commit log cannot be written any more: (EIO|ENOSPC|SHORT)/, what);
          }
          if (world.failures.length === 0 && world.full.length === 0 && world.log.lastLsn > world.durableLsn)
            t.fail(`${what}: stuck without a word`);
          disk.fail(null);
          const after = disk.crash();
          twin.check(t, recover(time, after, { opening: 2 }), twin.durable, what);
        }
      }
    }
  }
  t.true(failedAt > 100, `${failedAt} failures were seen`);
});

test('recovery is interrupted at every call, by a failing disk and a power cut', (t) => {
  for (let k = 1; ; k++) {
    const time = new SimulatedTime();
    const disk = new SimulatedDisk({ timers: time, random: new Prng(k) });
    const twin = new Twin();
    const world = new LogWorld(time, disk, {
      start: recover(time, disk, { opening: 1 }).start,
      segmentBytes: SMALL,
      durability: { kind: 'interval', ms: 20 },
    });
    live(world, twin, new Prng(3));
    const safe = world.durableLsn;
    const found = disk.crash();
    found.fail({ at: k, code: 'EIO', forever: true });
    try {
      recover(time, found, { opening: 2 });
    } catch {
      // as intended
    }
    if (found.injected === 0) {
      t.true(k > 20, `recovery made ${k} calls`);
      return;
    }
    found.fail(null);
    twin.check(t, recover(time, found.crash(), { opening: 3 }), safe, `call ${k}`);
  }
});

test('LSNs are not given out twice, even those that never reached the log', (t) => {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(1) });
  const world = new LogWorld(time, disk, {
    start: recover(time, disk, { opening: 1 }).start,
    durability: { kind: 'interval', ms: 1_000 },
  });
  time.runFor(500);
  for (let i = 1; i <= 50; i++) world.append(bodyOf(i, 100), i % 7);
  time.runUntil(() => world.writtenLsn === 50);
  const recovered = recover(time, disk.crash({ survives: () => false }), { opening: 2 });
  t.is(recovered.replayed.length, 0);
  t.true(recovered.start.nextLsn > 50);
  t.true(recovered.start.nextLsn > LSNS_LEFT_OUT);
});
