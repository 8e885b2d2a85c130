/*
 * When which two owners of a partition meet, and when a partition that was suspect may be believed again (§4.7).
 *
 * Every pair of owners meets once a period; which of the two begins is settled by who stands first in the partition's list
 * of owners, so that the work is done once. First meetings are strewn over the period. What is suspect comes first: it
 * meets all other owners at once.
 *
 * A suspect replica may have lost whatever it once acknowledged. It counts again when it lacks nothing that could be had:
 *
 *   meeting   It goes through everything with every *other owner*, since a put that it acknowledged with one other copy
 *             may be on any one of them. Fewer would do for larger W, but W is each request's own. What it acknowledges
 *             meanwhile it holds itself. Hints of stand-ins are not waited for: a put whose other copies are hints was
 *             never owed to readers who do not ask the stand-ins, and hints come home by themselves.
 *   polling   If all of the others were suspect too, there is nobody who counts, and what only a stand-in holds is the
 *   again     best copy there is. So every member of the ring is asked until it says that it keeps no hint of the
 *             partition (or is no member any more). Then the owners are met once more, since what was handed over has
 *             come to one of them, and the partition is believed with what they have together: that may be less than was
 *             acknowledged, so it is counted and told. A new cluster begins like this, with nothing to lose.
 *   believed
 *
 * A meeting counts only if it went to its end with everything merged and durable here. It is forgotten with the process:
 * after a restart a suspect partition meets all of them again, which moves nothing twice.
 */
export type Meeting =
  /** Through the tree, and only out: what a node holds of a partition that is not its own any more goes home. */
  | { readonly kind: 'home'; readonly partition: number; readonly peer: number }
  /** Through the tree. */
  | { readonly kind: 'tree'; readonly partition: number; readonly peer: number }
  /** Everything. */
  | { readonly kind: 'whole'; readonly partition: number; readonly peer: number }
  /** Only the question whether the member keeps hints of the partition. */
  | { readonly kind: 'poll'; readonly partition: number; readonly peer: number };

export interface MeetingResult {
  /** False: it broke off. */
  readonly done: boolean;
  /** The other cannot be believed either. */
  readonly isPeerSuspect: boolean;
  /** The other keeps hints of the partition. */
  readonly hasHints: boolean;
}

/** `together`: of its owners none could be believed; what was lost with them stays lost. */
export type Verdict = 'none' | 'healed' | 'together';

export interface OwnedPartition {
  readonly id: number;
  /** Ordinals of the other owners. */
  readonly others: readonly number[];
  /** Those of them whom this node calls, and is not called by. */
  readonly begins: readonly number[];
}

const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;
const POLL_AGAIN_MS = 2_000;

class Pair {
  readonly peer: number;
  readonly begins: boolean;
  /** When it met first. Later meetings keep to that beat: pairs that met at once, as after a start, do not go on so. */
  readonly #beatMs: number;
  dueMs: number;
  retryMs = 0;
  underWay = false;
  beganMs = 0;
  /** When the last meeting that went to its end began. */
  metBeganMs = Number.NEGATIVE_INFINITY;
  /** Somebody has asked for it, and waits. */
  isAskedFor = false;

  constructor(peer: number, begins: boolean, beatMs: number) {
    this.peer = peer;
    this.begins = begins;
    this.#beatMs = beatMs;
    this.dueMs = begins ? beatMs : Number.POSITIVE_INFINITY;
  }

  /** They have met: again within a period. */
  met(nowMs: number, periodMs: number): void {
    this.retryMs = 0;
    this.isAskedFor = false;
    this.metBeganMs = this.beganMs;
    if (!this.begins) this.dueMs = Number.POSITIVE_INFINITY;
    else this.dueMs = nowMs < this.#beatMs ? this.#beatMs : nowMs + periodMs - ((nowMs - this.#beatMs) % periodMs);
  }
}

class Sickness {
  phase: 'meeting' | 'polling' | 'again' = 'meeting';
  readonly met: Set<number> = new Set();
  /** One of those met could be believed. */
  metSound = false;
  readonly quiet: Set<number> = new Set();
  /** Of a member, before which it is not asked again. */
  readonly notBeforeMs: Map<number, number> = new Map();
}

/** For what a meeting was begun. A ring that came meanwhile may have put something else in its place. */
interface Begun {
  /** null: a poll. */
  readonly pair: Pair | null;
  readonly sickness: Sickness | null;
}

class Owned {
  readonly id: number;
  readonly pairs: readonly Pair[];
  sickness: Sickness | null = null;

  constructor(id: number, pairs: readonly Pair[]) {
    this.id = id;
    this.pairs = pairs;
  }

  get underWay(): boolean {
    return this.pairs.some((pair) => pair.underWay);
  }
}

