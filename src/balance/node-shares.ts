/* The load of nodes beside what their capacities make their due, and the share of nodes that are off it (§6.2, figure 6). */
import { weightedEfficiency } from '../ring/balance.js';

/** The paper's: a node whose load deviates from the mean by less is in balance. */
export const OFF_BALANCE = 0.15;

export interface NodeShares {
  /** Mean ÷ hottest, above 0 and at most 1; 1 when nobody has had anything. */
  readonly efficiency: number;
  /** By index: load ÷ due − 1; 0 when nobody has had anything. */
  readonly deviations: readonly number[];
  /** Of the nodes, more than OFF_BALANCE from their due. */
  readonly offBalance: number;
}

export function nodeShares(loads: readonly number[], capacities: readonly number[]): NodeShares {
  const total = sum(loads);
  const due = total / Math.max(sum(capacities), Number.MIN_VALUE);
  const deviations = loads.map((load, at) => (total === 0 ? 0 : load / (due * (capacities[at] ?? 1)) - 1));
  const off = deviations.filter((deviation) => Math.abs(deviation) > OFF_BALANCE).length;
  return {
    efficiency: weightedEfficiency(loads, capacities),
    deviations,
    offBalance: loads.length === 0 ? 0 : off / loads.length,
  };
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
