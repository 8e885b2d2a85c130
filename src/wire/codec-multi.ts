/*
 * Many keys in one frame. What is nested in these messages is counted before it is decoded: two bytes on the wire are
 * an object in memory. Budget, namespace and ring version stand once, in the message; those of its items are not read.
 */
import { fromHex } from '../lib/bytes.js';
import { ERROR_CODES } from '../model/errors.js';
import type { Failure } from '../model/errors.js';
import { MULTI_KEYS_MAX, SIBLINGS_MAX } from '../model/limits.js';
import type {
  GetReply,
  GetRequest,
  ManyReply,
  PutReply,
  PutRequest,
  ReplyOrigin,
  RequestHead,
  SiblingMessage,
} from '../model/messages.js';
import { takeError } from './codec-connection.js';
import { countAt } from './cursor.js';
import { partita } from './protobuf.js';
import { bad, count53, decodeBy, hexOfId, limited } from './plain.js';
import { ORDINALS_DECODED_MAX } from './read-origin.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
/** Siblings of all items of one reply together. */
const SIBLINGS_OF_ALL_MAX = MULTI_KEYS_MAX * SIBLINGS_MAX;

export interface MultiGetRequest extends RequestHead {
  readonly gets: readonly GetRequest[];
}

export interface MultiPutRequest extends RequestHead {
  readonly puts: readonly PutRequest[];
  /** As that of a PutRequest. */
  readonly sentMs?: number;
}

export function encodeMultiGet(request: MultiGetRequest): Uint8Array {
  const gets = request.gets.map((get) => ({ key: get.key, r: get.r, strict: get.strict }));
  return v1.MultiGet.encode({ ...headOf(request), gets }).finish();
}

export function decodeMultiGet(bytes: Uint8Array, start: number, end: number): MultiGetRequest | DecodeFault {
  if (countAt(bytes, start, end, [1], MULTI_KEYS_MAX) > MULTI_KEYS_MAX) return tooMany('gets', MULTI_KEYS_MAX);
  return decodeBy(v1.MultiGet, bytes, start, end, (message) => {
    const head = headOf(message);
    return {
      ...head,
      gets: message.gets.map((get) => ({ ...head, key: get.key ?? NONE, r: get.r ?? 0, strict: get.strict ?? false })),
    };
  });
}

export function encodeMultiPut(request: MultiPutRequest): Uint8Array {
  const items = request.puts.map((put) => {
    const { key, context, putId, retry, w, strict, durable, returnSiblings } = put;
    const shared = { key, context, putId, retry, w, strict, durable, returnSiblings };
    return put.value === undefined ? { delete: shared } : { put: { ...shared, value: put.value, ttlMs: put.ttlMs } };
  });
  return v1.MultiPut.encode({ ...headOf(request), sentMs: request.sentMs ?? 0, items }).finish();
}

export function decodeMultiPut(bytes: Uint8Array, start: number, end: number): MultiPutRequest | DecodeFault {
  if (countAt(bytes, start, end, [1], MULTI_KEYS_MAX) > MULTI_KEYS_MAX) return tooMany('puts', MULTI_KEYS_MAX);
  return decodeBy(v1.MultiPut, bytes, start, end, (message) => {
    const head = headOf(message);
    const puts = message.items.map((item) => takeWrite(item, head));
    return { ...head, puts, sentMs: count53(message.sentMs) };
  });
}

export function encodeMultiGetReply(items: ManyReply<GetReply>, ringVersion: number): Uint8Array {
  return v1.MultiGetReply.encode({
    items: items.map((item) =>
      'failure' in item ? { error: giveError(item.failure, ringVersion) } : { reply: giveReply(item) },
    ),
  }).finish();
}

export function decodeMultiGetReply(bytes: Uint8Array, start: number, end: number): ManyReply<GetReply> | DecodeFault {
  const excess = excessOfReply(bytes, start, end, 1);
  if (excess !== '') return excess;
  return decodeBy(v1.MultiGetReply, bytes, start, end, (message) =>
    message.items.map((item) => {
      if (item.error) return { failure: takeError(new v1.Error(item.error)) };
      const reply = item.reply ?? bad('An item without reply or error');
      return {
        siblings: takeSiblings(reply.siblings),
        context: reply.context ?? NONE,
        origin: takeOrigin(reply.origin),
      };
    }),
  );
}

