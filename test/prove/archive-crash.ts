/*
 * Does a crash leave either a complete archive or one that says that it is not, and is what was broken off gone on with?
 * The command that archives is killed with kill -9 again and again, each time somewhere else, and told to go on. After each
 * kill the archive is looked at by those who verify and list. The same is then done to restores: each is killed, and done
 * again until one ends; then every key is read.
 *
 * A node goes away and comes back meanwhile. A partition that it was about to give is given by another owner.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { codecs } from '../../src/client/index.js';
import { Prng } from '../../src/lib/prng.js';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { inScope, type Scope, scopedFolder } from '../support/scope.js';
import { type Print, printTail, type Proof } from './proof.js';

const PROGRAM = fileURLToPath(new URL('../../../bin/partita.cjs', import.meta.url));
const PARTITIONS = 32;
const VALUE_BYTES = 8_192;

interface Size {
  readonly keys: number;
  readonly kills: number;
}
const SHORT: Size = { keys: 400, kills: 3 };
const FULL: Size = { keys: 6_000, kills: 40 };

/** Once it comes to copying, a partition takes some tens of milliseconds. */
const KILL_MS_MIN = 200;
const CREATE_KILL_MS = 7_500;
const RESTORE_KILL_MS = 2_500;

interface Ran {
  readonly killed: boolean;
  readonly code: number | null;
  readonly err: string;
}

/** Null: it is left to end. */
async function program(scope: Scope, words: readonly string[], killAfterMs: number | null): Promise<Ran> {
  const child: ChildProcess = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
  const over = scope.defer('end the command', () => child.kill('SIGKILL'));
  let err = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const ended = once(child, 'close') as Promise<[number | null, string | null]>;
  if (killAfterMs !== null) {
    await Promise.race([ended, rest(killAfterMs)]);
    child.kill('SIGKILL');
  }
  const [code, signal] = await ended;
  over();
  return { killed: signal === 'SIGKILL', code, err };
}

interface Course {
  readonly scope: Scope;
  readonly size: Size;
  readonly target: string;
  readonly random: Prng;
  readonly faults: string[];
  readonly print: Print;
}

async function archiveThroughKills(cluster: RealCluster, course: Course): Promise<number> {
  const { scope, size, target, random, faults } = course;
  const admin = ['--admin', cluster.node(1).ready.admin];
  let kills = 0;
  let isBegun = false;
  for (let tries = 0; tries < size.kills + 4; tries++) {
    const words = ['archive', 'create', target, ...(isBegun ? ['--resume'] : []), ...admin];
    const isLast = tries >= size.kills;
    if (tries === 1) cluster.node(3).signal('SIGSTOP');
    const { killed, code, err } = await program(scope, words, isLast ? null : KILL_MS_MIN + random.int(CREATE_KILL_MS));
    if (tries === 1) cluster.node(3).signal('SIGCONT');
    if (killed) kills += 1;
    const names = readdirSync(target, { withFileTypes: true }).filter((entry) => entry.isDirectory());
    isBegun ||= names.length > 0;
    if (names.length > 1) faults.push(`there are ${names.length} archives`);
    const { code: verdict, out } = isBegun ? await runCli(['archive', 'verify', target]) : { code: 1, out: '' };
    if (killed) {
      // Either it was over but for the process, or it says so itself.
      if (verdict !== 0 && isBegun && !/says that it is not complete|It is missing/.test(out))
        faults.push(`after a kill: ${out}`);
      if (verdict === 0) return kills;
    } else if (code === 0) {
      if (verdict !== 0) faults.push(`it is complete, and verify says: ${out}`);
      return kills;
    } else if (code !== 4) faults.push(`create ended with ${code}: ${err}`);
  }
  faults.push('it never came to an end');
  return kills;
}

async function restoreThroughKills(cluster: RealCluster, course: Course): Promise<number> {
  const { scope, size, target, random, faults } = course;
  const words = ['restore', target, '--admin', cluster.node(2).ready.admin];
  let kills = 0;
  for (let tries = 0; tries < size.kills; tries++) {
    if ((await program(scope, words, KILL_MS_MIN + random.int(RESTORE_KILL_MS))).killed) kills += 1;
  }
  const { code, err } = await program(scope, words, null);
  if (code !== 0) faults.push(`the last restore ended with ${code}: ${err}`);
  return kills;
}

async function withCluster(nodes: number, print: Print, work: (cluster: RealCluster) => Promise<void>): Promise<void> {
  const cluster = await RealCluster.prepare({ nodes, partitions: PARTITIONS, flags: ['--memory-max', '128MiB'] });
  try {
    await cluster.start();
    await cluster.connected();
    await work(cluster);
  } catch (error) {
    printTail(cluster.transcript(), 20, print);
    throw error;
  } finally {
    await cluster.dispose();
  }
}

function play(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  return inScope(async (scope) => {
    const target = join(scopedFolder(scope, 'archives'));
    const faults: string[] = [];
    const course: Course = { scope, size, target, random: new Prng(1_789), faults, print };
    const keys = Array.from({ length: size.keys }, (_, i) => `key:${i}`);
    let kills = 0;
    await withCluster(3, print, async (source) => {
      await using db = await source.connect({ codec: codecs.utf8, timeoutMs: 20_000 });
      for (const key of keys) await db.put(key, key.padEnd(VALUE_BYTES, '.'));
      kills += await archiveThroughKills(source, course);
      print(`archived through ${kills} kills`);
    });
    let wrong = 0;
    await withCluster(3, print, async (other) => {
      const restores = await restoreThroughKills(other, course);
      kills += restores;
      await using db = await other.connect({ codec: codecs.utf8, timeoutMs: 20_000 });
      for (const key of keys) {
        const got = await db.get(key, { r: 3 });
        if (!got.found || got.conflict || got.value !== key.padEnd(VALUE_BYTES, '.')) wrong += 1;
      }
      print(`restored through ${restores} kills; ${keys.length - wrong} of ${keys.length} keys as they were`);
    });
    for (const fault of faults) print(`fault: ${fault}`);
    const held = faults.length === 0 && wrong === 0 && kills > 0;
    return { held, summary: `${kills} kills, ${keys.length} keys, ${wrong} wrong, ${faults.length} faults` };
  });
}

export const prove: Proof = {
  name: 'archive-crash',
  question:
    'Does a crash leave a complete archive or one that says that it is not, and go archives and restores on after it?',
  run: ({ full, print }) => play(full ? FULL : SHORT, print),
};
