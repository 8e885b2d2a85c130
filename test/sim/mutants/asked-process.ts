import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { SIM_FLAGS } from '../flags.js';
import type { Mutant } from './mutant.js';

/** What was found in one run. `script`: what a script says went wrong. `process`: a node stopped by itself. `thrown`, `stuck`: the simulation did not end. */
export interface Finding {
  readonly checkers: readonly string[];
  /** The first violation. */
  readonly text: string;
}

const PROGRAM = fileURLToPath(new URL('./bug-process.js', import.meta.url));
/** A bug may turn a simulation in circles. */
const RUN_MS_MAX = 120_000;

/** A bug-process.js at work, asked one thing at a time. */
export class BugProcess {
  readonly #child: ChildProcess;
  #heard: ((finding: Finding) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;

  private constructor(mutant: Mutant, how: 'planted' | 'sound') {
    this.#child = fork(PROGRAM, [mutant.name, how], { execArgv: [...SIM_FLAGS] });
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

  async run(asked: number | string): Promise<Finding> {
    this.#child.send(asked);
    let timer: NodeJS.Timeout | undefined;
    const stuck = new Promise<Finding>((resolve) => {
      timer = setTimeout(() => {
        resolve({ checkers: ['stuck'], text: `no end within ${RUN_MS_MAX} ms` });
      }, RUN_MS_MAX);
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
