/*
 * Bit flips and cut ends all over a small log: no entry is ever invented, what is missing at or below the durable LSN
 * is reported with its partition, what is missing above it is cut.
 */
import test, { type ExecutionContext } from 'ava';
import { Prng } from '../../src/lib/prng.js';
import type { Lsn } from '../../src/model/ids.js';
import { LogRefusedError } from '../../src/storage/recovery-files.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { bodyOf, finish, LogWorld, NODE_ID, type Recovered, recover } from '../support/log-world.js';
import { HASH, SALT } from '../support/log-world.js';
import { decodeSegmentHeader, encodeSegmentHeader } from '../../src/storage/log-format.js';
import { recoverLog } from '../../src/storage/recovery.js';

const SMALL = 8_192;

interface Small {
  readonly time: SimulatedTime;
  readonly disk: SimulatedDisk;
  readonly lsns: readonly number[];
  /** Segments with entries, oldest first, and where their batches begin and end. */
  readonly used: readonly string[];
}

/** Two and a half segments, five partitions, everything synced and named durable by a last, empty batch. */
function smallLog(recycled: boolean): Small {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(11), delayMsMax: 0 });
  const world = new LogWorld(time, disk, { segmentBytes: SMALL, opening: 7, start: recover(time, disk).start });
  if (recycled) {
    for (let i = 0; i < 60; i++) put(world);
    world.log.release(world.log.lastLsn);
    time.runFor(2_000);
  }
  const first = world.log.lastLsn + 1;
  for (let i = 0; i < 14; i++) put(world);
  time.runFor(1_000);
  world.log.release((first - 1) as Lsn);
  time.runFor(1_000);
  world.log.close(() => undefined);
  time.runFor(100);
  const used = disk
    .paths()
    .filter((path) => decodeSegmentHeader(HASH, disk.contents(path))?.state === 'used' && path.endsWith('.seg'));
  const lsns = recover(time, disk.clone(), { readOnly: true }).replayed.map((entry) => entry.lsn);
  return { time, disk, lsns, used };
}

function put(world: LogWorld): void {
  const lsn = world.log.lastLsn + 1;
  world.append(bodyOf(lsn, 120), lsn % 5);
  world.time.runUntil(() => world.durableLsn === lsn);
}

/** What must hold whatever was done to the disk. */
function checkAll(t: ExecutionContext, small: Small, recovered: Recovered, what: string): number[] {
  let last = 0;
  for (const { lsn, body, partition } of recovered.replayed) {
    const right = small.lsns.includes(lsn) && partition === lsn % 5 && Buffer.compare(body, bodyOf(lsn, 120)) === 0;
    if (!right || lsn <= last) t.fail(`${what}: an entry that is not ours, or out of order: LSN ${lsn}`);
    last = lsn;
  }
  const missing = small.lsns.filter((lsn) => !recovered.replayed.some((entry) => entry.lsn === lsn));
  for (const lsn of missing) {
    if (lsn > recovered.durableLsn) {
      if (recovered.cut === null) t.fail(`${what}: LSN ${lsn} is above D, gone, and no cut is reported`);
    } else {
      if (recovered.damage.length === 0) t.fail(`${what}: LSN ${lsn} is gone without a word`);
      const named = recovered.damagedPartitions;
      if (named !== null && !named.has(lsn % 5))
        t.fail(`${what}: partition ${lsn % 5} lost LSN ${lsn} and is not named`);
    }
  }
  return missing;
}

for (const recycled of [false, true]) {
  test(`every byte of a small log flipped, segments ${recycled ? 'used before' : 'fresh'}`, (t) => {
    const small = smallLog(recycled);
    t.is(recover(small.time, small.disk.clone(), { readOnly: true }).damage.length, 0);
    t.true(small.used.length >= 2 && small.lsns.length >= 14);
    let detected = 0;
    let exact = 0;
    small.used.forEach((path, index) => {
      const contents = small.disk.contents(path);
      const content = endOfBatches(contents);
      for (let at = 0; at < contents.length; at++) {
        if ((at >= content || (512 <= at && at < 4_096)) && at % 32 !== 0) continue; // zeros: a sample of them
        const disk = small.disk.clone();
        disk.flipBit(path, at, at % 8);
        const recovered = recover(small.time, disk, { readOnly: true });
        const what = `${path} byte ${at}`;
        const missing = checkAll(t, small, recovered, what);
        const inLast = index === small.used.length - 1 && at >= content - 512;
        if (at >= content) {
          if (missing.length > 0 || recovered.damage.length > 0)
            t.fail(`${what}: nothing stands there, yet something is gone`);
        } else if (inLast) {
          if (recovered.cut === null && recovered.damage.length === 0)
            t.fail(`${what}: a damaged tail was not reported`);
          if (missing.length > 0) t.fail(`${what}: the empty batch at the end took ${missing.length} entries with it`);
        } else {
          if (recovered.damage.length === 0) t.fail(`${what}: damage below D was not reported`);
          if (at < 4_096 && missing.length > 0) t.fail(`${what}: a damaged segment header took entries with it`);
          detected += 1;
          if (recovered.damagedPartitions !== null) exact += 1;
        }
      }
    });
    t.true(detected > 6_000, `${detected} flips below D`);
    t.true(exact > 0.9 * detected, `${exact} of ${detected} named the partitions`);
  });

  test(`every segment cut off at every length, ${recycled ? 'used before' : 'fresh'}`, (t) => {
    const small = smallLog(recycled);
    let lost = 0;
    for (const path of small.used) {
      const content = endOfBatches(small.disk.contents(path));
      for (let size = 0; size <= SMALL; size += size < content ? 7 : 509) {
        const disk = small.disk.clone();
        disk.truncate(path, size);
        for (const durableLsn of [0, small.lsns.at(-1) as number]) {
          const recovered = recover(small.time, disk, { readOnly: true, durableLsn });
          const missing = small.lsns.filter((lsn) => !recovered.replayed.some((entry) => entry.lsn === lsn));
          // A file that ends inside its last batches leaves no trace of them: only node.meta, or later segments, know.
          if (durableLsn > 0 || path !== small.used.at(-1))
            checkAll(t, small, recovered, `${path} cut to ${size}, D ${durableLsn}`);
          else if (missing.some((lsn) => lsn <= recovered.durableLsn) && recovered.damage.length === 0)
            t.fail(`${path} cut to ${size}`);
          lost += missing.length;
        }
      }
    }
    t.true(lost > 1_000);
  });
}

