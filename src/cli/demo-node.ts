/*
 * The node behind `npm start`: a partitad of its own, in a process of its own as always, on the usual port if that is
 * free and in a directory that survives, so that what was put yesterday is there today.
 */
import { spawn } from 'node:child_process';
import { MALLOC_ENVIRONMENT } from '../lib/malloc-environment.js';
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { EXIT_REFUSED } from '../daemon/exit-codes.js';

const PARTITAD = fileURLToPath(new URL('../../../bin/partitad.cjs', import.meta.url));
const USUAL_PORTS = ['--client-listen', '127.0.0.1:7700', '--peer-listen', '127.0.0.1:7701'];
const FREE_PORTS = ['--client-listen', '127.0.0.1:0', '--peer-listen', '127.0.0.1:0'];

export interface DemoNode {
  readonly client: string;
  readonly nodeId: string;
  readonly pid: number;
  readonly dataDir: string;
  /** The directory goes away with the node. */
  readonly temporary: boolean;
  /** Drains it; answers its exit code. */
  stop(): Promise<number>;
  /** Its exit code, when it ends by itself too. */
  readonly ended: Promise<number>;
}

interface Attempt {
  readonly child: ChildProcess;
  readonly ended: Promise<number>;
  /** null: it ended before it was ready. */
  readonly ready: Readonly<Record<string, unknown>> | null;
  readonly said: string;
}

/** Throws with what partitad said if it cannot be started at all. */
export async function startDemoNode(dataDir: string, tell: (text: string) => void): Promise<DemoNode> {
  let folder = resolve(dataDir);
  let temporary = false;
  let attempt = await tryStart(folder, USUAL_PORTS);
  if (attempt.ready === null && (await attempt.ended) === EXIT_REFUSED && attempt.said.includes('in use')) {
    folder = mkdtempSync(join(tmpdir(), 'partita-demo-'));
    temporary = true;
    tell(`${resolve(dataDir)} is in use by another daemon; using ${folder} until this one stops`);
    attempt = await tryStart(folder, USUAL_PORTS);
  }
  if (attempt.ready === null && /EADDRINUSE|Cannot listen on/.test(attempt.said)) {
    tell('Port 7700 or 7701 is taken; using free ones');
    attempt = await tryStart(folder, FREE_PORTS);
  }
  const { child, ready } = attempt;
  const ended = attempt.ended.finally(() => {
    if (temporary) rmSync(folder, { recursive: true, force: true });
  });
  if (ready === null) throw new Error(`partitad did not start (exit ${await ended}):\n${attempt.said.trim()}`);
  return {
    client: String(ready['client']),
    nodeId: String(ready['nodeId']),
    pid: child.pid ?? 0,
    dataDir: folder,
    temporary,
    ended,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
}

async function tryStart(dataDir: string, ports: readonly string[]): Promise<Attempt> {
  mkdirSync(dataDir, { recursive: true });
  const words = [PARTITAD, '--data-dir', dataDir, '--init', ...ports];
  // A group of its own: Ctrl-C in the terminal reaches us, and we decide when it is told to stop.
  const child = spawn(process.execPath, words, {
    env: { ...process.env, ...MALLOC_ENVIRONMENT },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  process.once('exit', () => child.kill('SIGTERM'));
  let said = '';
  const ended = new Promise<number>((done) => {
    child.once('error', (error) => {
      said += `${error.message}\n`;
      done(1);
    });
    child.once('close', (code) => {
      done(code ?? 1);
    });
  });
  const ready = new Promise<Readonly<Record<string, unknown>> | null>((done) => {
    void ended.then(() => {
      done(null);
    });
    const keep = (line: string): void => {
      const fields = parse(line);
      if (fields['event'] === 'ready') done(fields);
      const { text } = fields;
      said += `${typeof text === 'string' ? text : line}\n`;
      if (said.length > 20_000) said = said.slice(-10_000);
    };
    createInterface({ input: child.stdout }).on('line', keep);
    createInterface({ input: child.stderr }).on('line', keep);
  });
  return { child, ended, ready: await ready, said };
}

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return {};
  }
}
