/*
 * Is an archive what the cluster held, and does it come back as it was? Real daemons; a cluster of four holds keys of every
 * kind: one version, several, deleted, expired, expiring later, keys of up to 2 KiB, values of up to most of a MiB. It is
 * archived while clients go on writing other keys, and a second time when a few have changed. Both archives are verified.
 * Then the first is restored onto three nodes with the same Q, onto three with another Q, and back onto the four.
 *
 * Judged is by walks that know nothing of archives: every key is read through the SDK with R = N, and must show the very
 * values, expiries and context (to the byte) that were read before; and the nodes' listings of all their keys must name no
 * other. A key that was written all the time must be no older than its last write before the archive began.
 *
 * Then files of a copy are damaged by one bit each, one at a time: each must be named, and no other. The checker is on trial, too: an
 * expected value that is altered, and a key that was left out, must be noticed.
 */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { Prng } from '../../src/lib/prng.js';
import { type Client, codecs, type GetResult } from '../../src/client/index.js';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { inScope, scopedFolder } from '../support/scope.js';
import { type Print, printTail, type Proof } from './proof.js';

const PARTITIONS = 16;
const OTHER_PARTITIONS = 32;
const REPLICAS = 3;
const AT_ONCE = 24;
const BUSY_KEYS = 24;
const SOON_MS = 1_500;
const LATER_MS = 86_400_000;
const FLAGS = ['--memory-max', '128MiB'];
const LARGE_BYTES = [40_000, 40_000, 40_000, 40_000, 40_000, 200_000, 900_000];
/** Between two puts of a key that is written all the time. */
const BUSY_REST_MS = 150;

interface Size {
  readonly keys: number;
  readonly flips: number;
}
const SHORT: Size = { keys: 270, flips: 4 };
const FULL: Size = { keys: 60_000, flips: 400 };

/** What a reader is shown under a key, as text that can be compared. */
type Shown = string;

interface Walked {
  readonly still: ReadonlyMap<string, Shown>;
}

async function done(words: readonly string[], code: number = 0): Promise<string[][]> {
  const ran = await runCli(words);
  if (ran.code !== code) throw new Error(`partita ${words.join(' ')}: exit ${ran.code}: ${ran.out}${ran.err}`);
  return ran.out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
}

async function each<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) await work(items[i] as T, i);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** One key of each kind in turn. */
async function write(db: Client<string>, key: string, kind: number, random: Prng): Promise<void> {
  const value = (bytes: number): string =>
    `${key} ${random.u32()} `.padEnd(bytes, String.fromCharCode(97 + (kind % 26)));
  const size = kind === 6 ? random.int(LARGE_BYTES[random.int(LARGE_BYTES.length)] as number) : random.int(2_000);
  await db.put(key, value(size));
  if (kind === 1) await db.put(key, value(200)); // beside it
  if (kind === 2) for (let i = 0; i < 3; i++) await db.put(key, value(40 * i));
  if (kind === 3) await db.delete(key, { context: (await db.get(key)).context });
  if (kind === 4) await db.put(key, value(100), { ttlMs: SOON_MS, context: (await db.get(key)).context });
  if (kind === 5) await db.put(key, value(100), { ttlMs: LATER_MS, context: (await db.get(key)).context });
  if (kind === 7) for (let i = 0; i < 4; i++) await db.put(key, value(60), { context: (await db.get(key)).context });
}

function keyOf(i: number): string {
  const kind = i % 9;
  const key = `still:${kind}:${i}`;
  return kind === 8 ? key.padEnd(600 + ((i * 37) % 1_400), '=') : key;
}

function shownOf(got: GetResult<string>): Shown {
  const siblings = got.found
    ? got.siblings.map(({ value, writtenMs, expiresMs }) => [value, writtenMs, expiresMs])
    : [];
  return JSON.stringify([siblings, got.context.toString()]);
}

async function walk(cluster: RealCluster, keys: readonly string[]): Promise<Walked> {
  await using db = await cluster.connect({ codec: codecs.utf8, timeoutMs: 20_000 });
  const still = new Map<string, Shown>();
  await each(keys, async (key) => {
    still.set(key, shownOf(await db.get(key, { r: REPLICAS })));
  });
  return { still };
}