test('a segment that is gone is damage, whichever it is', (t) => {
  const small = smallLog(true);
  for (const path of small.used) {
    const disk = small.disk.clone();
    disk.discard(path);
    const recovered = recover(small.time, disk, { readOnly: true });
    t.true(recovered.damage.length > 0, path);
    t.is(recovered.damagedPartitions, null);
  }
  const disk = small.disk.clone();
  for (const path of disk.paths()) disk.discard(path);
  t.true(recover(small.time, disk, { readOnly: true, durableLsn: small.lsns.at(-1) as number }).damage.length > 0);
});

test('random damage of several sectors at once', (t) => {
  const small = smallLog(true);
  for (let seed = 0; seed < 2_000; seed++) {
    const random = new Prng(seed);
    const disk = small.disk.clone();
    for (let i = 1 + random.int(4); i > 0; i--) {
      const path = random.pick(small.used);
      const bytes = disk.contents(path);
      const at = 512 * random.int(SMALL / 512);
      const other = small.disk
        .contents(random.pick(small.used))
        .subarray(512 * random.int(SMALL / 512))
        .subarray(0, 512);
      if (random.chance(0.4)) bytes.fill(0, at, at + 512);
      else if (random.chance(0.5)) bytes.set(other, at);
      else random.fill(bytes.subarray(at, at + 512));
      disk.restore(path, bytes);
    }
    const durableLsn = small.lsns.at(-1) as number;
    checkAll(t, small, recover(small.time, disk, { readOnly: true, durableLsn }), `seed ${seed}`);
    const settled = recover(small.time, disk, { durableLsn });
    const again = recover(small.time, disk, { durableLsn });
    t.deepEqual(again.replayed, settled.replayed, `seed ${seed}: the second recovery differs`);
  }
});

test('a log of another node, a later format or a later opening is refused, and left as it is', (t) => {
  const small = smallLog(false);
  const path = small.used[0] as string;
  const header = decodeSegmentHeader(HASH, small.disk.contents(path));
  if (header === null) throw new Error('unreachable');
  const cases = [
    { change: { nodeId: 'f'.repeat(32) }, text: /belongs to node f{32}/ },
    {
      change: { format: 2 },
      text: /log\/.* has format 2, and this is release .*, which reads format 1: a newer release of Partita has written it/,
    },
    { change: { opening: 100 }, text: /written in opening 100, but node\.meta knows only 99/ },
  ];
  for (const { change, text } of cases) {
    const disk = small.disk.clone();
    const bytes = disk.contents(path);
    bytes.set(encodeSegmentHeader(HASH, { ...header, ...change }));
    disk.restore(path, bytes);
    const before = disk.paths().map((name) => disk.contents(name).toString('hex'));
    const flow = recoverLog(
      { disk, hash: HASH, nodeId: NODE_ID, opening: 99, salt: SALT, durableLsn: 0, clean: false },
      () => undefined,
    );
    const error = t.throws(() => finish(small.time, flow), { instanceOf: LogRefusedError });
    t.regex(error.message, text);
    t.deepEqual(
      disk.paths().map((name) => disk.contents(name).toString('hex')),
      before,
    );
  }
});

/** Where the batches of a segment end. */
function endOfBatches(bytes: Buffer): number {
  const sequence = bytes.readUIntBE(42, 6);
  let at = 4_096;
  while (at < bytes.length && bytes.readUInt32BE(at) === 0x50424154 && bytes.readUIntBE(at + 10, 6) === sequence)
    at += bytes.readUInt32BE(at + 4);
  return at;
}
