/*
 * Looks for deletes that may be forgotten, partition by partition, and proposes to forget them (repair/reap-round.ts).
 *
 * Every owner looks, so that a partition whose first owner has reaped already, while another one has missed the order, is
 * not left as it is; but the others wait longer, and mostly find nothing left to do. One round at a time.
 */
import type { Slices } from '../../background/slices.js';
import type { TimerHandle } from '../../env/clock.js';
import { type Flow, run, wait } from '../../lib/flow.js';
import { REAP_HEADS_MAX } from '../../model/limits.js';
import { isOn } from '../../model/build.js';
import type { PartitionId } from '../../model/ids.js';
import type { ReapAsk, ReapAskReply, ReapOrder } from '../../model/reap-messages.js';
import { leftOver } from '../../repair/compact.js';
import { type Objection, ReapRound } from '../../repair/reap-round.js';
import { type ReapFacts, reapText } from '../../repair/reap-text.js';
import { newestMs } from '../../repair/reap-rules.js';
import { headOf, keyOfHead } from '../../repair/record-head.js';
import { decodeReap } from '../../storage/reap-format.js';
import { HASH_END_HI, type HashPlace } from '../../storage/scan.js';
import type { KeyPlace, Stored } from '../../storage/storage.js';
import { keyName } from '../../storage/storage-key.js';
import { decodeReapAskReply, encodeReap, encodeReapAsk } from '../../wire/codec-reap.js';
import { REAP, REAP_ASK } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import { askBody } from './ask-body.js';
import type { ReapingOptions } from './options.js';
import type { ClusterParts } from './parts.js';
import type { ReapMember } from './reap-member.js';

const ASK_TIMEOUT_MS = 5_000;
const BATCH_RECORDS_MAX = 256;
const BATCH_BYTES_MAX = 262_144;
const HEADS_BYTES_MAX = 262_144;
/** A record that was written more lately is not looked at to be compacted. */
const SETTLED_MS_MAX = 5_000;
/** Keys whose objections are kept for `partita explain`. */
const REASONS_MAX = 4_096;

/** Records for one round. */
interface Batch {
  readonly heads: readonly Uint8Array[];
  /** They live on, and are freed of what is over in them. */
  readonly compact: boolean;
}

interface Found {
  readonly reap: Batch;
  readonly compact: Batch;
  readonly next: HashPlace | null;
  /** Tombstones and expired values that are too young. */
  readonly young: number;
}

/** What the last look at a partition has found. */
export interface ReapSummary {
  readonly partition: number;
  readonly candidates: number;
  readonly young: number;
  readonly reaped: number;
  /** Member → keys that wait for it. */
  readonly waitsFor: ReadonlyMap<number, number>;
}

interface Summary {
  partition: number;
  candidates: number;
  young: number;
  reaped: number;
  waitsFor: Map<number, number>;
}

export class Reaper {
  readonly #parts: ClusterParts;
  readonly #member: ReapMember;
  readonly #options: ReapingOptions;
  readonly #slices: Slices;
  readonly #summaries: Map<number, Summary> = new Map();
  readonly #reasons: Map<string, readonly Objection[]> = new Map();
  #round: ReapRound | null = null;
  #timer: TimerHandle | null = null;
  #stopped = false;

  constructor(parts: ClusterParts, member: ReapMember, options: ReapingOptions, slices: Slices) {
    this.#parts = parts;
    this.#member = member;
    this.#options = options;
    this.#slices = slices;
    this.#again();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#round?.abandon();
  }

