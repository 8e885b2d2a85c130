/*
 * Gossip (§4.8.1): once a second each node tells another, drawn at random, what it knows of all nodes, and hears what that
 * one knows. So news reaches all of n nodes in about log2(n) rounds, whoever is down, and nobody has a special part.
 *
 *   asker ── beats of all that it knows, its own entry ──────────────────────▶ receiver
 *         ◀── what is newer there: beats, or entries; which it wants ──────────
 *         ── the entries that are wanted, if any ─────────────────────────────▶
 *
 * Nearly all that is new is that a node still lives: a beat. An entry (id, address, ring, some sixty bytes) changes only
 * when its node is started again or has another ring; so beats go as columns of small numbers, and an entry only to
 * whoever has not got it. A beat whose entry is not known is not believed: its entry is wanted.
 *
 * What is learnt from it: who is silent; which is the newest ring, and who has it; that two rings have one version; that
 * two processes pass for one node. Who is healthy enough to be asked by gets and puts is judged by heartbeats, far sooner
 * (coordinator/peer-health.ts).
 *
 * Who is a member is a matter of the ring alone: gossip of anybody else is not listened to. So a node that has left is
 * forgotten when the ring says so, and does not come back from a peer that has not heard of it yet.
 */
import { assert } from '../lib/assert.js';
import type {
  GossipAlarm,
  GossipBeat,
  GossipEntry,
  GossipMember,
  GossipMessage,
  GossipReply,
} from '../model/gossip-messages.js';
import { compareCounts, type Count, isSameState, newest } from './gossip-order.js';
import { KnownRings } from './known-rings.js';
import { Rival } from './rival.js';

export interface GossipLimits {
  /** A node that was not heard to go on for so long is silent. Nearly three times what news takes in a ring of a thousand. */
  readonly silentMs: number;
  /** Longer than news of an ended process go round, and then for nobody to be silent too soon. */
  readonly settleMs: number;
}

export const GOSSIP_LIMITS: GossipLimits = { silentMs: 30_000, settleMs: 45_000 };

export interface GossipSelf {
  readonly ordinal: number;
  readonly nodeId: string;
  readonly opening: number;
  /** Empty: where the ring says. */
  readonly peerAddress: string;
}

export interface GossipRing {
  readonly version: number;
  readonly hash: string;
  readonly members: readonly { readonly ordinal: number; readonly nodeId: string }[];
}

export type Partner =
  | { readonly kind: 'member'; readonly ordinal: number }
  /** Of the configuration: where somebody of the cluster may be found. */
  | { readonly kind: 'seed'; readonly address: string };

/** Another member. */
class Other {
  readonly nodeId: string;
  entry: GossipEntry | null = null;
  movedMs: number;
  rival: Rival | null = null;

  constructor(nodeId: string, nowMs: number) {
    this.nodeId = nodeId;
    this.movedMs = nowMs;
  }

  take(entry: GossipEntry, nowMs: number): void {
    if (this.entry === null || compareCounts(entry, this.entry) > 0) this.movedMs = nowMs;
    this.entry = entry;
  }
}

export class Gossip {
  readonly #limits: GossipLimits;
  readonly #alarm: (alarm: GossipAlarm) => void;
  readonly #rings: KnownRings = new KnownRings();
  #own: GossipEntry;
  /** A newer word of this node than its own. */
  #rival: Rival | null = null;
  /** By ordinal, ascending. */
  #others: Map<number, Other> = new Map();

  constructor(
    self: GossipSelf,
    ring: GossipRing,
    alarm: (alarm: GossipAlarm) => void,
    nowMs: number,
    limits: GossipLimits = GOSSIP_LIMITS,
  ) {
    this.#limits = limits;
    this.#alarm = alarm;
    this.#own = { ...self, beat: 0, ringVersion: ring.version, ringHash: ring.hash };
    this.setRing(ring, nowMs);
  }

  get own(): GossipEntry {
    return this.#own;
  }

