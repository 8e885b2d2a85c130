/*
 * Does this node know of every reap that it could undo? Its disk may have been put back to an earlier day, and then it
 * holds what everybody else has forgotten, under fences that were raised without it.
 *
 * So after each start it asks the owners of its partitions for their fences, and tells them its own:
 *
 *   unheard ──every owner has answered──▶ none has reaped above our fence ──▶ settled
 *                                     └─▶ some have ──▶ behind ──their logs fetched and applied──▶ settled
 *
 * An owner that is asked makes void what it has not yet done of rounds that this node said yes to and has forgotten
 * (`voidBelow`): so what it answers is all that there is, and there will be no more of it. Only a settled node takes
 * over a fence that it is told of, says yes in a round, or gives its log to others: from then on nothing is reaped
 * without its yes, and it cannot be put back without another start.
 *
 * Until it has heard of all owners that are there it shows no record: who asks is told that it does not know, and asks
 * another. An owner that is down cannot tell, and holds up no reads.
 *
 * Behind, it refuses what is stamped below the fence of the others at once, though its own records keep their old stamp
 * until the last of them has passed the log.
 */
import type { TimerHandle } from '../../env/clock.js';
import { type Flow, run, wait } from '../../lib/flow.js';
import type { PartitionId } from '../../model/ids.js';
import type { FenceMessage, FencesMessage } from '../../model/reap-messages.js';
import type { ReapEntry, ReapStorage } from '../../storage/reap-storage.js';
import { decodeReap } from '../../storage/reap-format.js';
import { keyName } from '../../storage/storage-key.js';
import { decodeFencesReply, decodeReapLogReply, encodeFences, encodeReapLog } from '../../wire/codec-reap.js';
import { FENCES, REAP_LOG } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import { askBody } from './ask-body.js';
import { CutWrite } from './reap-writes.js';
import type { FenceWatch } from './fence-watch.js';
import { keysOfHash } from './keys-of-hash.js';
import type { ClusterParts } from './parts.js';

const LOOK_MS = 250;
/** For so long after a start every owner that is not known to be down may be there; later only those that are connected. */
const FRESH_MS = 1_000;
const LOOK_MS_FRESH = 25;
const ASK_TIMEOUT_MS = 2_000;
const WAITING_MAX = 4_096;
/** One member is told once in so long. */
const TELL_MS = 500;

/** Somebody waits until records can be stamped with a fence. */
interface Waiter {
  readonly partition: number;
  readonly fence: number;
  readonly untilMs: number;
  readonly then: (isReached: boolean) => void;
}

export class Fences implements FenceWatch {
  readonly #parts: ClusterParts;
  readonly #reaps: ReapStorage;
  readonly #count: number;
  /** Members that have not told their fences since this start. */
  readonly #unheard: Set<number>;
  readonly #asking: Set<number> = new Set();
  /** Member → its fences, until every partition is settled. */
  readonly #heard: Map<number, ReadonlyMap<number, FenceMessage>> = new Map();
  readonly #settled: Uint8Array;
  readonly #behind: Uint8Array;
  /** Orders at or below are void: whoever said yes to them has forgotten it. */
  readonly #void: Float64Array;
  #unsettled: number;
  readonly #toldMs: Map<number, number> = new Map();
  #isCatchingUp = false;
  #waiters: Waiter[] = [];
  #timer: TimerHandle | null = null;
  #stopped = false;
  readonly #startedMs: number;

  constructor(parts: ClusterParts, reaps: ReapStorage) {
    this.#parts = parts;
    this.#reaps = reaps;
    const { ring } = parts.services;
    this.#count = ring.partitionCount;
    this.#unheard = new Set(ring.members.map(({ ordinal }) => ordinal).filter((ordinal) => ordinal !== parts.self));
    this.#settled = new Uint8Array(this.#count);
    this.#behind = new Uint8Array(this.#count);
    this.#void = new Float64Array(this.#count);
    this.#unsettled = this.#count;
    this.#startedMs = parts.nowMs();
    this.#look();
  }

  isSettled(partition: number): boolean {
    return this.#settled[partition] === 1;
  }

  isBehind(partition: number): boolean {
    return this.#behind[partition] === 1;
  }