function differences(expected: Walked, found: Walked): readonly string[] {
  return [...expected.still].flatMap(([key, shown]) => (found.still.get(key) === shown ? [] : [key]));
}

/** All keys that any node lists, deleted ones included. */
async function listed(cluster: RealCluster): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for (const daemon of cluster.daemons) {
    const words = ['keys', '--all', '--limit', '1000000', '-o', 'json', '--admin', daemon.ready.admin];
    const { code, out, err } = await runCli(words);
    if (code !== 0) throw new Error(`keys: ${err}`);
    for (const { key } of (JSON.parse(out) as { readonly keys: readonly { readonly key: string }[] }).keys)
      keys.add(key);
  }
  return keys;
}

/** Keys that are counted up all the time: what each was when the archive began, and is when it ends. */
class Busy {
  readonly counts: number[] = new Array<number>(BUSY_KEYS).fill(0);
  writes: number = 0;
  #stopped = false;
  #running: Promise<unknown> = Promise.resolve();

  start(db: Client<string>): void {
    this.#running = Promise.all(
      this.counts.map(async (_, i) => {
        while (!this.#stopped) {
          const { context } = await db.get(`busy:${i}`);
          const count = (this.counts[i] as number) + 1;
          await db.put(`busy:${i}`, String(count), { context });
          this.counts[i] = count;
          this.writes += 1;
          await rest(BUSY_REST_MS);
        }
      }),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

interface Course {
  readonly size: Size;
  readonly folder: string;
  readonly target: string;
  readonly keys: readonly string[];
  readonly faults: string[];
  readonly print: Print;
}

interface Archived {
  readonly name: string;
  readonly walked: Walked;
  readonly busyBefore: readonly number[];
  readonly referred: number;
}

async function archived(source: RealCluster, course: Course): Promise<Archived> {
  const { keys, target, faults, print } = course;
  await using db = await source.connect({ codec: codecs.utf8, timeoutMs: 20_000 });
  const random = new Prng(20_071_014);
  await each(keys, (key, i) => write(db, key, i % 9, random));
  await rest(SOON_MS);
  const walked = await walk(source, keys);
  const busy = new Busy();
  busy.start(db);
  while (busy.counts.some((count) => count === 0)) await rest(20);
  const busyBefore = [...busy.counts];
  const writesBefore = busy.writes;
  const admin = ['--admin', source.node(2).ready.admin];
  const startedMs = performance.now();
  const [[name = '', state, partitions, , records, bytes] = []] = await done(['archive', 'create', target, ...admin]);
  const seconds = (performance.now() - startedMs) / 1_000;
  await busy.stop();
  print(
    `archived ${records} records in ${partitions} partitions, ${bytes} bytes, in ${seconds.toFixed(1)} s while ${busy.writes - writesBefore} puts were made`,
  );
  if (state !== 'complete') faults.push(`the archive is ${state}`);
  const [[, , , referred] = []] = await done(['archive', 'create', target, '--since', 'latest', ...admin]);
  const verified = await done(['archive', 'verify', target]);
  for (const [which, found] of verified) if (found !== 'sound') faults.push(`${which}: ${found}`);
  return { name, walked, busyBefore, referred: Number(referred) };
}

/** Restores, walks, and counts what is not as it was. */
async function restored(
  cluster: RealCluster,
  course: Course,
  { name, walked, busyBefore }: Archived,
  to: string,
): Promise<void> {
  const { target, keys, faults, print } = course;
  const startedMs = performance.now();
  const words = ['restore', target, '--archive', name, '--admin', cluster.node(1).ready.admin];
  const facts = Object.fromEntries((await done(words)) as [string, string][]);
  const seconds = (performance.now() - startedMs) / 1_000;
  const found = await walk(cluster, keys);
  const wrong = differences(walked, found);
  if (wrong.length > 0)
    faults.push(`${to}: ${wrong.length} keys are not as they were: ${wrong.slice(0, 3).join(', ')}`);
  const known = new Set([...keys, ...busyBefore.map((_, i) => `busy:${i}`)]);
  const strange = [...(await listed(cluster))].filter((key) => !known.has(key));
  if (strange.length > 0) faults.push(`${to}: keys that nobody wrote: ${strange.slice(0, 3).join(', ')}`);
  await using db = await cluster.connect({ codec: codecs.utf8, timeoutMs: 20_000 });
  for (const [i, before] of busyBefore.entries()) {
    const got = await db.get(`busy:${i}`, { r: REPLICAS });
    const count = got.found ? Math.max(...got.siblings.map(({ value }) => Number(value))) : 0;
    if (count < before) faults.push(`${to}: busy:${i} is ${count}, and was ${before} before the archive began`);
  }
  if (facts['missing'] !== '0') faults.push(`${to}: the restore itself says that ${facts['missing']} are missing`);
  print(
    `${to}: ${facts['records']} records in ${seconds.toFixed(1)} s; ${facts['rootsEqual']} of ${facts['rootsCompared']} roots equal; ${keys.length - wrong.length} of ${keys.length} keys as they were`,
  );
}

/** One flipped bit at a time. Answers how many were named, and nothing beside them. */
async function flips({ size, folder, target, faults }: Course, name: string): Promise<number> {
  const copy = join(folder, 'damaged');
  cpSync(target, copy, { recursive: true });
  const random = new Prng(4_711);
  const files = readdirSync(join(copy, name)).filter((file) => file.endsWith('.mdb') || file === 'manifest.json');
  let named = 0;
  for (let i = 0; i < size.flips; i++) {
    const file = files[i % files.length] as string;
    const path = join(copy, name, file);
    const whole = readFileSync(path);
    const bytes = Buffer.from(whole);
    const at = random.int(bytes.length);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.int(8)), at);
    writeFileSync(path, bytes);
    const { code, out } = await runCli(['archive', 'verify', copy, '--archive', name]);
    const findings = out.trimEnd().split('\n').slice(1);
    if (code === 1 && findings.length === 1 && findings[0]?.startsWith(`${name}/${file}\t`) === true) named += 1;
    else faults.push(`a bit of byte ${at} of ${file} was flipped, and verify said: ${out}`);
    writeFileSync(path, whole);
  }
  return named;
}

