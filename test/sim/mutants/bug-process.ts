/*
 * Runs seeds for a hunt (hunt.ts), in a process of its own: with the bug that it is started for, or with none.
 *
 *   node bug-process.js NAME planted|sound     NAME says which options the seeds are given, either way
 */
import { RING_BUGS } from './ring-bugs.js';
import { loadPlanted } from './planted.js';
import type { Finding } from './hunt.js';

const [name = '', how = ''] = process.argv.slice(2);
const isPlanted = how === 'planted';
const edits = RING_BUGS.find((bug) => bug.name === name)?.edits ?? [];
const { runSeed } = await loadPlanted(name, isPlanted ? edits : []);
const { MUTANTS } = await import('./all.js');
const mutant = MUTANTS.find((other) => other.name === name);
if (mutant === undefined) throw new Error(`No planted bug is called ${name}`);
const terms = { ...(isPlanted ? { mutant } : {}), ...(mutant.given === undefined ? {} : { given: mutant.given }) };

function findingOf(seed: number): Finding {
  try {
    const { violations } = runSeed({ seed, ...terms });
    const checkers = [...new Set(violations.map(({ checker }) => checker))].sort();
    return { seed, checkers, text: violations[0]?.text ?? '' };
  } catch (error) {
    return { seed, checkers: ['thrown'], text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

process.on('message', (seed) => process.send?.(findingOf(seed as number)));
process.send?.({ seed: 0, checkers: [], text: 'ready' } satisfies Finding);
