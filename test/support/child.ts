/*
 * A child process that says in one JSON line on stdout when it is ready. Its lines are kept, the last thousand of them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Scope } from './scope.js';

const LINES_KEPT_MAX = 1_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class Child {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  readonly exited: Promise<Exit>;
  exit: Exit | null = null;
  readonly #onLine: Set<(line: string) => void> = new Set();
  readonly #forget: () => void;

  constructor(
    scope: Scope,
    command: string,
    args: readonly string[],
    options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
  ) {
    this.process = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      if (stream !== null)
        createInterface({ input: stream }).on('line', (line) => {
          this.#take(line);
        });
    }
    this.exited = new Promise((resolve) => {
      this.process.once('error', (error) => {
        this.#take(`Could not start ${command}: ${error.message}`);
        this.#end({ code: null, signal: null }, resolve);
      });
      this.process.once('close', (code, signal) => {
        this.#end({ code, signal }, resolve);
      });
    });
    this.#forget = scope.defer(`end process ${this.process.pid}`, () => {
      if (this.exit === null) this.process.kill('SIGKILL');
    });
  }

  get pid(): number {
    const { pid } = this.process;
    if (pid === undefined) throw new Error(`The process did not start\n${this.tail()}`);
    return pid;
  }

  #take(line: string): void {
    this.lines.push(line);
    if (this.lines.length > LINES_KEPT_MAX) this.lines.shift();
    for (const listener of this.#onLine) listener(line);
  }

  #end(exit: Exit, resolve: (exit: Exit) => void): void {
    if (this.exit !== null) return;
    this.exit = exit;
    this.#forget();
    resolve(exit);
  }

  /** The first line, from the start on, that `match` makes something of; fails when the process ends first or time is up. */
  async line<T>(what: string, match: (line: string) => T | null, timeoutMs: number): Promise<T> {
    for (const line of this.lines) {
      const found = match(line);
      if (found !== null) return found;
    }
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#onLine.delete(listener);
      };
      const listener = (line: string): void => {
        const found = match(line);
        if (found === null) return;
        done();
        resolve(found);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`No ${what} within ${timeoutMs} ms\n${this.tail()}`));
      }, timeoutMs);
      this.#onLine.add(listener);
      void this.exited.then((exit) => {
        done();
        reject(
          new Error(`The process ended (code ${exit.code}, signal ${exit.signal}) before ${what}\n${this.tail()}`),
        );
      });
    });
  }

  kill(signal: NodeJS.Signals): Promise<Exit> {
    if (this.exit === null) this.process.kill(signal);
    return this.exited;
  }

  tail(count: number = 15): string {
    return this.lines
      .slice(-count)
      .map((line) => `  | ${line.slice(0, 400)}`)
      .join('\n');
  }
}

/** The fields of a line of the daemon's log with this event, or null. */
export function eventLine(line: string, event: string): Readonly<Record<string, unknown>> | null {
  if (!line.startsWith('{')) return null;
  try {
    const fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
    return fields['event'] === event ? fields : null;
  } catch {
    return null;
  }
}
