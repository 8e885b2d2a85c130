/*
 * What the proofs of archives have in common: a cluster for as long as something is done with it, the commands that an
 * operator uses, and a walk over keys that knows nothing of archives.
 */
import { type Client, codecs, type GetResult } from '../../src/client/index.js';
import { RealCluster, type RealClusterOptions } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { type Print, printTail } from './proof.js';

const REPLICAS = 3;
const AT_ONCE = 24;
const TAIL_LINES = 20;
const FLAGS = ['--memory-max', '128MiB'];
/** Flags of a cluster that is restored into before anybody uses it, as docs/operating.md has it. */
export const UNUSED_YET: readonly string[] = ['--background-bytes-per-second-min', '64MiB'];

export async function withCluster<T>(
  options: RealClusterOptions,
  print: Print,
  work: (cluster: RealCluster) => Promise<T>,
): Promise<T> {
  const { flags = [] } = options;
  const cluster = await RealCluster.prepare({ replicas: REPLICAS, ...options, flags: [...FLAGS, ...flags] });
  try {
    await cluster.start();
    await cluster.connected();
    return await work(cluster);
  } catch (error) {
    printTail(cluster.transcript(), TAIL_LINES, print);
    throw error;
  } finally {
    await cluster.dispose();
  }
}

/** A command that must succeed: its lines, each in columns. */
export async function rows(words: readonly string[]): Promise<readonly (readonly string[])[]> {
  const { code, out, err } = await runCli(words);
  if (code !== 0) throw new Error(`partita ${words.join(' ')}: exit ${code}: ${out}${err}`);
  return out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
}

/** The same of one whose lines are a name and a value. */
export async function facts(words: readonly string[]): Promise<Readonly<Record<string, string>>> {
  return Object.fromEntries((await rows(words)) as [string, string][]);
}

/** Over all nodes, patient. */
export function patient(cluster: RealCluster): Promise<Client<string>> {
  return cluster.connect({ codec: codecs.utf8, timeoutMs: 20_000 });
}

/** Some at a time. */
export async function each<T>(items: readonly T[], work: (item: T, index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) await work(items[i] as T, i);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** What a reader is shown under each key: values, times and context, as text that can be compared. */
export type Walked = ReadonlyMap<string, string>;

function shownOf(got: GetResult<string>): string {
  const siblings = got.found
    ? got.siblings.map(({ value, writtenMs, expiresMs }) => [value, writtenMs, expiresMs])
    : [];
  return JSON.stringify([siblings, got.context.toString()]);
}

/** All owners are asked for each. */
export async function walk(cluster: RealCluster, keys: readonly string[]): Promise<Walked> {
  await using db = await patient(cluster);
  const shown = new Map<string, string>();
  await each(keys, async (key) => {
    shown.set(key, shownOf(await db.get(key, { r: REPLICAS })));
  });
  return shown;
}

/** Keys that are not shown as they were. */
export function differences(expected: Walked, found: Walked): readonly string[] {
  return [...expected].flatMap(([key, shown]) => (found.get(key) === shown ? [] : [key]));
}

/** The judge on trial: an altered value, and a key that is gone, must be noticed. */
export function isBlind(walked: Walked): boolean {
  const [first = '', second = ''] = walked.keys();
  const altered = new Map(walked).set(first, `${walked.get(first)}?`);
  const lacking = new Map(walked);
  lacking.delete(second);
  return differences(walked, altered).join() !== first || differences(walked, lacking).join() !== second;
}
