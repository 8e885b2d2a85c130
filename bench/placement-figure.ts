/*
 * Figure 8 of the Dynamo paper (§6.2): load balancing efficiency of its partitioning strategies, S = 30, N = 3, against
 * the size of what every node has to know about the ring.
 *
 * The paper's assumption about load is that of §6.2: access is skewed, and there are enough keys in the popular end for
 * them to spread over the partitions. Here: keys at random places, the i-th most popular with weight i^-s (s = 0.5 of
 * 100,000 keys unless said otherwise: the most popular gets 0.16 % of all requests), and every request reaches all N
 * owners of its key. Shares of load are summed up, not sampled: a larger number of requests would not change them.
 *
 * Sizes are in entries, as the paper's are in abstract units:
 *
 *   1      S·T random tokens; a key goes to the next one, and on to the next nodes         an entry a token
 *   2      the same tokens, but Q = 8·S·T equal partitions, each on the first N nodes      an entry a token, and one a
 *          after its end                                                                   partition
 *   3      Q equal partitions, Q/S random tokens a node; further replicas on the next      an entry a partition
 *          nodes of the ring
 *   table  what Partita does: Q equal partitions, and all N owners of each in a table      N entries a partition
 *
 * An entry of 1 and 2 is also the larger one: a position of 128 bits and a node, where a table holds the node alone.
 */
import { axisFrom0, type Panel, svgOf } from '../src/balance/chart.js';
import { Prng } from '../src/lib/prng.js';
import { loadBalancingEfficiency } from '../src/ring/balance.js';
import { layoutRing } from '../src/ring/placement.js';

const HASHES = 0x1_0000_0000;
const PARTITIONS_A_TOKEN = 8;

export interface FigureOptions {
  readonly nodes: number;
  readonly replicas: number;
  readonly keys: number;
  /** s: popularity of the i-th key is i^-s; 0: all alike. */
  readonly skew: number;
  /** Rings drawn for each figure, which is their mean. */
  readonly trials: number;
  readonly seed: number;
  /** Partitions of the table, one row each. */
  readonly partitionCounts: readonly number[];
}
export const FIGURE_8: FigureOptions = {
  nodes: 30,
  replicas: 3,
  keys: 100_000,
  skew: 0.5,
  trials: 10,
  seed: 1,
  partitionCounts: [32, 64, 128, 256, 512, 1_024, 2_048, 4_096],
};

export type Strategy = '1' | '2' | '3' | 'table';
export interface FigureRow {
  readonly entries: number;
  readonly efficiency: Readonly<Record<Strategy, number>>;
  /** With every key alike and as many as one likes: what the placement alone does. */
  readonly placement: Readonly<Record<Strategy, number>>;
}

/** Load of every stretch of the ring. */
export interface Load {
  /** Part of all requests that go to keys at places below `hash`. */
  below(hash: number): number;
}

const UNIFORM: Load = { below: (hash) => hash / HASHES };

export class SkewedLoad implements Load {
  readonly #places: Uint32Array;
  readonly #sums: Float64Array;

  constructor(keys: number, skew: number, prng: Prng) {
    this.#places = Uint32Array.from({ length: keys }, () => prng.u32()).sort();
    const weights = Float64Array.from({ length: keys }, (_, i) => (i + 1) ** -skew);
    shuffle(weights, prng);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    this.#sums = new Float64Array(keys + 1);
    for (let i = 0; i < keys; i++) this.#sums[i + 1] = (this.#sums[i] ?? 0) + (weights[i] ?? 0) / total;
  }

  below(hash: number): number {
    return this.#sums[firstAtLeast(this.#places, hash)] ?? 0;
  }
}

/** Stretches of the ring, each from the end of the one before, and the nodes that hold them. */
export interface Placement {
  readonly ends: readonly number[];
  readonly owners: readonly (readonly number[])[];
}

export type PlacementOptions = Pick<FigureOptions, 'nodes' | 'replicas'>;
type Place = (options: PlacementOptions, entries: number, prng: Prng) => Placement;

export const PLACE: Readonly<Record<Strategy, Place>> = {
  '1': ({ nodes, replicas }, entries, prng) => {
    const tokens = randomTokens(nodes, Math.max(1, Math.floor(entries / nodes)), prng);
    // What lies behind the last token belongs to the first one.
    const owners = tokens.nodes.map((_, at) => walk(tokens.nodes, at, replicas));
    return { ends: [...tokens.places, HASHES], owners: [...owners, owners[0] ?? []] };
  },
  '2': ({ nodes, replicas }, entries, prng) => {
    const each = Math.max(1, Math.floor(entries / (nodes * (1 + PARTITIONS_A_TOKEN))));
    const tokens = randomTokens(nodes, each, prng);
    const count = nodes * each * PARTITIONS_A_TOKEN;
    const ends = equalEnds(count);
    return { ends, owners: ends.map((end) => walk(tokens.nodes, firstAtLeast(tokens.places, end), replicas)) };
  },
  '3': ({ nodes, replicas }, entries, prng) => {
    const count = 2 ** Math.floor(Math.log2(entries));
    const tokens = Array.from({ length: count }, (_, at) => at % nodes);
    shuffle(tokens, prng);
    return { ends: equalEnds(count), owners: tokens.map((_, at) => walk(tokens, at, replicas)) };
  },
  table: ({ nodes, replicas }, entries, prng) => {
    const count = entries / replicas;
    const members = Array.from({ length: nodes }, (_, node) => ({ ordinal: node + 1, capacity: 1, zone: '' }));
    const ordinals = layoutRing(members, count, replicas, prng.u32());
    const row = (at: number): number[] => ordinals.slice(at * replicas, (at + 1) * replicas);
    return { ends: equalEnds(count), owners: Array.from({ length: count }, (_, at) => row(at).map((one) => one - 1)) };
  },
};
export const STRATEGIES: readonly Strategy[] = ['1', '2', '3', 'table'];

