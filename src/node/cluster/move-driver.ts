/*
 * What this node has to do for the moves under way (ring/moves.ts), and when it may say that they are further: whoever
 * takes a partition over proposes each step of it, since it alone knows what it holds; a node that leaves proposes its end.
 *
 *   copy     the reap logs of all owners are known here ─▶ everything was compared with every owner; and all nodes that
 *            are connected write here, too, and what they began before has settled ─▶ once more with every owner, which
 *            finds what was written by those that did not know yet ─▶ proposed: owner from now on
 *   settle   all nodes that are connected and all owners know this ring, so nobody asks the giver any more ─▶ proposed: done
 *
 * A node that is not connected to this one may write by an old ring, to the giver. It is no loss: the giver drops nothing
 * that the owners lack (departures.ts), and gets to know the ring together with whoever wrote to it. Strict puts and gets
 * by an old ring are no danger to those by a newer one, either: each step is known to the owners before the next, and one
 * that knows more than the coordinator does not count for it.
 */
import type { Random } from '../../env/random.js';
import type { TimerHandle } from '../../env/clock.js';
import { fullJitterMs } from '../../lib/backoff.js';
import { advanceRing, isNeeded } from '../../ring/change.js';
import { encodeRing, type RingDocument } from '../../ring/document.js';
import { NOBODY, type RingMove } from '../../ring/moves.js';
import { chooseVoters } from '../../ring/voters.js';
import { SETTLE_MS } from './owner-meeting.js';
import type { ClusterParts } from './parts.js';

const LOOK_MS = 500;
/** Several nodes come that far together: who is first saves the others a round in vain. */
const SPREAD_MS = 400;
/** After a proposal, for as long as no other ring is in force. */
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 15_000;

/** What anti-entropy knows of a partition that is taken over; exchanges.ts. */
export interface Catching {
  suspects(): ReadonlySet<number>;
  hasten(partition: number, sinceMs: number): void;
  hasMetAll(partition: number, sinceMs: number): boolean;
  readonly departures: { readonly isOver: boolean };
}

export interface Proposing {
  /** Of this node; empty: it cannot vote. */
  readonly acceptorId: string;
  /** Has the voters decide on the version after this node's; `done` when that has ended, one way or the other. */
  propose(document: Uint8Array, done: (outcome: { readonly kind: string }) => void): void;
  /** Asks a member for its ring, and by which id it votes. */
  learnFrom(ordinal: number, heard: (reply: { readonly acceptorId: string } | null) => void): void;
}

/** How often it is asked by which ids the voters vote. */
const ASK_VOTERS_MS = 4_000;
const FRESH_MS = 2 * ASK_VOTERS_MS;

/** What a move waits for; see above. */
export type MoveStep = 'reap-logs' | 'restoring' | 'waiting-for-nodes' | 'comparing' | 'settling';

export interface MoveStatus extends RingMove {
  readonly step: MoveStep;
}

/** How far a move to this node has come. */
class Incoming {
  isInheriting = false;
  hasInherited = false;
  /** Since then all nodes that are connected write here, too; -1: they do not. */
  knownMs = -1;
  /** The last comparison with every owner began then or later; -1: not yet. */
  finalMs = -1;
}

export class MoveDriver {
  readonly #parts: ClusterParts;
  readonly #catching: Catching;
  readonly #proposing: Proposing;
  readonly #random: Random;
  readonly #incoming: Map<string, Incoming> = new Map();
  /** Ids by which members vote, as each said last, and when. */
  readonly #heardIds: Map<number, { readonly acceptorId: string; readonly atMs: number }> = new Map();
  #timer: TimerHandle | null = null;
  #isProposing = false;
  #askedVotersMs = 0;
  #failures = 0;
  #notBeforeMs = 0;

  constructor(parts: ClusterParts, catching: Catching, proposing: Proposing, random: Random) {
    this.#parts = parts;
    this.#catching = catching;
    this.#proposing = proposing;
    this.#random = random;
    this.#lookLater();
  }

