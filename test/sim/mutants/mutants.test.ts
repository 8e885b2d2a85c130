/* Planted bugs that few seeds find; mutants.ts hunts all of them. */
import test from 'ava';
import { MUTANTS } from './all.js';
import { plant } from '../../support/planted.js';
import { hunt } from './hunt.js';
import { plantedSources } from './planted.js';

const QUICK = ['ack-before-sync', 'dropped-sibling', 'ack-counted-twice', 'one-answer-less', 'sibling-lost-in-merge'];
const SEEDS_MAX = 20;
const SECONDS_MAX = 120;

for (const mutant of MUTANTS.filter(({ name }) => QUICK.includes(name))) {
  test.serial(`found: ${mutant.what}`, async (t) => {
    t.timeout(2_000 * SECONDS_MAX);
    const untilMs = performance.now() + 1_000 * SECONDS_MAX;
    const { seeds, checkers } = await hunt(mutant, { from: 1, seedsMax: SEEDS_MAX, untilMs });
    t.log(`after ${seeds} seeds by ${checkers.join(', ')}`);
    t.true(checkers.length > 0);
  });
}

test('every planted bug has a name of its own and says what it is', (t) => {
  t.is(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  t.true(MUTANTS.every(({ what }) => what.length > 20));
});

test('every passage that a bug changes is where it is looked for, once', (t) => {
  for (const { name, edits = [] } of MUTANTS) {
    t.notThrows(() => plantedSources(name, edits));
  }
});

test('a passage that is gone, or there twice, is an error', (t) => {
  const passage = { from: 'row === 0', to: '' };
  t.throws(() => plant('row === 1', passage, 'bug', 'file.js'), { message: /0 times in file\.js/ });
  t.throws(() => plant('row === 0; row === 0', passage, 'bug', 'file.js'), { message: /2 times/ });
});
