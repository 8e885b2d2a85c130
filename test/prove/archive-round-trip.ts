/*
 * Is an archive what the cluster held, and does it come back as it was? Real daemons; a cluster of five holds keys of every
 * kind: one version, several, deleted, expired, expiring later, keys of up to 2 KiB, values of up to most of a MiB. It is
 * archived while clients go on writing other keys, and a second time when a few have changed. Both archives are verified.
 * Then the first is restored onto three nodes with the same Q, onto three with another Q, and back onto the five.
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
import type { Client } from '../../src/client/index.js';
import { listedKeys } from '../support/listed-keys.js';
import type { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { inScope, scopedFolder } from '../support/scope.js';
import {
  differences,
  each,
  facts,
  isBlind,
  patient,
  rows,
  UNUSED_YET,
  walk,
  type Walked,
  withCluster,
} from './archive-cluster.js';
import type { Print, Proof } from './proof.js';

const PARTITIONS = 16;
const OTHER_PARTITIONS = 32;
const REPLICAS = 3;
const BUSY_KEYS = 24;
const SOON_MS = 1_500;
const LATER_MS = 86_400_000;
const KINDS = 9;
/** Of a million keys with large ones among them all the way the disk would be full. */
const LARGE_BELOW = 60_000;
const LARGE_BYTES = [40_000, 40_000, 40_000, 40_000, 40_000, 200_000, 900_000];
/** Between two puts of a key that is written all the time. */
const BUSY_REST_MS = 150;

interface Size {
  readonly keys: number;
  readonly flips: number;
}
const SHORT: Size = { keys: 270, flips: 4 };
const FULL: Size = { keys: 1_000_000, flips: 400 };

/** One key of each kind in turn. */
async function write(db: Client<string>, key: string, i: number, random: Prng): Promise<void> {
  const kind = i % KINDS;
  const value = (bytes: number): string =>
    `${key} ${random.u32()} `.padEnd(bytes, String.fromCharCode(97 + (kind % 26)));
  const isLarge = kind === 6 && i < LARGE_BELOW;
  const size = isLarge ? random.int(LARGE_BYTES[random.int(LARGE_BYTES.length)] as number) : random.int(2_000);
  await db.put(key, value(size));
  if (kind === 1) await db.put(key, value(200)); // beside it
  if (kind === 2) for (let i = 0; i < 3; i++) await db.put(key, value(40 * i));
  if (kind === 3) await db.delete(key, { context: (await db.get(key)).context });
  if (kind === 4) await db.put(key, value(100), { ttlMs: SOON_MS, context: (await db.get(key)).context });
  if (kind === 5) await db.put(key, value(100), { ttlMs: LATER_MS, context: (await db.get(key)).context });
  if (kind === 7) for (let i = 0; i < 4; i++) await db.put(key, value(60), { context: (await db.get(key)).context });
}

function keyOf(i: number): string {
  const kind = i % KINDS;
  const key = `still:${kind}:${i}`;
  return kind === 8 ? key.padEnd(600 + ((i * 37) % 1_400), '=') : key;
}

/** All keys that any node lists, deleted ones included. */
async function listed({ daemons }: RealCluster): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for (const daemon of daemons) for (const { key } of await listedKeys(daemon)) keys.add(key);
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
  await using db = await patient(source);
  const random = new Prng(20_071_014);
  await each(keys, (key, i) => write(db, key, i, random));
  await rest(SOON_MS);
  const walked = await walk(source, keys);
  const busy = new Busy();
  busy.start(db);
  while (busy.counts.some((count) => count === 0)) await rest(20);
  const busyBefore = [...busy.counts];
  const writesBefore = busy.writes;
  const admin = ['--admin', source.node(2).ready.admin];
  const startedMs = performance.now();
  const [[name = '', state, partitions, , records, bytes] = []] = await rows(['archive', 'create', target, ...admin]);
  const seconds = (performance.now() - startedMs) / 1_000;
  await busy.stop();
  print(
    `archived ${records} records in ${partitions} partitions, ${bytes} bytes, in ${seconds.toFixed(1)} s while ${busy.writes - writesBefore} puts were made`,
  );
  if (state !== 'complete') faults.push(`the archive is ${state}`);
  const [[, , , referred] = []] = await rows(['archive', 'create', target, '--since', 'latest', ...admin]);
  const verified = await rows(['archive', 'verify', target]);
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
  const said = await facts(words);
  const seconds = (performance.now() - startedMs) / 1_000;
  const found = await walk(cluster, keys);
  const wrong = differences(walked, found);
  if (wrong.length > 0)
    faults.push(`${to}: ${wrong.length} keys are not as they were: ${wrong.slice(0, 3).join(', ')}`);
  const known = new Set([...keys, ...busyBefore.map((_, i) => `busy:${i}`)]);
  const strange = [...(await listed(cluster))].filter((key) => !known.has(key));
  if (strange.length > 0) faults.push(`${to}: keys that nobody wrote: ${strange.slice(0, 3).join(', ')}`);
  await using db = await patient(cluster);
  for (const [i, before] of busyBefore.entries()) {
    const got = await db.get(`busy:${i}`, { r: REPLICAS });
    const count = got.found ? Math.max(...got.siblings.map(({ value }) => Number(value))) : 0;
    if (count < before) faults.push(`${to}: busy:${i} is ${count}, and was ${before} before the archive began`);
  }
  if (said['missing'] !== '0') faults.push(`${to}: the restore itself says that ${said['missing']} are missing`);
  print(
    `${to}: ${said['records']} records in ${seconds.toFixed(1)} s; ${said['rootsEqual']} of ${said['rootsCompared']} roots equal; ${keys.length - wrong.length} of ${keys.length} keys as they were`,
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

async function play(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  return inScope(async (scope) => {
    const folder = scopedFolder(scope, 'archives');
    const keys = Array.from({ length: size.keys }, (_, i) => keyOf(i));
    const faults: string[] = [];
    const course: Course = { size, folder, target: join(folder, 'target'), keys, faults, print };
    const made = await withCluster({ nodes: 5, partitions: PARTITIONS }, print, async (source) => {
      const it = await archived(source, course);
      await restored(source, course, it, 'back onto itself');
      return it;
    });
    if (isBlind(made.walked)) faults.push('the checker is blind');
    for (const partitions of [PARTITIONS, OTHER_PARTITIONS]) {
      await withCluster({ nodes: 3, partitions, flags: UNUSED_YET }, print, (cluster) =>
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
