/* A balance report as a drawing: load by node, by partition, and over the day, as the paper's figure 6 has it. */
import { type Axis, axisFrom0, type Panel, svgOf } from '../balance/chart.js';
import type { Forecast } from '../balance/forecast.js';
import { OFF_BALANCE } from '../balance/node-shares.js';
import { withoutPopularKeys } from '../balance/partition-loads.js';
import type { BalanceReport } from '../balance/report.js';
import { percent } from './balance-view.js';
import { timeOf } from './output.js';

const TICKS_MAX = 24;
const BAND = { from: 1 - OFF_BALANCE, to: 1 + OFF_BALANCE, name: 'in balance: within 15 %' };

export function balanceSvg(report: BalanceReport, seen: Forecast | null): string {
  const { fromMs, toMs, efficiency } = report;
  const told = report.nodes.filter(({ silence }) => silence === '');
  const now = told.map(({ ordinal, deviation }) => ({ ordinal, factor: 1 + deviation }));
  const panels = [
    nodePanel(`Load of each node; efficiency ${efficiency.toFixed(3)}`, now),
    ...(seen === null
      ? []
      : [
          nodePanel(
            `What if: load of each node; efficiency ${seen.after.requests.toFixed(3)}`,
            seen.nodes
              .filter(({ replicasAfter }) => replicasAfter > 0)
              .map(({ ordinal, deviationAfter }) => ({ ordinal, factor: 1 + deviationAfter })),
          ),
        ]),
    partitionPanel(report),
    windowPanel(report),
  ];
  return svgOf(`Balance from ${timeOf(fromMs)} to ${timeOf(toMs)}`, panels);
}

function nodePanel(title: string, nodes: readonly { readonly ordinal: number; readonly factor: number }[]): Panel {
  const highest = nodes.reduce((most, { factor }) => Math.max(most, factor), BAND.to);
  return {
    title,
    x: indexAxis(
      'node',
      nodes.map(({ ordinal }) => String(ordinal)),
    ),
    y: axisFrom0('load ÷ its due', highest, (value) => value.toFixed(2)),
    lines: [],
    bars: nodes.map(({ factor }, index) => ({
      x: index,
      height: factor,
      isMarked: Math.abs(factor - 1) > OFF_BALANCE,
    })),
    band: BAND,
  };
}

function partitionPanel({ partitions }: BalanceReport): Panel {
  const sorted = (loads: Float64Array): readonly number[] => [...loads].sort((a, b) => b - a);
  const all = sorted(partitions.ownerLoads);
  const rest = sorted(withoutPopularKeys(partitions));
  const mean = all.reduce((total, load) => total + load, 0) / Math.max(all.length, 1);
  const pointsOf = (loads: readonly number[]): readonly (readonly [number, number])[] =>
    loads.map((load, index) => [index + 1, mean === 0 ? 0 : load / mean] as const);
  const highest = mean === 0 ? 1 : (all[0] ?? 1) / mean;
  return {
    title: 'Load of each partition, from the highest down',
    x: rankAxis(all.length),
    y: axisFrom0('load ÷ mean partition', Math.max(highest, 1), (value) => value.toFixed(1)),
    lines: [
      { name: 'as it is', points: pointsOf(all) },
      { name: 'popular keys spread over all', points: pointsOf(rest) },
    ],
  };
}

/** Load, and the share of nodes off balance, by the half hour. */
function windowPanel({ windows }: BalanceReport): Panel {
  const busiest = windows.reduce((most, { load }) => Math.max(most, load), 1);
  return {
    title: 'Each half hour',
    x: indexAxis(
      'begun at (UTC)',
      windows.map(({ fromMs }) => timeOf(fromMs).slice(11, 16)),
    ),
    y: axisFrom0('per cent', 1, (value) => percent(value, 0)),
    lines: [
      { name: 'load ÷ busiest half hour', points: windows.map(({ load }, index) => [index, load / busiest] as const) },
      {
        name: 'nodes more than 15 % off',
        points: windows.map(({ offBalance }, index) => [index, offBalance] as const),
      },
      { name: 'efficiency', points: windows.map(({ efficiency }, index) => [index, efficiency] as const) },
    ],
  };
}

function rankAxis(count: number): Axis {
  const quarters = new Set([1, ...[0.25, 0.5, 0.75, 1].map((part) => Math.max(1, Math.round(part * count)))]);
  return {
    label: 'partitions',
    min: 1,
    max: Math.max(2, count),
    ticks: [...quarters].map((at) => ({ at, text: String(at) })),
  };
}

/** One place for each name, with room on both sides. */
function indexAxis(label: string, names: readonly string[]): Axis {
  const every = Math.ceil(names.length / TICKS_MAX);
  return {
    label,
    min: -0.5,
    max: Math.max(names.length - 0.5, 0.5),
    ticks: names.flatMap((name, index) => (index % every === 0 ? [{ at: index, text: name }] : [])),
  };
}
