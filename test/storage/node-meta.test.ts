import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { NODE_META_PATH, NodeMetaFile } from '../../src/storage/node-meta.js';
import { SlotsDamagedError, SlotsTooNewError } from '../../src/storage/slots.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { finish, HASH } from '../support/log-world.js';

/** Header and body; the rest of a slot is zeros that no checksum covers. */
const SLOT_BYTES_USED = 96;

function fresh(seed = 1): { time: SimulatedTime; disk: SimulatedDisk } {
  const time = new SimulatedTime();
  return { time, disk: new SimulatedDisk({ timers: time, random: new Prng(seed) }) };
}

function open(time: SimulatedTime, disk: SimulatedDisk): NodeMetaFile {
  const file = finish(time, NodeMetaFile.open(disk, HASH));
  if (file === null) throw new Error('No node.meta');
  return file;
}

function update(time: SimulatedTime, file: NodeMetaFile, change: Parameters<NodeMetaFile['update']>[0]): Error | null {
  let answer: Error | null | undefined;
  file.update(change, (error) => {
    answer = error;
  });
  time.runUntil(() => answer !== undefined);
  return answer ?? null;
}

test('an opening is numbered, durably, and a clean stop is remembered once', (t) => {
  const { time, disk } = fresh();
  t.is(finish(time, NodeMetaFile.open(disk, HASH)), null);
  const made = finish(time, NodeMetaFile.create(disk, HASH, new Prng(9)));
  t.is(made.meta.opening, 1);
  t.is(update(time, made, { clean: true, lastLsn: 77, hlcMs: 2 ** 45 + 3, hlcLogical: 9 }), null);

  const second = open(time, disk);
  t.deepEqual(second.lastStop, { opening: 1, lastLsn: 77, clean: true, oneDamaged: false });
  t.like(second.meta, {
    opening: 2,
    clean: false,
    uncleanStarts: 0,
    hlcMs: 2 ** 45 + 3,
    hlcLogical: 9,
  });
  t.is(second.meta.nodeId, made.meta.nodeId);
  t.deepEqual(second.meta.logSalt, made.meta.logSalt);

  const third = open(time, disk);
  t.like(third.meta, { opening: 3, uncleanStarts: 1 });
  t.false(third.lastStop.clean);
  t.is(open(time, disk).meta.uncleanStarts, 2);
});

test('changes asked for at the same time all arrive', (t) => {
  const { time, disk } = fresh();
  const file = finish(time, NodeMetaFile.create(disk, HASH, new Prng(1)));
  const answers: number[] = [];
  file.update({ lastLsn: 1 }, () => answers.push(1));
  file.update({ hlcMs: 2 }, () => answers.push(2));
  file.update({ lastLsn: 3 }, () => answers.push(3));
  time.runUntil(() => answers.length === 3);
  t.deepEqual(answers, [1, 2, 3]);
  t.like(open(time, disk).meta, { lastLsn: 3, hlcMs: 2 });
});

test('every byte of either slot flipped: nothing is forgotten; both slots damaged: refused, whatever the bytes', (t) => {
  const { time, disk } = fresh();
  const file = finish(time, NodeMetaFile.create(disk, HASH, new Prng(1)));
  update(time, file, { lastLsn: 5 });
  const right = finish(time, NodeMetaFile.read(disk, HASH));
  for (let at = 0; at < 8_192; at += at % 4_096 < 200 ? 1 : 41) {
    const flipped = disk.clone({ delayMsMax: 0 });
    flipped.flipBit(NODE_META_PATH, at, at % 8);
    t.deepEqual(finish(time, NodeMetaFile.read(flipped, HASH)), right, `byte ${at}`);
    if (at % 97 === 0) t.is(open(time, flipped.clone()).meta.opening, 2);
    if (at < SLOT_BYTES_USED) {
      flipped.flipBit(NODE_META_PATH, 4_096 + ((at * 7) % SLOT_BYTES_USED), 3);
      const error = t.throws(() => finish(time, NodeMetaFile.open(flipped, HASH)), { instanceOf: SlotsDamagedError });
      t.regex(error.message, /Neither copy in node\.meta can be read.*Restore it/);
    }
  }
  for (let size = 0; size < 4_096 + 32; size += 31) {
    const cut = disk.clone({ delayMsMax: 0 });
    cut.truncate(NODE_META_PATH, size);
    if (size < SLOT_BYTES_USED)
      t.throws(() => finish(time, NodeMetaFile.open(cut, HASH)), { instanceOf: SlotsDamagedError });
    else if (size >= 4_096) t.deepEqual(finish(time, NodeMetaFile.read(cut, HASH)), right);
  }
});

test('a later format is refused and named', (t) => {
  const { time, disk } = fresh();
  finish(time, NodeMetaFile.create(disk, HASH, new Prng(1)));
  const bytes = disk.contents(NODE_META_PATH);
  for (const at of [0, 4_096]) {
    bytes.writeUInt32BE(2, at + 8);
    const covered = Buffer.from(bytes.subarray(at, at + 32 + bytes.readUInt32BE(at + 12)));
    covered.fill(0, 24, 32);
    HASH.hashSeeded(covered, 0, covered.length, 0, bytes.readUIntBE(at + 18, 6));
    bytes.writeUInt32BE(HASH.hi, at + 24);
    bytes.writeUInt32BE(HASH.lo, at + 28);
  }
  disk.restore(NODE_META_PATH, bytes);
  const error = t.throws(() => finish(time, NodeMetaFile.open(disk, HASH)), { instanceOf: SlotsTooNewError });
  t.regex(
    error.message,
    /node\.meta has format 2, and this is release .*, which reads format 1: a newer release of Partita has written it/,
  );
});

test('every k-th call fails, once and for ever, with a power cut behind it: no opening number is given out twice', (t) => {
  for (const code of ['EIO', 'ENOSPC', 'SHORT']) {
    for (const forever of [false, true]) {
      for (let k = 1; k < 60; k++) {
        const { time, disk: first } = fresh(k);
        const what = `${code}${forever ? ' for ever' : ''}, call ${k}`;
        let disk = first;
        const openings: number[] = [];
        let lastLsn = 0;
        disk.fail({ at: k, code, forever });
        const live = (): void => {
          let file = finish(time, NodeMetaFile.open(disk, HASH));
          file ??= finish(time, NodeMetaFile.create(disk, HASH, new Prng(k)));
          openings.push(file.meta.opening);
          for (const lsn of [lastLsn + 1, lastLsn + 2])
            if (update(time, file, { lastLsn: lsn }) === null) lastLsn = lsn;
        };
        for (let round = 0; round < 6; round++) {
          try {
            live();
          } catch (error) {
            t.true(error instanceof Error && !(error instanceof SlotsDamagedError), `${what}: ${String(error)}`);
          }
          if (forever && round === 3) disk.fail(null);
          const rule = disk.injected === 0 ? { at: Math.max(1, k - disk.calls), code, forever } : null;
          disk = disk.crash();
          disk.fail(round < 3 ? rule : null);
        }
        t.is(new Set(openings).size, openings.length, `${what}: openings ${openings.join(' ')}`);
        t.true((finish(time, NodeMetaFile.read(disk, HASH))?.lastLsn ?? 0) >= lastLsn, `${what}: LSN ${lastLsn}`);
      }
    }
  }
});
