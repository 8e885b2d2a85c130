/*
 * Bytes flipped and files cut off, all over a small log and a partition file, one damage at a time on a copy of the store.
 * A child opens each with the real engine and reads every key (store-child.ts). What must hold:
 *
 *   always            no value is served that was not put under that key; nobody hangs; a refusal says why
 *   log, below D      what cannot be served answers unknown: nothing acknowledged reads as absent or as it was before
 *   log, above D      the tail is cut, and reported
 *   partition file    a damaged record answers unknown. Damage to LMDB's own pages may hide keys: then the scrub task
 *                     and `partita check` find it
 *   a lethal file     it may kill the daemon twice; the third start sets it aside and serves the rest
 *
 * `PARTITA_SEED=n` draws the same damages again (a real daemon writes the partition files, so what they hit may differ),
 * and `PARTITA_PART=log|files|small|lethal` runs one part alone, with the damages that it has among the others.
 */
import { join } from 'node:path';
import { Prng } from '../../src/lib/prng.js';
import { DAMAGE_SEED, report, Series, type Base } from '../support/damage-series.js';
import { batchesOf, describeDamage, filesOf, withDamage, type Damage } from '../support/damage.js';
import { Daemon } from '../support/daemon.js';
import { dumpFile, isRecordEntry, lmdbToolsFault } from '../support/lmdb-dump.js';
import { makeLethal } from '../support/lethal-page.js';
import { livePages, PAGE_BYTES } from '../support/lmdb-pages.js';
import { newPutId, RawClient, RefusedError } from '../support/raw-client.js';
import { inScope, scopedFolder, type Scope } from '../support/scope.js';
import { stampedValue } from '../support/stamp.js';
import type { StoreShape } from '../support/store-child.js';
import type { Print, Proof } from './proof.js';

const KEYS = 64;
const ROUNDS = 3;
const VALUE_BYTES = 160;
const LOG_SHAPE: StoreShape = { partitionCount: 16, segmentBytes: 65_536 };
const FILE_SHAPE: StoreShape = { partitionCount: 4, segmentBytes: 1_048_576 };
const DAEMON_FLAGS = [
  '--partitions',
  '4',
  '--memory-max',
  '128MiB',
  '--value-bytes-max',
  '64KiB',
  '--storage-segment-bytes',
  '1MiB',
];
const SECTOR_BYTES = 512;
const UNKNOWN_STATE = 15;

const flip = (prng: Prng, file: string, offset: number): Damage => ({
  file,
  kind: 'flip',
  offset,
  amount: 1 << prng.int(8),
});

/** Every `stride`-th offset below `end`, beginning anywhere. */
function offsets(prng: Prng, from: number, end: number, stride: number): readonly number[] {
  const list: number[] = [];
  for (let offset = from + prng.int(stride); offset < end; offset += stride) list.push(offset);
  return list;
}

async function proveLog(
  series: Series,
  scope: Scope,
  prng: Prng,
  full: boolean,
  print: Print,
): Promise<readonly string[]> {
  const base = await series.make(scopedFolder(scope, 'corruption-log'), LOG_SHAPE, KEYS, ROUNDS, VALUE_BYTES);
  const batches = batchesOf(base.directory);
  const segments = new Set(batches.map(({ file }) => file));
  const endOf = (file: string): number =>
    Math.max(...batches.filter((batch) => batch.file === file).map(({ offset, length }) => offset + length));
  const used = [...segments].reduce((sum, file) => sum + endOf(file), 0);
  const last = batches.at(-1);
  const tail = batches.filter(({ count }) => count > 0).at(-1);
  if (last === undefined || tail === undefined) throw new Error('The log is empty');
  print(`a log of ${batches.length} batches in ${used} bytes, the last one saying that ${last.durableLsn} is durable`);

  const stride = full ? 7 : Math.ceil(used / 250);
  const flips = [...segments].flatMap((file) =>
    offsets(prng, 0, endOf(file), stride).map((offset) => flip(prng, file, offset)),
  );
  const cuts = [...segments].flatMap((file): readonly Damage[] =>
    offsets(prng, 0, LOG_SHAPE.segmentBytes, full ? 97 : 1_500).map((offset) => ({
      file,
      kind: 'truncate',
      offset,
      amount: 0,
    })),
  );
  const faults: string[] = [];
  for (const [name, damages] of [
    ['log, bytes flipped', flips],
    ['log, segments cut off', cuts],
  ] as const) {
    const tally = await series.run(base, damages);
    report(name, tally, print);
    faults.push(
      ...tally.faults,
      ...tally.silent.map((damage) => `${describeDamage(damage)}: acknowledged writes are missing in silence`),
    );
  }

  // Without the batch that says so, the last entries are above D: they may have been torn, and are cut.
  const withoutLast: Damage = { file: last.file, kind: 'zero', offset: last.offset, amount: last.length };
  const torn = offsets(prng, tail.offset, tail.offset + tail.length, full ? 1 : 9).map((offset) =>
    flip(prng, tail.file, offset),
  );
  const above = await series.run(base, torn, [withoutLast]);
  report('log, above D', above, print);
  faults.push(...above.faults);
  if (above.cut + above.flagged < above.silent.length) faults.push('a torn tail was neither cut nor reported');
  const { cut } = await onlyCut(series, base, withoutLast);
  if (cut) faults.push('a log that ends with a whole batch was reported as cut');
  return faults;
}

