/*
 * Looks for a planted bug, seed by seed. Only what a checker finds with the bug and not without it is a find.
 */
import { runSeed } from '../scenario.js';
import type { Mutant } from './mutant.js';

export interface Kill {
  readonly mutant: Mutant;
  /** Seeds run; the last one found it, unless `checkers` is empty. */
  readonly seeds: number;
  readonly checkers: readonly string[];
}

export function hunt(mutant: Mutant, from: number, seedsMax: number): Kill {
  for (let seeds = 1; seeds <= seedsMax; seeds++) {
    const checkers = found(mutant, from + seeds - 1);
    if (checkers.length > 0) return { mutant, seeds, checkers };
  }
  return { mutant, seeds: seedsMax, checkers: [] };
}

/** Checkers that find something in this seed, and nothing in the same seed without the bug. */
function found(mutant: Mutant, seed: number): readonly string[] {
  const checkers = checkersOf(seed, mutant);
  return checkers.length === 0 || checkersOf(seed).length > 0 ? [] : checkers;
}

function checkersOf(seed: number, mutant?: Mutant): readonly string[] {
  const { violations } = runSeed(mutant === undefined ? { seed } : { seed, mutant });
  return [...new Set(violations.map(({ checker }) => checker))].sort();
}
