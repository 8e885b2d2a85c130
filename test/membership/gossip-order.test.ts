/* Laws of what is newer, by which gossip may come in any order, twice, or not at all. */
import test from 'ava';
import fc from 'fast-check';
import { compareCounts, newest } from '../../src/membership/gossip-order.js';
import type { GossipEntry } from '../../src/model/gossip-messages.js';

const few = fc.integer({ min: 1, max: 3 });
/** Of one node; small numbers, so that many are equal in part. */
const words: fc.Arbitrary<GossipEntry> = fc.record({
  ordinal: fc.constant(7),
  opening: few,
  beat: few,
  ringVersion: few,
  nodeId: fc.constantFrom('0'.repeat(32), '1'.repeat(32)),
  ringHash: fc.constantFrom('a'.repeat(16), 'b'.repeat(16)),
  peerAddress: fc.constantFrom('', '10.0.0.7:7702'),
});

test('which of two is newer does not depend on who came first', (t) => {
  fc.assert(
    fc.property(words, words, (a, b) => {
      t.deepEqual(newest(a, b), newest(b, a));
    }),
  );
});

test('nor on who was compared with whom before', (t) => {
  fc.assert(
    fc.property(words, words, words, (a, b, c) => {
      t.deepEqual(newest(newest(a, b), c), newest(a, newest(b, c)));
    }),
  );
});

test('what is heard twice is heard once, and nothing goes back', (t) => {
  fc.assert(
    fc.property(words, words, (a, b) => {
      const both = newest(a, b);
      t.is(newest(a, a), a);
      t.deepEqual(newest(both, b), both);
      t.true(compareCounts(both, a) >= 0 && compareCounts(both, b) >= 0);
    }),
  );
});

test('a later opening is newer than any beat of an earlier one', (t) => {
  t.true(compareCounts({ opening: 2, beat: 0 }, { opening: 1, beat: 1_000_000 }) > 0);
  t.is(compareCounts({ opening: 2, beat: 5 }, { opening: 2, beat: 5 }), 0);
});
