import { testProp } from '@fast-check/ava';
import { HintBook } from '../../src/coordinator/hint-book.js';
import { hintSteps, HintWorld } from './hint-world.js';

testProp(
  'What was promised on the strength of a hint reaches its owner, through crashes and stale acks',
  [hintSteps],
  (t, steps) => {
    new HintWorld((opening, peers, port, limits) => new HintBook(opening, peers, port, limits)).run(steps);
    t.pass();
  },
  { numRuns: 3_000 },
);
