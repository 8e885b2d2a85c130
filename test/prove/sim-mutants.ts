/*
 * Bugs planted on purpose (test/sim/mutants/): a simulator that does not find them proves nothing by finding no others. The
 * short form gives up after five minutes; what it has not found by then it says, and does not hold.
 */
import { runOwnProgram } from '../support/own-program.js';
import type { Proof } from './proof.js';

export const prove: Proof = {
  name: 'sim-mutants',
  question: 'Does the simulator find every bug that was planted for it?',
  async run({ full, print }) {
    const { code, lines } = await runOwnProgram('sim/mutants.js', full ? ['--full'] : [], print);
    return { held: code === 0, summary: lines.at(-1) ?? 'nothing was said' };
  },
};
