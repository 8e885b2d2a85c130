/*
 * The first format of the log and of node.meta, byte by byte. A later version reads these files, whatever it writes.
 * `PARTITA_GOLDEN=write` writes them anew: only for a new format, under a new name.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { NODE_META_PATH, NodeMetaFile } from '../../src/storage/node-meta.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { finish, HASH, LogWorld, recover } from '../support/log-world.js';

const GOLDEN = join(import.meta.dirname, '../../../test/golden/log-v1.json');

interface Golden {
  readonly about: string;
  /** Files in hexadecimal; the zeros at the end are left out, `size` says how long the file is. */
  readonly files: Readonly<Record<string, { readonly size: number; readonly hex: string }>>;
  readonly entries: readonly {
    readonly lsn: number;
    readonly kind: number;
    readonly partition: number;
    readonly body: string;
  }[];
}

const ENTRIES = [
  { kind: 1, partition: 0, body: 'a record' },
  { kind: 2, partition: 255, body: '' },
  { kind: 3, partition: 4_095, body: 'seventeen bytes..' },
] as const;

function written(): { time: SimulatedTime; disk: SimulatedDisk } {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(1) });
  const world = new LogWorld(time, disk, {
    segmentBytes: 8_192,
    segmentsAhead: 1,
    start: recover(time, disk, { opening: 1 }).start,
  });
  time.runFor(1_000);
  for (const { kind, partition, body } of ENTRIES) world.append(Buffer.from(body), partition, kind);
  time.runFor(1_000);
  world.close();
  const meta = finish(time, NodeMetaFile.create(disk, HASH, new Prng(4)));
  let done = false;
  meta.update({ lastLsn: 3, hlcMs: 1_700_000_000_123, hlcLogical: 7, clean: true }, () => {
    done = true;
  });
  time.runUntil(() => done);
  return { time, disk };
}

function describe(disk: SimulatedDisk): Golden {
  const files: Record<string, { size: number; hex: string }> = {};
  for (const path of disk.paths()) {
    const bytes = disk.contents(path);
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end -= 1;
    files[path] = { size: bytes.length, hex: bytes.toString('hex', 0, end) };
  }
  const entries = ENTRIES.map((entry, index) => ({
    lsn: index + 1,
    kind: entry.kind,
    partition: entry.partition,
    body: entry.body,
  }));
  return { about: 'log and node.meta, format 1', files, entries };
}

test('the bytes of format 1 are what they were', (t) => {
  const now = describe(written().disk);
  if (process.env['PARTITA_GOLDEN'] === 'write' || !existsSync(GOLDEN)) {
    t.is(process.env['PARTITA_GOLDEN'], 'write', `${GOLDEN} is missing`);
    writeFileSync(GOLDEN, `${JSON.stringify(now, null, 1)}\n`);
  }
  t.deepEqual(now, JSON.parse(readFileSync(GOLDEN, 'utf8')) as Golden);
});

test('what format 1 left behind is read', (t) => {
  const golden = JSON.parse(readFileSync(GOLDEN, 'utf8')) as Golden;
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(1) });
  for (const [path, { size, hex }] of Object.entries(golden.files)) {
    const bytes = Buffer.alloc(size);
    bytes.write(hex, 'hex');
    disk.restore(path, bytes);
  }
  const recovered = recover(time, disk, { durableLsn: 3, clean: true });
  t.deepEqual(
    recovered.replayed.map(({ lsn, kind, partition, body }) => ({
      lsn,
      kind,
      partition,
      body: Buffer.from(body).toString(),
    })),
    [...golden.entries],
  );
  t.deepEqual([recovered.damage, recovered.cut], [[], null]);
  t.like(finish(time, NodeMetaFile.read(disk, HASH)), {
    opening: 1,
    lastLsn: 3,
    hlcMs: 1_700_000_000_123,
    hlcLogical: 7,
    clean: true,
  });
  t.true(disk.paths().includes(NODE_META_PATH));
});
