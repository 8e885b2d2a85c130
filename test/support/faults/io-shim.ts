/* The preloaded library (io-shim.c) around one daemon: which files it watches, and when it begins. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ioShimLibrary } from './compile.js';

export type ShimPlan =
  | { readonly mode: 'once' | 'ever'; readonly k: number; readonly error: 'EIO' | 'ENOSPC' }
  | { readonly mode: 'slow'; readonly k: number; readonly ms: number };

export class IoShim {
  readonly #plan: string;
  readonly #report: string;
  /** For the environment of the process. */
  readonly env: Readonly<Record<string, string>>;

  /** Watches files whose real path has `part` in it and ends in `end`; `folder` is for its own two files. */
  constructor(folder: string, part: string, end: string) {
    this.#plan = join(folder, 'shim-plan');
    this.#report = join(folder, 'shim-report');
    this.env = {
      LD_PRELOAD: ioShimLibrary(),
      IO_SHIM_PLAN: this.#plan,
      IO_SHIM_REPORT: this.#report,
      IO_SHIM_PART: part,
      IO_SHIM_END: end,
    };
  }

  /** Calls are counted from now on. */
  arm(plan: ShimPlan): void {
    writeFileSync(this.#plan, `${plan.k} ${plan.mode} ${plan.mode === 'slow' ? plan.ms : plan.error}\n`);
  }

  /** The first call that it interfered with: `3 pwrite /path`; null: none so far. */
  get fired(): string | null {
    return existsSync(this.#report) ? (readFileSync(this.#report, 'utf8').split('\n')[0] ?? null) : null;
  }
}
