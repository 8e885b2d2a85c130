/*
 * Plants each bug of mutants/ and runs seeds until a checker finds it. A table: the bug, how it is planted, how many seeds
 * it took, which checkers saw it in the seed that did. Exits 1 if one of them was not found.
 *
 *   npm run sim:mutants               all, at most 25 seeds each, for five minutes at most
 *   npm run sim:mutants -- --full     all, at most 1,000 seeds each
 *   npm run sim:mutants -- --only NAME,NAME --seeds N --from N --seconds S
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { MUTANTS } from './mutants/all.js';
import { hunt, type HuntTerms, type Kill } from './mutants/hunt.js';
import type { Mutant } from './mutants/mutant.js';

const SEEDS_FIRST = 3;
const SHORT = { seeds: 25, seconds: 300 };
const FULL = { seeds: 1_000, seconds: Number.POSITIVE_INFINITY };

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      seeds: { type: 'string' },
      from: { type: 'string' },
      seconds: { type: 'string' },
      full: { type: 'boolean' },
    },
  });
  const bounds = values.full === true ? FULL : SHORT;
  const names = values.only?.split(',');
  const mutants = MUTANTS.filter(({ name }) => names === undefined || names.includes(name));
  if (mutants.length === 0) throw new Error(`No planted bug is called ${values.only}`);
  const seconds = values.seconds === undefined ? bounds.seconds : Number(values.seconds);
  const kills = await huntAll(mutants, {
    from: Number(values.from ?? 1),
    seedsMax: Number(values.seeds ?? bounds.seeds),
    untilMs: performance.now() + 1_000 * seconds,
  });
  const missed = kills.filter((kill) => !isFound(kill));
  const most = Math.max(...kills.map(({ seeds }) => seeds));
  console.log(
    `${kills.length - missed.length} of ${kills.length} planted bugs found, with at most ${most} seeds each` +
      (missed.length === 0 ? '' : `; not found: ${missed.map(({ mutant }) => mutant.name).join(', ')}`),
  );
  return missed.length === 0;
}

/** All of them with a few seeds first: what is hard to find must not take the time of the others. */
async function huntAll(mutants: readonly Mutant[], terms: HuntTerms): Promise<readonly Kill[]> {
  console.log(`${'bug'.padEnd(28)}${'planted by'.padEnd(12)}${'seeds'.padStart(6)}  found by`);
  const few = Math.min(SEEDS_FIRST, terms.seedsMax);
  const first = await huntEach(
    mutants.map((mutant) => ({ mutant, seeds: 0 })),
    { ...terms, seedsMax: few },
  );
  const left = first.filter((kill) => !isFound(kill));
  const late = await huntEach(left, { ...terms, from: terms.from + few, seedsMax: terms.seedsMax - few });
  for (const kill of late) if (!isFound(kill)) tell(kill);
  return [...first.filter(isFound), ...late];
}

/** `seeds`: with which each has been looked for already. A hunt uses one core at a time. */
async function huntEach(wanted: readonly Pick<Kill, 'mutant' | 'seeds'>[], terms: HuntTerms): Promise<readonly Kill[]> {
  const kills: Kill[] = [];
  const left = [...wanted];
  const hunters = Array.from({ length: Math.min(availableParallelism(), left.length) }, async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { seeds, ...found } = await hunt(next.mutant, terms);
      const kill = { ...found, seeds: next.seeds + seeds };
      kills.push(kill);
      if (isFound(kill)) tell(kill);
    }
  });
  await Promise.all(hunters);
  return kills;
}

const isFound = ({ checkers }: Kill): boolean => checkers.length > 0;

function tell({ mutant, seeds, checkers, text }: Kill): void {
  const by = mutant.edits === undefined ? 'wrapper' : 'text';
  const found = checkers.join(', ') || 'NOBODY';
  console.log(`${mutant.name.padEnd(28)}${by.padEnd(12)}${String(seeds).padStart(6)}  ${found}`);
  if (text !== '') console.log(`${''.padEnd(48)}${text.split('\n')[0]?.slice(0, 160)}`);
}

process.exitCode = await main().then(
  (isHeld) => (isHeld ? 0 : 1),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    return 2;
  },
);
