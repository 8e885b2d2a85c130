/* What nodes say to each other to forget a delete: rare messages, by protobufjs both ways. */
import type {
  FenceMessage,
  FencesMessage,
  ReapAsk,
  ReapAskReply,
  ReapLogReply,
  ReapLogRequest,
  ReapedMessage,
  ReapedReply,
  ReapOrder,
} from '../model/reap-messages.js';
import { PARTITIONS_MAX, REAP_HEADS_MAX } from '../model/limits.js';
import { countAt } from './cursor.js';
import { bad, count53, decodeBy, limited } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
export interface ReapReplyMessage {
  readonly reaped: number;
}

export interface FencesReplyMessage {
  readonly fences: readonly FenceMessage[];
}

/** Entries of one answer. */
const ENTRIES_MAX = 16_384;

export function encodeReapAsk(ask: ReapAsk): Uint8Array {
  return v1.ReapAsk.encode({ ...ask, heads: [...ask.heads] }).finish();
}

export function decodeReapAsk(bytes: Uint8Array, start: number, end: number): ReapAsk | DecodeFault {
  if (countAt(bytes, start, end, [5], REAP_HEADS_MAX) > REAP_HEADS_MAX) return `More than ${REAP_HEADS_MAX} records`;
  return decodeBy(v1.ReapAsk, bytes, start, end, (ask) => ({
    partition: ask.partition,
    ringVersion: ask.ringVersion,
    budgetMs: ask.budgetMs,
    fence: count53(ask.fence),
    heads: limited(ask.heads, REAP_HEADS_MAX, 'records'),
    compact: ask.compact,
  }));
}

export function encodeReapAskReply(reply: ReapAskReply): Uint8Array {
  return v1.ReapAskReply.encode({ ...reply, entries: [...reply.entries] }).finish();
}

export function decodeReapAskReply(bytes: Uint8Array, start: number, end: number): ReapAskReply | DecodeFault {
  if (countAt(bytes, start, end, [4], ENTRIES_MAX) > ENTRIES_MAX) return `More than ${ENTRIES_MAX} entries`;
  return decodeBy(v1.ReapAskReply, bytes, start, end, (reply) => ({
    fence: count53(reply.fence),
    opening: count53(reply.opening),
    verdicts: reply.verdicts,
    entries: reply.entries,
  }));
}

export function encodeReap(order: ReapOrder): Uint8Array {
  return v1.Reap.encode({ ...order, heads: [...order.heads] }).finish();
}

export function decodeReap(bytes: Uint8Array, start: number, end: number): ReapOrder | DecodeFault {
  if (countAt(bytes, start, end, [6], REAP_HEADS_MAX) > REAP_HEADS_MAX) return `More than ${REAP_HEADS_MAX} records`;
  return decodeBy(v1.Reap, bytes, start, end, (order) => ({
    partition: order.partition,
    ringVersion: order.ringVersion,
    budgetMs: order.budgetMs,
    fence: count53(order.fence),
    opening: count53(order.opening),
    heads: limited(order.heads, REAP_HEADS_MAX, 'records'),
    compact: order.compact,
  }));
}

export function encodeReapReply(reply: ReapReplyMessage): Uint8Array {
  return v1.ReapReply.encode(reply).finish();
}

export function decodeReapReply(bytes: Uint8Array, start: number, end: number): ReapReplyMessage | DecodeFault {
  return decodeBy(v1.ReapReply, bytes, start, end, ({ reaped }) => ({ reaped }));
}

export function encodeReapLog(request: ReapLogRequest): Uint8Array {
  return v1.ReapLog.encode(request).finish();
}

export function decodeReapLog(bytes: Uint8Array, start: number, end: number): ReapLogRequest | DecodeFault {
  return decodeBy(v1.ReapLog, bytes, start, end, (request) => ({
    partition: request.partition,
    budgetMs: request.budgetMs,
    since: count53(request.since),
    after: request.after,
  }));
}

export function encodeReapLogReply(reply: ReapLogReply): Uint8Array {
  return v1.ReapLogReply.encode({ ...reply, entries: [...reply.entries] }).finish();
}

export function decodeReapLogReply(bytes: Uint8Array, start: number, end: number): ReapLogReply | DecodeFault {
  if (countAt(bytes, start, end, [3], ENTRIES_MAX) > ENTRIES_MAX) return `More than ${ENTRIES_MAX} entries`;
  return decodeBy(v1.ReapLogReply, bytes, start, end, (reply) => ({
    reapedAt: count53(reply.reapedAt),
    trimmedAt: count53(reply.trimmedAt),
    entries: reply.entries,
    next: reply.next,
  }));
}

export function encodeFences(message: FencesMessage): Uint8Array {
  return v1.Fences.encode({ ...message, fences: [...message.fences] }).finish();
}

export function decodeFences(bytes: Uint8Array, start: number, end: number): FencesMessage | DecodeFault {
  if (countAt(bytes, start, end, [2], PARTITIONS_MAX) > PARTITIONS_MAX) return 'More fences than partitions';
  return decodeBy(v1.Fences, bytes, start, end, ({ budgetMs, fences, notice }) => ({
    budgetMs,
    fences: fences.map(takeFence),
    notice,
  }));
}

export function encodeFencesReply(reply: FencesReplyMessage): Uint8Array {
  return v1.FencesReply.encode({ fences: [...reply.fences] }).finish();
}

export function decodeFencesReply(bytes: Uint8Array, start: number, end: number): FencesReplyMessage | DecodeFault {
  if (countAt(bytes, start, end, [1], PARTITIONS_MAX) > PARTITIONS_MAX) return 'More fences than partitions';
  return decodeBy(v1.FencesReply, bytes, start, end, ({ fences }) => ({ fences: fences.map(takeFence) }));
}

function takeFence(fence: partita.v1.Fences.Fence.$Properties): FenceMessage {
  const partition = fence.partition ?? 0;
  if (partition >= PARTITIONS_MAX) return bad(`A fence of partition ${partition}`);
  return {
    partition,
    fence: count53(fence.fence ?? 0),
    reapedAt: count53(fence.reapedAt ?? 0),
    trimmedAt: count53(fence.trimmedAt ?? 0),
  };
}

export function encodeReaped(message: ReapedMessage): Uint8Array {
  return v1.Reaped.encode({ ...message, entries: [...message.entries] }).finish();
}

export function decodeReaped(bytes: Uint8Array, start: number, end: number): ReapedMessage | DecodeFault {
  if (countAt(bytes, start, end, [3], ENTRIES_MAX) > ENTRIES_MAX) return `More than ${ENTRIES_MAX} entries`;
  return decodeBy(v1.Reaped, bytes, start, end, ({ partition, budgetMs, entries }) => ({
    partition,
    budgetMs,
    entries,
  }));
}

export function encodeReapedReply(reply: ReapedReply): Uint8Array {
  return v1.ReapedReply.encode(reply).finish();
}

export function decodeReapedReply(bytes: Uint8Array, start: number, end: number): ReapedReply | DecodeFault {
  return decodeBy(v1.ReapedReply, bytes, start, end, ({ applied }) => ({ applied }));
}
