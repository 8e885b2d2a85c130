/*
 * Has partition files read by a child process (walk-files.ts) and says which of them should not be opened: those on
 * which the child died, and those that do not hold together. When it dies, another child goes on behind that file.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FileName } from '../env/partition-file.js';
import type { FileCount } from '../workers/walk.js';

const ENTRY = fileURLToPath(new URL('./walk-files.js', import.meta.url));

export interface InspectOptions {
  readonly partitionCount: number;
  /** The very paths that the daemon will open. */
  readonly pathOf: (name: FileName) => string;
  /** How long one file may take, in ms, before the child is taken to hang in it; default 10 minutes. */
  readonly fileTimeoutMs?: number;
}

/** An `inspectFiles` for the engine. */
export function inspectFiles(
  options: InspectOptions,
): (names: readonly FileName[], done: (error: Error | null, bad?: ReadonlyMap<FileName, string>) => void) => void {
  return (names, done) => {
    readFiles(options, names).then(
      ({ bad }) => {
        done(null, bad);
      },
      (error: unknown) => {
        done(error instanceof Error ? error : new Error(String(error)));
      },
    );
  };
}

/** What was found out about each file: counts of one that holds together, else what is wrong with it. */
export interface FilesRead {
  readonly fine: ReadonlyMap<FileName, FileCount>;
  readonly bad: ReadonlyMap<FileName, string>;
}

export async function readFiles(options: InspectOptions, names: readonly FileName[]): Promise<FilesRead> {
  const paths = new Map(names.map((name) => [options.pathOf(name), name]));
  const bad = new Map<FileName, string>();
  const fine = new Map<FileName, FileCount>();
  let left = [...paths.keys()];
  while (left.length > 0) {
    const outcome = await walk(options, left);
    for (const [path, text] of outcome.bad) bad.set(paths.get(path) as FileName, text);
    for (const [path, count] of outcome.fine) fine.set(paths.get(path) as FileName, count);
    if (outcome.died !== null && outcome.touching === null)
      throw new Error(`The inspection of partition files cannot run: ${outcome.died}`);
    if (outcome.died !== null && outcome.touching !== null)
      bad.set(paths.get(outcome.touching) as FileName, `Whoever reads it dies (${outcome.died})`);
    left = left.filter((path) => !outcome.done.has(path) && path !== outcome.touching);
  }
  return { fine, bad };
}

interface Outcome {
  readonly done: Set<string>;
  readonly bad: Map<string, string>;
  readonly fine: Map<string, FileCount>;
  /** Begun and not ended. */
  touching: string | null;
  /** How it ended before its time; null: it did not. */
  died: string | null;
}

function walk(options: InspectOptions, paths: readonly string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [ENTRY, String(options.partitionCount)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const outcome: Outcome = { done: new Set(), bad: new Map(), fine: new Map(), touching: null, died: null };
    let rest = '';
    const timeoutMs = options.fileTimeoutMs ?? 600_000;
    let timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) take(outcome, line);
      clearTimeout(timer);
      timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (code !== 0) outcome.died = signal ?? `exit code ${code}`;
      resolve(outcome);
    });
    child.stdin.on('error', () => undefined); // it died before it had read the list: `close` says so
    child.stdin.end(paths.join('\n'));
  });
}

function take(outcome: Outcome, line: string): void {
  const space = line.indexOf(' ');
  const word = line.slice(0, space);
  const [path, text] = line.slice(space + 1).split('\t') as [string, string | undefined];
  if (word === 'begin') {
    outcome.touching = path;
    return;
  }
  outcome.touching = null;
  outcome.done.add(path);
  if (word === 'bad') outcome.bad.set(path, text ?? '');
  else outcome.fine.set(path, JSON.parse(text ?? '') as FileCount);
}