  summaries(): readonly ReapSummary[] {
    return [...this.#summaries.values()];
  }

  textOf({ partition, key }: KeyPlace, { bytes, start }: Stored): string {
    const { preferences, services, fences, self, nameOf } = this.#parts;
    const owners = preferences.ownersOf(partition);
    const facts: ReapFacts = {
      isOwner: owners.includes(self),
      isFirstOwner: owners[0] === self,
      newestMs: newestMs(bytes, start),
      nowMs: services.clock.wallMs(),
      reapAfterMs: this.#options.reapAfterMs,
      lookEveryMs: this.#options.lookEveryMs,
      objections: this.#reasons.get(keyName(key, 0, key.length)),
      unheard: fences.missing(partition),
    };
    return reapText(facts, nameOf);
  }

  #again(): void {
    if (this.#stopped) return;
    this.#timer = this.#parts.timers.after(this.#options.lookEveryMs, () => {
      this.#timer = null;
      run(this.#lookAtAll(), (error) => {
        if (error !== null) this.#parts.services.log.warn('reaping-stopped', { error: error.message });
        this.#again();
      });
    });
  }

  *#lookAtAll(): Flow<void> {
    const { preferences, services, self } = this.#parts;
    for (let partition = 0; partition < services.ring.partitionCount; partition++) {
      const rank = preferences.ownersOf(partition).indexOf(self);
      if (rank >= 0 && !preferences.isMoving(partition)) yield* this.#lookAt(partition, rank);
    }
  }

  *#lookAt(partition: number, rank: number): Flow<void> {
    const summary: Summary = { partition, candidates: 0, young: 0, reaped: 0, waitsFor: new Map() };
    let from: HashPlace | null = { hi: 0, lo: 0 };
    while (from !== null && !this.#stopped) {
      const place: HashPlace = from;
      yield* wait<void>((done) => {
        this.#slices.ask('reap', BATCH_BYTES_MAX, () => {
          done(null);
        });
      });
      if (this.#stopped) return;
      const found: Found = yield* wait<Found>((done) => {
        this.#scan(partition, place, rank, done);
      });
      from = found.next;
      summary.young += found.young;
      yield* this.#propose(partition, found.reap, summary);
      yield* this.#propose(partition, found.compact, summary);
    }
    yield* this.#trim(partition);
    this.#summaries.set(partition, summary);
    this.#tell();
  }

  #scan(partition: number, from: HashPlace, rank: number, done: (error: Error | null, found?: Found) => void): void {
    const { services } = this.#parts;
    const { reapAfterMs, lookEveryMs } = this.#options;
    const beforeMs = services.clock.wallMs() - 4 * rank * lookEveryMs;
    const olderThanMs = beforeMs - reapAfterMs;
    const reap: Uint8Array[] = [];
    const compact: Uint8Array[] = [];
    let bytes = 0;
    let young = 0;
    let full: HashPlace | null = null;
    services.storage.scan({
      partition: partition as PartitionId,
      fromHi: from.hi,
      fromLo: from.lo,
      untilHi: HASH_END_HI,
      untilLo: 0,
      recordsMax: BATCH_RECORDS_MAX,
      bytesMax: BATCH_BYTES_MAX,
      onRecord: (stored: Stored, _key, hi, lo) => {
        if (stored.state !== 'ok' || full !== null) return;
        const newest = newestMs(stored.bytes, stored.start);
        const isOver = newest <= olderThanMs;
        if (!isOver && newest < Number.POSITIVE_INFINITY) young += 1;
        if (!isOver && !this.#isToCompact(stored, beforeMs)) return;
        if (reap.length + compact.length >= REAP_HEADS_MAX || bytes >= HEADS_BYTES_MAX) {
          full = { hi, lo };
          return;
        }
        const head = headOf(stored.bytes, stored.start, stored.end);
        bytes += head.length;
        (isOver ? reap : compact).push(head);
      },
      onEnd: (next, fault) => {
        const batches = { reap: { heads: reap, compact: false }, compact: { heads: compact, compact: true } };
        if (fault === null) done(null, { ...batches, next: full ?? next, young });
        else done(new Error(fault.text));
      },
    });
  }

  /** What changes all the time is not the same on all owners for long. */
  #isToCompact({ bytes, start }: Stored, beforeMs: number): boolean {
    if (!isOn(this.#parts.services.ring, 'compaction')) return false;
    const over = leftOver(bytes, start);
    const { reapAfterMs, lookEveryMs, compactActorsMin } = this.#options;
    if (over === null || over.deletesMs > beforeMs - reapAfterMs) return false;
    const settledMs = beforeMs - Math.min(lookEveryMs, SETTLED_MS_MAX);
    return over.newestMs <= settledMs && (over.deletes > 0 || over.actors >= compactActorsMin);
  }

  *#propose(partition: number, { heads, compact }: Batch, summary: Summary): Flow<void> {
    if (heads.length === 0) return;
    if (!compact) summary.candidates += heads.length;
    const { services, preferences } = this.#parts;
    const members = services.ring.members.map(({ ordinal }) => ordinal);
    const learnt: Uint8Array[] = [];
    const round = yield* wait<ReapRound>((done) => {
      const started = new ReapRound(heads.length, members, preferences.ownersOf(partition), {
        ask: (asking, member, fence, keys) => {
          const asked = keys.map((key) => heads[key] as Uint8Array);
          this.#ask(asking, partition, member, { fence, heads: asked, compact }, learnt);
        },
        order: (_ordering, owner, fence, opening, keys) => {
          const ordered = keys.map((key) => heads[key] as Uint8Array);
          this.#order(partition, owner, { fence, opening, heads: ordered, compact });
        },
        ended: (over) => {
          done(null, over);
        },
      });
      this.#round = started;
      started.start();
    });
    this.#round = null;
    if (!compact) this.#note(round, heads, summary);
    for (const bytes of learnt) {
      const logged = decodeReap(bytes);
      if (logged !== null && logged.entry.fence <= this.#parts.reaps.stampOf(partition))
        yield* this.#parts.fences.apply(partition, logged.entry);
    }
  }

  #ask(
    round: ReapRound,
    partition: number,
    member: number,
    asked: Pick<ReapAsk, 'fence' | 'heads' | 'compact'>,
    learnt: Uint8Array[],
  ): void {
    const { ringVersion } = this.#parts.preferences;
    const { fence } = asked;
    const ask: ReapAsk = { partition, ringVersion, budgetMs: ASK_TIMEOUT_MS, ...asked };
    const hear = (reply: ReapAskReply): void => {
      learnt.push(...reply.entries);
      round.answered(member, fence, reply);
    };
    if (member === this.#parts.self) {
      this.#member.ask(ask, hear);
      return;
    }
    askBody(this.#parts, member, REAP_ASK, encodeReapAsk(ask), ASK_TIMEOUT_MS, (body) => {
      const reply = body === null ? null : decodeReapAskReply(body, 0, body.length);
      if (reply === null || isFault(reply)) round.failed(member, fence);
      else hear(reply);
    });
  }

  #order(partition: number, owner: number, ordered: Pick<ReapOrder, 'fence' | 'opening' | 'heads' | 'compact'>): void {
    const { ringVersion } = this.#parts.preferences;
    const order: ReapOrder = { partition, ringVersion, budgetMs: ASK_TIMEOUT_MS, ...ordered };
    if (owner === this.#parts.self) this.#member.order(order, () => undefined);
    else askBody(this.#parts, owner, REAP, encodeReap(order), ASK_TIMEOUT_MS, () => undefined);
  }

  #note(round: ReapRound, heads: readonly Uint8Array[], summary: Summary): void {
    summary.reaped += round.ordered.length;
    heads.forEach((head, key) => {
      const bytes = keyOfHead(head);
      const name = keyName(bytes, 0, bytes.length);
      const objections = round.objections.get(key);
      this.#reasons.delete(name);
      if (objections === undefined) return;
      for (const { member } of objections) summary.waitsFor.set(member, (summary.waitsFor.get(member) ?? 0) + 1);
      this.#reasons.set(name, objections);
      if (this.#reasons.size > REASONS_MAX) this.#reasons.delete(this.#reasons.keys().next().value as string);
    });
  }

  *#trim(partition: number): Flow<void> {
    const { services, reaps, timers } = this.#parts;
    const beforeMs = services.clock.wallMs() - this.#options.logRetentionMs;
    let after = '';
    if (reaps.reapedAt(partition) === 0) return;
    do {
      after = reaps.trim(partition, beforeMs, after);
      yield* wait<void>((done) => {
        timers.endOfTurn(() => {
          done(null);
        });
      });
    } while (after !== '' && !this.#stopped);
  }

  #tell(): void {
    let young = 0;
    let waiting = 0;
    for (const summary of this.#summaries.values()) {
      young += summary.young;
      waiting += summary.candidates - summary.reaped;
    }
    this.#parts.meters.tombstonesYoung.set(young);
    this.#parts.meters.tombstonesWaiting.set(waiting);
  }
}
