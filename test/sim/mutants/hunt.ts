/*
 * Looks for a planted bug, seed by seed. Only what a checker finds with the bug and not without it is a find: each seed
 * that finds something is run again in a process that has no bug.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Mutant } from './mutant.js';

/** What was found in one seed. `process`: a node stopped by itself. `thrown`, `stuck`: the simulation did not end. */
export interface Finding {
  readonly seed: number;
  readonly checkers: readonly string[];
  /** The first violation. */
  readonly text: string;
}

export interface Kill {
  readonly mutant: Mutant;
  /** Seeds run; the last one found it, unless `checkers` is empty. */
  readonly seeds: number;
  readonly checkers: readonly string[];
  readonly text: string;
}

export interface HuntTerms {
  readonly from: number;
  readonly seedsMax: number;
  /** On performance.now(): no further seed is begun after it. */
  readonly untilMs: number;
}

const PROGRAM = fileURLToPath(new URL('./bug-process.js', import.meta.url));
/** A bug may turn a simulation in circles. */
const SEED_MS_MAX = 120_000;

export async function hunt(mutant: Mutant, { from, seedsMax, untilMs }: HuntTerms): Promise<Kill> {
  const planted = await BugProcess.start(mutant, 'planted');
  let sound: BugProcess | null = null;
  try {
    let seeds = 0;
    while (seeds < seedsMax && performance.now() < untilMs) {
      const seed = from + seeds;
      seeds += 1;
      const { checkers, text } = await planted.run(seed);
      if (checkers.length === 0) continue;
      sound ??= await BugProcess.start(mutant, 'sound');
      if ((await sound.run(seed)).checkers.length === 0) return { mutant, seeds, checkers, text };
      if (checkers.includes('stuck')) break; // the process is gone
    }
    return { mutant, seeds, checkers: [], text: '' };
  } finally {
    planted.end();
    sound?.end();
  }
}

class BugProcess {
  readonly #child: ChildProcess;
  #heard: ((finding: Finding) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  private constructor(mutant: Mutant, how: 'planted' | 'sound') {
    this.#child = fork(PROGRAM, [mutant.name, how], { execArgv: ['--enable-source-maps'] });
    this.#child.on('message', (finding) => {
      this.#heard?.(finding as Finding);
    });
    this.#child.on('exit', (code) => {
      this.#failed?.(new Error(`The process with ${mutant.name} ${how} ended with ${code}; its own words are above`));
    });
  }

  static async start(mutant: Mutant, how: 'planted' | 'sound'): Promise<BugProcess> {
    const started = new BugProcess(mutant, how);
    await started.#next();
    return started;
  }

  async run(seed: number): Promise<Finding> {
    this.#child.send(seed);
    let timer: NodeJS.Timeout | undefined;
    const stuck = new Promise<Finding>((resolve) => {
      timer = setTimeout(() => {
        resolve({ seed, checkers: ['stuck'], text: `no end within ${SEED_MS_MAX} ms` });
      }, SEED_MS_MAX);
    });
    const finding = await Promise.race([this.#next(), stuck]);
    clearTimeout(timer);
    return finding;
  }

  end(): void {
    this.#failed = null;
    this.#child.kill('SIGKILL');
  }

  #next(): Promise<Finding> {
    return new Promise((resolve, reject) => {
      this.#heard = resolve;
      this.#failed = reject;
    });
  }
}
