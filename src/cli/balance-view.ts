/* A balance report for people and programs: rows, sentences, objects. */
import type { Forecast } from '../balance/forecast.js';
import { POPULAR_SHARE, type PopularKey } from '../balance/partition-loads.js';
import type { BalanceReport, NodeBalance, Split, WindowBalance } from '../balance/report.js';
import type { RingDocument } from '../ring/document.js';
import { durationText } from './durations.js';
import { asText, counted, preview, timeOf } from './output.js';
import { bytesText } from './sizes.js';

/** A factor below it is worth a word. */
const FACTOR_EVEN = 0.97;
/** Of the efficiency that one would see were all else even: below it, chance hides the rest. */
const CHANCE_SMALL = 0.95;

export const NODE_HEAD: readonly string[] = [
  ...['node', 'id', 'clients', 'capacity', 'tokens', 'replicas', 'requests', 'reads', 'writes', 'read', 'written'],
  'off its due',
];
export const KEY_HEAD: readonly string[] = [
  'key',
  'share',
  'requests',
  'too many by at most',
  'partition',
  'owners',
  'of a mean node',
];
export const WINDOW_HEAD: readonly string[] = ['from', 'to', 'requests', 'reads and writes', 'efficiency', 'nodes off'];
export const FORECAST_HEAD: readonly string[] = [
  'node',
  'replicas now',
  'then',
  'load now',
  'then',
  'off its due now',
  'then',
];

export function percent(share: number, digits: number = 1): string {
  return `${(100 * share).toFixed(digits)} %`;
}

function signedPercent(share: number): string {
  return `${share > 0 ? '+' : ''}${percent(share)}`;
}

export function nodeRows(ring: RingDocument, { nodes }: BalanceReport): readonly (readonly string[])[] {
  return nodes.map((node) => {
    const member = ring.members.find(({ ordinal }) => ordinal === node.ordinal);
    const names = [String(node.ordinal), (member?.nodeId ?? '').slice(0, 8), member?.address ?? ''];
    const held = [node.capacity, node.tokens, node.replicas].map(String);
    return [...names, ...held, ...(node.silence === '' ? countsOf(node) : ['', '', '', '', '', 'not known'])];
  });
}

function countsOf({ requests, reads, writes, bytesRead, bytesWritten, deviation }: NodeBalance): readonly string[] {
  const bytes = [bytesText(bytesRead), bytesText(bytesWritten)];
  return [...[requests, reads, writes].map(String), ...bytes, signedPercent(deviation)];
}

export function keyRows(ring: RingDocument, report: BalanceReport, limit: number): readonly (readonly string[])[] {
  const { replicaCount: n, owners, members } = ring;
  const meanLoad = report.load / Math.max(members.length, 1);
  return report.partitions.keys
    .slice(0, limit)
    .map((key) => [
      nameOf(key),
      percent(key.share, 2),
      String(key.requests),
      String(key.overcount),
      String(key.partition),
      owners.slice(key.partition * n, key.partition * n + n).join(', '),
      percent(meanLoad === 0 ? 0 : key.ownerLoad / meanLoad),
    ]);
}

function nameOf({ key, keyBytes }: PopularKey): string {
  return keyBytes > key.length ? `${preview(key)} (${keyBytes} bytes)` : preview(key);
}

export function windowRows({ windows }: BalanceReport): readonly (readonly string[])[] {
  return windows.map(({ fromMs, toMs, requests, load, efficiency, offBalance }) => [
    timeOf(fromMs),
    timeOf(toMs),
    String(requests),
    String(load),
    load === 0 ? '' : efficiency.toFixed(3),
    load === 0 ? '' : percent(offBalance, 0),
  ]);
}

export function forecastRows({ nodes }: Forecast): readonly (readonly string[])[] {
  return nodes.map((node) => [
    String(node.ordinal),
    node.replicasBefore === 0 ? '' : String(node.replicasBefore),
    node.replicasAfter === 0 ? '' : String(node.replicasAfter),
    node.replicasBefore === 0 ? '' : String(Math.round(node.loadBefore)),
    node.replicasAfter === 0 ? '' : String(Math.round(node.loadAfter)),
    node.replicasBefore === 0 ? '' : signedPercent(node.deviationBefore),
    node.replicasAfter === 0 ? '' : signedPercent(node.deviationAfter),
  ]);
}

