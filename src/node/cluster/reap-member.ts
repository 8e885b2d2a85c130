/*
 * What a member does when another wants to forget deletes (repair/reap-round.ts): it says what it holds, after it has made
 * the fence durable; it compares and deletes; it tells its fences and its reap log. The proposer asks itself here, too.
 */
import { isOn } from '../../model/build.js';
import { failure, type Failure } from '../../model/errors.js';
import type { PartitionId } from '../../model/ids.js';
import type { ReapAsk, ReapAskReply, ReapLogReply, ReapLogRequest, ReapOrder } from '../../model/reap-messages.js';
import { leftOver } from '../../repair/compact.js';
import { isOldEnough, isPast, type ReapRules } from '../../repair/reap-rules.js';
import { judgeHolding, type ReapVerdict, verdictNumber } from '../../repair/reap-verdict.js';
import { isHead, isHeadOf } from '../../repair/record-head.js';
import { encodeReap } from '../../storage/reap-format.js';
import type { ReapEntry } from '../../storage/reap-storage.js';
import type { KeyPlace, Stored } from '../../storage/storage.js';
import { keyName } from '../../storage/storage-key.js';
import { partitionOf } from '../../ring/partition.js';
import type { ClusterParts } from './parts.js';
import { reapedAnswer } from './reaped-answer.js';
import { CompactWrite, Look, placeOfHead, ReapWrite } from './reap-writes.js';

const NO_KEY = new Uint8Array(0);

/** A record that is asked about, and whether it is to live on. */
interface Asked {
  readonly head: Uint8Array;
  readonly compact: boolean;
}

type Headed = Pick<ReapAsk, 'partition' | 'ringVersion' | 'heads' | 'compact'>;

export class ReapMember {
  readonly #parts: ClusterParts;
  readonly #rules: ReapRules;
  readonly #opening: number;

  constructor(parts: ClusterParts, rules: ReapRules) {
    this.#parts = parts;
    this.#rules = rules;
    this.#opening = parts.services.storage.status().opening;
  }

  /** Null: every one is the head of a record of the partition. */
  headsFault({ partition, ringVersion, heads, compact }: Headed): Failure | null {
    const { services } = this.#parts;
    // By another ring than ours it may be on; such a question is answered with that, and such an order not carried out.
    if (compact && ringVersion === services.ring.version && !isOn(services.ring, 'compaction'))
      return failure('INVALID_ARGUMENT', `Records are not compacted at feature level ${services.ring.level}`);
    if (partition >= services.ring.partitionCount)
      return failure('INVALID_ARGUMENT', `There is no partition ${partition}`);
    for (const head of heads) {
      if (!isHead(head)) return failure('INVALID_ARGUMENT', 'What was asked about is no head of a record');
      const { hashHi } = placeOfHead(services, partition as PartitionId, head);
      if (partitionOf(hashHi, services.partitionBits) !== partition)
        return failure('INVALID_ARGUMENT', `A record's key is not of partition ${partition}`);
      if (compact && leftOver(head, 0) === null)
        return failure('INVALID_ARGUMENT', 'A record that was to be compacted has nothing that is over');
    }
    return null;
  }

