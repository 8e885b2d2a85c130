/*
 * Does a crash leave either a complete archive or one that says that it is not, and is what was broken off gone on with?
 * Killed with kill -9, each time somewhere else, are in turn the command that archives and the node through which it does,
 * which is then started again; and the command is told to go on. After each kill the archive is looked at by those who
 * verify and list. The same is then done to restores: each is killed, or the node of the other cluster through which it
 * goes, and done again until one ends; then every key is read.
 *
 * A node goes away and comes back meanwhile. A partition that it was about to give is given by another owner.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { EXIT_UNAVAILABLE } from '../../src/cli/exit-codes.js';
import { Prng } from '../../src/lib/prng.js';
import type { Daemon } from '../support/daemon.js';
import type { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { inScope, type Scope, scopedFolder } from '../support/scope.js';
import { differences, each, patient, walk, withCluster } from './archive-cluster.js';
import type { Print, Proof } from './proof.js';

const PROGRAM = fileURLToPath(new URL('../../../bin/partita.cjs', import.meta.url));
const PARTITIONS = 32;
const VALUE_BYTES = 8_192;

interface Size {
  readonly keys: number;
  readonly createKills: number;
  readonly restoreKills: number;
}
const SHORT: Size = { keys: 400, createKills: 3, restoreKills: 2 };
const FULL: Size = { keys: 6_000, createKills: 12, restoreKills: 10 };

/** Once it comes to copying, a partition takes some tens of milliseconds. */
const KILL_MS_MIN = 200;
const CREATE_KILL_MS = 7_500;
const RESTORE_KILL_MS = 2_500;
/** After the last kill. */
const MORE_TRIES = 4;
/** The try during which one owner is away. */
const ONE_AWAY = 2;

/** What a kill hits: the command, or the node that serves it. */
type Victim = 'command' | 'node';

/** Every second time the node. */
function victimOf(tries: number): Victim {
  return tries % 2 === 0 ? 'command' : 'node';
}

interface Ran {
  /** Before the command had ended. */
  readonly killed: Victim | null;
  readonly code: number | null;
  readonly err: string;
}

interface Kill {
  readonly afterMs: number;
  readonly victim: Victim;
  readonly node: Daemon;
}

/** null: it is left to end. A node that was killed is there again afterwards. */
async function program(scope: Scope, words: readonly string[], kill: Kill | null): Promise<Ran> {
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  const over = scope.defer('end the command', () => child.kill('SIGKILL'));
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  const isLate = kill === null || (await Promise.race([ended.then(() => true), rest(kill.afterMs, false)]));
  const killed = isLate ? null : kill.victim;
  if (killed === 'command') child.kill('SIGKILL');
  if (killed === 'node') await kill?.node.kill();
  const [code] = await ended;
  over();
  if (killed === 'node') await kill?.node.start();
  return { killed, code, err };
}

interface Course {
  readonly scope: Scope;
  readonly size: Size;
  readonly target: string;
  readonly random: Prng;
  readonly faults: string[];
  readonly print: Print;
}

type Kills = Record<Victim, number>;

function killsText({ command, node }: Kills): string {
  return `${command} kills of the command and ${node} of the node that served it`;
}

/** Either all is over but for the process, or it says so itself. */
async function lookAt({ target, faults }: Course, { killed, code, err }: Ran, isBegun: boolean): Promise<boolean> {
  const { code: verdict, out } = isBegun ? await runCli(['archive', 'verify', target]) : { code: 1, out: '' };
  if (code === 0) {
    if (verdict !== 0) faults.push(`it is complete, and verify says: ${out}`);
    return true;
  }
  if (verdict !== 0 && isBegun && !/says that it is not complete|It is missing/.test(out))
    faults.push(`${killed === null ? `after it has ended with ${code}` : `after a kill of the ${killed}`}: ${out}`);
  if (killed !== 'command' && code !== EXIT_UNAVAILABLE) faults.push(`create ended with ${code}: ${err}`);
  return verdict === 0;
}

