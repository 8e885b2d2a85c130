/* What is drawn for a PutWorld: the ring, what is asked for, and what each peer does in each of two puts. */
import { fc } from '@fast-check/ava';

const KINDS = [
  'durable',
  'buffered',
  'upgrade',
  'unsent',
  'refused',
  'lost',
  'lost-stored',
  'silent',
  'silent-stored',
  'fails-then-acks',
] as const;

export interface PutPlan {
  readonly kind: (typeof KINDS)[number];
  readonly delayMs: number;
  /** Of a second, equal report; below 0: none. */
  readonly againMs: number;
  readonly atOnce: boolean;
}

export interface PutScenario {
  readonly nodeCount: number;
  readonly ownerCount: number;
  readonly self: number;
  readonly w: number;
  readonly strict: boolean;
  readonly durable: boolean;
  readonly deadlineMs: number;
  readonly patienceMs: number;
  /** Which are suspect at the start, and who changes when. */
  readonly suspects: readonly boolean[];
  readonly flips: readonly { readonly atMs: number; readonly node: number }[];
  /** Of each of the two puts, a plan a node. */
  readonly plans: readonly (readonly PutPlan[])[];
}

const NODES_MAX = 6;
const plan: fc.Arbitrary<PutPlan> = fc.record({
  kind: fc.constantFrom(...KINDS, 'durable' as const, 'durable' as const),
  delayMs: fc.integer({ min: 0, max: 90 }),
  againMs: fc.constantFrom(-1, -1, 0, 30, 150),
  atOnce: fc.boolean(),
});

export const putScenarios: fc.Arbitrary<PutScenario> = fc.integer({ min: 1, max: NODES_MAX }).chain((nodeCount) =>
  fc.integer({ min: 1, max: Math.min(4, nodeCount) }).chain((ownerCount) =>
    fc.record({
      nodeCount: fc.constant(nodeCount),
      ownerCount: fc.constant(ownerCount),
      self: fc.integer({ min: 0, max: nodeCount - 1 }),
      w: fc.integer({ min: 1, max: ownerCount }),
      strict: fc.boolean(),
      durable: fc.boolean(),
      deadlineMs: fc.constantFrom(10, 60, 200),
      patienceMs: fc.constantFrom(5, 25, 80),
      suspects: fc.array(fc.constantFrom(true, false, false), { minLength: NODES_MAX, maxLength: NODES_MAX }),
      flips: fc.array(fc.record({ atMs: fc.integer({ min: 0, max: 200 }), node: fc.nat(NODES_MAX - 1) }), {
        maxLength: 3,
      }),
      plans: fc.array(fc.array(plan, { minLength: NODES_MAX, maxLength: NODES_MAX }), { minLength: 2, maxLength: 2 }),
    }),
  ),
);
