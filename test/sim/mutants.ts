/*
 * Plants each bug of mutants/ and runs seeds until a checker finds it. A table: the bug, how many seeds it took, which
 * checkers saw it in the seed that did. Exits 1 if one of them was not found within the seeds allowed.
 *
 *   npm run sim:mutants               all, at most 1,000 seeds each
 *   npm run sim:mutants -- --only NAME --seeds N --from N
 */
import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants/all.js';
import { hunt } from './mutants/hunt.js';

function main(): void {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, seeds: { type: 'string' }, from: { type: 'string' } },
  });
  const mutants = MUTANTS.filter(({ name }) => values.only === undefined || name === values.only);
  if (mutants.length === 0) throw new Error(`No planted bug is called ${values.only}`);
  let missed = 0;
  console.log(`${'bug'.padEnd(24)}${'seeds'.padStart(6)}  found by`);
  for (const mutant of mutants) {
    const { seeds, checkers } = hunt(mutant, Number(values.from ?? 1), Number(values.seeds ?? 1_000));
    if (checkers.length === 0) missed += 1;
    console.log(`${mutant.name.padEnd(24)}${String(seeds).padStart(6)}  ${checkers.join(', ') || 'NOBODY'}`);
  }
  console.log(`${mutants.length - missed} of ${mutants.length} planted bugs found`);
  process.exitCode = missed === 0 ? 0 : 1;
}

main();
