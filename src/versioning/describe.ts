/*
 * A record in words, for `partita explain`: everything but the values. Off the hot path.
 */
import { toHex } from '../lib/bytes.js';
import type { ExplainReply, ExplainSibling } from '../model/messages.js';
import { actorText } from './actor.js';
import {
  CONTEXT_ENTRY_BYTES,
  PUT_ID_BYTES,
  SIBLING_HEADER_BYTES,
  SIBLING_PUT_ID,
  actorHi,
  actorLo,
  contextCount,
  contextStart,
  counterOf,
  cutSeconds,
  isTombstone,
  recordBytes,
  rememberedCount,
  rememberedStart,
  siblingCount,
  siblingExpiresMs,
  siblingLogical,
  siblingValueBytes,
  siblingWallMs,
  siblingsStart,
} from './record.js';
import { RecordView } from './view.js';

/** The fields of an ExplainReply that come out of the record. */
export type RecordDescription = Pick<
  ExplainReply,
  'recordBytes' | 'context' | 'siblings' | 'rememberedPutIds' | 'cutSeconds'
>;

/** Describes a checked record, as it would be shown with the wall clock at `nowMs`. */
export function describeRecord(bytes: Uint8Array, start: number, nowMs: number): RecordDescription {
  const view = new RecordView();
  view.show(bytes, start, nowMs);
  const context = rows(contextStart(bytes, start), CONTEXT_ENTRY_BYTES, contextCount(bytes, start), (at) => ({
    actor: actorText(actorHi(bytes, at), actorLo(bytes, at)),
    counter: counterOf(bytes, at),
  }));
  const siblings = rows(siblingsStart(bytes, start), SIBLING_HEADER_BYTES, siblingCount(bytes, start), (at, i) =>
    describeSibling(bytes, at, view.whyHidden(i)),
  );
  const rememberedPutIds = rows(rememberedStart(bytes, start), PUT_ID_BYTES, rememberedCount(bytes, start), (at) =>
    putIdText(bytes, at),
  );
  return {
    recordBytes: recordBytes(bytes, start),
    context,
    siblings,
    rememberedPutIds,
    cutSeconds: cutSeconds(bytes, start),
  };
}

function describeSibling(bytes: Uint8Array, at: number, hidden: string): ExplainSibling {
  return {
    dot: `${actorText(actorHi(bytes, at), actorLo(bytes, at))}:${counterOf(bytes, at)}`,
    tombstone: isTombstone(bytes, at),
    writtenMs: siblingWallMs(bytes, at),
    logical: siblingLogical(bytes, at),
    expiresMs: siblingExpiresMs(bytes, at),
    putId: putIdText(bytes, at + SIBLING_PUT_ID),
    valueBytes: siblingValueBytes(bytes, at),
    hidden,
  };
}

function putIdText(bytes: Uint8Array, at: number): string {
  return toHex(bytes.subarray(at, at + PUT_ID_BYTES));
}

/** One thing of each of `count` rows of `size` bytes. */
function rows<T>(start: number, size: number, count: number, of: (at: number, index: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => of(start + size * i, i));
}
