/*
 * What must be undone, whatever happens: mounts, loop devices, processes, directories. Undone in reverse order, at the
 * end of the scope, when the process ends by an error, and on SIGINT and SIGTERM. So every step is synchronous.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const open: Set<Scope> = new Set();
let listening = false;

export class Scope {
  readonly #steps: { readonly name: string; readonly undo: () => void }[] = [];

  constructor() {
    open.add(this);
    if (listening) return;
    listening = true;
    process.on('exit', closeAll);
    for (const [signal, code] of [
      ['SIGINT', 130],
      ['SIGTERM', 143],
      ['SIGHUP', 129],
    ] as const) {
      process.once(signal, () => process.exit(code));
    }
  }

  /** Returns a function that undoes it now instead. */
  defer(name: string, undo: () => void): () => void {
    const step = { name, undo };
    this.#steps.push(step);
    return () => {
      const at = this.#steps.indexOf(step);
      if (at < 0) return;
      this.#steps.splice(at, 1);
      undo();
    };
  }

  close(): void {
    open.delete(this);
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        step.undo();
      } catch (error) {
        console.error(`Could not undo "${step.name}": ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function closeAll(): void {
  for (const scope of open) scope.close();
}

/** Ends with the scope that it was given, also by a signal. */
export async function inScope<T>(work: (scope: Scope) => Promise<T>): Promise<T> {
  const scope = new Scope();
  try {
    return await work(scope);
  } finally {
    scope.close();
  }
}

/** A temporary directory that goes with the scope. */
export function scopedFolder(scope: Scope, name: string): string {
  const path = mkdtempSync(join(tmpdir(), `partita-${name}-`));
  scope.defer(`remove ${path}`, () => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}
