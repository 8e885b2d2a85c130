/*
 * What may be left out of a record that lives on, once all owners agree (DESIGN §4, limits; §8): deletes that stand beside
 * living values, and actors none of whose versions lives. Without that a key that is written for years has an actor for
 * each opening of each store that ever minted under it.
 *
 * An entry of a context says that what it covers was replaced. So leaving one out is a reap like that of a whole record:
 * it takes the same round, the same fence, and an entry in the reap log with what was left out. An actor with a living
 * version keeps its entry, and with it everything that the entry covers. Remembered put ids stay.
 *
 * What is left out is a matter of the record alone, not of anybody's clock: else owners would leave out different things.
 */
import { copyBytes, writeU16, writeU32 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import {
  actorHi,
  actorLo,
  CHECKSUM_BYTES,
  compareActor,
  CONTEXT_ENTRY_BYTES,
  contextCount,
  contextStart,
  isTombstone,
  recordBytes,
  recordHeaderEnd,
  rememberedStart,
  SIBLING_HEADER_BYTES,
  SIBLING_PUT_ID,
  siblingCount,
  siblingsStart,
  siblingWallMs,
} from '../versioning/record.js';
import { seal } from '../versioning/write.js';
import type { RecordAt } from './reap-filter.js';
import { idMs } from './reap-rules.js';

export interface LeftOver {
  /** Deletes beside living values. */
  readonly deletes: number;
  /** Actors none of whose versions lives. */
  readonly actors: number;
  /** The newest time that the deletes name, in wall ms; 0: there are none. */
  readonly deletesMs: number;
  /** The newest time that any version names. */
  readonly newestMs: number;
}

/** Of a record or its head; null: nothing lives, so it is not compacted but reaped, or nothing can be left out. */
export function leftOver(bytes: Uint8Array, start: number): LeftOver | null {
  const headers = siblingsStart(bytes, start);
  const count = siblingCount(bytes, start);
  let deletes = 0;
  let deletesMs = 0;
  let newestMs = 0;
  for (let i = 0; i < count; i++) {
    const at = headers + SIBLING_HEADER_BYTES * i;
    const ms = Math.max(siblingWallMs(bytes, at), idMs(bytes, at + SIBLING_PUT_ID));
    newestMs = Math.max(newestMs, ms);
    if (!isTombstone(bytes, at)) continue;
    deletes += 1;
    deletesMs = Math.max(deletesMs, ms);
  }
  if (deletes === count) return null;
  const actors = contextCount(bytes, start) - livingEntries(bytes, start).length;
  return deletes + actors === 0 ? null : { deletes, actors, deletesMs, newestMs };
}

export interface Compacted {
  readonly record: Uint8Array;
  /** Entries that were left out. */
  readonly context: Uint8Array;
}

/** Of a whole record of which `leftOver` is not null. */
export function compacted({ bytes, start }: RecordAt, hash: Hash64): Compacted {
  const entries = contextStart(bytes, start);
  const headers = siblingsStart(bytes, start);
  const living = new Set(livingEntries(bytes, start));
  const kept: Uint8Array[] = [];
  const left: Uint8Array[] = [];
  for (let i = 0; i < contextCount(bytes, start); i++) {
    const at = entries + CONTEXT_ENTRY_BYTES * i;
    (living.has(i) ? kept : left).push(copyBytes(bytes, at, at + CONTEXT_ENTRY_BYTES));
  }
  const siblings: Uint8Array[] = [];
  for (let i = 0; i < siblingCount(bytes, start); i++) {
    const at = headers + SIBLING_HEADER_BYTES * i;
    if (!isTombstone(bytes, at)) siblings.push(copyBytes(bytes, at, at + SIBLING_HEADER_BYTES));
  }
  const record = joined([
    copyBytes(bytes, start, entries),
    ...kept,
    ...siblings,
    copyBytes(bytes, rememberedStart(bytes, start), recordHeaderEnd(bytes, start)),
    // A delete has no value, so the values are those of the siblings that stay.
    copyBytes(bytes, recordHeaderEnd(bytes, start), start + recordBytes(bytes, start) - CHECKSUM_BYTES),
    new Uint8Array(CHECKSUM_BYTES),
  ]);
  writeU32(record, 4, record.length);
  writeU16(record, 8, kept.length);
  writeU16(record, 10, siblings.length);
  seal(record, 0, record.length, hash);
  return { record, context: joined(left) };
}

/** Places in the context of actors with a version that lives, each once. */
function livingEntries(bytes: Uint8Array, start: number): readonly number[] {
  const entries = contextStart(bytes, start);
  const headers = siblingsStart(bytes, start);
  const places: number[] = [];
  let sibling = 0;
  // Both ascend by actor.
  for (let i = 0; i < contextCount(bytes, start) && sibling < siblingCount(bytes, start); i++) {
    const at = entries + CONTEXT_ENTRY_BYTES * i;
    let lives = false;
    for (; sibling < siblingCount(bytes, start); sibling++) {
      const header = headers + SIBLING_HEADER_BYTES * sibling;
      if (compareActor(bytes, header, actorHi(bytes, at), actorLo(bytes, at)) !== 0) break;
      if (!isTombstone(bytes, header)) lives = true;
    }
    if (lives) places.push(i);
  }
  return places;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
