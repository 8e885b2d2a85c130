/*
 * Six nodes that agree on ring after ring, over a network that loses, repeats, reorders and partitions, while nodes crash
 * and disks are replaced. Acceptors and proposers are the real ones. A ring here is a name, and what it names: its voters.
 *
 * Watched from above: which document a quorum of voters has accepted with one ballot. From that moment it is decided, even if
 * nobody knows; no other may ever be decided, or installed, as that version.
 *
 * Each planted fault changes one thing in how a node is put together.
 */
import type { Prng } from '../../src/lib/prng.js';
import { type AcceptorState, compareBallots, RingAcceptor } from '../../src/membership/ring-acceptor.js';
import { type ProposalOutcome, RingProposer, ringQuorum } from '../../src/membership/ring-proposer.js';
import type { Ballot, RingBytes, RingLogAnswer, RingVoter } from '../../src/model/ring-log-messages.js';

export interface Planted {
  /** An acceptor begins empty after each restart, with its old id. */
  readonly forgets?: boolean;
  /** Answers are out before they are on the disk. */
  readonly answersEarly?: boolean;
  /** A proposer does not look at what promises tell. */
  readonly ignoresAccepted?: boolean;
  /** A proposer asks too few voters for a majority of all. */
  readonly smallQuorum?: boolean;
  /** An acceptor whose file was lost votes on under the old id. */
  readonly wipedVotes?: boolean;
  /** A majority is enough, though the ring names no ids. */
  readonly blankMajority?: boolean;
  /** A ballot is promised each time that it is asked for. */
  readonly promisesTwice?: boolean;
}

interface Ring {
  readonly version: number;
  readonly voters: readonly RingVoter[];
  readonly document: RingBytes;
}

interface Node {
  readonly id: number;
  /** On disk: the newest ring, the acceptor's file. */
  ring: Ring | null;
  kept: AcceptorState | null;
  acceptorId: string;
  /** Gone in a crash. */
  acceptor: RingAcceptor;
  writing: AcceptorState | null;
  proposer: RingProposer | null;
  incarnation: number;
}

interface Message {
  readonly from: number;
  readonly to: number;
  readonly deliver: () => void;
}

const NODES = [1, 2, 3, 4, 5, 6];
const TICK_MS = 100;
const MESSAGES_MAX = 200;

export class RingLogWorld {
  /** Rings that were decided, proposals that lost, and how the liveness part went. */
  decided = 0;
  lost = 0;
  finished: 'no majority' | 'decided' | '' = '';
  readonly #random: Prng;
  readonly #planted: Planted;
  readonly #nodes: Map<number, Node> = new Map();
  /** By hash. */
  readonly #rings: Map<string, Ring> = new Map();
  /** Version → what has become that ring. */
  readonly #decidedHash: Map<number, string> = new Map();
  /** Who has accepted: `version round.ordinal hash` → voters. */
  readonly #accepts: Map<string, Set<number>> = new Map();
  /** Nodes whose disks were replaced since a ring came into being. */
  readonly #wiped: Map<string, Set<number>> = new Map();
  #messages: Message[] = [];
  #apart: ReadonlySet<number> = new Set();
  #nowMs = 0;
  #made = 0;
  #calm = false;
  #fault = '';

  constructor(random: Prng, planted: Planted = {}) {
    this.#random = random;
    this.#planted = planted;
    for (const id of NODES) {
      const acceptorId = this.#drawId();
      const acceptor = new RingAcceptor(acceptorId, null, { persist: () => undefined });
      const node = { id, ring: null, kept: null, acceptorId, acceptor, writing: null, proposer: null, incarnation: 0 };
      this.#nodes.set(id, node);
    }
    const first = this.#makeRing(1);
    this.#isDecided(1, first.document.hash);
    for (const node of this.#nodes.values()) {
      node.ring = first;
      this.#restart(node);
    }
  }

