/* Bugs planted on purpose (test/sim/mutants/): a simulator that does not find them proves nothing by finding no others. */
import { runOwnProgram } from '../support/own-program.js';
import type { Proof } from './proof.js';

const SEEDS_MAX = 1_000;

export const prove: Proof = {
  name: 'sim-mutants',
  question: 'Does the simulator find every bug that was planted for it?',
  async run({ print }) {
    const { code, lines } = await runOwnProgram('sim/mutants.js', ['--seeds', String(SEEDS_MAX)], print);
    return { held: code === 0, summary: `${lines.at(-1) ?? 'nothing was said'}, within ${SEEDS_MAX} seeds each` };
  },
};