export function nameOf(strategy: Strategy): string {
  return strategy === 'table' ? 'table' : `strategy ${strategy}`;
}

export function figure8(options: FigureOptions): readonly FigureRow[] {
  const prng = new Prng(options.seed);
  const loads = Array.from({ length: options.trials }, () => new SkewedLoad(options.keys, options.skew, prng.fork()));
  return options.partitionCounts.map((count) => {
    const entries = count * options.replicas;
    const efficiency: Record<Strategy, number> = { '1': 0, '2': 0, '3': 0, table: 0 };
    const placement = { ...efficiency };
    for (const strategy of STRATEGIES) {
      for (const load of loads) {
        const placed = PLACE[strategy](options, entries, prng);
        efficiency[strategy] += efficiencyOf(placed, load, options.nodes) / options.trials;
        placement[strategy] += efficiencyOf(placed, UNIFORM, options.nodes) / options.trials;
      }
    }
    return { entries, efficiency, placement };
  });
}

export function printFigure(
  options: FigureOptions,
  print: (line: string) => void,
  rows: readonly FigureRow[] = figure8(options),
): void {
  const { nodes, replicas, keys, skew, trials } = options;
  print(`Load balancing efficiency, S = ${nodes}, N = ${replicas}: mean of ${trials} rings a figure`);
  print(`                ${keys} keys, popularity i^-${skew}`.padEnd(57) + 'all keys alike (placement alone)');
  const head = STRATEGIES.map((name) => nameOf(name).padStart(11)).join('');
  print(`entries   Q   ${head}${head}`);
  for (const { entries, efficiency, placement } of rows) {
    const show = (figures: FigureRow['efficiency']): string =>
      STRATEGIES.map((name) => figures[name].toFixed(3).padStart(11)).join('');
    const q = String(entries / replicas);
    print(`${String(entries).padStart(7)}${q.padStart(6)} ${show(efficiency)}${show(placement)}`);
  }
}

export function drawFigure8(options: FigureOptions, rows: readonly FigureRow[]): string {
  const { nodes, replicas, keys, skew, trials } = options;
  const entries = rows.map((row) => row.entries);
  const x = {
    label: 'what every node has to know about the ring: entries (logarithmic)',
    min: Math.min(...entries),
    max: Math.max(...entries),
    ticks: entries.map((at) => ({ at, text: String(at) })),
    isLog: true,
  };
  const y = axisFrom0('efficiency: mean node ÷ hottest', 1, (value) => value.toFixed(1));
  const panel = (title: string, of: 'efficiency' | 'placement'): Panel => ({
    title,
    x,
    y,
    lines: STRATEGIES.map((name) => ({
      name: nameOf(name),
      points: rows.map((row) => [row.entries, row[of][name]] as const),
    })),
  });
  return svgOf(`Load balancing efficiency, S = ${nodes}, N = ${replicas}, mean of ${trials} rings`, [
    panel(`${keys} keys, popularity i^-${skew}`, 'efficiency'),
    panel('All keys alike: what the placement alone does', 'placement'),
  ]);
}

/** By node: its part of the load, N in all. */
export function loadsOf({ ends, owners }: Placement, load: Load, nodes: number): readonly number[] {
  const loads = new Array<number>(nodes).fill(0);
  let before = 0;
  ends.forEach((end, at) => {
    const below = load.below(end);
    for (const owner of owners[at] ?? []) loads[owner] = (loads[owner] ?? 0) + below - before;
    before = below;
  });
  return loads;
}

function efficiencyOf(placement: Placement, load: Load, nodes: number): number {
  return loadBalancingEfficiency(loadsOf(placement, load, nodes));
}

/** Tokens in the order of the ring. */
function randomTokens(
  nodes: number,
  each: number,
  prng: Prng,
): { readonly places: Uint32Array; readonly nodes: readonly number[] } {
  const places = Uint32Array.from({ length: nodes * each }, () => prng.u32()).sort();
  const holders = Array.from(places, (_, at) => at % nodes);
  shuffle(holders, prng);
  return { places, nodes: holders };
}

/** The first `count` distinct nodes from this token on, clockwise. */
function walk(tokens: readonly number[], start: number, count: number): readonly number[] {
  const met: number[] = [];
  for (let i = 0; i < tokens.length && met.length < count; i++) {
    const node = tokens[(start + i) % tokens.length] ?? 0;
    if (!met.includes(node)) met.push(node);
  }
  return met;
}

function equalEnds(count: number): readonly number[] {
  return Array.from({ length: count }, (_, at) => Math.round(((at + 1) / count) * HASHES));
}

/** Index of the first that is not below `bound`; the length if all are. */
function firstAtLeast(sorted: Uint32Array, bound: number): number {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((sorted[middle] ?? 0) < bound) from = middle + 1;
    else to = middle;
  }
  return from;
}

function shuffle(items: number[] | Float64Array, prng: Prng): void {
  for (let i = items.length - 1; i > 0; i--) {
    const j = prng.int(i + 1);
    const item = items[i] ?? 0;
    items[i] = items[j] ?? 0;
    items[j] = item;
  }
}
