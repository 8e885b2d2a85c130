/*
 * A real partitad for tests: the program in bin/, on free ports, with a directory of its own. Its log lines are kept, so
 * a test that fails can show what the daemon said.
 *
 * Only processes started here are ever signalled, through their handle: a pid that outlived its process might be
 * somebody else's by then.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MALLOC_ENVIRONMENT } from '../../src/lib/malloc-environment.js';
import { temporaryFolder } from './temporary.js';
import type { TeardownContext } from './temporary.js';

/** From dist/test/support/ to the root of the tree. */
export const ROOT: string = fileURLToPath(new URL('../../..', import.meta.url));
export const PARTITAD: string = join(ROOT, 'bin', 'partitad.cjs');

/** The tree of a build: this one, or one of an earlier release that was built elsewhere. */
export type Build = string;

export interface DaemonOptions {
  /** More flags: `['--durability', 'interval:100ms']`. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Kept when the daemon is disposed of; a fresh temporary directory otherwise. */
  readonly dataDir?: string;
  /** Words before `node`: `['taskset', '-c', '0']`, `['prlimit', …]`. */
  readonly prefix?: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly readyTimeoutMs?: number;
  /** --init, which leaves a directory alone that is a node's already. Default: true. */
  readonly init?: boolean;
  /** Default: this build. */
  readonly build?: Build;
}

export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Ready {
  /** `127.0.0.1:40123` */
  readonly client: string;
  readonly peer: string;
  /** `unix:/path`, as a client dials it. */
  readonly admin: string;
  readonly nodeId: string;
  readonly pid: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

export class Daemon {
  readonly dataDir: string;
  /** Of the next start. */
  build: Build;
  readonly #options: DaemonOptions;
  readonly #dispose: () => void;
  /** Of every incarnation, in order. */
  readonly log: LogLine[] = [];
  /** What was not JSON, standard error included. */
  readonly noise: string[] = [];
  readonly #listeners: Set<() => void> = new Set();
  #child: ChildProcess | null = null;
  #exit: Promise<Exit> = Promise.resolve({ code: null, signal: null });
  #ready: Ready | null = null;

  private constructor(options: DaemonOptions) {
    this.#options = options;
    this.build = options.build ?? ROOT;
    if (options.dataDir !== undefined) {
      this.dataDir = options.dataDir;
      this.#dispose = () => {};
      return;
    }
    const folder = temporaryFolder('daemon');
    this.dataDir = folder.path;
    this.#dispose = () => {
      folder.remove();
    };
  }

  /** Starts one and waits until it is ready; it goes away with the test. */
  static async startFor(t: TeardownContext, options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = new Daemon(options);
    t.teardown(() => daemon.dispose());
    await daemon.start();
    return daemon;
  }

  /** The same outside of AVA: whoever calls it also calls `dispose`. */
  static async start(options: DaemonOptions = {}): Promise<Daemon> {
    const daemon = new Daemon(options);
    try {
      await daemon.start();
    } catch (error) {
      await daemon.dispose();
      throw error;
    }
    return daemon;
  }

  /** Not started yet: for tests of starts that fail. */
  static prepare(options: DaemonOptions = {}): Daemon {
    return new Daemon(options);
  }

  get ready(): Ready {
    if (this.#ready === null) throw new Error('The daemon is not running');
    return this.#ready;
  }

  get pid(): number {
    return this.ready.pid;
  }

  get running(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** How the last incarnation ended, or will. */
  get exited(): Promise<Exit> {
    return this.#exit;
  }

  /** Starts the process and waits for its "ready" line; throws with what it said if it ends or says nothing. */
  async start(): Promise<Ready> {
    const from = this.log.length;
    this.spawn();
    const line = await this.waitFor('ready', { from, timeoutMs: this.#options.readyTimeoutMs ?? 30_000 });
    this.#ready = line as unknown as Ready;
    return this.#ready;
  }

  /** Starts the process and does not wait. */
  spawn(): void {
    if (this.running) throw new Error('The daemon runs already');
    const { flags = [], env = {}, prefix = [], nodeFlags = [], init = true } = this.#options;
    const words = [...prefix, process.execPath, ...nodeFlags, join(this.build, 'bin', 'partitad.cjs')];
    const settings = ['--data-dir', this.dataDir, '--client-listen', '127.0.0.1:0', '--peer-listen', '127.0.0.1:0'];
    const [program = '', ...rest] = [...words, ...settings, ...(init ? ['--init'] : []), ...flags];
    const child = spawn(program, rest, {
      env: { ...process.env, ...MALLOC_ENVIRONMENT, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    living.add(child);
    this.#child = child;
    this.#exit = new Promise((resolve) => {
      const ended = (exit: Exit): void => {
        living.delete(child);
        this.#ready = null;
        resolve(exit);
        this.#tell();
      };
      child.once('error', (error) => {
        this.noise.push(String(error));
        ended({ code: null, signal: null });
      });
      // 'close', not 'exit': by then everything that it wrote has arrived.
      child.once('close', (code, signal) => {
        ended({ code, signal });
      });
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#keep(line);
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#keep(line);
    });
  }

  #keep(line: string): void {
    try {
      this.log.push(JSON.parse(line) as LogLine);
    } catch {
      this.noise.push(line);
    }
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** The first line with that event at or after `from`; rejects when the process ends, or after `timeoutMs`. */
  async waitFor(
    event: string,
    { from = 0, timeoutMs = 10_000 }: { from?: number; timeoutMs?: number } = {},
  ): Promise<LogLine> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const line = this.log.slice(from).find((one) => one.event === event);
      if (line !== undefined) return line;
      const leftMs = deadline - performance.now();
      if (!this.running || leftMs <= 0)
        throw new Error(
          `No "${event}" from partitad${this.running ? ` within ${timeoutMs} ms` : ''}; it said:\n${this.transcript()}`,
        );
      await this.#something(leftMs);
    }
  }

  #something(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.#listeners.add(done);
    });
  }

  /** False: it had ended already. */
  signal(signal: NodeJS.Signals): boolean {
    return this.running && (this.#child?.kill(signal) ?? false);
  }

  /** SIGTERM, and how it ended. A daemon that does not is killed, which shows as its signal. */
  async stop(timeoutMs: number = 20_000): Promise<Exit> {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs);
    const exit = await this.#exit;
    clearTimeout(timer);
    return exit;
  }

  /** kill -9. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return this.#exit;
  }

  async restart(): Promise<Ready> {
    await this.stop();
    return this.start();
  }

  /** Ends it, whatever it does, and removes its temporary directory. */
  async dispose(): Promise<void> {
    this.signal('SIGCONT'); // a stopped process cannot die of SIGTERM, and a reader may wait for it
    await this.kill();
    this.#dispose();
  }

  /** Its log, for the message of a failing test. */
  transcript(lines: number = 40): string {
    const said = [...this.noise, ...this.log.map((line) => JSON.stringify(line))];
    return said.slice(-lines).join('\n') || '(nothing)';
  }
}
