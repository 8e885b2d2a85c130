/*
 * Figure 6 of the Dynamo paper (§6.2): a day in half hours, and in each the share of nodes whose load is more than 15 %
 * from the mean, beside the load.
 *
 * The paper measured it on its production cluster, and explains what it saw: under a high load many popular keys are
 * asked for, they fall evenly on the nodes, and few nodes are off; under a low load, an eighth of the peak, few keys are
 * asked for, and more nodes are off (up to 20 % of them, against close to 10 % at the peak). So here the number of keys
 * in play goes with the load: a wave over the day from an eighth of the peak to the peak; in each half hour other keys, at
 * random places, popularity i^-s among them, as in figure 8 and with as many keys at the peak. Shares of load are summed
 * up, not sampled. The strategies are those of figure 8, with equal numbers of entries.
 */
import { axisFrom0, type Panel, svgOf } from '../src/balance/chart.js';
import { nodeShares } from '../src/balance/node-shares.js';
import { Prng } from '../src/lib/prng.js';
import {
  type FigureOptions,
  FIGURE_8,
  loadsOf,
  nameOf,
  PLACE,
  SkewedLoad,
  STRATEGIES,
  type Strategy,
} from './placement-figure.js';

const WINDOWS = 48;
const LOW = 1 / 8;
const PARTITIONS = 256;

export type Figure6Options = Omit<FigureOptions, 'partitionCounts'>;
export const FIGURE_6: Figure6Options = FIGURE_8;

export interface Figure6Row {
  /** Hours since midnight. */
  readonly hour: number;
  /** Of the peak. */
  readonly load: number;
  readonly keys: number;
  /** Share of nodes more than 15 % off, mean of all trials. */
  readonly offBalance: Readonly<Record<Strategy, number>>;
}

export function figure6(options: Figure6Options): readonly Figure6Row[] {
  const { nodes, replicas, keys, skew, trials, seed } = options;
  const prng = new Prng(seed);
  const rings = Array.from({ length: trials }, () =>
    STRATEGIES.map((name) => ({ name, placed: PLACE[name](options, PARTITIONS * replicas, prng.fork()) })),
  );
  const capacities = new Array<number>(nodes).fill(1);
  return Array.from({ length: WINDOWS }, (_, window) => {
    const load = LOW + ((1 - LOW) * (1 - Math.cos((2 * Math.PI * window) / WINDOWS))) / 2;
    const inPlay = Math.max(1, Math.round(keys * load));
    const offBalance: Record<Strategy, number> = { '1': 0, '2': 0, '3': 0, table: 0 };
    for (const ring of rings) {
      const asked = new SkewedLoad(inPlay, skew, prng.fork());
      for (const { name, placed } of ring)
        offBalance[name] += nodeShares(loadsOf(placed, asked, nodes), capacities).offBalance / trials;
    }
    return { hour: window / 2, load, keys: inPlay, offBalance };
  });
}

export function printFigure6(
  options: Figure6Options,
  rows: readonly Figure6Row[],
  print: (line: string) => void,
): void {
  const { nodes, replicas, keys, skew, trials } = options;
  print(
    `Nodes more than 15 % from the mean, S = ${nodes}, N = ${replicas}, Q = ${PARTITIONS}: mean of ${trials} rings`,
  );
  print(`${keys} keys in play at the peak, an eighth of them at the lowest, popularity i^-${skew}`);
  print(`hour    load    keys${STRATEGIES.map((name) => nameOf(name).padStart(13)).join('')}`);
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const shown = (row: Figure6Row): string =>
    STRATEGIES.map((name) => percent(row.offBalance[name]).padStart(13)).join('');
  rows.forEach((row, index) => {
    if (index % 4 === 0)
      print(
        `${row.hour.toFixed(1).padStart(4)}${row.load.toFixed(3).padStart(8)}${String(row.keys).padStart(8)}${shown(row)}`,
      );
  });
  for (const [name, part] of parts(rows)) print(`${name.padEnd(20)}${shown(part)}`);
}

/** The quarter of the day with the lowest load, and the one with the highest: what the paper says of its own. */
export function parts(rows: readonly Figure6Row[]): readonly (readonly [name: string, mean: Figure6Row])[] {
  const sorted = [...rows].sort((a, b) => a.load - b.load);
  const quarter = Math.max(1, Math.floor(rows.length / 4));
  const mean = (some: readonly Figure6Row[]): Figure6Row => {
    const of = (read: (row: Figure6Row) => number): number =>
      some.reduce((sum, row) => sum + read(row), 0) / some.length;
    return {
      hour: 0,
      load: of((row) => row.load),
      keys: of((row) => row.keys),
      offBalance: {
        '1': of((row) => row.offBalance['1']),
        '2': of((row) => row.offBalance['2']),
        '3': of((row) => row.offBalance['3']),
        table: of((row) => row.offBalance.table),
      },
    };
  };
  return [
    ['lowest six hours', mean(sorted.slice(0, quarter))],
    ['highest six hours', mean(sorted.slice(-quarter))],
  ];
}

export function drawFigure6({ nodes, replicas, trials }: Figure6Options, rows: readonly Figure6Row[]): string {
  const x = {
    label: 'hour of the day, in half hours',
    min: 0,
    max: 24,
    ticks: [0, 4, 8, 12, 16, 20, 24].map((at) => ({ at, text: String(at) })),
  };
  const percent = (value: number): string => `${Math.round(100 * value)} %`;
  const highest = rows.reduce((most, { offBalance }) => Math.max(most, ...Object.values(offBalance)), 0);
  const panels: readonly Panel[] = [
    {
      title: 'Nodes more than 15 % from the mean',
      x,
      y: axisFrom0('share of nodes', highest, percent),
      lines: STRATEGIES.map((name) => ({
        name: nameOf(name),
        points: rows.map(({ hour, offBalance }) => [hour, offBalance[name]] as const),
      })),
    },
    {
      title: 'Load',
      x,
      y: axisFrom0('of the peak', 1, percent),
      lines: [{ name: 'requests, and keys in play', points: rows.map(({ hour, load }) => [hour, load] as const) }],
    },
  ];
  return svgOf(`A day, S = ${nodes}, N = ${replicas}, Q = ${PARTITIONS}, mean of ${trials} rings`, panels);
}