  /** What went wrong; empty: nothing. */
  run(steps: number): string {
    for (let i = 0; i < steps && this.#fault === ''; i++) this.#step();
    if (this.#fault === '') this.#settle();
    return this.#fault;
  }

  #step(): void {
    const random = this.#random;
    const draw = random.float();
    const node = this.#node(random.pick(NODES));
    if (draw < 0.55) this.#deliverOne();
    else if (draw < 0.75) this.#diskDone(node);
    else if (draw < 0.91) this.#tick();
    else if (draw < 0.935) this.#propose(node);
    else if (draw < 0.96) this.#learn(node, this.#node(random.pick(NODES)));
    else if (draw < 0.965) this.#apart = new Set(NODES.filter(() => random.chance(0.3)));
    else if (draw < 0.975) this.#apart = new Set();
    else if (draw < 0.985) this.#crash(node);
    else if (!this.#isNeeded(node) || random.chance(0.01)) this.#wipe(node);
  }

  /** Without this voter a ring that is the newest, or may become it, would have no successor. */
  #isNeeded({ id, acceptorId }: Node): boolean {
    const { version } = this.#newestRing();
    for (const ring of this.#rings.values()) {
      if (ring.version < version) continue;
      const isNamed = ring.voters.some((voter) => voter.ordinal === id && voter.acceptorId === acceptorId);
      if (isNamed && this.#ableOf(ring.voters).length <= ringQuorum(ring.voters)) return true;
    }
    return false;
  }

  /** Those that are still who the ring says. */
  #ableOf(voters: readonly RingVoter[]): readonly RingVoter[] {
    return voters.filter(
      ({ ordinal, acceptorId }) => acceptorId === '' || acceptorId === this.#node(ordinal).acceptorId,
    );
  }

  #node(id: number): Node {
    return this.#nodes.get(id) as Node;
  }

  #drawId(): string {
    return [0, 0, 0, 0].map(() => this.#random.u32().toString(16).padStart(8, '0')).join('');
  }

  /** Its voters are any one to five nodes, by the ids they have now; sometimes by none. */
  #makeRing(version: number): Ring {
    const random = this.#random;
    const count = 1 + random.int(5);
    const chosen = NODES.map((id) => ({ id, order: random.u32() })).sort((a, b) => a.order - b.order);
    const isOffline = random.chance(0.4);
    const voters = chosen.slice(0, count).map(({ id }) => {
      const isNameless = isOffline || random.chance(0.02);
      return { ordinal: id, acceptorId: isNameless ? '' : this.#node(id).acceptorId };
    });
    this.#made += 1;
    const hash = `v${version}#${this.#made}`;
    const ring = { version, voters, document: { bytes: Buffer.from(hash), hash } };
    this.#rings.set(hash, ring);
    return ring;
  }

  #send(from: Node, to: Node, deliver: () => void): void {
    const copies = this.#calm ? 1 : this.#random.chance(0.1) ? 0 : this.#random.chance(0.1) ? 2 : 1;
    const message: Message = { from: from.id, to: to.id, deliver };
    for (let i = 0; i < copies; i++) this.#messages.push(message);
    if (this.#messages.length > MESSAGES_MAX) this.#messages.splice(this.#random.int(MESSAGES_MAX), 1);
  }

  #deliverOne(): void {
    if (this.#messages.length === 0) return;
    const [message] = this.#messages.splice(this.#random.int(this.#messages.length), 1);
    if (message === undefined || this.#apart.has(message.from) !== this.#apart.has(message.to)) return;
    message.deliver();
  }

  #tick(): void {
    this.#nowMs += TICK_MS;
    for (const { proposer } of this.#nodes.values()) proposer?.tick(this.#nowMs);
  }

  #diskDone(node: Node): void {
    if (node.writing === null) return;
    node.kept = node.writing;
    node.writing = null;
    if (this.#planted.answersEarly !== true) node.acceptor.persisted();
  }

  #restart(node: Node): void {
    node.incarnation += 1;
    node.proposer = null;
    node.writing = null;
    const acceptor = new RingAcceptor(node.acceptorId, this.#planted.forgets === true ? null : node.kept, {
      persist: (state) => {
        node.writing = state;
        if (this.#planted.answersEarly === true) acceptor.persisted();
      },
    });
    node.acceptor = acceptor;
    this.#tell(node);
  }

