/*
 * The processes of a measurement: daemon, floors and generator, each of its own, each pinned to a core where taskset is
 * to be had. Whoever starts one stops it; nothing is ever signalled by name.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { MALLOC_ENVIRONMENT } from '../src/lib/malloc-environment.js';
import type { Plan } from './load/plan.js';
import type { RunResult } from './load/result.js';

/** From dist/bench/ to the root of the tree. */
const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));
const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 60_000;
const TICK_US = 10_000;

export function hasProgram(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status === 0;
}

/** Words before a command that pin it; none where taskset is missing or the machine has one core. */
export function pinnedTo(core: number | undefined): readonly string[] {
  return core !== undefined && hasProgram('taskset') ? ['taskset', '-c', String(core)] : [];
}

export function temporaryFolder(what: string): string {
  return realpathSync(mkdtempSync(join(tmpdir(), `partita-${what}-`)));
}

const living = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

type Line = Readonly<Record<string, unknown>>;

/** A child that writes JSON lines on stdout; what else it says is kept for the error. */
export class JsonProcess {
  readonly #child: ChildProcess;
  readonly #lines: Line[] = [];
  readonly #waiting: Set<() => void> = new Set();
  #taken: number = 0;
  #noise: string = '';
  readonly #exited: Promise<void>;
  #gone: boolean = false;

  constructor(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [command = '', ...rest] = words;
    const child = spawn(command, rest, {
      env: { ...process.env, ...MALLOC_ENVIRONMENT, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    living.add(child);
    child.stderr.on('data', (chunk: Buffer) => (this.#noise += chunk.toString()));
    child.stdin.on('error', () => undefined);
    createInterface({ input: child.stdout }).on('line', (line) => {
      try {
        this.#lines.push(JSON.parse(line) as Line);
      } catch {
        this.#noise += `${line}\n`;
      }
      this.#wake();
    });
    this.#exited = new Promise((resolve) => {
      const gone = (): void => {
        living.delete(child);
        this.#gone = true;
        this.#wake();
        resolve();
      };
      child.on('exit', gone);
      child.on('error', (error) => {
        this.#noise += error.message;
        gone();
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.#gone) this.#child.kill(signal);
  }

  /** The next line that fits, of those not taken yet. */
  async next(fits: (line: Line) => boolean, timeoutMs: number): Promise<Line> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      while (this.#taken < this.#lines.length) {
        const line = this.#lines[this.#taken++] as Line;
        if (fits(line)) return line;
      }
      if (this.#gone) throw new Error(`A process ended early: ${this.#lastWords()}`);
      if (performance.now() > endMs)
        throw new Error(`A process said nothing for ${timeoutMs} ms: ${this.#lastWords()}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.max(1, endMs - performance.now()));
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.signal(signal);
    const timer = setTimeout(() => {
      this.signal('SIGKILL');
    }, STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  #lastWords(): string {
    return `${this.#noise.slice(-500)} ${JSON.stringify(this.#lines.slice(-3))}`.trim();
  }
}

export interface ServerProcess {
  readonly process: JsonProcess;
  /** `host:port` */
  readonly address: string;
  readonly pid: number;
  /** The whole line that said that it is ready, and how long that took. */
  readonly ready: Line;
  readonly readyMs: number;
  /** A daemon's line about what it found in its log. */
  readonly recovery: Line | undefined;
}

async function whenReady(child: JsonProcess): Promise<ServerProcess> {
  const startMs = performance.now();
  try {
    let recovery: Line | undefined;
    const ready = await child.next((line) => {
      if (line['event'] === 'log_recovered') recovery = line;
      return line['event'] === 'ready';
    }, READY_TIMEOUT_MS);
    const pid = Number(ready['pid'] ?? child.pid);
    const readyMs = performance.now() - startMs;
    return { process: child, address: String(ready['client']), pid, ready, readyMs, recovery };
  } catch (error) {
    await child.stop('SIGKILL');
    throw error;
  }
}

export type Floor = 'floor-echo' | 'floor-protocol';

/** `prefix`: words before everything else, such as a shell that enters a cgroup. */
export function startFloor(
  floor: Floor,
  core: number | undefined,
  prefix: readonly string[] = [],
): Promise<ServerProcess> {
  const script = fileURLToPath(new URL(`./${floor}.js`, import.meta.url));
  return whenReady(new JsonProcess([...prefix, ...pinnedTo(core), process.execPath, script, '--port', '0']));
}

export interface DaemonOptions {
  readonly dataDir: string;
  readonly core?: number | undefined;
  readonly memoryMax?: string;
  readonly durability?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Words before everything else, such as a shell that enters a cgroup. */
  readonly prefix?: readonly string[];
}

/** `dataDir` does not exist yet, or is a daemon's of before. */
export function startDaemon(options: DaemonOptions): Promise<ServerProcess> {
  const { dataDir } = options;
  return whenReady(
    new JsonProcess(
      [
        ...(options.prefix ?? []),
        ...pinnedTo(options.core),
        process.execPath,
        join(ROOT, 'bin', 'partitad.cjs'),
        ...['--data-dir', dataDir, '--init'],
        ...['--client-listen', '127.0.0.1:0', '--peer-listen', '127.0.0.1:0', '--admin-socket', `${dataDir}.sock`],
        ...['--durability', options.durability ?? 'always', '--memory-max', options.memoryMax ?? '1GiB'],
        ...['--log-level', 'info'],
      ],
      options.env,
    ),
  );
}

export class GeneratorProcess {
  readonly #process: JsonProcess;

  /** `prefix` as startFloor's. */
  constructor(core: number | undefined, prefix: readonly string[] = []) {
    const script = fileURLToPath(new URL('./generator.js', import.meta.url));
    this.#process = new JsonProcess([...prefix, ...pinnedTo(core), process.execPath, script]);
  }

  get pid(): number {
    return this.#process.pid;
  }

  async run(plan: Partial<Plan>): Promise<RunResult> {
    this.#process.write(JSON.stringify(plan));
    const line = await this.#process.next((any) => 'result' in any || 'error' in any, 3_600_000);
    if (typeof line['error'] === 'string') throw new Error(line['error']);
    return line['result'] as RunResult;
  }

  stop(): Promise<void> {
    return this.#process.stop('SIGKILL');
  }
}

export interface CpuReading {
  /** Of all threads, also those that ended. */
  readonly allUs: number;
  readonly mainUs: number;
}

function ticksOf(statFile: string): number {
  const text = readFileSync(statFile, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]); // utime and stime, counted behind the command's name
}

/** CPU that a process has used so far, in steps of 10 ms. */
export function cpuOf(pid: number): CpuReading {
  return {
    allUs: ticksOf(`/proc/${pid}/stat`) * TICK_US,
    mainUs: ticksOf(`/proc/${pid}/task/${pid}/stat`) * TICK_US,
  };
}

/** Anonymous resident memory, bytes: without the pages of mapped files, which are the kernel's to take back. */
export function anonymousBytes(pid: number): number {
  const match = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}

export function folderBytes(folder: string): number {
  const { stdout } = spawnSync('du', ['-sB1', folder], { encoding: 'utf8' });
  return Number(stdout.split('\t')[0] ?? 0);
}

export function remove(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
