/* What nodes tell each other, and tools, of the load that they have had: rare messages, by protobufjs both ways. */
import { PARTITIONS_MAX } from '../model/limits.js';
import type { KeyLoad, LoadCounts, LoadReport, NodeLoad, PartitionLoad, WindowLoad } from '../model/load-messages.js';
import { MEMBERS_MAX } from '../ring/shares.js';
import { countAt } from './cursor.js';
import { bad, count53, decodeBy, limited } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
const WINDOWS_MAX = 48;
const KEYS_MAX = 1_024;
const WINDOWS = 1;
const KEYS = 8;
const NODES = 3;
const NONE: Uint8Array = new Uint8Array(0);

export interface LoadsRequest {
  readonly budgetMs: number;
  /** 1..48 */
  readonly windows: number;
}

export interface BalanceReply {
  /** Ordinal of the node that answers. */
  readonly self: number;
  /** A ring document. */
  readonly ring: Uint8Array;
  readonly nodes: readonly NodeLoad[];
}

export function encodeLoads(request: LoadsRequest): Uint8Array {
  return v1.Loads.encode(request).finish();
}

export function decodeLoads(bytes: Uint8Array, start: number, end: number): LoadsRequest | DecodeFault {
  return decodeBy(v1.Loads, bytes, start, end, takeRequest);
}

export function encodeBalance(request: LoadsRequest): Uint8Array {
  return v1.Balance.encode(request).finish();
}

export function decodeBalance(bytes: Uint8Array, start: number, end: number): LoadsRequest | DecodeFault {
  return decodeBy(v1.Balance, bytes, start, end, takeRequest);
}

function takeRequest({ budgetMs, windows }: LoadsRequest): LoadsRequest {
  if (windows < 1 || windows > WINDOWS_MAX) bad(`${windows} windows are none of 1 to ${WINDOWS_MAX}`);
  return { budgetMs, windows };
}

export function encodeLoadsReply(report: LoadReport): Uint8Array {
  return v1.LoadsReply.encode(writeReport(report)).finish();
}

export function decodeLoadsReply(bytes: Uint8Array, start: number, end: number): LoadReport | DecodeFault {
  if (countAt(bytes, start, end, [WINDOWS], WINDOWS_MAX) > WINDOWS_MAX) return `More than ${WINDOWS_MAX} windows`;
  if (countAt(bytes, start, end, [KEYS], KEYS_MAX) > KEYS_MAX) return `More than ${KEYS_MAX} keys`;
  return decodeBy(v1.LoadsReply, bytes, start, end, takeReport);
}

export function encodeBalanceReply({ self, ring, nodes }: BalanceReply): Uint8Array {
  const written = nodes.map(({ ordinal, silence, report }) => ({
    ordinal,
    silence,
    ...(report === null ? {} : { report: writeReport(report) }),
  }));
  return v1.BalanceReply.encode({ self, ring, nodes: written }).finish();
}

export function decodeBalanceReply(bytes: Uint8Array, start: number, end: number): BalanceReply | DecodeFault {
  if (countAt(bytes, start, end, [NODES], MEMBERS_MAX) > MEMBERS_MAX) return `More than ${MEMBERS_MAX} nodes`;
  return decodeBy(v1.BalanceReply, bytes, start, end, ({ self, ring, nodes }) => ({
    self,
    ring,
    nodes: nodes.map(({ ordinal, silence, report }) => ({
      ordinal: ordinal ?? 0,
      silence: silence ?? '',
      report: report === null || report === undefined ? null : takeReport(report),
    })),
  }));
}

function writeReport({ windows, partitions, keys, sampling }: LoadReport): partita.v1.LoadsReply.$Properties {
  return {
    windows: windows.map((window) => ({ ...window })),
    partitions: partitions.map(({ partition }) => partition),
    requests: partitions.map(({ requests }) => requests),
    reads: partitions.map(({ reads }) => reads),
    writes: partitions.map(({ writes }) => writes),
    bytesRead: partitions.map(({ bytesRead }) => bytesRead),
    bytesWritten: partitions.map(({ bytesWritten }) => bytesWritten),
    keys: keys.map((key) => ({ ...key })),
    sampling,
  };
}

function takeReport(reply: partita.v1.LoadsReply.$Properties): LoadReport {
  return {
    windows: limited(reply.windows ?? [], WINDOWS_MAX, 'windows').map(takeWindow),
    partitions: takePartitions(reply),
    keys: limited(reply.keys ?? [], KEYS_MAX, 'keys').map(takeKey),
    sampling: Math.max(1, reply.sampling ?? 1),
  };
}

function takeWindow(window: partita.v1.LoadsReply.Window.$Properties): WindowLoad {
  return { fromMs: count53(window.fromMs ?? 0), toMs: count53(window.toMs ?? 0), ...takeCounts(window) };
}

function takeCounts(counts: { readonly [K in keyof LoadCounts]?: unknown }): LoadCounts {
  return {
    requests: count53(counts.requests ?? 0),
    reads: count53(counts.reads ?? 0),
    writes: count53(counts.writes ?? 0),
    bytesRead: count53(counts.bytesRead ?? 0),
    bytesWritten: count53(counts.bytesWritten ?? 0),
  };
}

function takePartitions(reply: partita.v1.LoadsReply.$Properties): readonly PartitionLoad[] {
  const partitions = limited(reply.partitions ?? [], PARTITIONS_MAX, 'partitions');
  const column = (values: readonly unknown[]): readonly unknown[] =>
    values.length === partitions.length ? values : bad('Columns of different length');
  const requests = column(reply.requests ?? []);
  const reads = column(reply.reads ?? []);
  const writes = column(reply.writes ?? []);
  const bytesRead = column(reply.bytesRead ?? []);
  const bytesWritten = column(reply.bytesWritten ?? []);
  return partitions.map((partition, at) => {
    if (partition >= PARTITIONS_MAX || (at > 0 && partition <= (partitions[at - 1] ?? 0)))
      bad('Partitions that are not in their order');
    return {
      partition,
      ...takeCounts({
        requests: requests[at],
        reads: reads[at],
        writes: writes[at],
        bytesRead: bytesRead[at],
        bytesWritten: bytesWritten[at],
      }),
    };
  });
}

function takeKey(key: partita.v1.LoadsReply.Key.$Properties): KeyLoad {
  const samples = key.samples ?? 0;
  const overcount = key.overcount ?? 0;
  if (overcount > samples) bad(`A key that was met ${samples} times, and ${overcount} of them not`);
  return {
    key: key.key ?? NONE,
    keyBytes: key.keyBytes ?? 0,
    hashHi: key.hashHi ?? 0,
    hashLo: key.hashLo ?? 0,
    samples,
    overcount,
  };
}