  /** The ring that this node has from now on. */
  setRing({ version, hash, members }: GossipRing, nowMs: number): void {
    assert(version >= this.#own.ringVersion, 'a ring gives way to a newer one only');
    this.#own = { ...this.#own, ringVersion: version, ringHash: hash };
    this.#noteRing(this.#own);
    const before = this.#others;
    this.#others = new Map();
    for (const { ordinal, nodeId } of [...members].sort((a, b) => a.ordinal - b.ordinal)) {
      if (ordinal === this.#own.ordinal) continue;
      const known = before.get(ordinal);
      this.#others.set(ordinal, known?.nodeId === nodeId ? known : new Other(nodeId, nowMs));
    }
  }

  /** Once a round, before anything is told. */
  beat(nowMs: number): void {
    this.#own = { ...this.#own, beat: this.#own.beat + 1 };
    const rival = this.#rival;
    if (rival === null || rival.quietMs(nowMs) < this.#limits.silentMs) return;
    // Nobody else goes on as this node. But as long as they know of a later opening, nobody would hear us.
    const { opening } = this.#own;
    this.#rival = null;
    this.#own = { ...this.#own, opening: rival.opening + 1 };
    if (!rival.isAlive) this.#alarm({ kind: 'put-back', opening, heard: rival.opening });
  }

  /** `draw`: 0 ≤ x < 1. Null: there is nobody. */
  whomToMeet(draw: number, isReady: (ordinal: number) => boolean, seeds: readonly string[]): Partner | null {
    const ready = [...this.#others.keys()].filter(isReady);
    const ordinal = ready[Math.floor(draw * ready.length)];
    if (ordinal !== undefined) return { kind: 'member', ordinal };
    const address = seeds[Math.floor(draw * seeds.length)];
    return address === undefined ? null : { kind: 'seed', address };
  }

  question(): GossipMessage {
    const beats: GossipBeat[] = [];
    for (const { entry } of this.#others.values()) if (entry !== null) beats.push(beatOf(entry));
    return { beats, entries: [this.#own], closing: false };
  }

  answer(from: number, message: GossipMessage, nowMs: number): GossipReply {
    for (const entry of message.entries) this.#hear(entry, from, nowMs);
    const beats: GossipBeat[] = [];
    const entries: GossipEntry[] = [];
    const wants: number[] = [];
    if (message.closing) return { beats, entries, wants };
    const told: Set<number> = new Set([from]);
    for (const theirs of message.beats) {
      const { ordinal } = theirs;
      told.add(ordinal);
      const entry = this.#others.get(ordinal)?.entry ?? null;
      const order = this.#hearBeat(theirs, nowMs);
      if (order === 'unknown') wants.push(ordinal);
      if (order !== 'older' || entry === null) continue;
      if (isSameState(theirs, entry)) beats.push(beatOf(entry));
      else entries.push(entry);
    }
    for (const [ordinal, { entry }] of this.#others) if (entry !== null && !told.has(ordinal)) entries.push(entry);
    return { beats, entries: [this.#own, ...entries], wants };
  }

  /** Null: that was all. Otherwise it is to be told to `from`, who has nothing to say to it. */
  take(from: number, { beats, entries, wants }: GossipReply, nowMs: number): GossipMessage | null {
    for (const entry of entries) this.#hear(entry, from, nowMs);
    for (const beat of beats) this.#hearBeat(beat, nowMs);
    const wanted = wants.flatMap((ordinal) => this.#others.get(ordinal)?.entry ?? []);
    return wanted.length === 0 ? null : { beats: [], entries: wanted, closing: true };
  }

  /** The highest ring version that was heard of, and which members have it, this node among them. */
  newestRing(): { readonly version: number; readonly holders: readonly number[] } {
    let version = this.#own.ringVersion;
    for (const { entry } of this.#others.values()) version = Math.max(version, entry?.ringVersion ?? 0);
    const holders = this.#own.ringVersion === version ? [this.#own.ordinal] : [];
    for (const [ordinal, { entry }] of this.#others) if (entry?.ringVersion === version) holders.push(ordinal);
    return { version, holders };
  }

  members(nowMs: number): readonly GossipMember[] {
    return [...this.#others].map(([ordinal, { nodeId, entry, movedMs }]) => {
      const quietMs = nowMs - movedMs;
      return { ordinal, nodeId, entry, quietMs, isSilent: quietMs >= this.#limits.silentMs };
    });
  }

  #hear(entry: GossipEntry, from: number, nowMs: number): void {
    if (entry.ordinal === this.#own.ordinal) {
      if (entry.nodeId === this.#own.nodeId) this.#hearOfSelf(entry, nowMs);
      return;
    }
    const other = this.#others.get(entry.ordinal);
    if (other === undefined) return;
    this.#noteRing(entry);
    if (other.nodeId !== entry.nodeId) return;
    if (other.entry === null) other.take(entry, nowMs);
    else if (entry.ordinal === from && entry.opening < other.entry.opening) this.#hearRival(other, entry, nowMs);
    else other.take(newest(other.entry, entry), nowMs);
  }

  /** `older`: more is known here. `unknown`: it is newer, and something beside the beat is. */
  #hearBeat(theirs: GossipBeat, nowMs: number): 'taken' | 'older' | 'unknown' {
    const { ordinal, beat } = theirs;
    if (ordinal === this.#own.ordinal) {
      this.#hearOfSelf(theirs, nowMs);
      return 'taken';
    }
    const other = this.#others.get(ordinal);
    if (other === undefined) return 'taken';
    if (other.entry === null) return 'unknown';
    const order = compareCounts(theirs, other.entry);
    if (order < 0) return 'older';
    if (order === 0) return 'taken';
    if (!isSameState(theirs, other.entry)) return 'unknown';
    other.take({ ...other.entry, beat }, nowMs);
    return 'taken';
  }

  #hearOfSelf(count: Count, nowMs: number): void {
    if (compareCounts(count, this.#own) <= 0) return;
    if (this.#rival === null) this.#rival = new Rival(count, this.#limits.settleMs, nowMs);
    else this.#hearAgain(this.#rival, count, this.#own, nowMs);
  }

  /** A node itself has told us of an earlier opening than others have. */
  #hearRival(other: Other, entry: GossipEntry, nowMs: number): void {
    const believed = other.entry ?? entry;
    const { rival } = other;
    if (rival?.opening !== entry.opening) other.rival = new Rival(entry, this.#limits.settleMs, nowMs);
    // What is believed may be what has ended: as when the node's store was put back to an earlier day.
    else if (nowMs - other.movedMs < this.#limits.silentMs) this.#hearAgain(rival, entry, believed, nowMs);
  }

  #hearAgain(rival: Rival, count: Count, { ordinal, nodeId, opening }: GossipEntry, nowMs: number): void {
    const wasAlive = rival.isAlive;
    if (!rival.hear(count, nowMs) || wasAlive) return;
    const openings = [Math.min(opening, rival.opening), Math.max(opening, rival.opening)] as const;
    this.#alarm({ kind: 'two-nodes', ordinal, nodeId, openings });
  }

  #noteRing({ ringVersion, ringHash, ordinal }: GossipEntry): void {
    const alarm = this.#rings.note(ringVersion, ringHash, ordinal);
    if (alarm !== null) this.#alarm(alarm);
  }
}

function beatOf({ ordinal, opening, beat, ringVersion }: GossipEntry): GossipBeat {
  return { ordinal, opening, beat, ringVersion };
}