async function withCluster<T>(
  options: Parameters<typeof RealCluster.prepare>[0],
  print: Print,
  work: (cluster: RealCluster) => Promise<T>,
): Promise<T> {
  const cluster = await RealCluster.prepare({ flags: FLAGS, replicas: REPLICAS, ...options });
  try {
    await cluster.start();
    await cluster.connected();
    return await work(cluster);
  } catch (error) {
    printTail(cluster.transcript(), 20, print);
    throw error;
  } finally {
    await cluster.dispose();
  }
}

/** An altered value, and a key that is gone, are noticed. */
function checkerSees({ still }: Walked): boolean {
  const [first = '', second = ''] = still.keys();
  const altered = new Map(still).set(first, `${still.get(first)}?`);
  const lacking = new Map(still);
  lacking.delete(second);
  return (
    differences({ still }, { still: altered }).join() === first &&
    differences({ still }, { still: lacking }).join() === second
  );
}

async function play(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  return inScope(async (scope) => {
    const folder = scopedFolder(scope, 'archives');
    const keys = Array.from({ length: size.keys }, (_, i) => keyOf(i));
    const faults: string[] = [];
    const course: Course = { size, folder, target: join(folder, 'target'), keys, faults, print };
    const made = await withCluster({ nodes: 4, partitions: PARTITIONS }, print, async (source) => {
      const it = await archived(source, course);
      await restored(source, course, it, 'back onto itself');
      return it;
    });
    if (!checkerSees(made.walked)) faults.push('the checker is blind');
    for (const partitions of [PARTITIONS, OTHER_PARTITIONS]) {
      await withCluster({ nodes: 3, partitions }, print, (cluster) =>
        restored(cluster, course, made, `onto 3 nodes, Q = ${partitions}`),
      );
    }
    const named = await flips(course, made.name);
    print(`${named} of ${size.flips} flipped bits were named, each alone`);
    for (const fault of faults) print(`fault: ${fault}`);
    const held = faults.length === 0 && named === size.flips;
    return {
      held,
      summary: `${keys.length} keys, 3 restores, ${faults.length} faults, ${named}/${size.flips} flipped bits named`,
    };
  });
}

export const prove: Proof = {
  name: 'archive-round-trip',
  question:
    'Does an archive of a cluster under load come back as it was, onto any cluster, and is one flipped bit found?',
  run: ({ full, print }) => play(full ? FULL : SHORT, print),
};
