/* The tables, as autocannon prints them, in microseconds. Text in, text out; who prints it is not known here. */
import Table from 'cli-table3';
import asciichart from 'asciichart';
import type { Bench, Latency, PerSecond, RunResult } from './result.js';
import { PERCENTILES } from './result.js';
import type { Plan } from './plan.js';
import { OPERATIONS } from './plan.js';
import { showBytes, showCount, showMicros, showSeconds } from './units.js';

const LATENCY_COLUMNS = ['p2.5', 'p50', 'p97.5', 'p99', 'p99.9'] as const;
const CHART_WIDTH_MAX = 72;

type Row = Record<string, string> | string[];

function table(head: readonly string[], rows: readonly Row[], colour: boolean): string {
  const drawn = new Table({
    head: [...head],
    style: colour ? { head: ['cyan'], border: ['grey'] } : { head: [], border: [] },
  });
  for (const row of rows) drawn.push(row);
  return drawn.toString();
}

function latencyRow(name: string, latency: Latency): string[] {
  return [
    name,
    ...LATENCY_COLUMNS.map((column) => showMicros(latency.percentiles[column] ?? 0)),
    showMicros(latency.average),
    showMicros(latency.stdev),
    showMicros(latency.max),
  ];
}

export function latencyTable(result: RunResult, colour: boolean): string {
  const head = ['Stat', '2.5%', '50%', '97.5%', '99%', '99.9%', 'Avg', 'Stdev', 'Max'];
  const rows: string[][] = [];
  for (const { operation, response, service } of result.operations) {
    if (result.mode === 'closed loop') rows.push(latencyRow(operation, service));
    else rows.push(latencyRow(`${operation} response`, response), latencyRow(`${operation} service`, service));
  }
  return table(head, rows, colour);
}

function perSecondRow(name: string, values: PerSecond, show: (value: number) => string): string[] {
  const percentile = (p: string): string => show(values.percentiles[p] ?? 0);
  return [
    name,
    percentile('p1'),
    percentile('p2.5'),
    percentile('p50'),
    percentile('p97.5'),
    show(values.average),
    show(values.stdev),
    show(values.min),
  ];
}

export function perSecondTable(result: RunResult, colour: boolean): string {
  const head = ['Stat', '1%', '2.5%', '50%', '97.5%', 'Avg', 'Stdev', 'Min'];
  return table(
    head,
    [
      perSecondRow('Req/Sec', result.requests, (value) => showCount(Math.round(value))),
      perSecondRow('Bytes/Sec', result.bytes, showBytes),
    ],
    colour,
  );
}

export function codesTable(result: RunResult, colour: boolean): string {
  const rows = Object.entries(result.codes).map(([code, count]) => [code, String(count)]);
  return table(['Code', 'Count'], rows, colour);
}

export function percentileTable(result: RunResult, colour: boolean): string {
  const head = ['Percentile', ...result.operations.map(({ operation }) => operation)];
  const rows = PERCENTILES.map((p) => [
    String(p),
    ...result.operations.map(({ response }) => showMicros(response.percentiles[`p${p}`] ?? 0)),
  ]);
  return table(head, rows, colour);
}

/** Requests a second over the run; nothing for runs of a few seconds. */
export function chart(result: RunResult): string {
  const { samples } = result.requests;
  if (samples.length < 5) return '';
  const width = Math.min(samples.length, CHART_WIDTH_MAX);
  const columns = Array.from({ length: width }, (_, i) => samples[Math.floor((i * samples.length) / width)] ?? 0);
  return `Req/Sec over the run\n${asciichart.plot(columns, { height: 6, min: 0, format: (value) => showCount(Math.round(value)).padStart(8) })}`;
}

