/*
 * Does anything that was deleted come back from what was kept of it elsewhere, once the delete itself is forgotten? Three real
 * daemons. Keys are written; all is archived, and the directories of two nodes are copied while each is stopped. Then half
 * of the keys are deleted, some are replaced, and it is waited until no node has a tombstone any more; some of the deleted
 * keys are put anew, as an application does that has forgotten them, too. Then it comes back:
 *
 *   the archive       is restored into the living cluster, by a merge
 *   a whole disk      one node starts with its directory of before
 *   one file          another one starts with a partition's file of before
 *   the old archive   when what was forgotten is not remembered any more either: a restore must be refused, and say why
 *
 * Each time the owners meet about everything, and every key is read from all of them: what was deleted must not be shown,
 * nor be listed by any node; all else must show the values, times and context that it had.
 *
 * The judge is on trial with a real case: with --may-resurrect that last restore brings back what was deleted, which the
 * same look must notice; and how many keys that may be the command must have said.
 *
 * Deletes are forgotten after two minutes at the earliest. The full form waits for them; in the short one the daemons'
 * clocks are put forward and their long timers run faster (hurried-time.ts). The day after which nothing is remembered is
 * passed so in both.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import xxhash from 'xxhash-wasm';
import { EXIT_FAILED } from '../../src/cli/exit-codes.js';
import { codecs } from '../../src/client/index.js';
import { hash64From } from '../../src/model/hash.js';
import { partitionBits, partitionOf } from '../../src/ring/partition.js';
import { AheadOfTime } from '../support/ahead-of-time.js';
import { ROOT } from '../support/daemon.js';
import { listedKeys, tombstonesOf } from '../support/listed-keys.js';
import type { RealCluster } from '../support/real-cluster.js';
import { meetAll } from '../support/repair-figures.js';
import { runCli } from '../support/run-cli.js';
import { inScope, scopedFolder } from '../support/scope.js';
import { differences, each, facts, patient, rows, walk, type Walked, withCluster } from './archive-cluster.js';
import type { Print, Proof } from './proof.js';

const PARTITIONS = 16;
const NODES = 3;
/** Put anew after the delete is forgotten; each by a command. */
const ANEW = 5;
const FLAGS = ['--repair-reap-after', '2min', '--repair-reap-log-retention', '1d', '--repair-period', '30d'];
/** Long enough for a delete of this moment to be forgotten, by the clock. */
const FORGOTTEN_MS = 200_000;
const DAY_MS = 86_400_000;
const LOOK_MS = 1_000;
const TRIES = 5;

interface Size {
  readonly keys: number;
  /** Long timers run so many times as fast; 1: and what takes two minutes is waited for. */
  readonly haste: number;
  readonly forgottenWithinMs: number;
}
const SHORT: Size = { keys: 200, haste: 40, forgottenWithinMs: 60_000 };
const FULL: Size = { keys: 20_000, haste: 1, forgottenWithinMs: 1_800_000 };

interface Course {
  readonly cluster: RealCluster;
  readonly time: AheadOfTime;
  readonly size: Size;
  readonly target: string;
  /** Of directories. */
  readonly copies: string;
  readonly faults: string[];
  readonly print: Print;
}

interface Keys {
  /** Never touched again, or replaced. */
  readonly stay: readonly string[];
  readonly change: readonly string[];
  readonly gone: readonly string[];
  readonly anew: readonly string[];
}

/** What a look has found. */
interface Look {
  readonly changed: readonly string[];
  readonly risen: readonly string[];
}

function keysOf(count: number): Keys {
  const some = (what: string, of: number): readonly string[] => Array.from({ length: of }, (_, i) => `${what}:${i}`);
  const quarter = Math.floor(count / 4);
  return {
    stay: some('stays', quarter),
    change: some('changes', quarter),
    gone: some('goes', 2 * quarter),
    anew: some('anew', ANEW),
  };
}

async function writeAll({ cluster }: Course, { stay, change, gone, anew }: Keys): Promise<void> {
  await using db = await patient(cluster);
  await each([...stay, ...change, ...gone, ...anew], async (key) => {
    await db.put(key, `first value of ${key}`, { w: NODES });
  });
}

async function writeOver({ cluster }: Course, { change, gone, anew }: Keys): Promise<void> {
  await using db = await patient(cluster);
  await each(change, async (key) => {
    await db.put(key, `second value of ${key}`, { w: NODES, context: (await db.get(key)).context });
  });
  await each([...gone, ...anew], async (key) => {
    await db.delete(key, { w: NODES, context: (await db.get(key)).context });
  });
}