export class ExchangeSchedule {
  readonly #periodMs: number;
  readonly #draw: () => number;
  #members: readonly number[] = [];
  /** Partitions whose files are on their way: they are not met for before these have come. */
  held: ReadonlySet<number> = new Set();
  #owned: ReadonlyMap<number, Owned> = new Map();
  readonly #underWay: Map<Meeting, Begun> = new Map();

  /** `members`: all others of the ring. `draw`: 0 ≤ x < 1. */
  constructor(
    partitions: readonly OwnedPartition[],
    members: readonly number[],
    periodMs: number,
    nowMs: number,
    draw: () => number,
  ) {
    this.#periodMs = periodMs;
    this.#draw = draw;
    this.setPartitions(partitions, members, nowMs);
  }

  /** The ring has changed. What it leaves as it was goes on: who has been met, by whom something is healed. */
  setPartitions(partitions: readonly OwnedPartition[], members: readonly number[], nowMs: number): void {
    const before = this.#owned;
    this.#members = members;
    this.#owned = new Map(partitions.map((owned) => [owned.id, this.#changed(before.get(owned.id), owned, nowMs)]));
  }

  #changed(before: Owned | undefined, { id, others, begins }: OwnedPartition, nowMs: number): Owned {
    const pairOf = (peer: number): Pair => {
      const isMine = begins.includes(peer);
      const known = before?.pairs.find((pair) => pair.peer === peer && pair.begins === isMine);
      return known ?? new Pair(peer, isMine, isMine ? nowMs + this.#draw() * this.#periodMs : 0);
    };
    const owned = new Owned(id, others.map(pairOf));
    owned.sickness = before?.sickness ?? null;
    const { sickness } = owned;
    if (sickness === null) return owned;
    for (const peer of [...sickness.met]) if (!others.includes(peer)) sickness.met.delete(peer);
    // Whoever was missing is no owner any more: the others say once more what they have, and the verdict is theirs.
    if (sickness.met.size === others.length) sickness.met.clear();
    this.#pollsOver(sickness); // whoever had not answered may be no member any more
    return owned;
  }

