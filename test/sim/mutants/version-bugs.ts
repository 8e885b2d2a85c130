/* Planted bugs of versions: dots, contexts, put ids, clocks. */
import { PutOperation } from '../../../src/node/put.js';
import { Prng } from '../../../src/lib/prng.js';
import {
  actorHi,
  actorLo,
  CONTEXT_ENTRY_BYTES,
  contextCount,
  contextStart,
  counterOf,
} from '../../../src/versioning/record.js';
import { RecordView } from '../../../src/versioning/view.js';
import type { Stored } from '../../../src/storage/storage.js';
import { HASH, randomFrom } from '../tools.js';
import type { Mutant } from './mutant.js';
import { putTogether, takeApart } from './record-edits.js';
import { EditedWrite, PassingWrite, storedWith, wrappingWrites } from './wrappers.js';

export const mintByOwnEntry: Mutant = {
  name: 'mint-by-own-entry',
  what: "the next counter is taken from the record's own entry of this node, whatever its mark says",
  storage: (inner, world) =>
    wrappingWrites(
      (request) =>
        new (class extends PassingWrite {
          override decide(stored: Stored): number {
            return super.decide(withOwnMark(stored, world.ordinal));
          }
        })(request),
    )(inner),
};

function withOwnMark(stored: Stored, ordinal: number): Stored {
  if (stored.state !== 'ok' || stored.hasMark) return stored;
  const { bytes, start } = stored;
  const entries = contextStart(bytes, start);
  for (let at = entries; at < entries + CONTEXT_ENTRY_BYTES * contextCount(bytes, start); at += CONTEXT_ENTRY_BYTES) {
    if (actorHi(bytes, at) >>> 16 !== ordinal) continue;
    const mark = {
      markActorHi: actorHi(bytes, at),
      markActorLo: actorLo(bytes, at),
      markCounter: counterOf(bytes, at),
    };
    return storedWith(stored, { hasMark: true, ...mark });
  }
  return stored;
}

export const sameActorAgain: Mutant = {
  name: 'same-actor-again',
  what: "a node draws its actors' bits from a seed that every start begins anew",
  given: { faults: ['kill', 'restart', 'lost-disk', 'rollback'], faultEveryMs: 400 },
  random: (_inner, ordinal) => randomFrom(new Prng(ordinal)),
};

export const retryIsSecondWrite: Mutant = {
  name: 'retry-is-second-write',
  what: 'a put that is sent again gets a new id, so it is stored again',
  storage: (inner, world) =>
    wrappingWrites((request) => {
      if (request instanceof PutOperation && request.retry) {
        const putId = request.putId.slice();
        new DataView(putId.buffer).setUint32(8, world.random.u32());
        request.putId = putId;
      }
      return request;
    })(inner),
};

export const contextOfUnread: Mutant = {
  name: 'context-of-unread',
  what: "a put's reply carries the record's context, though there are siblings that its client has not read",
  storage: wrappingWrites((request) =>
    !(request instanceof PutOperation)
      ? request
      : new (class extends PassingWrite {
          readonly #view = new RecordView();
          override encode(target: Uint8Array, at: number): void {
            super.encode(target, at);
            this.#view.show(target, at, 0);
            request.contextBytes = this.#view.tokenBytes;
            if (request.context.length < request.contextBytes)
              request.context = new Uint8Array(2 * request.contextBytes);
            this.#view.encodeToken(request.context, 0, HASH, request);
          }
        })(request),
  ),
};

export const lastWriterWins: Mutant = {
  name: 'last-writer-wins',
  what: 'of several siblings only the one that was just written is kept',
  storage: wrappingWrites(
    (request) =>
      new EditedWrite(request, (bytes) => {
        const parts = takeApart(bytes, 0);
        const { markActorHi, markActorLo, markCounter } = request;
        parts.siblings = parts.siblings.filter(
          ({ header }) =>
            actorHi(header, 0) === markActorHi &&
            actorLo(header, 0) === markActorLo &&
            counterOf(header, 0) === markCounter,
        );
        return putTogether(parts);
      }),
  ),
};

export const clockForgotten: Mutant = {
  name: 'clock-forgotten',
  what: 'a node starts with a clock that knows none of the stamps it gave before',
  given: { faults: ['clock', 'kill', 'restart'], faultEveryMs: 400, skewMaxMs: 50_000 },
  forgetsClock: true,
};
