import test from 'ava';
import { fc } from '@fast-check/ava';
import { MinCostFlow } from '../../src/ring/min-cost-flow.js';

interface Arc {
  readonly from: number;
  readonly to: number;
  readonly lower: number;
  readonly upper: number;
  readonly cost: number;
  readonly flow: number;
}
const NODES = 4;

const arc: fc.Arbitrary<Arc> = fc
  .record({
    from: fc.nat(NODES - 1),
    hop: fc.integer({ min: 1, max: NODES - 1 }),
    lower: fc.nat(1),
    more: fc.nat(2),
    cost: fc.nat(3),
    start: fc.nat(2),
  })
  .map(({ from, hop, lower, more, cost, start }) => {
    const flow = cost > 0 ? lower : lower + Math.min(start, more);
    return { from, to: (from + hop) % NODES, lower, upper: lower + more, cost, flow };
  });

/** Every flow there is; the cost of the cheapest that conserves, or Infinity. */
function twinCost(arcs: readonly Arc[], supplies: readonly number[]): number {
  const [first, ...rest] = arcs;
  if (first === undefined) return supplies.every((supply) => supply === 0) ? 0 : Infinity;
  let best = Infinity;
  for (let flow = first.lower; flow <= first.upper; flow++) {
    const left = [...supplies];
    left[first.from] = (left[first.from] ?? 0) - flow;
    left[first.to] = (left[first.to] ?? 0) + flow;
    best = Math.min(best, twinCost(rest, left) + flow * first.cost);
  }
  return best;
}

function suppliesOf(arcs: readonly Arc[], extra: readonly number[]): number[] {
  const supplies = new Array<number>(NODES).fill(0);
  arcs.forEach(({ from, to, lower, upper }, i) => {
    const flow = Math.min(lower + (extra[i] ?? 0), upper);
    supplies[from] = (supplies[from] ?? 0) + flow;
    supplies[to] = (supplies[to] ?? 0) - flow;
  });
  return supplies;
}

function solved(arcs: readonly Arc[], supplies: readonly number[]): number[] | null {
  const flow = new MinCostFlow(NODES, arcs.length);
  supplies.forEach((supply, node) => {
    flow.supply(node, supply);
  });
  const ids = arcs.map((each) => flow.arc(each.from, each.to, each.lower, each.upper, each.cost, each.flow));
  return flow.solve() ? ids.map((id) => flow.flowOf(id)) : null;
}

test('the flow keeps bounds, conserves, and is as cheap as the cheapest of all', (t) => {
  let possible = 0;
  const supplies = fc
    .array(fc.integer({ min: -2, max: 2 }), { minLength: NODES - 1, maxLength: NODES - 1 })
    .map((some) => [...some, -some.reduce((sum, one) => sum + one, 0)]);
  // Most random supplies have no flow; those that some flow within the bounds asks for do.
  const drawn = fc.array(fc.nat(2), { minLength: 7, maxLength: 7 });
  fc.assert(
    fc.property(fc.array(arc, { maxLength: 7 }), supplies, drawn, fc.boolean(), (arcs, random, extra, has) => {
      const wanted = has ? suppliesOf(arcs, extra) : random;
      const expected = twinCost(arcs, wanted);
      const found = solved(arcs, wanted);
      t.is(found === null, expected === Infinity, 'whether there is a flow');
      if (found === null) return;
      possible++;
      const left = [...wanted];
      let cost = 0;
      arcs.forEach(({ from, to, lower, upper, cost: each }, i) => {
        const amount = found[i] ?? -1;
        t.true(lower <= amount && amount <= upper);
        left[from] = (left[from] ?? 0) - amount;
        left[to] = (left[to] ?? 0) + amount;
        cost += amount * each;
      });
      t.true(
        left.every((one) => one === 0),
        `left over: ${left.join()}`,
      );
      t.is(cost, expected);
    }),
    { numRuns: 3_000 },
  );
  t.true(possible > 1_000, `only ${possible} networks had a flow`);
});

test('supplies that do not sum up to nothing have no flow', (t) => {
  t.is(solved([], [1, 0, 0, 0]), null);
  t.is(solved([{ from: 0, to: 1, lower: 0, upper: 5, cost: 0, flow: 0 }], [2, -1, 0, 0]), null);
});

test('a start that breaks a bound, or costs something, is a mistake of ours', (t) => {
  const flow = new MinCostFlow(2, 2);
  t.throws(() => flow.arc(0, 1, 0, 1, 0, 2), { message: /keeps the bounds/ });
  t.throws(() => flow.arc(0, 1, 0, 1, 1, 1), { message: /of least cost/ });
});
