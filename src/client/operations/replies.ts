/* From replies as wire/ reads them to what the application gets: values decoded, bytes that are not ours copied. */
import type { GetReply, PutReply, ReplyOrigin, SiblingMessage } from '../../model/messages.js';
import type { Codec } from '../codecs.js';
import { contextOf } from '../opaque-context.js';
import type { Call } from '../core/call.js';
import { PartitaError } from '../errors.js';
import type { Resolver } from '../resolvers.js';
import type { GetResult, PutResult, ReplyMeta, Sibling, Siblings } from '../results.js';

/** How values of one view of the client are read. */
export interface Reading<T> {
  readonly codec: Codec<T>;
  readonly resolver: Resolver<T> | undefined;
}

export function metaOf(origin: ReplyOrigin, call: Call, durationMs: number): ReplyMeta {
  const { nodeId, ringVersion, acked, durable, sloppy } = origin;
  const owners = call.nodeIdsOf(origin.owners);
  const fallbacks = call.nodeIdsOf(origin.fallbacks);
  return { nodeId, ringVersion, acked, durable, sloppy, owners, fallbacks, attempts: call.sends, durationMs };
}

/** Throws PartitaError `DECODE`, or what the resolver throws. */
export function getResultOf<T>(reply: GetReply, key: Uint8Array, reading: Reading<T>, meta: ReplyMeta): GetResult<T> {
  const context = contextOf(new Uint8Array(reply.context), reply.origin.fastest);
  const { codec, resolver } = reading;
  const { siblings: stored } = reply;
  const first = stored[0];
  if (first === undefined) return { found: false, context, meta };
  const only = siblingOf(first, codec, meta);
  if (stored.length === 1) {
    return { found: true, conflict: false, value: only.value, siblings: [only], resolved: false, context, meta };
  }
  const siblings: Siblings<T> = [only, ...stored.slice(1).map((other) => siblingOf(other, codec, meta))];
  if (resolver === undefined) return { found: true, conflict: true, siblings, context, meta };
  const value = resolver(siblings, key);
  return { found: true, conflict: false, value, siblings, resolved: true, context, meta };
}

/** `fastest`: the node that the put's own context named; a put measures none, so it is handed on. */
export function putResultOf(reply: PutReply, meta: ReplyMeta, fastest: number): PutResult {
  const { context: bytes, origin } = reply;
  const context = bytes.length === 0 ? undefined : contextOf(new Uint8Array(bytes), origin.fastest || fastest);
  return { context, siblingCount: reply.siblingCount, meta };
}

function siblingOf<T>(sibling: SiblingMessage, codec: Codec<T>, meta: ReplyMeta): Sibling<T> {
  const { writtenMs, expiresMs } = sibling;
  try {
    const value = codec.decode(codec.borrows === true ? sibling.value : copyOf(sibling.value));
    return { value, writtenMs, expiresMs };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const text = `The codec ${codec.name} refused ${sibling.value.length} stored bytes: ${why}`;
    throw new PartitaError('DECODE', text, { cause, attempts: meta.attempts });
  }
}

/**
 * From Node's pool when it is small: an ArrayBuffer a value made the garbage collector the largest part of a get. The
 * price is Node's usual one, a value that is kept may keep its 8 KiB neighbourhood.
 */
function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafe(bytes.length);
  copy.set(bytes);
  return copy;
}
