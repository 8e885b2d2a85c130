/* What a run's operations say in figures: how many, how they ended, how long they took, by window. */
import type { Stage, Window } from './acts.js';
import type { Operation } from './operation.js';

export interface WindowFigures {
  readonly window: string;
  readonly operations: number;
  readonly ok: number;
  readonly unknown: number;
  /** Refusals and unknown outcomes, by code. */
  readonly codes: ReadonlyMap<string, number>;
  /** With the default deadline. */
  readonly puts: Latencies;
  /** With w = 1, and a longer deadline. */
  readonly ones: Latencies;
  readonly gets: Latencies;
}

export interface Latencies {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Of all that were sent, those that failed included: to wait for nothing is also to wait. */
export function latenciesOf(operations: readonly Operation[]): Latencies {
  const sorted = operations.map(({ startMs, endMs }) => endMs - startMs).sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), maxMs: at(1) };
}

export function countBy<T>(items: readonly T[], nameOf: (item: T) => string): ReadonlyMap<string, number> {
  const counts: Map<string, number> = new Map();
  for (const item of items) {
    const name = nameOf(item);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

/** `a 2, b 1`, or `none`. */
export function showCounts(counts: ReadonlyMap<string | number, number>): string {
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ') || 'none';
}

const isWrite = ({ kind }: Operation): boolean => kind !== 'get';

/** With the cluster's W, and the default deadline. */
export const isQuorumWrite = (one: Operation): boolean => isWrite(one) && one.stream !== 'one';

/** Of those that began in the window. */
export function duringWindow(operations: readonly Operation[], { startMs, endMs }: Window): readonly Operation[] {
  return operations.filter((one) => startMs <= one.startMs && one.startMs < endMs);
}

export function figuresOf(window: Window, all: readonly Operation[]): WindowFigures {
  const operations = duringWindow(all, window);
  return {
    window: window.text === '' ? window.name : `${window.name} (${window.text})`,
    operations: operations.length,
    ok: operations.filter(({ outcome }) => outcome === 'ok').length,
    unknown: operations.filter(({ outcome }) => outcome === 'unknown').length,
    codes: countBy(
      operations.filter(({ outcome }) => outcome !== 'ok'),
      ({ code }) => code,
    ),
    puts: latenciesOf(operations.filter(isQuorumWrite)),
    ones: latenciesOf(operations.filter((one) => isWrite(one) && !isQuorumWrite(one))),
    gets: latenciesOf(operations.filter((one) => !isWrite(one))),
  };
}

export function showWindow({ window, operations, ok, unknown, codes, puts, ones, gets }: WindowFigures): string {
  const ms = ({ p50Ms, p99Ms, maxMs }: Latencies): string =>
    `${p50Ms.toFixed(1)}/${p99Ms.toFixed(0)}/${maxMs.toFixed(0)}`;
  return (
    `${window}: ${operations} operations, ${ok} ok, ${unknown} unknown; p50/p99/max ms: puts ${ms(puts)}, w = 1 ${ms(ones)}, gets ${ms(gets)}; ` +
    `not ok: ${showCounts(codes)}`
  );
}

/** Limits with a name and an answer of their own: a put that meets one is not refused for want of a node. */
const LIMIT_CODES: ReadonlySet<string> = new Set(['OVERLOADED', 'DISK_FULL', 'SIBLINGS_LIMIT', 'TOO_LARGE']);

export interface OneFigures {
  readonly puts: number;
  readonly accepted: number;
  /** Nobody was reachable all the time. */
  readonly excused: number;
  /** Turned away by a named limit, though a node was reachable. */
  readonly limited: readonly Operation[];
  /** Not accepted, though a node was reachable and no limit was named. */
  readonly refused: readonly Operation[];
}

/** The promise to puts with w = 1: accepted while the client can reach a node. */
export function judgeOne(operations: readonly Operation[], stage: Pick<Stage, 'wasReachable'>): OneFigures {
  const puts = operations.filter((one) => one.stream === 'one' && one.kind === 'put');
  const failed = puts.filter(({ outcome }) => outcome !== 'ok');
  const due = failed.filter(({ startMs, endMs }) => stage.wasReachable(startMs, endMs));
  return {
    puts: puts.length,
    accepted: puts.length - failed.length,
    excused: failed.length - due.length,
    limited: due.filter(({ code }) => LIMIT_CODES.has(code)),
    refused: due.filter(({ code }) => !LIMIT_CODES.has(code)),
  };
}
