/*
 * One put, from the coordinator's own store to the last copy (§4.5, §4.6).
 *
 * The coordinator stores first; the record that comes of it goes, byte for byte, to the other owners. An owner that is
 * believed down, fails, or does not answer in time is replaced by the next healthy node of the preference list, which
 * keeps the copy with a hint that names the owner. When W nodes have it, the client is answered. Nothing is ever rolled
 * back, so the work goes on after the answer, good or bad, until every owner is *provided for*:
 *
 *   the owner has acknowledged it, or
 *   a stand-in keeps it durably with a hint for the owner, or
 *   no stand-in is left to be asked, and the coordinator keeps a hint itself.
 *
 * So a stand-in comes before the coordinator's own hint: it makes a further copy, and the coordinator holds one anyway.
 * The coordinator does not write its hint in advance either: nearly every owner acknowledges within a millisecond, and
 * each hint would be a log entry and its removal another. A coordinator that dies in between leaves an owner without
 * copy and hint; that one is brought up to date by read repair and anti-entropy.
 *
 * What counts. W is the number of distinct nodes that hold the record: an owner and the stand-in of that same owner are
 * two nodes, and two disks must burn before the write is gone, so both count. That readers will meet one of the W is
 * another claim, and only `strict` makes it: it counts owners alone. A stand-in counts only when its hint is durable; an
 * owner also counts while the record is in its buffer, unless the client asked for durable acks. The answer says durable
 * only if W of those that count have it on disk.
 *
 * While an owner's place changes hands, readers by one ring ask the one, by another ring the other of the two. So a strict
 * put goes to both, and the place counts when both have it: any R owners of either ring then meet it. A put that is not
 * strict makes no such claim, and its port sends the other a copy that nobody waits for.
 *
 * The shape: events write into the table of nodes that were asked, then one step looks at the whole table and does what
 * is missing. A step is idempotent, so events may come twice, late, in any order, and from within a call of the port.
 *
 * Time: each put asks for one wake-up at most, the earliest moment that matters; a wake-up that comes too early does no
 * harm. One entry in a deadline wheel, linked once in the common case; a timer a copy would be three, all cancelled.
 */
import { assert } from '../lib/assert.js';
import { Asked, type AskedState, type Fault } from './asked.js';
import type { PutTerms } from './put-terms.js';
import { firstUnhealthyOwner, isOwner, type PeerView, type Preference } from './preference.js';

/** What a put wants done. Calls may report back from within; none may throw. */
export interface PutPort {
  /**
   * Merge the client's put into the local store; `hintFor` ≥ 0: and keep a durable hint for that owner with it. Reports
   * `encoded` as soon as the record's bytes stand, then `acked` or `failed` once, always.
   */
  storeHere(put: ReplicatedPut, ticket: number, hintFor: number): void;
  /** Send the record to a peer; `hintFor` ≥ 0: to be kept, durably, with a hint for that owner. Reports `acked`, `failed`. */
  sendCopy(put: ReplicatedPut, ticket: number, node: number, hintFor: number): void;
  /** Keep a hint here for an owner that has no copy, and that nobody else keeps one for. Nothing is reported. */
  keepHint(put: ReplicatedPut, owner: number): void;
  /** Once: `outcome` and the rows say what became of it. The record's bytes are still needed. */
  reply(put: ReplicatedPut): void;
  /** Call `tick` at this time; replaces what was asked before. */
  wakeAt(put: ReplicatedPut, atMs: number): void;
  /** Nothing more will be asked for, the wake-up is void, the object may be started again, even from within this call. */
  ended(put: ReplicatedPut): void;
}

/** `refused`: the local store did not take it and nobody else was asked. `too-few`: less than W. */
export type PutResult = 'none' | 'stored' | 'too-few' | 'refused';
export type PutAnswer = 'durable' | 'buffered';

const NOWHERE: Preference = { nodes: [], ownerCount: 0, ringVersion: 0, handovers: [] };

export class ReplicatedPut {
  outcome: PutResult = 'none';
  /** How many nodes counted when the reply was given; of them, how many durably; and how many of them as stand-ins. */
  acks: number = 0;
  durableAcks: number = 0;
  standInAcks: number = 0;
  w: number = 0;