export function forecastText({ before, after, replicasMoved }: Forecast): readonly string[] {
  const arrow = (of: 'placement' | 'tokens' | 'requests'): string =>
    `${before[of].toFixed(3)} → ${after[of].toFixed(3)}`;
  const cost =
    replicasMoved === null
      ? `Q never changes: this would be a new cluster with ${after.partitionCount} partitions (partita export, partita import)`
      : `${counted(replicasMoved, 'replica')} would be copied`;
  return [
    `What if: ${cost}`,
    `Load balancing efficiency of replicas ${arrow('placement')}, of tokens ${arrow('tokens')}, of this load ${arrow('requests')} (owners of a partition alike)`,
  ];
}

export function reportText(report: BalanceReport): readonly string[] {
  const { fromMs, toMs, nodes, load, requests, efficiency, offBalance, split } = report;
  const told = nodes.filter(({ silence }) => silence === '').length;
  const span = `${timeOf(fromMs)} to ${timeOf(toMs)} (${durationText(toMs - fromMs)})`;
  if (load === 0)
    return [`No gets and puts from ${span}. Placement efficiency ${split.placement.toFixed(3)} (1: even)`];
  const off = Math.round(offBalance * told);
  return [
    `From ${span}: ${counted(requests, 'request')} of clients, ${load} reads and writes by the nodes`,
    `Load balancing efficiency ${efficiency.toFixed(3)} (mean node ÷ hottest; 1: even); ${off} of ${counted(told, 'node')} more than 15 % off`,
    `  = ${splitText(split)}`,
    ...causes(split).map((cause) => `  ${cause}`),
  ];
}

function splitText({ placement, tokens, keys, owners }: Split): string {
  const factors = { placement, tokens, keys, owners };
  return Object.entries(factors)
    .map(([name, factor]) => `${name} ${factor.toFixed(3)}`)
    .join(' × ');
}

/** The largest loss first. */
function causes(split: Split): readonly string[] {
  return (Object.keys(CAUSES) as (keyof Split)[])
    .filter((part) => split[part] < FACTOR_EVEN)
    .sort((a, b) => split[a] - split[b])
    .map((part) => `${part}: ${CAUSES[part]}`);
}

const CAUSES: Readonly<Record<keyof Split, string>> = {
  placement:
    'so many partitions cannot be shared more evenly by these nodes (--what-if q=…, or another number of nodes)',
  tokens: 'some partitions are asked for more than others; more partitions would even it out (--what-if q=…)',
  keys: 'some keys alone ask for much, and no ring can divide a key: see the popular keys',
  owners:
    'owners of the same partitions do not do the same: one that is slow, was away, or is not asked (partita cluster status)',
};

export function warningsOf(ring: RingDocument, report: BalanceReport): readonly string[] {
  const silent = report.nodes.filter(({ silence }) => silence !== '');
  const warnings = silent.map(({ ordinal, silence }) => `Node ${ordinal} ${silence}: all figures are without it`);
  if (report.load > 0 && report.chance < CHANCE_SMALL)
    warnings.push(
      `Few requests: chance alone would make the efficiency ${report.chance.toFixed(2)}, were all else even. Look again when there are more, or further back (--since)`,
    );
  if (ring.moves.length > 0)
    warnings.push(
      `${counted(ring.moves.length, 'replica')} on the way to other nodes: what is counted is from before and after (partita cluster status)`,
    );
  return warnings;
}

export function keysText({ partitions, load }: BalanceReport, limit: number): string {
  const { length } = partitions.keys;
  if (load === 0) return '';
  if (length === 0) return `No key has ${percent(POPULAR_SHARE)} of the requests`;
  const shown = length > limit ? `, of which these are the first ${limit}` : '';
  return `${counted(length, 'key')} with ${percent(POPULAR_SHARE)} of the requests or more${shown}:`;
}

export function reportObject(ring: RingDocument, report: BalanceReport): Readonly<Record<string, unknown>> {
  const { partitions, windows, fromMs, toMs, ...rest } = report;
  const { replicaCount: n, owners } = ring;
  return {
    from: timeOf(fromMs),
    to: timeOf(toMs),
    ringVersion: ring.version,
    ...rest,
    keys: partitions.keys.map(({ key, hashHi, hashLo, ...facts }) => ({
      key: asText(key) ?? null,
      keyHex: Buffer.from(key).toString('hex'),
      hash: [hashHi, hashLo].map((half) => half.toString(16).padStart(8, '0')).join(''),
      ...facts,
      owners: owners.slice(facts.partition * n, facts.partition * n + n),
    })),
    windows: windows.map((window: WindowBalance) => ({
      ...window,
      fromMs: undefined,
      toMs: undefined,
      from: timeOf(window.fromMs),
      to: timeOf(window.toMs),
    })),
    ownerLoads: [...partitions.ownerLoads],
  };
}
