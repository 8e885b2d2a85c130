import type { Scar } from '../../support/scars/all.js';
import { checkClocks } from '../checkers/clocks.js';
import { checkDots } from '../checkers/dots.js';
import type { Mutant } from '../mutants/mutant.js';
import { SimRing } from './sim-ring.js';

const SEED = 679;

/** On a ring of its own; answers what went wrong. */
export async function play(scar: Scar, mutant?: Mutant): Promise<readonly string[]> {
  const ring = new SimRing(SEED, mutant);
  const faults = await scar(ring);
  const { observer, violations } = ring.world;
  const found = [...violations, ...observer.violations, ...checkDots(observer), ...checkClocks(observer)];
  return [...faults, ...found.map(({ checker, text }) => `${checker}: ${text}`)];
}