  readonly #self: number;
  readonly #peers: PeerView;
  readonly #port: PutPort;
  readonly #asked: Asked<PutAnswer> = new Asked();
  #preference: Preference = NOWHERE;
  #strict = false;
  #mustBeDurable = false;
  #deadlineMs = 0;
  #wakeMs = Infinity;
  #isEncoded = false;
  #isPlaced = false;
  #ended = true;
  #stepping = false;
  #stepAgain = false;
  /** Per owner: a hint is kept here. */
  readonly #hinted: boolean[] = [];

  constructor(self: number, peers: PeerView, port: PutPort) {
    this.#self = self;
    this.#peers = peers;
    this.#port = port;
  }

  /** `terms` is read here only. The coordinator need not be an owner: then its own copy is a hint. */
  start(terms: PutTerms, preference: Preference, nowMs: number): void {
    assert(this.#ended, 'a put is started when the one before has ended');
    assert(terms.w >= 1, 'a put waits for one node at least');
    this.outcome = 'none';
    this.acks = 0;
    this.durableAcks = 0;
    this.standInAcks = 0;
    this.w = terms.w;
    this.#strict = terms.strict;
    this.#mustBeDurable = terms.durable;
    this.#deadlineMs = terms.deadlineMs;
    this.#preference = preference;
    this.#wakeMs = Infinity;
    this.#isEncoded = false;
    this.#isPlaced = false;
    this.#ended = false;
    this.#asked.reset();
    for (let i = 0; i < preference.ownerCount; i++) this.#hinted[i] = false;
    this.#stepping = true; // what is reported from within `storeHere` waits for the step below
    const owner = isOwner(preference, this.#self) ? this.#self : firstUnhealthyOwner(preference, this.#peers, nowMs);
    const ticket = this.#asked.add(this.#self, owner, Infinity);
    this.#port.storeHere(this, ticket, owner === this.#self ? -1 : owner);
    this.#stepping = false;
    this.#advance(nowMs);
  }

  /** The local store has made the record: its bytes can be sent, though they may not be on the disk yet. */
  encoded(ticket: number, nowMs: number): void {
    if (this.#asked.row(ticket) !== 0 || this.#isEncoded) return;
    this.#isEncoded = true;
    this.#advance(nowMs);
  }

  /**
   * The node of this ticket has the record. A second ack of it changes nothing, or tells that it is durable by now. An ack
   * after a failure is believed: the request was repeated on its way, and one of the two got through.
   */
  acked(ticket: number, durable: boolean, nowMs: number): void {
    const row = this.#asked.row(ticket);
    if (row < 0 || this.#asked.state(row) === 'durable') return;
    if (!durable && !this.#asked.isOwnerRow(row)) return; // a hint counts when it is durable, not before
    this.#asked.set(row, durable ? 'durable' : 'buffered');
    if (row === 0) this.#isEncoded = true;
    this.#advance(nowMs);
  }

  /**
   * The node was asked as an owner, and lives by a newer ring. By that it is none any more, and keeps the record durably,
   * with hints for those who are; or the put is strict, and readers by that ring may ask others. So it counts as a
   * stand-in does.
   */
  keptForOthers(ticket: number, isDurable: boolean, nowMs: number): void {
    const row = this.#asked.row(ticket);
    if (row >= 0 && this.#asked.state(row) !== 'durable') this.#asked.disown(row);
    this.acked(ticket, isDurable, nowMs);
  }

  failed(ticket: number, fault: Fault, nowMs: number): void {
    const row = this.#asked.row(ticket);
    if (row < 0 || !this.#asked.isOpen(row)) return;
    this.#asked.set(row, fault);
    this.#advance(nowMs);
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#wakeMs) this.#wakeMs = Infinity;
    this.#advance(nowMs);
  }

  get replied(): boolean {
    return this.outcome !== 'none';
  }
  /** Somebody has it or may have it: others are asked only when this node has the record, and keeps it whatever they say. */
  get outcomeUnknown(): boolean {
    return this.outcome === 'too-few';
  }
  /** W nodes have it on disk. */
  get durable(): boolean {
    return this.outcome === 'stored' && this.durableAcks >= this.w;
  }
  get ringVersion(): number {
    return this.#preference.ringVersion;
  }
  get copyCount(): number {
    return this.#asked.count;
  }
  copyNode(row: number): number {
    return this.#asked.node(row);
  }
  /** The owner that the node stands in for, itself if it was one by an older ring; -1: it is an owner itself. */
  copyHintFor(row: number): number {
    return this.#asked.isOwnerRow(row) ? -1 : this.#asked.standsFor(row);
  }
  /** Neither an owner nor in the place of one: it counts only together with the owner whose place it has, or had. */
  copyIsExtra(row: number): boolean {
    const { handovers } = this.#preference;
    if (handovers.length === 0 || !this.#asked.isOwnerRow(row)) return false;
    const node = this.#asked.node(row);
    return handovers.some(({ other }) => other === node);
  }
  copyState(row: number): AskedState<PutAnswer> {
    return this.#asked.state(row);
  }

  #advance(nowMs: number): void {
    if (this.#ended) return;
    this.#stepAgain = true;
    if (this.#stepping) return;
    this.#stepping = true;
    while (this.#stepAgain) {
      this.#stepAgain = false;
      this.#step(nowMs);
    }
    this.#stepping = false;
    if (this.#isProvidedFor()) {
      this.#ended = true;
      this.#port.ended(this); // last: it may start the next put
      return;
    }
    this.#wake();
  }

  #step(nowMs: number): void {
    if (!this.#isEncoded) {
      if (!this.#asked.isOpen(0)) this.#reply('refused');
      else if (nowMs >= this.#deadlineMs) this.#reply('too-few');
      return;
    }
    for (let row = this.#asked.takeSlow(nowMs); row >= 0; row = this.#asked.takeSlow(nowMs)) {
      this.#peers.missed(this.#asked.node(row), nowMs);
    }
    if (!this.replied && this.#count() >= this.w) this.#reply('stored');
    this.#place(nowMs);
    if (this.replied) return;
    this.#reachForMore(nowMs);
    if (this.#stepAgain) return; // answers came at once: nothing is given up before they are looked at
    if (nowMs >= this.#deadlineMs || this.#countPossible(true) < this.w) this.#reply('too-few');
  }

  /** Every owner that is not provided for gets somebody. */
  #place(nowMs: number): void {
    const { nodes, ownerCount } = this.#preference;
    if (!this.#isPlaced) {
      this.#isPlaced = true;
      for (let i = 0; i < ownerCount; i++) {
        const owner = nodes[i] as number;
        if (this.#asked.rowOf(owner) < 0 && this.#peers.isHealthy(owner, nowMs)) this.#send(owner, owner, nowMs);
      }
      if (this.#strict) {
        for (const { other } of this.#preference.handovers)
          if (this.#asked.rowOf(other) < 0) this.#send(other, other, nowMs);
      }
    }
    for (let i = 0; i < ownerCount; i++) {
      const owner = nodes[i] as number;
      if (this.#hinted[i] === true || this.#isUnderWay(owner)) continue;
      const isBack = this.#asked.rowOf(owner) < 0 && this.#peers.isHealthy(owner, nowMs);
      const node = isBack ? owner : this.#unaskedFallback(true, nowMs);
      if (node >= 0) {
        this.#send(node, owner, nowMs);
      } else {
        this.#hinted[i] = true;
        // A store that has just failed to take the record is not asked to keep a hint for itself.
        if (owner !== this.#self) this.#port.keepHint(this, owner);
      }
    }
  }

  /** Somebody holds a copy for this owner, or may be expected to hold one in a moment. */
  #isUnderWay(owner: number): boolean {
    for (let row = 0; row < this.#asked.count; row++) {
      if (this.#asked.standsFor(row) !== owner) continue;
      const state = this.#asked.state(row);
      if (state === 'pending' || state === 'durable' || state === 'buffered') return true;
    }
    return false;
  }

  /** Where W cannot be reached with the healthy nodes, the suspects are asked too: suspicion may be wrong. */
  #reachForMore(nowMs: number): void {
    const { nodes, ownerCount } = this.#preference;
    for (let i = 0; i < ownerCount && this.#countPossible(false) < this.w; i++) {
      const owner = nodes[i] as number;
      if (this.#asked.rowOf(owner) < 0) this.#send(owner, owner, nowMs);
    }
    if (this.#strict) return;
    while (this.#countPossible(false) < this.w) {
      const fallback = this.#unaskedFallback(false, nowMs);
      if (fallback < 0) return;
      this.#send(fallback, this.#ownerWithoutCopy(), nowMs);
    }
  }

  #send(node: number, standsFor: number, nowMs: number): void {
    if (this.#asked.isFull) return;
    const ticket = this.#asked.add(node, standsFor, nowMs + this.#peers.putPatienceMs(node));
    this.#port.sendCopy(this, ticket, node, node === standsFor ? -1 : standsFor);
  }

  #unaskedFallback(onlyHealthy: boolean, nowMs: number): number {
    const { nodes, ownerCount } = this.#preference;
    if (this.#asked.isFull) return -1;
    for (let i = ownerCount; i < nodes.length; i++) {
      const node = nodes[i] as number;
      if (this.#asked.rowOf(node) >= 0) continue;
      if (!onlyHealthy || this.#peers.isHealthy(node, nowMs)) return node;
    }
    return -1;
  }

  #ownerWithoutCopy(): number {
    const { nodes, ownerCount } = this.#preference;
    for (let i = 0; i < ownerCount; i++) {
      const owner = nodes[i] as number;
      if (!this.#isUnderWay(owner)) return owner;
    }
    return nodes[0] as number;
  }

  #isCounted(row: number): boolean {
    if (!this.#hasIt(row) || !this.#mayCount(row)) return false;
    const other = this.#otherOf(row);
    return other < 0 || this.#hasIt(this.#asked.rowOf(other));
  }

  #hasIt(row: number): boolean {
    const state = row < 0 ? 'unsent' : this.#asked.state(row);
    return state === 'durable' || (state === 'buffered' && !this.#mustBeDurable);
  }

  #mayCount(row: number): boolean {
    return !this.#strict || (this.#asked.isOwnerRow(row) && !this.copyIsExtra(row));
  }

  /** Who must have it too for the node to count; -1: nobody. */
  #otherOf(row: number): number {
    const { handovers } = this.#preference;
    if (!this.#strict || handovers.length === 0) return -1;
    const node = this.#asked.node(row);
    return handovers.find(({ owner }) => owner === node)?.other ?? -1;
  }

  #count(): number {
    let count = 0;
    for (let row = 0; row < this.#asked.count; row++) if (this.#isCounted(row)) count += 1;
    return count;
  }

  /** How many would count if everybody answered who may be expected to, or (`withSlow`) who may still. */
  #countPossible(withSlow: boolean): number {
    let count = 0;
    for (let row = 0; row < this.#asked.count; row++) {
      if (!this.#mayCount(row) || !this.#mayHaveIt(row, withSlow)) continue;
      const other = this.#otherOf(row);
      if (other < 0 || this.#mayHaveIt(this.#asked.rowOf(other), withSlow)) count += 1;
    }
    return count;
  }

  #mayHaveIt(row: number, withSlow: boolean): boolean {
    if (this.#hasIt(row)) return true;
    const state = row < 0 ? 'unsent' : this.#asked.state(row);
    // A buffered copy may yet be reported durable, though a node that was asked for durability reports once.
    return state === 'pending' || (withSlow && (state === 'slow' || state === 'buffered'));
  }

  #reply(outcome: PutResult): void {
    if (this.replied) return;
    this.outcome = outcome;
    for (let row = 0; row < this.#asked.count; row++) {
      if (!this.#isCounted(row)) continue;
      this.acks += 1;
      if (this.#asked.state(row) === 'durable') this.durableAcks += 1;
      if (!this.#asked.isOwnerRow(row)) this.standInAcks += 1;
    }
    this.#port.reply(this);
  }

  #isProvidedFor(): boolean {
    if (!this.replied || this.#asked.state(0) === 'pending') return false; // the local store still holds the request
    if (!this.#isEncoded) return true;
    const { nodes, ownerCount } = this.#preference;
    for (let i = 0; i < ownerCount; i++) {
      if (this.#hinted[i] !== true && !this.#isHeldFor(nodes[i] as number)) return false;
    }
    return true;
  }

  #isHeldFor(owner: number): boolean {
    for (let row = 0; row < this.#asked.count; row++) {
      if (this.#asked.standsFor(row) !== owner) continue;
      const state = this.#asked.state(row);
      if (state === 'durable' || state === 'buffered') return true;
    }
    return false;
  }

  /** Only ever earlier: what has become superfluous is met and passed over. */
  #wake(): void {
    const nextMs = this.replied ? this.#asked.nextSlowMs() : Math.min(this.#asked.nextSlowMs(), this.#deadlineMs);
    if (nextMs >= this.#wakeMs) return;
    this.#wakeMs = nextMs;
    this.#port.wakeAt(this, nextMs);
  }
}
