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
import type { Hash64 } from '../model/hash.js';
import {
  actorHi,
  actorLo,
  compareActor,
  CONTEXT_ENTRY_BYTES,
  contextCount,
  contextStart,
  isTombstone,
  SIBLING_HEADER_BYTES,
  SIBLING_PUT_ID,
  siblingCount,
  siblingsStart,
  siblingWallMs,
} from '../versioning/record.js';
import { entriesAt, partOf, type RecordAt } from './part-of-record.js';
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
export function compacted(at: RecordAt, hash: Hash64): Compacted {
  const { bytes, start } = at;
  const headers = siblingsStart(bytes, start);
  const entries = livingEntries(bytes, start);
  const living = new Set(entries);
  const left = placesUpTo(contextCount(bytes, start)).filter((entry) => !living.has(entry));
  const siblings = placesUpTo(siblingCount(bytes, start)).filter(
    (sibling) => !isTombstone(bytes, headers + SIBLING_HEADER_BYTES * sibling),
  );
  return { record: partOf(at, { entries, siblings }, hash), context: entriesAt(at, left) };
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

function placesUpTo(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}