export function header(plan: Plan): string {
  const mix = OPERATIONS.filter((operation) => plan.mix[operation] > 0).map(
    (operation) => `${operation}=${plan.mix[operation]}`,
  );
  const sizes = plan.sizes.map(({ bytes, share }) =>
    plan.sizes.length === 1 ? showBytes(bytes) : `${showBytes(bytes)}:${share}`,
  );
  const keys = `${showCount(plan.keys)} keys, ${plan.distribution.kind}${'theta' in plan.distribution ? ` ${plan.distribution.theta}` : ''}`;
  const what = plan.amount > 0 ? `${showCount(plan.amount)} operations` : `${showSeconds(plan.durationMs)} test`;
  const loop =
    plan.rate > 0
      ? `open loop, ${showCount(plan.rate)} operations a second at fixed times; response time counts from the intended start, service time from the sending`
      : 'closed loop: a connection waits for its answers; a stall delays what would have been asked meanwhile';
  return [
    `Running ${what} @ ${plan.server}${plan.title === '' ? '' : `: ${plan.title}`}`,
    `${plan.connections} connections with ${plan.inFlight} in flight, ${plan.threads} load thread${plan.threads === 1 ? '' : 's'}, ${plan.sender === 'raw' ? 'raw frames' : 'the SDK'}${plan.routing === 'seed' ? '' : `, routed by ${plan.routing}`}`,
    `${plan.workload === '' ? '' : `YCSB ${plan.workload}: `}${mix.join(',')}; ${keys}; values of ${sizes.join(', ')}; seed ${plan.seed}`,
    loop,
  ].join('\n');
}

/** The line under the tables, and what the reader must know before believing them. */
export function closing(result: RunResult): string {
  const lines = [
    `${showCount(result.count)} operations in ${showSeconds(result.elapsedMs)}, ${showBytes(result.bytesRead)} read, ${showBytes(result.bytesWritten)} written; generator at ${Math.round(result.generatorShare * 100)} % of a core, ${result.generatorCpuUs} µs an operation`,
  ];
  if (result.errors > 0) lines.push(`${result.errors} errors (${(result.errorRate * 100).toFixed(3)} %)`);
  if (result.unsent > 0)
    lines.push(
      `${result.unsent} operations were due and never sent: the server, or the generator, cannot keep this rate`,
    );
  if (result.contextReads > 0)
    lines.push(`${result.contextReads} reads came before writes, to learn a context; they are not counted`);
  if (result.mismatches > 0)
    lines.push(`${result.mismatches} MISMATCHES`, ...result.mismatchTexts.map((text) => `  ${text}`));
  if (result.generatorBusy)
    lines.push(
      'The generator was above 85 % of its core: these figures measure it, not the server. Use -w, or fewer connections',
    );
  if (result.stoppedBy !== '') lines.push(`Stopped before its time: ${result.stoppedBy}`);
  return lines.join('\n');
}

export function report(
  plan: Plan,
  result: RunResult,
  options: { readonly colour: boolean; readonly all: boolean },
): string {
  const { colour, all } = options;
  const parts = [latencyTable(result, colour), perSecondTable(result, colour), codesTable(result, colour)];
  if (all) parts.push(percentileTable(result, colour));
  if (chart(result) !== '') parts.push(chart(result));
  return [plan.title, ...parts, closing(result)].filter((part) => part !== '').join('\n');
}

/** Best, worst and median of several runs. */
export function runsTable(bench: Bench, colour: boolean): string {
  const sorted = [...bench.runs].sort((a, b) => a.throughput - b.throughput);
  const at = (position: number): RunResult | undefined => sorted[Math.floor((sorted.length - 1) * position)];
  const row = (name: string, result: RunResult | undefined): string[] => [
    name,
    showCount(Math.round(result?.throughput ?? 0)),
    ...(result?.operations ?? []).map(
      ({ operation, response }) =>
        `${operation} ${showMicros(response.percentiles['p50'] ?? 0)} / ${showMicros(response.percentiles['p99'] ?? 0)}`,
    ),
  ];
  const operations = bench.runs[0]?.operations.map(({ operation }) => `${operation} 50% / 99%`) ?? [];
  return table(
    ['Runs', 'Req/Sec', ...operations],
    [row('best', at(1)), row('median', at(0.5)), row('worst', at(0))],
    colour,
  );
}