  hides(partition: number, isFound: boolean): boolean {
    return this.isBehind(partition) || (isFound && !this.isSettled(partition) && this.#awaitsOwner(partition));
  }

  /** Asked for each get until all have told, which one that is down does not: nothing is made here. */
  #awaitsOwner(partition: number): boolean {
    const { table, links, preferences } = this.#parts;
    for (const owner of this.#unheard) {
      const isThere = this.#isFresh ? table.isHealthy(owner, this.#parts.nowMs()) : links.get(owner)?.state === 'ready';
      if (isThere && preferences.isOwner(partition, owner)) return true;
    }
    return false;
  }

  get #isFresh(): boolean {
    return this.#parts.nowMs() < this.#startedMs + FRESH_MS;
  }

  isVoid(partition: number, fence: number): boolean {
    return fence <= (this.#void[partition] as number);
  }

  missing(partition: number): readonly number[] {
    return this.#parts.preferences.ownersOf(partition).filter((owner) => this.#unheard.has(owner));
  }

  hear({ fences, notice }: FencesMessage): void {
    if (!notice) this.#hearStarted(fences);
    for (const { partition, fence } of fences) {
      if (partition >= this.#count || !this.isSettled(partition)) continue;
      if (fence > this.#reaps.floorOf(partition)) this.#takeOver(partition, fence);
    }
  }

  /** The ring has changed: members that are gone are not waited for, and new ones are asked. */
  setRing(): void {
    const { ring } = this.#parts.services;
    const others = new Set(
      ring.members.map(({ ordinal }) => ordinal).filter((ordinal) => ordinal !== this.#parts.self),
    );
    for (const member of [...this.#unheard]) if (!others.has(member)) this.#unheard.delete(member);
    for (const member of [...this.#heard.keys()]) if (!others.has(member)) this.#heard.delete(member);
    for (const member of others) if (!this.#heard.has(member)) this.#unheard.add(member);
    this.#look();
  }

  /**
   * A partition that this node is to own, and did not: it learns what the owners have forgotten, so that it can refuse it
   * as they do, whenever it may come back. Needs every owner's log, since each may have missed a part.
   */
  inherit(partition: number, done: (error: Error | null) => void): void {
    if (!this.isSettled(partition)) {
      done(new Error('The fences of its owners are not known yet'));
      return;
    }
    run(this.#inheriting(partition), done);
  }

  *#inheriting(partition: number): Flow<void> {
    const owners = this.#parts.preferences.ownersOf(partition).filter((owner) => owner !== this.#parts.self);
    let reapedAt = 0;
    let trimmedAt = 0;
    for (const owner of owners) {
      const log = yield* this.#fetchFrom(partition, owner, 0);
      reapedAt = Math.max(reapedAt, log.reapedAt);
      trimmedAt = Math.max(trimmedAt, log.trimmedAt);
    }
    // By the stamp: what the log says has been reaped is known since its entries were applied, and was not written.
    if (reapedAt > this.#reaps.stampOf(partition)) yield* this.#raise(partition, reapedAt, trimmedAt);
  }

  *#raise(partition: number, reapedAt: number, trimmedAt: number): Flow<void> {
    const fence = Math.max(reapedAt, this.#reaps.stampOf(partition));
    yield* wait<void>((done) => {
      const onWritten = (): void => {
        done(null);
      };
      this.#reaps.raise(partition, { fence, reapedAt, trimmedAt }, { durable: true, onWritten });
    });
  }

  tell(member: number, partition: number): void {
    const nowMs = this.#parts.nowMs();
    if (nowMs < (this.#toldMs.get(member) ?? 0) + TELL_MS) return;
    this.#toldMs.set(member, nowMs);
    const fences = [{ partition, fence: this.#reaps.stampOf(partition), reapedAt: 0, trimmedAt: 0 }];
    const notice = encodeFences({ budgetMs: ASK_TIMEOUT_MS, fences, notice: true });
    askBody(this.#parts, member, FENCES, notice, ASK_TIMEOUT_MS, () => undefined);
  }

  /** A member has started and says which fences it has. */
  #hearStarted(theirs: readonly FenceMessage[]): void {
    const fences = new Map(theirs.map((fence) => [fence.partition, fence]));
    for (let partition = 0; partition < this.#count; partition++) {
      const floor = this.#reaps.floorOf(partition);
      if ((fences.get(partition)?.fence ?? 0) < floor) this.#void[partition] = floor;
    }
  }

  all(): readonly FenceMessage[] {
    const fences: FenceMessage[] = [];
    for (let partition = 0; partition < this.#count; partition++) {
      const fence = this.#reaps.stampOf(partition);
      const reapedAt = this.#reaps.reapedAt(partition);
      if (fence > 0 || reapedAt > 0)
        fences.push({ partition, fence, reapedAt, trimmedAt: this.#reaps.trimmedAt(partition) });
    }
    return fences;
  }

  reach(partition: number, fence: number, timeoutMs: number, then: (isReached: boolean) => void): void {
    if (this.#reaps.stampOf(partition) >= fence) {
      then(true);
      return;
    }
    if (this.#stopped || this.#waiters.length >= WAITING_MAX) {
      then(false);
      return;
    }
    this.#waiters.push({ partition, fence, untilMs: this.#parts.nowMs() + timeoutMs, then });
    if (this.isSettled(partition)) this.#takeOver(partition, fence);
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#waiters = [];
  }

  #takeOver(partition: number, fence: number): void {
    if (this.#reaps.floorOf(partition) >= fence && this.#reaps.stampOf(partition) < fence) return; // under way
    this.#reaps.raise(
      partition,
      { fence, reapedAt: 0, trimmedAt: 0 },
      {
        durable: true,
        onWritten: () => {
          this.tellWaiters();
        },
      },
    );
  }

  tellWaiters(): void {
    const nowMs = this.#parts.nowMs();
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (this.#reaps.stampOf(waiter.partition) >= waiter.fence) waiter.then(true);
      else if (nowMs >= waiter.untilMs || this.#stopped) waiter.then(false);
      else this.#waiters.push(waiter);
    }
  }

  // ── after a start ───────────────────────────────────────────────────────────────────────────────────────────────

  #schedule(): void {
    if (this.#timer !== null || this.#stopped) return;
    if (this.#unsettled === 0 && this.#waiters.length === 0 && this.#unheard.size === 0) return;
    this.#timer = this.#parts.timers.after(this.#isFresh ? LOOK_MS_FRESH : LOOK_MS, () => {
      this.#timer = null;
      this.#look();
    });
  }

  #look(): void {
    this.tellWaiters();
    for (const member of this.#unheard) this.#askMember(member);
    this.#settleAll();
    this.#schedule();
  }

  #askMember(member: number): void {
    if (this.#asking.has(member)) return;
    this.#asking.add(member);
    const question = encodeFences({ budgetMs: ASK_TIMEOUT_MS, fences: this.all(), notice: false });
    askBody(this.#parts, member, FENCES, question, ASK_TIMEOUT_MS, (body) => {
      this.#asking.delete(member);
      const reply = body === null ? null : decodeFencesReply(body, 0, body.length);
      if (this.#stopped || reply === null || isFault(reply)) return;
      this.#unheard.delete(member);
      this.#heard.set(member, new Map(reply.fences.map((fence) => [fence.partition, fence])));
      this.#settleAll();
    });
  }

  #settleAll(): void {
    if (this.#unsettled === 0 || this.#isCatchingUp || this.#stopped) return;
    for (let partition = 0; partition < this.#count; partition++) {
      if (this.isSettled(partition)) continue;
      const ahead = this.#ahead(partition);
      if (ahead.length > 0) this.#fallBehind(partition, ahead);
      if (this.missing(partition).length > 0) continue;
      if (ahead.length === 0) this.#settle(partition);
      else {
        this.#catchUp(partition, ahead);
        return;
      }
    }
  }

  /** Owners that have reaped above our fence. */
  #ahead(partition: number): readonly FenceMessage[] {
    const stamp = this.#reaps.stampOf(partition);
    return this.#parts.preferences.ownersOf(partition).flatMap((owner) => {
      const fence = this.#heard.get(owner)?.get(partition);
      return fence === undefined || fence.reapedAt <= stamp ? [] : [fence];
    });
  }

  #fallBehind(partition: number, ahead: readonly FenceMessage[]): void {
    this.#reaps.refuseBelow(partition, Math.max(...ahead.map(({ reapedAt }) => reapedAt)));
    if (this.isBehind(partition)) return;
    this.#behind[partition] = 1;
    this.#parts.services.log.warn('behind-reaps', { partition, fence: this.#reaps.stampOf(partition) });
  }

  #settle(partition: number): void {
    this.#settled[partition] = 1;
    this.#behind[partition] = 0;
    this.#unsettled -= 1;
    // A round that failed may have left the others with a higher fence than ours: what they merge with ours would be refused.
    let fence = 0;
    for (const heard of this.#heard.values()) fence = Math.max(fence, heard.get(partition)?.fence ?? 0);
    if (fence > this.#reaps.floorOf(partition)) this.#takeOver(partition, fence);
    for (const { partition: of, fence } of [...this.#waiters]) if (of === partition) this.#takeOver(partition, fence);
  }

  #catchUp(partition: number, ahead: readonly FenceMessage[]): void {
    this.#isCatchingUp = true;
    run(this.#fetching(partition, ahead), (error) => {
      this.#isCatchingUp = false;
      if (this.#stopped) return;
      if (error === null) {
        this.#parts.meters.caughtUp.add(1);
        this.#parts.services.log.info('caught-up-with-reaps', { partition, fence: this.#reaps.stampOf(partition) });
        this.#settle(partition);
        this.tellWaiters();
        this.#settleAll();
      } else this.#schedule();
    });
  }

  *#fetching(partition: number, ahead: readonly FenceMessage[]): Flow<void> {
    const since = this.#reaps.stampOf(partition);
    for (const owner of this.#parts.preferences.ownersOf(partition)) {
      const theirs = this.#heard.get(owner)?.get(partition);
      if (theirs === undefined || !ahead.includes(theirs)) continue;
      yield* this.#fetchFrom(partition, owner, since);
    }
    const reapedAt = Math.max(...ahead.map((fence) => fence.reapedAt));
    const trimmedAt = Math.max(...ahead.map((fence) => fence.trimmedAt));
    yield* this.#raise(partition, reapedAt, trimmedAt);
  }

  /** Applies all that the owner's log has above `since`; answers how far it goes. */
  *#fetchFrom(partition: number, owner: number, since: number): Flow<Pick<FenceMessage, 'reapedAt' | 'trimmedAt'>> {
    let after = '';
    let reapedAt = 0;
    let trimmedAt = 0;
    do {
      const question = encodeReapLog({ partition, budgetMs: ASK_TIMEOUT_MS, since, after });
      const body = yield* wait<Uint8Array>((done) => {
        askBody(this.#parts, owner, REAP_LOG, question, ASK_TIMEOUT_MS, (answer) => {
          if (answer === null) done(new Error(`Node ${owner} did not give its reap log`));
          else done(null, answer);
        });
      });
      const page = decodeReapLogReply(body, 0, body.length);
      if (isFault(page)) throw new Error(page);
      for (const bytes of page.entries) {
        const logged = decodeReap(bytes);
        if (logged === null) throw new Error(`Node ${owner} sent a reap entry that is none`);
        yield* this.apply(partition, logged.entry);
      }
      after = page.next;
      reapedAt = Math.max(reapedAt, page.reapedAt);
      trimmedAt = Math.max(trimmedAt, page.trimmedAt);
    } while (after !== '');
    return { reapedAt, trimmedAt };
  }

  *apply(partition: number, entry: ReapEntry): Flow<void> {
    const { services, hints } = this.#parts;
    this.#reaps.learn(partition, entry);
    for (const key of yield* wait<readonly Uint8Array[]>((done) => {
      keysOfHash(services, partition as PartitionId, entry, done);
    })) {
      const { hashHi, hashLo } = entry;
      const place = { partition: partition as PartitionId, key, hashHi, hashLo };
      const ending = yield* wait<'kept' | 'cut' | 'gone' | 'refused'>((done) => {
        const cut = new CutWrite(place, services, [entry.context], (how) => {
          done(null, how);
        });
        services.storage.write(cut);
      });
      if (ending === 'refused') throw new Error('The store takes no writes');
      if (ending === 'gone') hints.recordReaped(keyName(key, 0, key.length));
    }
  }
}