async function onlyCut(series: Series, base: Base, damage: Damage): Promise<{ readonly cut: boolean }> {
  const tally = await series.run(base, [damage]);
  return { cut: tally.cut > 0 || tally.silent.length > 0 };
}

/** Node.meta and the table of partitions: small files that everything hangs on. */
async function proveSmallFiles(
  series: Series,
  base: Base,
  prng: Prng,
  full: boolean,
  print: Print,
): Promise<readonly string[]> {
  const files = ['node.meta', 'table.a', 'table.b'].flatMap((name) => [
    ...filesOf(base.directory, '', name),
    ...filesOf(base.directory, 'partitions', name),
  ]);
  const damages = files.flatMap(({ file, bytes }) =>
    offsets(prng, 0, bytes, full ? 11 : 331).map((offset) => flip(prng, file, offset)),
  );
  const tally = await series.run(base, damages);
  report(`${files.map(({ file }) => file).join(', ')}, bytes flipped`, tally, print);
  return [
    ...tally.faults,
    ...tally.silent.map((damage) => `${describeDamage(damage)}: acknowledged writes are missing in silence`),
  ];
}

/** A store in the files of a real daemon, closed in peace. */
async function daemonStore(scope: Scope): Promise<Base> {
  const directory = join(scopedFolder(scope, 'corruption-files'), 'data');
  const daemon = Daemon.prepare({ dataDir: directory, flags: DAEMON_FLAGS });
  scope.defer('end the daemon', () => daemon.signal('SIGKILL'));
  const client = await RawClient.connect((await daemon.start()).client);
  const ids: Record<string, number[]> = {};
  const contexts = new Map<string, Uint8Array>();
  for (let id = 1; id <= KEYS * ROUNDS; id++) {
    const key = `key-${id % KEYS}`;
    const value = stampedValue(DAMAGE_SEED, key, id, VALUE_BYTES);
    const written = await client.write({
      key,
      value,
      context: contexts.get(key) ?? new Uint8Array(0),
      putId: newPutId(),
    });
    contexts.set(key, written.context);
    (ids[key] ??= []).push(id);
    if (id % KEYS === 0) await allInFiles(directory, KEYS);
  }
  client.close();
  await new Promise((resolve) => setTimeout(resolve, 3_000)); // the last round, and the log let go
  const { code } = await daemon.stop();
  if (code !== 0) throw new Error(`The daemon did not stop in peace\n${daemon.transcript()}`);
  return { directory, shape: FILE_SHAPE, ids, names: Object.keys(ids) };
}

async function allInFiles(directory: string, records: number): Promise<void> {
  for (
    const since = Date.now();
    Date.now() - since < 60_000;
    await new Promise((resolve) => setTimeout(resolve, 300))
  ) {
    const found = filesOf(directory, 'partitions', '.mdb').reduce(
      (sum, { file }) => sum + dumpFile(join(directory, file)).filter(isRecordEntry).length,
      0,
    );
    if (found >= records) return;
  }
  throw new Error('The records did not reach the files within 60 s');
}