async function archiveThroughKills(cluster: RealCluster, course: Course): Promise<Kills> {
  const { scope, size, target, random, faults } = course;
  const node = cluster.node(1);
  const kills: Kills = { command: 0, node: 0 };
  let isBegun = false;
  for (let tries = 0; tries < size.createKills + MORE_TRIES; tries++) {
    const words = ['archive', 'create', target, ...(isBegun ? ['--resume'] : []), '--admin', node.ready.admin];
    const isLast = tries >= size.createKills;
    const isOneAway = tries === ONE_AWAY;
    if (isOneAway) cluster.node(3).signal('SIGSTOP');
    const afterMs = KILL_MS_MIN + random.int(CREATE_KILL_MS);
    const ran = await program(scope, words, isLast ? null : { afterMs, victim: victimOf(tries), node });
    if (isOneAway) cluster.node(3).signal('SIGCONT');
    if (ran.killed !== null) kills[ran.killed] += 1;
    const names = readdirSync(target, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    isBegun ||= names.length > 0;
    if (names.length > 1) faults.push(`there are ${names.length} archives`);
    if (await lookAt(course, ran, isBegun)) return kills;
    await cluster.connected();
  }
  faults.push('it never came to an end');
  return kills;
}

async function restoreThroughKills(cluster: RealCluster, course: Course): Promise<Kills> {
  const { scope, size, target, random, faults } = course;
  const node = cluster.node(2);
  const kills: Kills = { command: 0, node: 0 };
  const words = (): readonly string[] => ['restore', target, '--admin', node.ready.admin];
  for (let tries = 0; tries < size.restoreKills; tries++) {
    const afterMs = KILL_MS_MIN + random.int(RESTORE_KILL_MS);
    const { killed } = await program(scope, words(), { afterMs, victim: victimOf(tries), node });
    if (killed !== null) kills[killed] += 1;
    await cluster.connected();
  }
  const { code, err } = await program(scope, words(), null);
  if (code !== 0) faults.push(`the last restore ended with ${code}: ${err}`);
  return kills;
}

function play(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  return inScope(async (scope) => {
    const target = scopedFolder(scope, 'archives');
    const faults: string[] = [];
    const course: Course = { scope, size, target, random: new Prng(1_789), faults, print };
    const keys = Array.from({ length: size.keys }, (_, i) => `key:${i}`);
    const source = await withCluster({ partitions: PARTITIONS }, print, async (cluster) => {
      await using db = await patient(cluster);
      await each(keys, async (key) => {
        await db.put(key, key.padEnd(VALUE_BYTES, '.'));
      });
      const walked = await walk(cluster, keys);
      const kills = await archiveThroughKills(cluster, course);
      print(`archived through ${killsText(kills)}`);
      return { walked, kills };
    });
    const other = await withCluster({ partitions: PARTITIONS }, print, async (cluster) => {
      const kills = await restoreThroughKills(cluster, course);
      const wrong = differences(source.walked, await walk(cluster, keys));
      print(`restored through ${killsText(kills)}; ${keys.length - wrong.length} of ${keys.length} keys as they were`);
      return { wrong, kills };
    });
    for (const fault of faults) print(`fault: ${fault}`);
    const { wrong } = other;
    const command = source.kills.command + other.kills.command;
    const node = source.kills.node + other.kills.node;
    const held = faults.length === 0 && wrong.length === 0 && command > 0 && node > 0;
    const summary = `${killsText({ command, node })}, ${keys.length} keys, ${wrong.length} wrong, ${faults.length} faults`;
    return { held, summary };
  });
}

export const prove: Proof = {
  name: 'archive-crash',
  question:
    'Does a crash leave a complete archive or one that says that it is not, and go archives and restores on after it?',
  run: ({ full, print }) => play(full ? FULL : SHORT, print),
};