  /**
   * Ids by which members vote. Only what they have just said counts: who names a voter by what it was called before it lost
   * its memory takes its vote away.
   */
  get acceptorIds(): ReadonlyMap<number, string> {
    const sinceMs = this.#parts.nowMs() - FRESH_MS;
    const fresh = new Map<number, string>();
    for (const [ordinal, { acceptorId, atMs }] of this.#heardIds) if (atMs >= sinceMs) fresh.set(ordinal, acceptorId);
    return fresh;
  }

  setRing(): void {
    const { ring } = this.#parts.services;
    this.#failures = 0;
    this.#notBeforeMs = 0;
    const names = new Set(ring.moves.map(nameOf));
    for (const ordinal of [...this.#heardIds.keys()])
      if (!ring.members.some((member) => member.ordinal === ordinal)) this.#heardIds.delete(ordinal);
    for (const name of [...this.#incoming.keys()]) if (!names.has(name)) this.#incoming.delete(name);
  }

  /** Moves to this node, as far as they have come. */
  status(): readonly MoveStatus[] {
    const { services, self } = this.#parts;
    const suspects = this.#catching.suspects();
    return services.ring.moves
      .filter(({ to }) => to === self)
      .map((move) => ({ ...move, step: this.#stepOf(move, suspects) }));
  }

  #stepOf(move: RingMove, suspects: ReadonlySet<number>): MoveStep {
    if (move.phase === 'settle' && move.from !== NOBODY) return 'settling';
    const incoming = this.#incoming.get(nameOf(move));
    if (incoming?.hasInherited !== true) return 'reap-logs';
    if (suspects.has(move.partition)) return 'restoring';
    return incoming.finalMs < 0 ? 'waiting-for-nodes' : 'comparing';
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #lookLater(): void {
    const delayMs = LOOK_MS + (this.#random.u32() % SPREAD_MS);
    this.#timer = this.#parts.timers.after(delayMs, () => {
      this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    const { services, self } = this.#parts;
    const { ring } = services;
    if (this.#isProposing || this.#parts.nowMs() < this.#notBeforeMs) return;
    const copied: RingMove[] = [];
    const settled: RingMove[] = [];
    const suspects = this.#catching.suspects();
    for (const move of ring.moves) {
      if (move.to !== self) continue;
      if (move.phase === 'copy' && this.#hasCopied(move, suspects)) copied.push(move);
      if (move.phase === 'settle' && this.#hasSettled(move, suspects)) settled.push(move);
    }
    const left = this.#hasLeft(ring) ? [self] : [];
    this.#askVoters(ring);
    const isNamed = this.#votersAreNamed(ring);
    if (copied.length + settled.length + left.length === 0 && isNamed) return;
    const change = changeText(copied.length, settled.length, left);
    const notes = { change, changedAtMs: services.clock.wallMs(), acceptorIds: this.acceptorIds };
    const next = advanceRing(ring, { copied, settled, left }, notes);
    if (next === null) return;
    this.#isProposing = true;
    this.#proposing.propose(encodeRing(next), () => {
      this.#isProposing = false;
      // A ring that was decided on ends the pause when it is in force: until then the same would be proposed again.
      this.#failures += 1;
      this.#notBeforeMs = this.#parts.nowMs() + fullJitterMs(this.#random, RETRY_MS_MIN, RETRY_MS_MAX, this.#failures);
    });
  }

  /** Voters are to be named by the ids under which they vote: one that has lost its memory votes under another. */
  #askVoters({ members }: RingDocument): void {
    const nowMs = this.#parts.nowMs();
    if (nowMs < this.#askedVotersMs + ASK_VOTERS_MS) return;
    this.#askedVotersMs = nowMs;
    for (const { ordinal } of members) {
      const heard = (reply: { readonly acceptorId: string } | null): void => {
        if (reply === null || reply.acceptorId === '') return;
        this.#heardIds.set(ordinal, { acceptorId: reply.acceptorId, atMs: this.#parts.nowMs() });
      };
      if (ordinal === this.#parts.self) heard(this.#proposing);
      else this.#proposing.learnFrom(ordinal, heard);
    }
  }

  /** Or cannot be yet: as long as one has no name all of them have to agree, so all have to be there. */
  #votersAreNamed({ members, voters }: RingDocument): boolean {
    const { self } = this.#parts;
    if (!voters.some(({ ordinal }) => ordinal === self)) return true;
    const { acceptorIds } = this;
    const areAllKnown = voters.every(({ ordinal }) => acceptorIds.has(ordinal));
    const areAllNamed = voters.every(({ acceptorId }) => acceptorId !== '');
    if (!areAllNamed && !areAllKnown) return true;
    const chosen = chooseVoters(members, voters, acceptorIds);
    return (
      chosen.length === voters.length &&
      chosen.every(({ ordinal, acceptorId }, i) => {
        const voter = voters[i];
        return voter?.ordinal === ordinal && voter.acceptorId === acceptorId;
      })
    );
  }

  #hasCopied(move: RingMove, suspects: ReadonlySet<number>): boolean {
    const { partition, since } = move;
    const incoming = this.#incomingOf(move);
    const nowMs = this.#parts.nowMs();
    if (!this.#allKnow(since)) {
      // Who was away and is back has written by an older ring: what was compared since is not all.
      incoming.knownMs = -1;
      incoming.finalMs = -1;
      return false;
    }
    if (incoming.knownMs < 0) incoming.knownMs = nowMs;
    if (!this.#hasInherited(move) || suspects.has(partition)) return false;
    // Comparisons leave alone what is younger than this, and puts that began by an older ring may yet be under way.
    if (nowMs < incoming.knownMs + SETTLE_MS) return false;
    if (incoming.finalMs < 0) incoming.finalMs = nowMs;
    this.#catching.hasten(partition, incoming.finalMs);
    return this.#catching.hasMetAll(partition, incoming.finalMs);
  }

  #hasInherited(move: RingMove): boolean {
    const incoming = this.#incomingOf(move);
    if (incoming.hasInherited || incoming.isInheriting) return incoming.hasInherited;
    incoming.isInheriting = true;
    this.#parts.fences.inherit(move.partition, (error) => {
      incoming.isInheriting = false;
      incoming.hasInherited = error === null;
    });
    return incoming.hasInherited;
  }

  #hasSettled(move: RingMove, suspects: ReadonlySet<number>): boolean {
    // An owner from the start, that has to know as well what the others have forgotten.
    if (move.from === NOBODY) return this.#hasInherited(move) && !suspects.has(move.partition);
    return this.#allKnow(this.#parts.services.ring.version) && this.#ownersKnow(move.partition);
  }

  /** Also those that are away: who has never heard of this ring would count by the one before. */
  #ownersKnow(partition: number): boolean {
    const { links, services, self } = this.#parts;
    const { owners, replicaCount: n, version } = services.ring;
    return owners
      .slice(partition * n, partition * n + n)
      .every((owner) => owner === self || (links.get(owner)?.ringVersion ?? version) >= version);
  }

  /** All members that are connected to this one have a ring that is at least so new. */
  #allKnow(version: number): boolean {
    const { links, services, self } = this.#parts;
    return services.ring.members.every(({ ordinal }) => {
      const link = links.get(ordinal);
      return ordinal === self || link === undefined || link.state !== 'ready' || link.ringVersion >= version;
    });
  }

  #hasLeft({ members, owners, moves }: RingDocument): boolean {
    const { self, hints } = this.#parts;
    const own = members.find(({ ordinal }) => ordinal === self);
    if (own?.leaving !== true || isNeeded(self, owners, moves)) return false;
    return hints.count === 0 && this.#catching.departures.isOver;
  }

  #incomingOf(move: RingMove): Incoming {
    const name = nameOf(move);
    const known = this.#incoming.get(name);
    if (known !== undefined) return known;
    const made = new Incoming();
    this.#incoming.set(name, made);
    return made;
  }
}

function nameOf({ partition, to, since }: RingMove): string {
  return `${partition}/${to}/${since}`;
}

function changeText(copied: number, settled: number, left: readonly number[]): string {
  const parts = [
    ...(copied > 0 ? [`${copied} replicas were taken over`] : []),
    ...(settled > 0 ? [`${settled} moves have ended`] : []),
    ...left.map((ordinal) => `node ${ordinal} has left`),
  ];
  return parts.length === 0 ? 'voters were named' : parts.join(', ');
}