export function encodeMultiPutReply(items: ManyReply<PutReply>, ringVersion: number): Uint8Array {
  return v1.MultiPutReply.encode({
    items: items.map((item) =>
      'failure' in item
        ? { error: giveError(item.failure, ringVersion) }
        : { reply: { ...giveReply(item), siblingCount: item.siblingCount } },
    ),
  }).finish();
}

export function decodeMultiPutReply(bytes: Uint8Array, start: number, end: number): ManyReply<PutReply> | DecodeFault {
  const excess = excessOfReply(bytes, start, end, 2);
  if (excess !== '') return excess;
  return decodeBy(v1.MultiPutReply, bytes, start, end, (message) =>
    message.items.map((item) => {
      if (item.error) return { failure: takeError(new v1.Error(item.error)) };
      const reply = item.reply ?? bad('An item without reply or error');
      return {
        context: reply.context ?? NONE,
        siblings: takeSiblings(reply.siblings),
        siblingCount: reply.siblingCount ?? 0,
        origin: takeOrigin(reply.origin),
      };
    }),
  );
}

const NONE: Uint8Array = new Uint8Array(0);

function tooMany(what: string, max: number): DecodeFault {
  return `More than ${max} ${what} in one message`;
}

/** Items, and the siblings inside of replies, whose field number there is `siblingsField`. */
function excessOfReply(bytes: Uint8Array, start: number, end: number, siblingsField: number): DecodeFault {
  if (countAt(bytes, start, end, [1], MULTI_KEYS_MAX) > MULTI_KEYS_MAX) return tooMany('items', MULTI_KEYS_MAX);
  const siblings = countAt(bytes, start, end, [1, 1, siblingsField], SIBLINGS_OF_ALL_MAX);
  return siblings > SIBLINGS_OF_ALL_MAX ? tooMany('siblings', SIBLINGS_OF_ALL_MAX) : '';
}

function headOf(head: RequestHead): RequestHead {
  return { budgetMs: head.budgetMs, namespace: head.namespace, ringVersion: head.ringVersion };
}

function takeWrite(item: partita.v1.MultiPut.Item.$Properties, head: RequestHead): PutRequest {
  const write = item.put ?? item.delete ?? bad('An item without put or delete');
  return {
    ...head,
    key: write.key ?? NONE,
    value: item.put ? (item.put.value ?? NONE) : undefined,
    context: write.context ?? NONE,
    putId: write.putId ?? NONE,
    retry: write.retry ?? false,
    w: write.w ?? 0,
    strict: write.strict ?? false,
    durable: write.durable ?? false,
    ttlMs: item.put ? count53(item.put.ttlMs ?? 0) : 0,
    returnSiblings: write.returnSiblings ?? false,
    sentMs: 0, // told once, for all of them
  };
}

function giveError(failure: Failure, ringVersion: number): partita.v1.Error.$Properties {
  return { ...failure, code: ERROR_CODES[failure.code].number, ringVersion };
}

function giveReply(reply: GetReply | PutReply): partita.v1.GetReply.$Properties {
  const { context, origin } = reply;
  const { nodeId, owners, fallbacks } = origin;
  return {
    siblings: [...reply.siblings],
    context,
    origin: { ...origin, nodeId: fromHex(nodeId), owners: [...owners], fallbacks: [...fallbacks] },
  };
}

function takeSiblings(
  siblings: readonly partita.v1.Sibling.$Properties[] | null | undefined,
): readonly SiblingMessage[] {
  return (siblings ?? []).map((sibling) => ({
    value: sibling.value ?? NONE,
    writtenMs: count53(sibling.writtenMs ?? 0),
    expiresMs: count53(sibling.expiresMs ?? 0),
  }));
}

function takeOrigin(origin: partita.v1.Origin.$Properties | null | undefined): ReplyOrigin {
  return {
    nodeId: hexOfId(origin?.nodeId ?? NONE),
    ringVersion: origin?.ringVersion ?? 0,
    acked: origin?.acked ?? 0,
    durable: origin?.durable ?? false,
    sloppy: origin?.sloppy ?? false,
    owners: limited(origin?.owners ?? [], ORDINALS_DECODED_MAX, 'owners'),
    fallbacks: limited(origin?.fallbacks ?? [], ORDINALS_DECODED_MAX, 'fallbacks'),
    fastest: origin?.fastest ?? 0,
  };
}
