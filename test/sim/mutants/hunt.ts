/*
 * Looks for a planted bug, seed by seed. Only what a checker finds with the bug and not without it is a find.
 */
import { runSeed } from '../scenario.js';
import type { SeedSettings } from '../world.js';
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
  const given = mutant.shape === undefined ? {} : { cluster: mutant.shape };
  const checkers = checkersOf({ seed, mutant, given });
  return checkers.length === 0 || checkersOf({ seed, given }).length > 0 ? [] : checkers;
}

function checkersOf(settings: SeedSettings): readonly string[] {
  return [...new Set(runSeed(settings).violations.map(({ checker }) => checker))].sort();
}