  /** Partitions of this node that are not believed, and have somebody to heal them. */
  get suspects(): readonly number[] {
    return [...this.#owned.values()].filter(({ sickness }) => sickness !== null).map(({ id }) => id);
  }

  get pairs(): number {
    let count = 0;
    for (const { pairs } of this.#owned.values()) count += pairs.length;
    return count;
  }

  /** Meetings of this round that are still to come: of `startAll`, or of what is suspect. */
  waiting(): number {
    let count = 0;
    for (const { pairs, sickness } of this.#owned.values()) {
      for (const { peer, isAskedFor } of pairs)
        if (isAskedFor || (sickness !== null && !sickness.met.has(peer))) count += 1;
    }
    return count;
  }

  /** What the store says now. A partition that is not this node's, or that nobody else has, is nobody's here. */
  setSuspects(partitions: readonly number[]): void {
    const now = new Set(partitions);
    for (const owned of this.#owned.values()) {
      if (!now.has(owned.id)) owned.sickness = null;
      else if (owned.sickness === null && owned.pairs.length > 0) owned.sickness = new Sickness();
    }
  }

  /** Everybody at once, whoever's turn it is to begin; or only those whom this node calls. */
  startAll(nowMs: number, whom: 'all' | 'called' = 'all'): void {
    for (const { pairs } of this.#owned.values()) {
      for (const pair of pairs) {
        if (whom === 'called' && !pair.begins) continue;
        pair.dueMs = Math.min(pair.dueMs, nowMs);
        pair.isAskedFor = true;
      }
    }
  }

  /** Those other owners of this partition at once whom no meeting has met that began at or after that time. */
  hasten(partition: number, sinceMs: number, nowMs: number): void {
    for (const pair of this.#owned.get(partition)?.pairs ?? []) {
      const isToCome = pair.underWay || pair.retryMs > 0; // after a failure it waits for its turn
      if (pair.metBeganMs < sinceMs && !isToCome) pair.dueMs = Math.min(pair.dueMs, nowMs);
    }
  }

  /** Whether each of them has been met in full, in a meeting that began at or after that time. */
  hasMetAll(partition: number, sinceMs: number): boolean {
    const owned = this.#owned.get(partition);
    return owned !== undefined && owned.pairs.every(({ metBeganMs }) => metBeganMs >= sinceMs);
  }

  /** Those of them who have been, in meetings that began at or after that time. */
  metSince(partition: number, sinceMs: number): readonly number[] {
    const pairs = this.#owned.get(partition)?.pairs ?? [];
    return pairs.filter(({ metBeganMs }) => metBeganMs >= sinceMs).map(({ peer }) => peer);
  }

  /** The next to meet, from now on under way; null: nobody. One meeting a partition and one a peer and partition at a time. */
  next(nowMs: number, isHealthy: (peer: number) => boolean): Meeting | null {
    const meeting = this.#nextSick(nowMs, isHealthy) ?? this.#nextDue(nowMs, isHealthy);
    if (meeting === null) return null;
    const owned = this.#owned.get(meeting.partition) as Owned; // it has just been found there
    const pair = meeting.kind === 'poll' ? null : (owned.pairs.find(({ peer }) => peer === meeting.peer) as Pair);
    if (pair !== null) {
      pair.underWay = true;
      pair.beganMs = nowMs;
    }
    this.#underWay.set(meeting, { pair, sickness: owned.sickness });
    return meeting;
  }

  /** This one, which `next` gave, is over. Not `none`: the store may believe the partition from now on. */
  ended(meeting: Meeting, result: MeetingResult, nowMs: number): Verdict {
    const begun = this.#underWay.get(meeting);
    this.#underWay.delete(meeting);
    const owned = this.#owned.get(meeting.partition);
    if (begun === undefined || owned === undefined) return 'none';
    const sickness = begun.sickness === owned.sickness ? owned.sickness : null;
    const { pair } = begun;
    if (pair === null) {
      if (sickness !== null) this.#polled(sickness, meeting.peer, result, nowMs);
      return 'none';
    }
    if (!owned.pairs.includes(pair)) return 'none'; // the ring has changed meanwhile
    pair.underWay = false;
    if (!result.done) {
      pair.retryMs = Math.min(RETRY_MS_MAX, Math.max(RETRY_MS_MIN, 2 * pair.retryMs));
      const againMs = nowMs + pair.retryMs;
      sickness?.notBeforeMs.set(meeting.peer, againMs);
      if (pair.dueMs < againMs) pair.dueMs = againMs;
      return 'none';
    }
    pair.met(nowMs, this.#periodMs);
    return meeting.kind === 'whole' && sickness !== null ? this.#met(owned, sickness, meeting.peer, result) : 'none';
  }

  #met(owned: Owned, sickness: Sickness, peer: number, { isPeerSuspect }: MeetingResult): Verdict {
    if (sickness.phase === 'polling') return 'none';
    sickness.met.add(peer);
    if (!isPeerSuspect) sickness.metSound = true;
    if (sickness.met.size < owned.pairs.length) return 'none';
    if (sickness.metSound || sickness.phase === 'again') {
      owned.sickness = null;
      return sickness.metSound ? 'healed' : 'together';
    }
    sickness.phase = 'polling';
    return 'none';
  }

  #polled(sickness: Sickness, peer: number, { done, hasHints }: MeetingResult, nowMs: number): void {
    if (done && !hasHints) sickness.quiet.add(peer);
    else sickness.notBeforeMs.set(peer, nowMs + POLL_AGAIN_MS);
    this.#pollsOver(sickness);
  }

  #pollsOver(sickness: Sickness): void {
    if (sickness.phase !== 'polling' || !this.#members.every((member) => sickness.quiet.has(member))) return;
    sickness.phase = 'again';
    sickness.met.clear();
  }

  #nextSick(nowMs: number, isHealthy: (peer: number) => boolean): Meeting | null {
    for (const { id, pairs, sickness, underWay } of this.#owned.values()) {
      if (sickness === null || this.held.has(id)) continue;
      const mayAsk = (peer: number): boolean => nowMs >= (sickness.notBeforeMs.get(peer) ?? 0) && isHealthy(peer);
      if (sickness.phase === 'polling') {
        const peer = this.#members.find(
          (member) => !sickness.quiet.has(member) && !this.#isPolling(sickness, member) && mayAsk(member),
        );
        if (peer !== undefined) return { kind: 'poll', partition: id, peer };
        continue;
      }
      if (underWay) continue;
      const pair = pairs.find(({ peer }) => !sickness.met.has(peer) && mayAsk(peer));
      if (pair !== undefined) return { kind: 'whole', partition: id, peer: pair.peer };
    }
    return null;
  }

  /** The one that has waited longest. */
  #nextDue(nowMs: number, isHealthy: (peer: number) => boolean): Meeting | null {
    let first: { readonly id: number; readonly pair: Pair } | null = null;
    for (const { id, pairs, sickness, underWay } of this.#owned.values()) {
      if (sickness !== null || underWay) continue;
      for (const pair of pairs) {
        if (pair.dueMs > nowMs || !isHealthy(pair.peer)) continue;
        if (first === null || pair.dueMs < first.pair.dueMs) first = { id, pair };
      }
    }
    return first === null ? null : { kind: 'tree', partition: first.id, peer: first.pair.peer };
  }

  #isPolling(sickness: Sickness, member: number): boolean {
    for (const [{ kind, peer }, begun] of this.#underWay)
      if (kind === 'poll' && peer === member && begun.sickness === sickness) return true;
    return false;
  }
}
