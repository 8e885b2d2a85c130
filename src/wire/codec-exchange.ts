/* What owners of a partition ask each other to find out what differs: some messages a meeting, by protobufjs both ways. */
import type {
  LeavesReply,
  LeavesRequest,
  PullReply,
  PullRequest,
  RepairReply,
  TreeReply,
  TreeRequest,
} from '../model/exchange-messages.js';
import type { KeyHash } from '../model/hash.js';
import { PARTITIONS_MAX } from '../model/limits.js';
import { countAt } from './cursor.js';
import { decodeHash, decodeHashes, encodeHashes } from './hashes.js';
import { count53, decodeBy, limited } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
/** Above what any message of ours names; a packed megabyte would be a million numbers. */
const NUMBERS_MAX = 4_096;
/** Hashes that one PULL names, and records that answer it: keys of one hash are a curiosity. */
export const PULLED_MAX = 256;
const RECORDS_MAX = 4 * PULLED_MAX;
const START: KeyHash = { hi: 0, lo: 0 };
const NONE: Uint8Array = new Uint8Array(0);

export function encodeTree(request: TreeRequest): Uint8Array {
  return v1.Tree.encode({ ...request, parents: [...request.parents] }).finish();
}

export function decodeTree(bytes: Uint8Array, start: number, end: number): TreeRequest | DecodeFault {
  if (end - start > NUMBERS_MAX) return `A question of ${end - start} bytes`;
  return decodeBy(v1.Tree, bytes, start, end, ({ partition, ringVersion, budgetMs, level, parents }) => ({
    partition,
    ringVersion,
    budgetMs,
    level,
    parents,
  }));
}

export function encodeTreeReply(reply: TreeReply): Uint8Array {
  return v1.TreeReply.encode(reply).finish();
}

export function decodeTreeReply(bytes: Uint8Array, start: number, end: number): TreeReply | DecodeFault {
  return decodeBy(v1.TreeReply, bytes, start, end, ({ ringVersion, suspect, hasHints, nodes }) => ({
    ringVersion,
    suspect,
    hasHints,
    nodes,
  }));
}

export function encodeLeaves({ from, ...request }: LeavesRequest): Uint8Array {
  const isStart = from.hi === 0 && from.lo === 0;
  return v1.Leaves.encode({
    ...request,
    leaves: [...request.leaves],
    from: isStart ? NONE : encodeHashes([from]),
  }).finish();
}

export function decodeLeaves(bytes: Uint8Array, start: number, end: number): LeavesRequest | DecodeFault {
  if (end - start > NUMBERS_MAX) return `A question of ${end - start} bytes`;
  return decodeBy(v1.Leaves, bytes, start, end, ({ partition, ringVersion, budgetMs, leaves, from }) => ({
    partition,
    ringVersion,
    budgetMs,
    leaves,
    from: hashOrNull(from) ?? START,
  }));
}

export function encodeLeavesReply({ next, ...reply }: LeavesReply): Uint8Array {
  return v1.LeavesReply.encode({ ...reply, next: next === null ? NONE : encodeHashes([next]) }).finish();
}

export function decodeLeavesReply(bytes: Uint8Array, start: number, end: number): LeavesReply | DecodeFault {
  return decodeBy(v1.LeavesReply, bytes, start, end, ({ ringVersion, suspect, entries, next }) => ({
    ringVersion,
    suspect,
    entries,
    next: hashOrNull(next),
  }));
}

export function encodePull({ hashes, ...request }: PullRequest): Uint8Array {
  return v1.Pull.encode({ ...request, hashes: encodeHashes(hashes) }).finish();
}

export function decodePull(bytes: Uint8Array, start: number, end: number): PullRequest | DecodeFault {
  return decodeBy(v1.Pull, bytes, start, end, ({ partition, ringVersion, budgetMs, hashes }) => ({
    partition,
    ringVersion,
    budgetMs,
    hashes: limited(decodeHashes(hashes), PULLED_MAX, 'hashes'),
  }));
}

export function encodePullReply(reply: PullReply): Uint8Array {
  return v1.PullReply.encode({ ...reply, records: [...reply.records] }).finish();
}

export function decodePullReply(bytes: Uint8Array, start: number, end: number): PullReply | DecodeFault {
  if (countAt(bytes, start, end, [5], RECORDS_MAX) > RECORDS_MAX) return `More than ${RECORDS_MAX} records`;
  return decodeBy(v1.PullReply, bytes, start, end, ({ ringVersion, fence, suspect, answered, records }) => ({
    ringVersion,
    fence: count53(fence),
    suspect,
    answered,
    records,
  }));
}

export interface RepairRequest {
  readonly budgetMs: number;
  /** All owners of the node's partitions are to be met now. */
  readonly start: boolean;
}

export function encodeRepair(request: RepairRequest): Uint8Array {
  return v1.Repair.encode(request).finish();
}

export function decodeRepair(bytes: Uint8Array, start: number, end: number): RepairRequest | DecodeFault {
  return decodeBy(v1.Repair, bytes, start, end, ({ budgetMs, start: starts }) => ({ budgetMs, start: starts }));
}

export function encodeRepairReply(reply: RepairReply): Uint8Array {
  return v1.RepairReply.encode({ ...reply, suspect: [...reply.suspect] }).finish();
}

export function decodeRepairReply(bytes: Uint8Array, start: number, end: number): RepairReply | DecodeFault {
  if (end - start > 8 * PARTITIONS_MAX) return `An answer of ${end - start} bytes`;
  return decodeBy(v1.RepairReply, bytes, start, end, (reply) => ({
    periodMs: reply.periodMs,
    partitions: reply.partitions,
    suspect: limited(reply.suspect, PARTITIONS_MAX, 'partitions'),
    waiting: reply.waiting,
    underWay: reply.underWay,
    met: count53(reply.met),
    failed: count53(reply.failed),
    received: count53(reply.received),
    sent: count53(reply.sent),
    bytesIn: count53(reply.bytesIn),
    bytesOut: count53(reply.bytesOut),
    young: count53(reply.young),
    healed: count53(reply.healed),
    damagedHealed: count53(reply.damagedHealed),
  }));
}

function hashOrNull(bytes: Uint8Array): KeyHash | null {
  return bytes.length === 0 ? null : decodeHash(bytes, 'hash');
}
