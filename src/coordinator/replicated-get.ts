/*
 * One get, from the first question to the last repair (§4.5, §5).
 *
 * It asks as few nodes as needed: R, of the healthy ones, owners before fallbacks, this node before others, and among
 * the other owners those that have lately been fast. Whoever does not answer in time gets company: one more node is
 * asked for each that is slow, and for each that failed. R answers from distinct nodes are enough. That a node holds
 * nothing is an answer; that it does not know (damaged, suspect, bootstrapping) is none, and never counts. A fallback's
 * "nothing" counts as well, since otherwise R owners would have to be up; the reply tells how many of the R were
 * stand-ins, and `strict` asks owners only.
 *
 * Records stay with the port, named by the row of the node that sent them. Each is merged when it comes, so that the
 * reply has only to be written when the R-th is in.
 *
 * After the reply: those that were asked and have not answered get a short grace, since what they hold may be newer or
 * older than what the client was shown. Then every owner that answered, and whose answer is not what the merge of all
 * came to, is sent the merged record (read repair). An owner that said "unknown" is sent it too: its copy is damaged or
 * gone. (That one also when too few have answered: it may be why.) A fallback never is: it would hold a record for nobody. Owners that did not answer are left to hints and
 * anti-entropy. So one get repairs at most N nodes, and only what it has seen to be stale.
 *
 * The machine's shape, tickets and time are those of replicated-put.ts.
 */
import { assert } from '../lib/assert.js';
import { Asked, type AskedState, type Fault } from './asked.js';
import { isOwner, type PeerView, type Preference } from './preference.js';

export interface GetTerms {
  /** 1..N */
  readonly r: number;
  /** Only owners are asked. */
  readonly strict: boolean;
  /** On the clock of `nowMs`. */
  readonly deadlineMs: number;
  /** How long those that are late may still report after the reply, before stale owners are repaired, ms. */
  readonly graceMs: number;
}

/** What a get wants done. Calls may report back from within; none may throw. */
export interface GetPort {
  /** Read the local store. Reports `answered` or `failed` once. */
  readHere(get: ReplicatedGet, ticket: number): void;
  /** Ask a peer. Reports `answered` or `failed`. */
  ask(get: ReplicatedGet, ticket: number, node: number): void;
  /** Merge the record of this row, which has been found, into that of the get. Once a row, before and after the reply. */
  merge(get: ReplicatedGet, row: number): void;
  /** Once: `outcome` and the rows say what became of it. */
  reply(get: ReplicatedGet): void;
  /** After everything has been merged: the record of this row is not what the merge came to. */
  isStale(get: ReplicatedGet, row: number): boolean;
  /** Send the merged record to this owner, or store it here. Nothing is reported; what is too much may be dropped. */
  repair(get: ReplicatedGet, node: number): void;
  /** Call `tick` at this time; replaces what was asked before. */
  wakeAt(get: ReplicatedGet, atMs: number): void;
  /** Records may go, the wake-up is void, the object may be started again, even from within this call. */
  ended(get: ReplicatedGet): void;
}

export type GetResult = 'none' | 'answered' | 'too-few';
export type GetAnswer = 'found' | 'absent' | 'unknown';

/** A fallback that is asked for what it holds stands in for nobody in particular. */
const NOBODY = -1;
const NOWHERE: Preference = { nodes: [], ownerCount: 0, ringVersion: 0, handovers: [] };

export class ReplicatedGet {
  outcome: GetResult = 'none';
  r: number = 0;
  /** How many nodes counted when the reply was given, and how many of them were not owners. */
  answers: number = 0;
  standInAnswers: number = 0;
  /** Who answered first, of those that count: where the client's next put may go. -1: nobody. */
  fastest: number = -1;

  readonly #self: number;
  readonly #peers: PeerView;
  readonly #port: GetPort;
  readonly #asked: Asked<GetAnswer> = new Asked();
  #preference: Preference = NOWHERE;
  #strict = false;
  #deadlineMs = 0;
  #graceMs = 0;
  #graceEndsMs = Infinity;
  #wakeMs = Infinity;
  #found = 0;
  #ended = true;
  #stepping = false;
  #stepAgain = false;

  constructor(self: number, peers: PeerView, port: GetPort) {
    this.#self = self;
    this.#peers = peers;
    this.#port = port;
  }

