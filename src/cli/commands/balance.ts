/* partita balance: how even the load of the nodes is, by the paper's measure, and why it is no more even (§6.2). */
import { writeFile } from 'node:fs/promises';
import { type Forecast, forecast } from '../../balance/forecast.js';
import { WINDOWS_MAX, windowOf } from '../../balance/load-counters.js';
import { type BalanceReport, balanceReport } from '../../balance/report.js';
import { PartitaError } from '../../client/index.js';
import { decodeRing, type RingDocument } from '../../ring/document.js';
import { type BalanceReply, decodeBalanceReply, encodeBalance } from '../../wire/codec-loads.js';
import { BALANCE, BALANCE_REPLY } from '../../wire/kinds.js';
import { type AdminOptions, adminAddress, askAdmin } from '../admin.js';
import { balanceSvg } from '../balance-plot.js';
import {
  FORECAST_HEAD,
  forecastRows,
  forecastText,
  KEY_HEAD,
  keyRows,
  keysText,
  NODE_HEAD,
  nodeRows,
  reportObject,
  reportText,
  WINDOW_HEAD,
  warningsOf,
  windowRows,
} from '../balance-view.js';
import { wishOf } from '../balance-wish.js';
import { parseDurationMs, parseWhole } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';
import { type CommonOptions, timeoutMsOf } from '../session.js';

export interface BalanceOptions extends AdminOptions, Pick<CommonOptions, 'output' | 'timeout'> {
  readonly since?: string;
  readonly keys?: string;
  readonly whatIf?: readonly string[];
  readonly svg?: string;
}

const KEYS_NAMED = 10;
const KEYS_NAMED_MAX = 1_000;
const SINCE_DEFAULT = '30m';
/** Which of several equal tables is drawn: a plan draws anew, and the figures are the same. */
const SEED = 1;

interface Shown {
  readonly ring: RingDocument;
  readonly report: BalanceReport;
  readonly seen: Forecast | null;
  readonly keys: number;
}

export async function runBalance(io: Io, options: BalanceOptions): Promise<number> {
  const windows = windowsBack(options.since ?? SINCE_DEFAULT, Date.now());
  const keys = options.keys === undefined ? KEYS_NAMED : parseWhole(options.keys, '--keys', 0, KEYS_NAMED_MAX);
  const { ring, nodes } = await gathered(io, options, windows);
  const report = balanceReport(ring, nodes, windows);
  const seen = lookAhead(ring, report, options.whatIf ?? []);
  for (const text of warningsOf(ring, report)) io.err(`warning: ${text}\n`);
  const shown = { ring, report, seen, keys };
  const format = formatOf(io, options.output);
  if (format === 'json')
    printJson(io, { ...reportObject(ring, report), whatIf: seen && { ...seen, table: undefined } });
  else if (format === 'raw') printLines(io, rawOf(shown));
  else printAll(io, shown);
  if (options.svg !== undefined) await draw(options.svg, balanceSvg(report, seen));
  return EXIT_DONE;
}

/** Half hours of which any part lies in the time looked back to. Throws UsageError. */
function windowsBack(since: string, nowMs: number): number {
  const ms = parseDurationMs(since, '--since');
  const windows = windowOf(nowMs) - windowOf(nowMs - ms) + 1;
  if (ms > 86_400_000) throw new UsageError(`--since: ${since} is more than the 24h that nodes remember`);
  return Math.min(windows, WINDOWS_MAX);
}

async function gathered(
  io: Io,
  options: BalanceOptions,
  windows: number,
): Promise<Pick<BalanceReply, 'nodes'> & { readonly ring: RingDocument }> {
  const budgetMs = timeoutMsOf(options);
  const { ring: bytes, nodes } = await askAdmin(adminAddress(io, options), budgetMs, {
    kind: BALANCE,
    replyKind: BALANCE_REPLY,
    body: encodeBalance({ budgetMs, windows }),
    read: (answer, start, end) => {
      const reply = decodeBalanceReply(answer, start, end);
      return typeof reply === 'string' ? reply : { ...reply, ring: Uint8Array.from(reply.ring) };
    },
  });
  const ring = decodeRing(bytes);
  if ('fault' in ring) throw new PartitaError('PROTOCOL', `the node has answered with what is no ring: ${ring.fault}`);
  return { ring, nodes };
}

function lookAhead(ring: RingDocument, { partitions }: BalanceReport, words: readonly string[]): Forecast | null {
  const wish = wishOf(words, ring);
  if (wish === null) return null;
  const seen = forecast(ring, partitions, wish, SEED);
  if ('fault' in seen) throw new UsageError(`--what-if: no ring can be made of this: ${seen.fault}`);
  return seen;
}

function printAll(io: Io, { ring, report, seen, keys }: Shown): void {
  printTable(io, NODE_HEAD, nodeRows(ring, report));
  for (const line of reportText(report)) io.out(`${line}\n`);
  const text = keysText(report, keys);
  if (text !== '') io.out(`${text}\n`);
  const rows = keyRows(ring, report, keys);
  if (rows.length > 0) printTable(io, KEY_HEAD, rows);
  if (report.windows.length > 1) printTable(io, WINDOW_HEAD, windowRows(report));
  if (seen === null) return;
  for (const line of forecastText(seen)) io.out(`${line}\n`);
  printTable(io, FORECAST_HEAD, forecastRows(seen));
}

function rawOf({ ring, report, seen, keys }: Shown): readonly (readonly string[])[] {
  const { efficiency, offBalance, split } = report;
  return [
    ...nodeRows(ring, report).map((row) => ['node', ...row]),
    ['efficiency', String(efficiency), String(offBalance)],
    ['split', ...Object.entries(split).map(([name, factor]) => `${name}=${String(factor)}`)],
    ...keyRows(ring, report, keys).map((row) => ['key', ...row]),
    ...windowRows(report).map((row) => ['window', ...row]),
    ...(seen === null
      ? []
      : [
          ['what-if', String(seen.before.requests), String(seen.after.requests), String(seen.replicasMoved ?? '')],
          ...forecastRows(seen).map((row) => ['what-if-node', ...row]),
        ]),
  ];
}

async function draw(file: string, svg: string): Promise<void> {
  try {
    await writeFile(file, svg);
  } catch (error) {
    throw new UsageError(`--svg: cannot write ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
  }
}