async function proveFiles(
  series: Series,
  base: Base,
  prng: Prng,
  full: boolean,
  print: Print,
): Promise<readonly string[]> {
  const files = filesOf(base.directory, 'partitions', '.mdb').filter(({ bytes }) => bytes > 2 * PAGE_BYTES);
  const chosen = files.slice(0, 2);
  const bytes = chosen.reduce((sum, file) => sum + file.bytes, 0);
  const stride = full ? 97 : Math.ceil(bytes / 120);
  const flips = chosen.flatMap((one) =>
    offsets(prng, 0, one.bytes, stride).map((offset) => flip(prng, one.file, offset)),
  );
  // Most pages are what older commits have left. Those that the newest one reaches are damaged on purpose.
  const live = chosen.flatMap(({ file }) => livePages(join(base.directory, file)).map((page) => ({ ...page, file })));
  const ways = live.filter(({ kind }) => kind !== 'overflow');
  const away = live.filter(({ kind }) => kind === 'overflow');
  const flipsIn = (pages: typeof live, every: number): readonly Damage[] =>
    pages.flatMap(({ file, offset, bytes: long }) =>
      offsets(prng, offset, offset + long, every).map((at) => flip(prng, file, at)),
    );
  const metas = chosen.flatMap(({ file }) =>
    offsets(prng, 0, 2 * PAGE_BYTES, full ? 5 : 101).map((offset) => flip(prng, file, offset)),
  );
  const cuts = chosen.flatMap((one): readonly Damage[] =>
    offsets(prng, 0, one.bytes, full ? 511 : 9_000).map((offset) => ({
      file: one.file,
      kind: 'truncate',
      offset,
      amount: 0,
    })),
  );
  const zeros = live.flatMap(({ file, offset, bytes: long }): readonly Damage[] =>
    offsets(prng, offset, offset + long, full ? SECTOR_BYTES : 3 * SECTOR_BYTES).map((at) => ({
      file,
      kind: 'zero',
      offset: at - (at % SECTOR_BYTES),
      amount: SECTOR_BYTES,
    })),
  );
  const faults: string[] = [];
  for (const [name, damages] of [
    ['partition file, bytes flipped', flips],
    ['branch and leaf pages, bytes flipped', flipsIn(ways, full ? 3 : 61)],
    ['overflow pages, bytes flipped', flipsIn(away, full ? 61 : 1_021)],
    ['partition file, meta pages flipped', metas],
    ['partition file, cut off', cuts],
    ['live pages, sectors zeroed', zeros],
  ] as const) {
    const tally = await series.run(base, damages);
    report(name, tally, print);
    faults.push(...tally.faults, ...(await foundAfterwards(series, base, tally.silent, full ? 60 : 4, print)));
  }
  return faults;
}

/** Keys that damage made unreachable in silence: the scrub task and `partita check` must both find it. */
async function foundAfterwards(
  series: Series,
  base: Base,
  silent: readonly Damage[],
  checksMax: number,
  print: Print,
): Promise<readonly string[]> {
  const faults: string[] = [];
  let checked = 0;
  for (const [i, damage] of silent.entries()) {
    if (!(await series.scrubFinds(base, damage)))
      faults.push(`${describeDamage(damage)}: keys are hidden, and the scrub task finds nothing`);
    if (i % Math.max(1, Math.ceil(silent.length / checksMax)) !== 0) continue;
    checked += 1;
    if (!(await series.checkFinds(base, damage)))
      faults.push(`${describeDamage(damage)}: keys are hidden, and partita check finds nothing`);
  }
  if (silent.length > 0) print(`  ${silent.length} of them hid keys; scrubbed ${silent.length}, checked ${checked}`);
  return faults;
}

/** How many of the keys the daemon serves, says not to know, or dies of. */
async function readAll(
  daemon: Daemon,
  names: readonly string[],
): Promise<{ readonly right: number; readonly unknown: number; readonly wrong: number }> {
  let right = 0;
  let unknown = 0;
  let wrong = 0;
  const client = await RawClient.connect(daemon.ready.client);
  for (const name of names) {
    try {
      if ((await client.get(name)).values.length === 1) right += 1;
      else wrong += 1;
    } catch (error) {
      if (!(error instanceof RefusedError) || error.code !== UNKNOWN_STATE) throw error;
      unknown += 1;
    }
  }
  client.close();
  return { right, unknown, wrong };
}

