/*
 * Whole nodes in simulated time, four seeds of five as one ring of several, with every fault that the simulator knows: does
 * a checker find anything in thousands of seeds, and is it fast enough to be run by the thousand? (test/sim/,
 * `npm run sim -- --seed N` replays one.)
 */
import { runOwnProgram } from '../support/own-program.js';
import type { Proof } from './proof.js';

const SEEDS = 2_000;
const SEEDS_FULL = 20_000;
/** Five nodes, all kinds of faults, three a second: what the speed is promised for. */
const HARD_SECONDS = 20;
const EVENTS_PER_CPU_SECOND_MIN = 30_000;
const SIMULATED_PER_CPU_SECOND_MIN = 100;

export const prove: Proof = {
  name: 'sim',
  question: 'Is anything lost, invented or stuck in any simulated history, whatever fails?',
  async run({ full, print }) {
    const seeds = full ? SEEDS_FULL : SEEDS;
    const { code, lines } = await runOwnProgram('sim/run.js', ['--seeds', `1..${seeds}`], print);
    const hard = await runOwnProgram('sim/run.js', ['--hard', '--from', '1', '--seconds', String(HARD_SECONDS)], print);
    const speed = /^(\d+) events and (\d+) simulated seconds a CPU second/;
    const [, events = '0'] = speed.exec(hard.lines.find((line) => speed.test(line)) ?? '') ?? [];
    const [, , simulated = '0'] = speed.exec(lines.find((line) => speed.test(line)) ?? '') ?? [];
    const lineWith = (text: RegExp): string => lines.find((line) => text.test(line)) ?? '';
    const isFast = Number(events) >= EVENTS_PER_CPU_SECOND_MIN && Number(simulated) >= SIMULATED_PER_CPU_SECOND_MIN;
    return {
      held: code === 0 && hard.code === 0 && isFast,
      summary:
        `${lineWith(/^\d+ seeds in/)}; ${lineWith(/are rings of several nodes/)}; ${lines.at(-1) ?? ''}; ` +
        `with 5 nodes and all faults ${events} events a CPU second (bar ${EVENTS_PER_CPU_SECOND_MIN}), ` +
        `else ${simulated} simulated seconds (bar ${SIMULATED_PER_CPU_SECOND_MIN})`,
    };
  },
};
