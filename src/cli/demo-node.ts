/*
 * One of the nodes behind `npm start`: a partitad in a process of its own, which can be killed as a power cut would and
 * started again where it was. What it logs is read, not shown.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MALLOC_ENVIRONMENT } from '../lib/malloc-environment.js';

const PARTITAD = fileURLToPath(new URL('../../../bin/partitad.cjs', import.meta.url));
const SAID_MAX = 20_000;
const STATUS_TIMEOUT_MS = 5_000;

type Fields = Readonly<Record<string, unknown>>;

/** A place in the ring, and where its files are. */
export interface Seat {
  readonly name: string;
  readonly client: string;
  readonly peer: string;
  readonly dataDir: string;
  readonly ringFile: string;
  readonly secretFile: string;
}

export interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How a node ended, in words. */
export function endText({ code, signal }: End): string {
  return signal === null ? `exit ${code ?? '?'}` : signal;
}

export class DemoNode {
  readonly seat: Seat;
  nodeId: string = '';
  #child: ChildProcess | null = null;
  #ended: Promise<End> = Promise.resolve({ code: 0, signal: null });
  #said: string = '';
  /** Who waits for a log line with this event. */
  readonly #waiting: Map<string, (fields: Fields) => void> = new Map();

  constructor(seat: Seat) {
    this.seat = seat;
    process.once('exit', () => {
      if (this.running) this.#child?.kill('SIGTERM');
    });
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** How this run of it ended, or will. */
  get ended(): Promise<End> {
    return this.#ended;
  }

  /** Until it serves; throws with what it said if it ends instead. */
  async start(): Promise<void> {
    this.#spawn();
    const ready = await this.#line('ready');
    if (ready === null)
      throw new Error(`${this.seat.name} did not start (${endText(await this.#ended)}):\n${this.#said.trim()}`);
    this.nodeId = String(ready['nodeId']);
  }

  /** Drains it. */
  stop(): Promise<End> {
    if (this.running) this.#child?.kill('SIGTERM');
    return this.#ended;
  }

  /** Without a word to it. */
  kill(): Promise<End> {
    if (this.running) this.#child?.kill('SIGKILL');
    return this.#ended;
  }

  /** What it logs about itself when asked; null: it does not run, or says nothing for long. */
  async status(): Promise<Fields | null> {
    if (!this.running) return null;
    const line = this.#line('status', STATUS_TIMEOUT_MS);
    this.#child?.kill('SIGUSR2');
    return line;
  }

  #spawn(): void {
    const { name, client, peer, dataDir, ringFile, secretFile } = this.seat;
    const place = ['--data-dir', dataDir, '--init-from', ringFile, '--node', name, '--peer-secret-file', secretFile];
    const words = [PARTITAD, ...place, '--client-listen', client, '--peer-listen', peer, '--memory-max', '256MiB'];
    // A group of its own: Ctrl-C in the terminal reaches us, and we decide when it is told to stop.
    const child = spawn(process.execPath, words, {
      env: { ...process.env, ...MALLOC_ENVIRONMENT },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    this.#said = '';
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#said += `${error.message}\n`;
        resolve({ code: 1, signal: null });
      });
      child.once('close', (code, signal) => {
        resolve({ code, signal });
      });
    });
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.#hear(line);
      });
    }
  }

  #hear(line: string): void {
    const fields = parse(line);
    const { event, text } = fields;
    this.#said = `${this.#said}${typeof text === 'string' ? text : line}\n`.slice(-SAID_MAX);
    if (typeof event === 'string') this.#waiting.get(event)?.(fields);
  }

  /** The next line with that event; null: the node ended, or said nothing for so long. */
  async #line(event: string, timeoutMs?: number): Promise<Fields | null> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve) => {
        this.#waiting.set(event, resolve);
        const giveUp = (): void => {
          resolve(null);
        };
        if (timeoutMs !== undefined) timer = setTimeout(giveUp, timeoutMs);
        void this.#ended.then(giveUp);
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(event);
    }
  }
}

function parse(line: string): Fields {
  try {
    return JSON.parse(line) as Fields;
  } catch {
    return {};
  }
}