async function copyDirectory({ cluster, copies }: Course, n: number): Promise<void> {
  const { name, daemon } = cluster.member(n);
  await daemon.stop();
  cpSync(join(cluster.folder, name), join(copies, name), { recursive: true });
  await daemon.start();
  await cluster.connected();
}

/** Until no node has a tombstone any more. */
async function forgotten({ cluster, time, size, faults, print }: Course): Promise<void> {
  const { daemons } = cluster;
  const before = await tombstonesOf(daemons);
  if (size.haste > 1) await time.pass(FORGOTTEN_MS);
  const startedMs = performance.now();
  let left = before;
  while (left > 0 && performance.now() - startedMs < size.forgottenWithinMs) {
    await rest(LOOK_MS);
    left = await tombstonesOf(daemons);
  }
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(0);
  print(`tombstones: ${before} on ${NODES} nodes, ${left} left after ${seconds} s`);
  if (before === 0) faults.push('there was no tombstone to be forgotten');
  if (left > 0) faults.push(`${left} of ${before} tombstones were not forgotten`);
}

/** By the daemons' clock: an application knows nothing of what was deleted. */
function putAnew({ cluster, time }: Course, { anew }: Keys): void {
  const program = join(ROOT, 'bin', 'partita.cjs');
  const server = cluster.addresses[0] ?? '';
  for (const key of anew) {
    const words = [program, 'put', key, `new value of ${key}`, '--w', String(NODES), '--server', server];
    execFileSync(process.execPath, words, { env: { ...process.env, ...time.env }, stdio: 'pipe' });
  }
}

/** Read from all owners, and listed by each. */
async function look({ cluster }: Course, { gone }: Keys, expected: Walked): Promise<Look> {
  const found = await walk(cluster, [...expected.keys(), ...gone]);
  const wasDeleted = new Set(gone);
  const risen = new Set(gone.filter((key) => (JSON.parse(found.get(key) ?? '') as [unknown[]])[0].length > 0));
  for (const daemon of cluster.daemons)
    for (const { key, state } of await listedKeys(daemon))
      if (wasDeleted.has(key) && state !== 'deleted') risen.add(key);
  return { changed: differences(expected, found), risen: [...risen] };
}

async function judge(course: Course, keys: Keys, expected: Walked, what: string): Promise<void> {
  const { cluster, faults, print } = course;
  const moved = await meetAll(cluster.daemons);
  const { changed, risen } = await look(course, keys, expected);
  print(
    `${what}: ${risen.length} of ${keys.gone.length} deleted keys are back, ${changed.length} of ${expected.size} others have changed; owners moved ${moved} records when they met`,
  );
  if (risen.length > 0) faults.push(`${what}: came back: ${risen.slice(0, 3).join(', ')}`);
  if (changed.length > 0) faults.push(`${what}: have changed: ${changed.slice(0, 3).join(', ')}`);
}

function restoreWords({ cluster, target }: Course): readonly string[] {
  return ['restore', target, '--admin', cluster.node(1).ready.admin];
}

async function restoreLiving(course: Course, keys: Keys, expected: Walked): Promise<void> {
  const { merged, reaped, missing } = await facts(restoreWords(course));
  const lacking = keys.gone.length + keys.anew.length;
  if (Number(reaped) !== lacking || missing !== '0')
    course.faults.push(
      `of ${lacking} records that were deleted it says that ${reaped} were, and ${missing} are missing`,
    );
  await judge(
    course,
    keys,
    expected,
    `the archive, of which ${reaped} records had been deleted and ${merged} were taken`,
  );
}

/**
 * As an operator does it: a whole directory without the acceptor's file, which may have promised since. The node must find
 * out that deletes were forgotten without it; else nothing was put to the test.
 */
async function putBack(course: Course, keys: Keys, expected: Walked, n: number, path: string): Promise<void> {
  const { cluster, copies, faults } = course;
  const { name, daemon } = cluster.member(n);
  const folder = join(cluster.folder, name);
  await daemon.stop();
  rmSync(join(folder, path), { recursive: true });
  cpSync(join(copies, name, path), join(folder, path), { recursive: true });
  if (path === '') rmSync(join(folder, 'ring', 'acceptor'), { force: true });
  const from = daemon.log.length;
  await daemon.start();
  await cluster.connected();
  const what = path === '' ? `the whole disk of ${name}` : `${path} of ${name}`;
  await judge(course, keys, expected, what);
  const behind = daemon.log.slice(from).filter(({ event }) => event === 'behind-reaps').length;
  if (behind === 0) faults.push(`${what}: it held nothing that is forgotten`);
}

