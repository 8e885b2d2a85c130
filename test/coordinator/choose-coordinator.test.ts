import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { chooseCoordinator, type Circumstances, FORWARDS_MAX, HERE } from '../../src/coordinator/choose-coordinator.js';
import type { PeerView, Preference } from '../../src/coordinator/preference.js';

const preference: Preference = { nodes: [1, 2, 3, 4, 5], ownerCount: 3, ringVersion: 1, handovers: [] };
const plain: Circumstances = { forwarded: false, cannotStore: false, excluded: [] };

function peers(suspects: readonly number[], costs: Readonly<Record<number, number>> = {}): PeerView {
  return {
    isHealthy: (node) => !suspects.includes(node),
    putPatienceMs: () => 1,
    getPatienceMs: () => 1,
    readCost: (node) => costs[node] ?? 1,
    missed: () => undefined,
  };
}

test('Who coordinates', (t) => {
  const rows: [string, number, Partial<Circumstances>, number[], number][] = [
    ['an owner does it itself', 2, {}, [], HERE],
    ['others forward to the fastest owner', 4, {}, [], 3],
    ['a suspect owner is passed over', 4, {}, [3], 1],
    ['no owner can be reached: the fallback does it itself', 4, {}, [1, 2, 3], HERE],
    ['what was forwarded is never forwarded again', 4, { forwarded: true }, [], HERE],
    ['nor by an owner with a full disk', 1, { forwarded: true, cannotStore: true }, [], HERE],
    ['an owner with a full disk hands a put to another owner', 1, { cannotStore: true }, [], 3],
    ['or to a fallback', 1, { cannotStore: true }, [2, 3], 4],
    ['or refuses it itself', 1, { cannotStore: true }, [2, 3, 4, 5], HERE],
    ['one in vain: the next', 4, { excluded: [3] }, [], 1],
    ['two in vain: here', 4, { excluded: [3, 1] }, [], HERE],
  ];
  for (const [text, self, circumstances, suspects, expected] of rows) {
    const view = peers(suspects, { 1: 2, 2: 3, 3: 1 });
    t.is(chooseCoordinator(self, preference, view, { ...plain, ...circumstances }, 0), expected, text);
  }
});

testProp(
  'No request travels in circles, whatever each node believes of the ring and of the others',
  [
    fc.array(
      fc.record({
        order: fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }),
        owners: fc.integer({ min: 1, max: 4 }),
      }),
      {
        minLength: 5,
        maxLength: 5,
      },
    ),
    fc.array(fc.subarray([0, 1, 2, 3, 4]), { minLength: 5, maxLength: 5 }),
    fc.subarray([0, 1, 2, 3, 4]),
    fc.subarray([0, 1, 2, 3, 4]),
    fc.nat(4),
  ],
  (t, rings, suspects, full, dead, first) => {
    const decide = (self: number, forwarded: boolean, excluded: readonly number[]): number => {
      const { order, owners } = rings[self] as { order: number[]; owners: number };
      const ring: Preference = { nodes: order, ownerCount: owners, ringVersion: self, handovers: [] };
      const view = peers((suspects[self] as number[]).filter((node) => node !== self));
      return chooseCoordinator(self, ring, view, { forwarded, cannotStore: full.includes(self), excluded }, 0);
    };
    const excluded: number[] = [];
    for (;;) {
      const to = decide(first, false, excluded);
      if (to === HERE) {
        t.pass();
        return;
      }
      t.not(to, first);
      t.false(excluded.includes(to));
      t.false((suspects[first] as number[]).includes(to));
      if (!dead.includes(to)) {
        t.is(decide(to, true, []), HERE, 'one hop, not two');
        return;
      }
      excluded.push(to);
      t.true(excluded.length <= FORWARDS_MAX);
    }
  },
  { numRuns: 1_000 },
);