/** What was read after a start, or what the daemon was at when it died: its trees may be rebuilt before it is ready. */
async function startAndRead(
  daemon: Daemon,
  names: readonly string[],
): Promise<Awaited<ReturnType<typeof readAll>> | { readonly death: string }> {
  let at = 'before it was ready';
  try {
    await daemon.start();
    at = 'while it was read';
    return await readAll(daemon, names);
  } catch (error) {
    // A daemon that lives on has failed otherwise; so has one that ended by itself, with a code.
    if (daemon.running && at === 'before it was ready') throw error;
    const { signal } = await daemon.exited;
    if (signal === null || signal === 'SIGKILL') throw error;
    return { death: `${at} (${signal})` };
  }
}

/** A file that kills its reader: two deaths at most, then it is set aside and the rest is served. */
async function proveLethal(series: Series, scope: Scope, base: Base, print: Print): Promise<readonly string[]> {
  const victim = filesOf(base.directory, 'partitions', '.mdb').find(({ bytes }) => bytes > 2 * PAGE_BYTES);
  if (victim === undefined) throw new Error('No partition file has records');
  const hidden = dumpFile(join(base.directory, victim.file)).filter(isRecordEntry).length;
  return withDamage(base.directory, series.nextCopy(), [], async (directory) => {
    makeLethal(join(directory, victim.file));
    const daemon = Daemon.prepare({ dataDir: directory, flags: DAEMON_FLAGS, readyTimeoutMs: 60_000 });
    scope.defer('end the daemon', () => daemon.signal('SIGKILL'));
    try {
      for (let start = 1; start <= 4; start++) {
        const read = await startAndRead(daemon, base.names);
        if ('death' in read) {
          print(`lethal file, start ${start}: killed ${read.death}`);
          continue;
        }
        const setAside = filesOf(directory, 'quarantine', '').length > 0;
        print(
          `lethal file, start ${start}: lives; ${read.right} keys served, ${read.unknown} unknown, ${read.wrong} wrong; ${setAside ? 'set aside' : 'not set aside'}`,
        );
        await daemon.stop();
        if (start <= 3 && setAside && read.wrong === 0 && read.unknown === hidden)
          return start === 1 ? ['the lethal file was not lethal'] : [];
        return [`after ${start} starts: ${JSON.stringify(read)}, ${hidden} records were in the file`];
      }
      return [`a crash loop: four starts, and dead each time\n${daemon.transcript(10)}`];
    } finally {
      await daemon.dispose();
    }
  });
}

const PARTS = ['log', 'files', 'small', 'lethal'] as const;
type Part = (typeof PARTS)[number];

function partAsked(): Part | null {
  const word = process.env['PARTITA_PART'];
  if (word === undefined) return null;
  const part = PARTS.find((one) => one === word);
  if (part === undefined) throw new Error(`PARTITA_PART is ${word}; it can be ${PARTS.join(', ')}`);
  return part;
}

export const prove: Proof = {
  name: 'corruption',
  question: 'Is anything false ever served from damaged files, or any damage overlooked?',
  run: ({ full, print }) =>
    inScope(async (scope) => {
      const missing = lmdbToolsFault();
      if (missing !== null) return { held: false, summary: `skipped: ${missing}` };
      const seed = Number(process.env['PARTITA_SEED'] ?? Date.now() >>> 0);
      const only = partAsked();
      const series = new Series(scope);
      print(`seed ${seed}`);
      const prng = new Prng(seed);
      const [ofLog, ofFiles, ofSmall] = [prng.fork(), prng.fork(), prng.fork()];
      const asked = (part: Part): boolean => only === null || only === part;
      const faults: string[] = [];
      if (asked('log')) faults.push(...(await proveLog(series, scope, ofLog, full, print)));
      if (only !== 'log') {
        const base = await daemonStore(scope);
        if (asked('files')) faults.push(...(await proveFiles(series, base, ofFiles, full, print)));
        if (asked('small')) faults.push(...(await proveSmallFiles(series, base, ofSmall, full, print)));
        if (asked('lethal')) faults.push(...(await proveLethal(series, scope, base, print)));
      }
      for (const fault of faults.slice(0, 20)) print(`FAULT: ${fault}`);
      if (faults.length > 20) print(`… and ${faults.length - 20} more`);
      const { damages, invented, falseNotFound, killed, hung } = series.total;
      return {
        held: faults.length === 0,
        summary:
          `${damages} damages, ${invented} values invented, ${falseNotFound} false not-founds (each found by scrub and check), ` +
          `${killed} readers killed, ${hung} hung; ${faults.length} faults`,
      };
    }),
};