/** Of the partition of that key. */
async function fileOf(key: string): Promise<string> {
  const hash = hash64From(await xxhash());
  const bytes = codecs.utf8.encode(key);
  hash.hash(bytes, 0, bytes.length);
  const name = partitionOf(hash.hi, partitionBits(PARTITIONS)).toString(16).padStart(4, '0');
  return join('partitions', `${name}.mdb`);
}

/** Refused as soon as one partition remembers too little; until then a restore changes nothing. */
async function refusedInTheEnd(course: Course): Promise<void> {
  const { time, size, faults, print } = course;
  await time.pass(DAY_MS + FORGOTTEN_MS);
  const untilMs = performance.now() + size.forgottenWithinMs;
  for (;;) {
    const { code, out, err } = await runCli(restoreWords(course));
    // It was forgotten between the restore, which brought nothing, and the look for it; the next one is to be refused.
    const isBetween = code === EXIT_FAILED && err.includes('not all that was restored is there');
    if (code !== 0 && !isBetween) {
      print(`a day later: exit ${code}: ${err.trim().slice(0, 120)} …`);
      if (!/older than what node \d+ remembers of deletes/.test(err) || !err.includes('--may-resurrect'))
        faults.push(`the old archive was refused for another reason: ${err}`);
      if (out !== '') faults.push(`it was refused, and said: ${out}`);
      return;
    }
    if (performance.now() > untilMs) {
      faults.push('an archive older than what is remembered was not refused');
      return;
    }
    await rest(LOOK_MS);
  }
}

/** What is wanted at last must be noticed. */
async function trial(course: Course, keys: Keys, expected: Walked): Promise<string> {
  // More may be forgotten while it is under way: then it says that something is missing, and is to be done again.
  let doubtful = 0;
  for (let tries = 0, code = EXIT_FAILED; code === EXIT_FAILED && tries < TRIES; tries++) {
    const ran = await runCli([...restoreWords(course), '--may-resurrect']);
    code = ran.code;
    doubtful += Number(/^doubtful\t(\d+)$/m.exec(ran.out)?.[1] ?? 0);
    if (code !== 0 && code !== EXIT_FAILED) course.faults.push(`--may-resurrect: exit ${code}: ${ran.err}`);
  }
  const { risen, changed } = await look(course, keys, expected);
  const strangers = changed.filter((key) => !keys.anew.includes(key));
  if (risen.length === 0) course.faults.push('the judge is blind: what --may-resurrect brings back was not noticed');
  if (doubtful < risen.length) course.faults.push(`${risen.length} keys are back, and it said that ${doubtful} may be`);
  if (strangers.length > 0) course.faults.push(`--may-resurrect has changed ${strangers.slice(0, 3).join(', ')}`);
  return `with --may-resurrect ${risen.length} of ${keys.gone.length} are back, and were noticed; it said ${doubtful} at most`;
}

async function run(course: Course): Promise<string> {
  const { cluster, size, target, print } = course;
  const keys = keysOf(size.keys);
  await writeAll(course, keys);
  await rows(['archive', 'create', target, '--admin', cluster.node(1).ready.admin]);
  for (const n of [2, 3]) await copyDirectory(course, n);
  await writeOver(course, keys);
  await forgotten(course);
  putAnew(course, keys);
  const expected = await walk(cluster, [...keys.stay, ...keys.change, ...keys.anew]);

  await restoreLiving(course, keys, expected);
  await putBack(course, keys, expected, 3, '');
  await putBack(course, keys, expected, 2, await fileOf(keys.gone[0] ?? ''));
  await refusedInTheEnd(course);
  await judge(course, keys, expected, 'the old archive, refused');
  const said = await trial(course, keys, expected);
  print(said);
  return said;
}

function play(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  return inScope(async (scope) => {
    const folder = scopedFolder(scope, 'no-resurrection');
    const faults: string[] = [];
    const time = new AheadOfTime(folder, size.haste);
    const world = { time, size, target: join(folder, 'archives'), copies: join(folder, 'copies'), faults, print };
    const said = await withCluster(
      { nodes: NODES, partitions: PARTITIONS, flags: FLAGS, env: time.env },
      print,
      (cluster) => run({ ...world, cluster }),
    );
    for (const fault of faults) print(`fault: ${fault}`);
    return { held: faults.length === 0, summary: `${size.keys} keys, ${faults.length} faults; ${said}` };
  });
}

export const prove: Proof = {
  name: 'archive-no-resurrection',
  question:
    'Does what was deleted stay deleted, also once that is forgotten, when an archive or an old disk comes back?',
  run: ({ full, print }) => play(full ? FULL : SHORT, print),
};