  #tell({ ring, id, acceptor }: Node): void {
    if (ring === null) return;
    const voter = ring.voters.find(({ ordinal }) => ordinal === id);
    acceptor.onInstalled(ring.version, voter?.acceptorId ?? null);
  }

  /** What was being written is on the disk, or is not. */
  #crash(node: Node): void {
    if (node.writing !== null && this.#random.chance(0.5)) node.kept = node.writing;
    const wasProposing = node.proposer !== null;
    this.#restart(node);
    if (wasProposing && this.#random.chance(0.5)) this.#propose(node); // the administrator tries again
  }

  #wipe(node: Node): void {
    for (const [hash, wiped] of this.#wiped) {
      const ring = this.#rings.get(hash) as Ring;
      const isNameless = ring.voters.some(({ acceptorId }) => acceptorId === '');
      // Nothing helps if all that voted have forgotten, and nobody can tell.
      if (isNameless && ring.voters.every(({ ordinal }) => ordinal === node.id || wiped.has(ordinal))) return;
    }
    for (const wiped of this.#wiped.values()) wiped.add(node.id);
    node.kept = null;
    if (this.#planted.wipedVotes !== true) node.acceptorId = this.#drawId();
    const isKnownElsewhere = [...this.#nodes.values()].some((other) => other !== node && other.ring !== null);
    if (isKnownElsewhere && this.#random.chance(0.5)) node.ring = null;
    this.#restart(node);
  }

  #install(node: Node, ring: Ring): void {
    this.#isDecided(ring.version, ring.document.hash);
    if (node.ring !== null && node.ring.version >= ring.version) return;
    node.ring = ring;
    this.#tell(node);
  }

  #learn(node: Node, from: Node): void {
    this.#send(node, from, () => {
      const { ring } = from;
      if (ring === null) return;
      this.#send(from, node, () => {
        this.#install(node, ring);
      });
    });
  }

  #propose(node: Node): void {
    if (node.proposer !== null || node.ring === null) return;
    const base = node.ring;
    const { document } = this.#makeRing(base.version + 1);
    const voters = this.#votersAsked(base.voters);
    const { incarnation } = node;
    const deadlineMs = this.#calm ? 10_000 : 1_000 + this.#random.int(9_000);
    const proposal = { baseVersion: base.version, voters, ordinal: node.id, document, deadlineMs };
    const proposer = new RingProposer(proposal, this.#random, {
      prepare: (voter, version, ballot) => {
        this.#ask(node, proposer, voter, ballot, (acceptor, answer) => {
          const { promised, accepted } = acceptor.state;
          const isAgain = promised !== null && compareBallots(promised, ballot) === 0;
          if (this.#planted.promisesTwice === true && isAgain) answer({ kind: 'promised', accepted, blank: false });
          else acceptor.prepare(version, ballot, answer);
        });
      },
      accept: (voter, version, ballot, offered) => {
        this.#ask(node, proposer, voter, ballot, (acceptor, answer) => {
          acceptor.accept(version, ballot, offered, (said) => {
            if (said.kind === 'accepted') this.#accepted(voter, version, ballot, offered, base);
            answer(said);
          });
        });
      },
      ended: (outcome) => {
        if (node.incarnation === incarnation) this.#ended(node, outcome);
      },
    });
    node.proposer = proposer;
    proposer.start(this.#nowMs);
  }

  #votersAsked(voters: readonly RingVoter[]): readonly RingVoter[] {
    const { smallQuorum, blankMajority } = this.#planted;
    if (smallQuorum === true) {
      const few = Math.max(1, voters.length - 2);
      const from = this.#random.int(voters.length);
      return Array.from({ length: few }, (_, i) => voters[(from + i) % voters.length] as RingVoter);
    }
    if (blankMajority !== true) return voters;
    return voters.map(({ ordinal, acceptorId }) => ({ ordinal, acceptorId: acceptorId || 'counted' }));
  }

  #ask(
    node: Node,
    proposer: RingProposer,
    voter: number,
    ballot: Ballot,
    request: (acceptor: RingAcceptor, answer: (answer: RingLogAnswer) => void) => void,
  ): void {
    const asked = this.#node(voter);
    const { incarnation } = node;
    this.#send(node, asked, () => {
      const answerer = asked.incarnation;
      request(asked.acceptor, (answer) => {
        if (asked.incarnation !== answerer) return;
        if (answer.kind === 'behind') this.#learn(asked, node);
        this.#send(asked, node, () => {
          // Links do not hand answers to whoever was started after the one that had asked.
          if (node.incarnation === incarnation) proposer.answered(voter, ballot, this.#asHeard(answer));
        });
      });
    });
  }

  #asHeard(answer: RingLogAnswer): RingLogAnswer {
    const { ignoresAccepted, blankMajority } = this.#planted;
    if (ignoresAccepted === true && answer.kind === 'promised') return { ...answer, accepted: null };
    if (blankMajority === true && 'blank' in answer) return { ...answer, blank: false };
    return answer;
  }

  #accepted(voter: number, version: number, ballot: Ballot, { hash }: RingBytes, base: Ring): void {
    const key = `${version} ${ballot.round}.${ballot.ordinal} ${hash}`;
    const voters = this.#accepts.get(key) ?? new Set();
    this.#accepts.set(key, voters.add(voter));
    if (voters.size >= ringQuorum(base.voters)) this.#isDecided(version, hash);
  }

  #isDecided(version: number, hash: string): void {
    const known = this.#decidedHash.get(version);
    if (known === hash) return;
    if (known !== undefined) this.#fault ||= `${hash} is decided, after ${known}`;
    this.#decidedHash.set(version, hash);
    this.#wiped.set(hash, new Set());
    this.decided += 1;
  }

  #ended(node: Node, outcome: ProposalOutcome): void {
    node.proposer = null;
    if (outcome.kind === 'behind') this.#learn(node, this.#node(outcome.from));
    if (outcome.kind !== 'won' && outcome.kind !== 'lost') return;
    if (outcome.kind === 'lost') this.lost += 1;
    const ring = this.#rings.get(outcome.document.hash) as Ring;
    this.#install(node, ring);
    for (const other of this.#nodes.values()) {
      if (other !== node) {
        this.#send(node, other, () => {
          this.#install(other, ring);
        });
      }
    }
  }

  /** Peace: the next ring is decided soon, though two want one, if a quorum of voters is left. */
  #settle(): void {
    this.#calm = true;
    this.#apart = new Set();
    this.#pass(12_000, () => false);
    const newest = this.#newestRing();
    for (const node of this.#nodes.values()) this.#install(node, newest);
    const isAble = this.#ableOf(newest.voters).length >= ringQuorum(newest.voters);
    this.finished = isAble ? 'decided' : 'no majority';
    const isReached = (): boolean => this.#newestRing().version > newest.version;
    const proposers = [this.#node(1), this.#node(this.#random.pick([2, 3, 4, 5, 6]))];
    this.#pass(10_000, () => {
      for (const node of proposers) this.#propose(node);
      return isReached() || this.#fault !== '';
    });
    if (this.#fault === '' && isReached() !== isAble) {
      this.#fault = isAble ? `no ring after ${newest.version} is decided` : 'decided without a quorum';
    }
  }

  #newestRing(): Ring {
    const rings = [...this.#nodes.values()].flatMap(({ ring }) => ring ?? []);
    return rings.reduce((a, b) => (b.version > a.version ? b : a));
  }

  #pass(forMs: number, isOver: () => boolean): void {
    for (const untilMs = this.#nowMs + forMs; this.#nowMs < untilMs && !isOver(); this.#tick()) {
      for (let i = 0; i < 50 && this.#messages.length > 0; i++) this.#deliverOne();
      for (const node of this.#nodes.values()) this.#diskDone(node);
    }
  }
}
