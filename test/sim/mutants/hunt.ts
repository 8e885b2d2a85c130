/*
 * Looks for a planted bug, seed by seed. Only what a checker finds with the bug and not without it is a find: each seed
 * that finds something is run again in a process that has no bug.
 */
import { BugProcess } from './asked-process.js';
import type { Mutant } from './mutant.js';

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

export async function hunt(mutant: Mutant, { from, seedsMax, untilMs }: HuntTerms): Promise<Kill> {
  if (performance.now() >= untilMs) return { mutant, seeds: 0, checkers: [], text: '' };
  const planted = await BugProcess.start(mutant, 'planted');
  let sound: BugProcess | null = null;
  try {
    let seeds = 0;
    while (seeds < seedsMax && performance.now() < untilMs) {
      const seed = from + seeds;
      seeds += 1;
      const { checkers, text } = await planted.run(seed);
      if (!isItsOwn(mutant, checkers)) continue;
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

const isItsOwn = ({ foundBy }: Mutant, checkers: readonly string[]): boolean =>
  checkers.some((checker) => foundBy?.includes(checker) ?? true);