  /** `terms` is read here only. */
  start(terms: GetTerms, preference: Preference, nowMs: number): void {
    assert(this.#ended, 'a get is started when the one before has ended');
    assert(terms.r >= 1, 'a get waits for one answer at least');
    this.outcome = 'none';
    this.r = terms.r;
    this.answers = 0;
    this.standInAnswers = 0;
    this.fastest = -1;
    this.#strict = terms.strict;
    this.#deadlineMs = terms.deadlineMs;
    this.#graceMs = terms.graceMs;
    this.#graceEndsMs = Infinity;
    this.#preference = preference;
    this.#wakeMs = Infinity;
    this.#found = 0;
    this.#ended = false;
    this.#asked.reset();
    this.#advance(nowMs);
  }

  /** Once a node: what it repeats is ignored, and so is an answer after a failure. */
  answered(ticket: number, answer: GetAnswer, nowMs: number): void {
    const row = this.#asked.row(ticket);
    if (row < 0 || this.#ended || !this.#asked.isOpen(row)) return;
    this.#asked.set(row, answer);
    if (answer === 'found') {
      this.#found += 1;
      this.#port.merge(this, row);
    }
    if (this.fastest < 0 && answer !== 'unknown') this.fastest = this.#asked.node(row);
    this.#advance(nowMs);
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
  get ringVersion(): number {
    return this.#preference.ringVersion;
  }
  get askedCount(): number {
    return this.#asked.count;
  }
  askedNode(row: number): number {
    return this.#asked.node(row);
  }
  askedIsOwner(row: number): boolean {
    return this.#asked.isOwnerRow(row);
  }
  askedState(row: number): AskedState<GetAnswer> {
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
    if (this.#isOver(nowMs)) {
      this.#repair();
      this.#ended = true;
      this.#port.ended(this); // last: it may start the next get
      return;
    }
    this.#wake();
  }

  #step(nowMs: number): void {
    if (this.replied) return;
    while (this.#asked.takeSlow(nowMs) >= 0); // each makes room for one more to be asked
    if (this.#count() < this.r && nowMs < this.#deadlineMs) this.#askMore(nowMs);
    if (this.#count() >= this.r) this.#reply('answered', nowMs);
    else if (nowMs >= this.#deadlineMs || this.#countPossible(true) < this.r) this.#reply('too-few', nowMs);
  }

  #askMore(nowMs: number): void {
    while (this.#countPossible(false) < this.r && !this.#asked.isFull) {
      const node = this.#next(nowMs);
      if (node < 0) return;
      const standsFor = isOwner(this.#preference, node) ? node : NOBODY;
      const ticket = this.#asked.add(node, standsFor, nowMs + this.#peers.getPatienceMs(node));
      if (node === this.#self) this.#port.readHere(this, ticket);
      else this.#port.ask(this, ticket, node);
    }
  }

  /** Owners first; the suspect ones only after the healthy fallbacks, and suspect fallbacks last. */
  #next(nowMs: number): number {
    const owner = this.#bestOwner(nowMs);
    if (owner >= 0) return owner;
    const { nodes, ownerCount } = this.#preference;
    if (!this.#strict) {
      const fallback = this.#firstUnasked(ownerCount, nodes.length, true, nowMs);
      if (fallback >= 0) return fallback;
    }
    const suspect = this.#firstUnasked(0, ownerCount, false, nowMs);
    return suspect >= 0 || this.#strict ? suspect : this.#firstUnasked(ownerCount, nodes.length, false, nowMs);
  }

  #bestOwner(nowMs: number): number {
    const { nodes, ownerCount } = this.#preference;
    let best = -1;
    let bestCost = Infinity;
    for (let i = 0; i < ownerCount; i++) {
      const node = nodes[i] as number;
      if (this.#asked.rowOf(node) >= 0) continue;
      if (node === this.#self) return node;
      if (!this.#peers.isHealthy(node, nowMs)) continue;
      const cost = this.#peers.readCost(node, nowMs);
      if (best >= 0 && cost >= bestCost) continue;
      best = node;
      bestCost = cost;
    }
    return best;
  }

  /** This node before others: what it holds as a fallback costs no message. */
  #firstUnasked(from: number, to: number, onlyHealthy: boolean, nowMs: number): number {
    let first = -1;
    for (let i = from; i < to; i++) {
      const node = this.#preference.nodes[i] as number;
      if (this.#asked.rowOf(node) >= 0) continue;
      if (node === this.#self) return node;
      if (first < 0 && (!onlyHealthy || this.#peers.isHealthy(node, nowMs))) first = node;
    }
    return first;
  }

  #count(): number {
    let count = 0;
    for (let row = 0; row < this.#asked.count; row++) {
      const state = this.#asked.state(row);
      if (state === 'found' || state === 'absent') count += 1;
    }
    return count;
  }

  #countPossible(withSlow: boolean): number {
    let count = this.#count();
    for (let row = 0; row < this.#asked.count; row++) {
      const state = this.#asked.state(row);
      if (state === 'pending' || (withSlow && state === 'slow')) count += 1;
    }
    return count;
  }

  #reply(outcome: GetResult, nowMs: number): void {
    this.outcome = outcome;
    this.#graceEndsMs = nowMs + this.#graceMs;
    for (let row = 0; row < this.#asked.count; row++) {
      const state = this.#asked.state(row);
      if (state !== 'found' && state !== 'absent') continue;
      this.answers += 1;
      if (!this.#asked.isOwnerRow(row)) this.standInAnswers += 1;
    }
    this.#port.reply(this);
  }

  #isOver(nowMs: number): boolean {
    if (!this.replied) return false;
    if (this.outcome === 'too-few' || nowMs >= this.#graceEndsMs) return true;
    for (let row = 0; row < this.#asked.count; row++) if (this.#asked.isOpen(row)) return false;
    return true;
  }

  /** When too few have answered, only those who do not know: a damaged copy may be what makes them too few. */
  #repair(): void {
    if (this.#found === 0) return;
    const isAnswered = this.outcome === 'answered';
    for (let row = 0; row < this.#asked.count; row++) {
      if (!this.#asked.isOwnerRow(row)) continue;
      const state = this.#asked.state(row);
      const isStale =
        state === 'unknown' ||
        (isAnswered && state === 'absent') ||
        (isAnswered && state === 'found' && this.#found > 1 && this.#port.isStale(this, row));
      if (isStale) this.#port.repair(this, this.#asked.node(row));
    }
  }

  /** Only ever earlier: what has become superfluous is met and passed over. */
  #wake(): void {
    const nextMs = this.replied ? this.#graceEndsMs : Math.min(this.#asked.nextSlowMs(), this.#deadlineMs);
    if (nextMs >= this.#wakeMs) return;
    this.#wakeMs = nextMs;
    this.#port.wakeAt(this, nextMs);
  }
}
