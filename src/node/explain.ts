import type { ExplainReply } from '../model/messages.js';
import type { PartitionId } from '../model/ids.js';
import type { KeyPlace, ReadRequest, Stored } from '../storage/storage.js';
import { actorText } from '../versioning/actor.js';
import { describeRecord, type RecordDescription } from '../versioning/describe.js';

const NOTHING: RecordDescription = { recordBytes: 0, context: [], siblings: [], rememberedPutIds: [], cutSeconds: 0 };

/** Why a delete that is stored is still remembered; empty: there is none. */
export type ReapTextOf = (place: KeyPlace, stored: Stored) => string;

/** A read that answers with everything stored under a key but the values: what an operator asks when in doubt. */
export class Explanation implements ReadRequest {
  readonly partition: PartitionId;
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly #nowMs: number;
  readonly #reapText: ReapTextOf;
  readonly #done: (reply: ExplainReply) => void;

  constructor(place: KeyPlace, nowMs: number, reapTextOf: ReapTextOf, done: (reply: ExplainReply) => void) {
    this.partition = place.partition;
    this.key = place.key;
    this.hashHi = place.hashHi;
    this.hashLo = place.hashLo;
    this.#nowMs = nowMs;
    this.#reapText = reapTextOf;
    this.#done = done;
  }

  onRead(stored: Stored): void {
    const hasRecord = stored.end > stored.start;
    const hex = (half: number): string => half.toString(16).padStart(8, '0');
    this.#done({
      ...(hasRecord ? describeRecord(stored.bytes, stored.start, this.#nowMs) : NOTHING),
      reaping: hasRecord ? this.#reapText(this, stored) : '',
      found: hasRecord,
      partition: this.partition,
      keyHash: hex(this.hashHi) + hex(this.hashLo),
      state: stored.state === 'unknown' ? (hasRecord ? 'suspect' : 'damaged') : stored.state,
      storedIn: stored.from === 'none' ? '' : stored.from === 'file' ? 'file' : 'buffer',
      mark: stored.hasMark ? `${actorText(stored.markActorHi, stored.markActorLo)}:${stored.markCounter}` : '',
    });
  }
}
