/*
 * Runs seeds for a hunt (hunt.ts), or scripts (scars/), in a process of its own: with the bug that it is started for, or
 * with none. It is sent a seed or a script's name, and answers with a Finding.
 *
 *   node bug-process.js NAME planted|sound     NAME says which options the seeds are given, either way
 */
import { RING_BUGS } from './ring-bugs.js';
import { loadPlanted } from './planted.js';
import type { Finding } from './asked-process.js';

const [name = '', how = ''] = process.argv.slice(2);
const isPlanted = how === 'planted';
const edits = RING_BUGS.find((bug) => bug.name === name)?.edits ?? [];
const { runSeed } = await loadPlanted(name, isPlanted ? edits : []);
const { MUTANTS } = await import('./all.js');
const { SCARS } = await import('../../support/scars/all.js');
const { play } = await import('../scars/play.js');
const mutant = MUTANTS.find((other) => other.name === name);
if (mutant === undefined) throw new Error(`No planted bug is called ${name}`);
const terms = { ...(isPlanted ? { mutant } : {}), ...(mutant.given === undefined ? {} : { given: mutant.given }) };

function findingOf(seed: number): Finding {
  try {
    const { violations } = runSeed({ seed, ...terms });
    const checkers = [...new Set(violations.map(({ checker }) => checker))].sort();
    return { checkers, text: violations[0]?.text ?? '' };
  } catch (error) {
    return { checkers: ['thrown'], text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

async function faultsOf(script: string): Promise<Finding> {
  const scar = SCARS.find(([name]) => name === script)?.[1];
  if (scar === undefined) throw new Error(`No script is called ${script}`);
  try {
    const faults = await play(scar, isPlanted ? mutant : undefined);
    return { checkers: faults.length === 0 ? [] : ['script'], text: faults[0] ?? '' };
  } catch (error) {
    return { checkers: ['thrown'], text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

async function answer(asked: number | string): Promise<void> {
  process.send?.(typeof asked === 'number' ? findingOf(asked) : await faultsOf(asked));
}

process.on('message', (asked) => void answer(asked as number | string));
process.send?.({ checkers: [], text: 'ready' } satisfies Finding);
