/*
 * Does placement give every node its part, and move no more than it must? Replica efficiency (mean ÷ most replicas a node)
 * of many drawn rings, and of rings that nodes have joined and left again and again, against what whole replicas allow:
 * (N·Q/S) ÷ ⌈N·Q/S⌉. No placement can be above that; S = 30, Q = 256 allows 25.6 / 26, which is .985 to three places.
 */
import { FIGURE_8, printFigure } from '../../bench/placement-figure.js';
import { Prng } from '../../src/lib/prng.js';
import { placementEfficiency } from '../../src/ring/balance.js';
import { tableFault } from '../../src/ring/invariants.js';
import { moves } from '../../src/ring/moves.js';
import { changeOwners, layoutRing } from '../../src/ring/placement.js';
import type { PlacedMember, RingTable } from '../../src/ring/shares.js';
import type { Print, Proof } from './proof.js';

const N = 3;
const Q = 256;
const BARS = [
  { nodes: 30, bar: 0.985 },
  { nodes: 5, bar: 0.98 },
] as const;
/** Of N·Q/(S+1), what a new node is due. */
const JOIN_MOVES_MAX = 1.05;
const PLAN_MS_MAX = 2_000;

interface Verdict {
  readonly held: boolean;
  readonly text: string;
}

function members(count: number, zones: number = 0): PlacedMember[] {
  return Array.from({ length: count }, (_, i) => {
    return { ordinal: i + 1, capacity: 1, zone: zones === 0 ? '' : `z${i % zones}` };
  });
}

function ringOf(placed: readonly PlacedMember[], q: number, seed: number): RingTable {
  return { partitionCount: q, replicaCount: N, members: placed, owners: layoutRing(placed, q, N, seed) };
}

function changed(table: RingTable, placed: readonly PlacedMember[], seed: number): RingTable {
  return { ...table, members: placed, owners: changeOwners(table, placed, seed) };
}

function possible(nodes: number, q: number): number {
  const share = (N * q) / nodes;
  return share / Math.ceil(share);
}

const places3 = (figure: number): number => Math.round(figure * 1_000) / 1_000;

function first(nodes: number, bar: number, seeds: number, print: Print): Verdict {
  let least = 1;
  for (let seed = 1; seed <= seeds; seed++) {
    const table = ringOf(members(nodes), Q, seed);
    const fault = tableFault(table);
    if (fault !== null) return { held: false, text: `S = ${nodes}, seed ${seed}: ${fault}` };
    least = Math.min(least, placementEfficiency(table));
  }
  const most = possible(nodes, Q);
  print(
    `S = ${nodes}, Q = ${Q}: replica efficiency ${least.toFixed(5)} at least, of ${seeds} rings; ${most.toFixed(5)} is possible`,
  );
  const held = least >= most - Number.EPSILON && places3(least) >= bar;
  return { held, text: `${least.toFixed(4)} at S = ${nodes} (bar ${bar}, to three places)` };
}

/** One node more or less each time, drawn; ordinals are never used again. */
function history(changes: number, print: Print): Verdict {
  const prng = new Prng(1);
  let placed = members(12);
  let table = ringOf(placed, Q, 1);
  let next = 13;
  let worstJoin = 0;
  for (let i = 1; i <= changes; i++) {
    const joins = placed.length <= 5 || (placed.length < 40 && prng.chance(0.5));
    const leaving = prng.pick(placed);
    placed = joins
      ? [...placed, { ordinal: next++, capacity: 1, zone: '' }]
      : placed.filter((member) => member !== leaving);
    const after = changed(table, placed, i);
    const fault = tableFault(after);
    if (fault !== null) return { held: false, text: `change ${i}: ${fault}` };
    const moved = moves(table, after).length;
    if (joins) worstJoin = Math.max(worstJoin, moved / ((N * Q) / placed.length));
    const efficiency = placementEfficiency(after);
    if (efficiency < possible(placed.length, Q) - Number.EPSILON) {
      return { held: false, text: `change ${i}: efficiency ${efficiency.toFixed(4)} with ${placed.length} nodes` };
    }
    table = after;
  }
  print(
    `${changes} joins and leaves of 5..40 nodes: always balanced; a join moved ${worstJoin.toFixed(3)} of what a new node is due, at most`,
  );
  return { held: worstJoin <= JOIN_MOVES_MAX, text: `joins move ${worstJoin.toFixed(3)} (bar ${JOIN_MOVES_MAX})` };
}

function speed(print: Print): Verdict {
  const startedMs = performance.now();
  const table = ringOf(members(60, 5), 1_024, 1);
  const laidOutMs = performance.now() - startedMs;
  changed(table, members(61, 5), 1);
  const changedMs = performance.now() - startedMs - laidOutMs;
  print(`Q = 1024, S = 60 in 5 zones: first table ${laidOutMs.toFixed(0)} ms, a join ${changedMs.toFixed(0)} ms`);
  const worst = Math.max(laidOutMs, changedMs);
  return { held: worst < PLAN_MS_MAX, text: `a plan in ${worst.toFixed(0)} ms (bar ${PLAN_MS_MAX})` };
}

export const prove: Proof = {
  name: 'placement',
  question: 'Does every node get its part of the replicas, and does a change move no more than it must?',
  run({ full, print }) {
    const verdicts = [
      ...BARS.map(({ nodes, bar }) => first(nodes, bar, full ? 1_000 : 100, print)),
      history(full ? 2_000 : 200, print),
      speed(print),
    ];
    printFigure(full ? { ...FIGURE_8, trials: 50 } : FIGURE_8, print);
    const held = verdicts.every((verdict) => verdict.held);
    return Promise.resolve({ held, summary: verdicts.map(({ text }) => text).join('; ') });
  },
};
