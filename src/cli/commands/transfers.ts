/* partita transfers: the replicas that a node takes over or gives up, and how far each of them is. */
import type { ClusterStatusFacts, FileFacts, MoveFacts } from '../../model/cluster-facts.js';
import { type ClusterOptions, statusOf } from '../cluster-asking.js';
import { durationText } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { counted, formatOf, printJson, printLines, printTable } from '../output.js';
import { bytesText } from '../sizes.js';

const HEAD = ['partition', 'from', 'to', 'phase', 'step', 'since ring', 'file', 'of it', 'rate', 'left'];
/** Of HEAD, in front of those of the file. */
const RAW_COLUMNS = 6;
const BAR_CHARACTERS = 20;

export async function runTransfers(io: Io, options: ClusterOptions): Promise<number> {
  const { self, moves, departing } = await statusOf(io, options);
  // What this node gives in place of one that was lost is from nobody, and is its business, too.
  const own = moves.filter(({ from, to, file }) => from === self || to === self || file !== null);
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { node: self, moves: own, departing });
  else if (format === 'raw') printLines(io, own.map(rawOf));
  else {
    if (own.length > 0) printTable(io, HEAD, own.map(rowOf));
    io.out(`${summary(self, own, departing)}\n`);
    for (const line of filesText(own)) io.out(`${line}\n`);
  }
  return EXIT_DONE;
}

function rowOf(move: MoveFacts): readonly string[] {
  const { partition, from, to, phase, step, since, file } = move;
  const row = [String(partition), from === 0 ? 'lost' : String(from), String(to), phase, step, String(since)];
  return [...row, ...(file === null ? ['', '', '', ''] : fileText(file))];
}

/** Columns of figures instead of bars: bytes, of how many, bytes a second. */
function rawOf(move: MoveFacts): readonly string[] {
  const { bytes = '', ofBytes = '', bytesPerSecond = '' } = move.file ?? {};
  return [...rowOf(move).slice(0, RAW_COLUMNS), ...[bytes, ofBytes, bytesPerSecond].map(String)];
}

function fileText({ bytes, ofBytes, bytesPerSecond }: FileFacts): readonly string[] {
  if (ofBytes === 0) return ['is being copied', '', '', ''];
  const left = ofBytes - bytes;
  const isKnown = left > 0 && bytesPerSecond > 0;
  return [
    bar(bytes / ofBytes),
    `${bytesText(bytes)} of ${bytesText(ofBytes)}`,
    bytesPerSecond > 0 ? `${bytesText(bytesPerSecond)}/s` : '',
    left === 0 ? 'all there' : isKnown ? durationText(leftMs(left, bytesPerSecond)) : '',
  ];
}

function bar(share: number): string {
  const full = Math.floor(share * BAR_CHARACTERS);
  return `[${'#'.repeat(full)}${'.'.repeat(BAR_CHARACTERS - full)}] ${Math.floor(100 * share)} %`;
}

/** Of all together: each goes at the rate at which it went so far. */
function filesText(moves: readonly MoveFacts[]): readonly string[] {
  const files = moves.flatMap(({ file }) => (file === null || file.ofBytes === 0 ? [] : [file]));
  if (files.length < 2) return [];
  const sum = (of: (file: FileFacts) => number): number => files.reduce((total, file) => total + of(file), 0);
  const [bytes, ofBytes, rate] = [sum((file) => file.bytes), sum((file) => file.ofBytes), sum(rateNow)];
  const longestMs = Math.max(...files.map((file) => leftMs(file.ofBytes - file.bytes, file.bytesPerSecond)));
  const left = Number.isFinite(longestMs) && longestMs > 0 ? `, ${durationText(longestMs)} left` : '';
  return [
    `${counted(files.length, 'file')} on the way: ${bytesText(bytes)} of ${bytesText(ofBytes)}, ${bytesText(rate)}/s${left}`,
  ];
}

function rateNow({ bytes, ofBytes, bytesPerSecond }: FileFacts): number {
  return bytes < ofBytes ? bytesPerSecond : 0;
}

function leftMs(bytes: number, bytesPerSecond: number): number {
  return bytes === 0 ? 0 : Math.max(1_000, (1_000 * bytes) / bytesPerSecond);
}

function summary(self: number, moves: readonly MoveFacts[], departing: ClusterStatusFacts['departing']): string {
  const coming = moves.filter(({ to }) => to === self).length;
  const going = moves.filter(({ from }) => from === self).length;
  const parts = [
    `Node ${self} takes over ${counted(coming, 'replica')} and gives up ${counted(going, 'replica')}`,
    ...(departing.length > 0
      ? [`it still holds something of ${counted(departing.length, 'partition')} that moved away`]
      : []),
  ];
  return moves.length === 0 && departing.length === 0
    ? `Nothing is on its way to node ${self}, or from it`
    : parts.join('; ');
}
