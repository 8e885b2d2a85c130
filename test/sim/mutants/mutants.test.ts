/* Planted bugs that few seeds find; mutants.ts hunts all of them. */
import test from 'ava';
import { MUTANTS } from './all.js';
import { hunt } from './hunt.js';

const QUICK = ['ack-before-sync', 'stale-reads', 'dropped-sibling', 'context-of-unread'];

for (const mutant of MUTANTS.filter(({ name }) => QUICK.includes(name))) {
  test(`found: ${mutant.what}`, (t) => {
    const { seeds, checkers } = hunt(mutant, 1, 12);
    t.log(`after ${seeds} seeds by ${checkers.join(', ')}`);
    t.true(checkers.length > 0);
  });
}

test('every planted bug has a name of its own and says what it is', (t) => {
  t.is(new Set(MUTANTS.map(({ name }) => name)).size, MUTANTS.length);
  t.true(MUTANTS.every(({ what }) => what.length > 20));
});