  ask(ask: ReapAsk, done: (reply: ReapAskReply) => void): void {
    const { fences, reaps, preferences } = this.#parts;
    const { partition, fence } = ask;
    if (ask.ringVersion !== preferences.ringVersion || preferences.isMoving(partition))
      return done(this.#allSay('ring', ask));
    if (!fences.isSettled(partition)) return done(this.#allSay('fence', ask));
    if (fence === 0) return this.#lookAt(ask, done);
    if (reaps.floorOf(partition) >= fence) return done(this.#allSay('fence', ask));
    // What is sent from here on is refused below it; what is held is looked at only when a restart would refuse it, too.
    reaps.raise(
      partition,
      { fence, reapedAt: 0, trimmedAt: 0 },
      {
        durable: true,
        onWritten: () => {
          fences.tellWaiters();
          this.#lookAt(ask, done);
        },
      },
    );
  }

  /** Answers how many it has reaped. */
  order(order: ReapOrder, done: (reaped: number) => void): void {
    const { fences, reaps, preferences, services, self, hints } = this.#parts;
    const { partition, fence, heads, compact } = order;
    const isCurrent =
      order.ringVersion === preferences.ringVersion &&
      order.opening === this.#opening &&
      preferences.isOwner(partition, self) &&
      fences.isSettled(partition) &&
      !fences.isVoid(partition, fence) &&
      reaps.stampOf(partition) >= fence;
    if (!isCurrent || heads.length === 0) return done(0);
    let left = heads.length;
    let reaped = 0;
    const atMs = services.clock.wallMs();
    for (const head of heads) {
      const place = placeOfHead(services, partition as PartitionId, head);
      const name = keyName(place.key, 0, place.key.length);
      const ended = (isReaped: boolean): void => {
        if (isReaped) reaped += 1;
        left -= 1;
        if (left === 0) this.#ordered(reaped, compact, done);
      };
      const isNeeded = (): boolean => hints.keeps(name);
      const learn = (context: Uint8Array): void => {
        reaps.learn(partition, { hashHi: place.hashHi, hashLo: place.hashLo, fence, atMs, context });
      };
      const write = compact
        ? new CompactWrite(place, head, { hash: services.hash, isNeeded, learn }, ended)
        : new ReapWrite(place, head, { fence, atMs }, isNeeded, ended);
      services.storage.write(write);
    }
  }

  #ordered(count: number, compact: boolean, done: (reaped: number) => void): void {
    const { reaped, compacted } = this.#parts.meters;
    (compact ? compacted : reaped).add(count);
    done(count);
  }

  log({ partition, since, after }: ReapLogRequest): ReapLogReply {
    const { reaps } = this.#parts;
    const { entries, next } = reaps.since(partition, since, after);
    return {
      reapedAt: reaps.reapedAt(partition),
      trimmedAt: reaps.trimmedAt(partition),
      entries: entries.map((entry) => encodeReap(entry, NO_KEY)),
      next,
    };
  }

  #allSay(verdict: ReapVerdict, { partition, heads }: ReapAsk): ReapAskReply {
    const fence = this.#parts.reaps.floorOf(partition);
    const verdicts = new Uint8Array(heads.length).fill(verdictNumber(verdict));
    return { fence, opening: this.#opening, verdicts, entries: [] };
  }

  #lookAt({ partition, heads, compact }: ReapAsk, done: (reply: ReapAskReply) => void): void {
    const { services, reaps } = this.#parts;
    const verdicts = new Uint8Array(heads.length);
    const entries: ReapEntry[] = [];
    let left = heads.length;
    const ended = (): void => {
      left -= 1;
      if (left > 0) return;
      const encoded = entries.map((entry) => encodeReap(entry, NO_KEY));
      done({ fence: reaps.floorOf(partition), opening: this.#opening, verdicts, entries: encoded });
    };
    if (left === 0) {
      left = 1;
      ended();
      return;
    }
    heads.forEach((head, i) => {
      const place = placeOfHead(services, partition as PartitionId, head);
      const look = (stored: Stored): void => {
        verdicts[i] = verdictNumber(this.#judge(place, { head, compact }, stored, entries));
      };
      services.storage.write(
        new Look(place, look, (isSure) => {
          if (!isSure) verdicts[i] = verdictNumber('unknown');
          ended();
        }),
      );
    });
  }

  #judge(place: KeyPlace, { head, compact }: Asked, stored: Stored, entries: ReapEntry[]): ReapVerdict {
    const { preferences, hints, reaps, self } = this.#parts;
    const { partition, key } = place;
    const isOwner = preferences.isOwner(partition, self);
    const { state, damaged, bytes, start, end } = stored;
    const name = keyName(key, 0, key.length);
    const log = isOwner && state === 'absent' ? reapedAnswer(reaps, place, { bytes: head, start: 0 }) : [];
    entries.push(...log);
    const isHinted = hints.keeps(name);
    if (!isOwner && !isHinted && (damaged || end > start)) hints.addForOwners(partition, name, end - start);
    return judgeHolding({
      isOwner,
      state,
      isSame: state === 'ok' && isHeadOf(head, bytes, start, end),
      isHinted,
      isOldEnough: this.#isOldEnough(head, compact),
      isReaped: log.length > 0,
    });
  }

  #isOldEnough(head: Uint8Array, compact: boolean): boolean {
    const nowMs = this.#parts.services.clock.wallMs();
    if (!compact) return isOldEnough(head, 0, nowMs, this.#rules);
    const over = leftOver(head, 0);
    return over !== null && isPast(over.deletesMs, nowMs, this.#rules);
  }
}
