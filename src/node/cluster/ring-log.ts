/*
 * This node's part in agreeing on rings: its acceptor with the file behind it, one proposal at a time, and word of rings
 * that were decided.
 *
 *   propose ─▶ RingProposer ─┬─▶ RING_PREPARE, RING_ACCEPT ─▶ RingLog of another member ─▶ RingAcceptor ─▶ ring/acceptor
 *                            └─▶ the acceptor here, without the network
 *   decided ─▶ host.install, and RING_LEARN to all
 *
 * What a ring is, whether it makes sense, and how it is kept is the host's business.
 */
import type { Timers, TimerHandle } from '../../env/clock.js';
import type { Log } from '../../env/meter.js';
import type { Random } from '../../env/random.js';
import { assert } from '../../lib/assert.js';
import { type AcceptorState, type Answer, RingAcceptor } from '../../membership/ring-acceptor.js';
import { type ProposalOutcome, RingProposer } from '../../membership/ring-proposer.js';
import type { Hash64 } from '../../model/hash.js';
import type {
  Ballot,
  RingAccept,
  RingBytes,
  RingLearn,
  RingLearnReply,
  RingLogAnswer,
  RingPrepare,
  RingVoter,
} from '../../model/ring-log-messages.js';
import { ringBytes } from '../../ring/ring-bytes.js';
import { RING_DOCUMENT_BYTES_MAX } from '../../ring/ring-file.js';
import { type Heard, RING_ASK_MS, RingAsks, type RingLinks } from './ring-asks.js';

const TICK_MS = 50;

export interface InstalledRing {
  readonly version: number;
  /** Who decides on the next one: at most five. */
  readonly voters: readonly RingVoter[];
  readonly document: Uint8Array;
}

export interface RingLogHost {
  /** The newest one that is durable here. */
  ring(): InstalledRing;
  /** Why this document cannot be the next ring; empty: it can. Asked before it is proposed or accepted. */
  faultOf(document: Uint8Array): string;
  /**
   * This was decided: it is to be made durable, unless what is here is as new; then `installed` is to be called. It may
   * come several times. `from`: the member that has told of it, or this node.
   */
  install(document: Uint8Array, from: number): void;
}

/** storage/acceptor-file.ts */
export interface AcceptorStore {
  readonly acceptorId: string;
  readonly state: AcceptorState | null;
  write(state: AcceptorState, done: (error: Error | null) => void): void;
}

export interface RingLogWorld {
  readonly self: number;
  readonly hash: Hash64;
  readonly log: Log;
  readonly random: Random;
  readonly timers: Timers;
  readonly links: RingLinks;
  readonly host: RingLogHost;
  /** A text: why there is none, going on after "it"; such a node abstains. */
  readonly store: AcceptorStore | string;
  readonly nameOf: (ordinal: number) => string;
  nowMs(): number;
}

export class RingLog {
  readonly #world: RingLogWorld;
  readonly #asks: RingAsks;
  readonly #acceptor: RingAcceptor;
  #proposer: RingProposer | null = null;
  #timer: TimerHandle | null = null;
  #stopped = false;

  constructor(world: RingLogWorld) {
    const { store, links, timers } = world;
    this.#world = world;
    this.#asks = new RingAsks(links, timers);
    this.#acceptor =
      typeof store === 'string'
        ? this.#newAcceptor('', null, `it ${store}`)
        : this.#newAcceptor(store.acceptorId, store.state);
    this.installed();
  }

  /** By which a ring can name this node as a voter; empty: it cannot vote. */
  get acceptorId(): string {
    return this.#acceptor.acceptorId;
  }

  /** The host's ring is another one, and is durable. */
  installed(): void {
    const { version, voters } = this.#world.host.ring();
    const own = voters.find(({ ordinal }) => ordinal === this.#world.self);
    this.#acceptor.onInstalled(version, own?.acceptorId ?? null);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
    this.#proposer?.stop();
  }

  /**
   * Makes it the ring after the installed one, if nobody else is first; `done` is called once, later. What is decided is
   * installed and told to the others before.
   */
  propose(document: Uint8Array, done: (outcome: ProposalOutcome) => void): void {
    const { host, self, random, nameOf, timers } = this.#world;
    assert(document.length > 0 && document.length <= RING_DOCUMENT_BYTES_MAX, 'a ring has a size that can be kept');
    const fault = host.faultOf(document);
    if (this.#stopped) return this.#refuse('this node is being stopped', done);
    if (this.#proposer !== null) return this.#refuse('this node is proposing a ring already: wait for its end', done);
    if (fault !== '') return this.#refuse(`this cannot be the next ring: ${fault}`, done);
    const { version: baseVersion, voters } = host.ring();
    const proposal = { baseVersion, voters, ordinal: self, document: this.#hashed(document), nameOf };
    const proposer = new RingProposer(proposal, random, {
      prepare: (voter, version, ballot) => {
        this.#prepareAt(proposer, voter, { budgetMs: RING_ASK_MS, version, ballot });
      },
      accept: (voter, version, ballot, offered) => {
        this.#acceptAt(proposer, voter, { budgetMs: RING_ASK_MS, version, ballot, document: offered });
      },
      ended: (outcome) => {
        this.#proposer = null;
        this.#timer?.cancel();
        this.#timer = null;
        this.#ended(baseVersion + 1, outcome);
        timers.endOfTurn(() => {
          done(outcome);
        });
      },
    });
    this.#proposer = proposer;
    this.#tickLater();
    proposer.start(this.#world.nowMs());
  }

  /** Asks a member for its ring; what is newer is given to the host. Also tells by which id a ring can name it. */
  learnFrom(member: number, heard: Heard<RingLearnReply> = () => undefined): void {
    const { host } = this.#world;
    const { version } = host.ring();
    this.#asks.learn(member, { budgetMs: RING_ASK_MS, version, document: null }, (reply, why) => {
      const fault = reply === null ? why : this.learned(reply, member);
      heard(fault === '' ? reply : null, fault);
    });
  }

  /** What a node of this cluster answers when it is asked for its ring. Says what is wrong with it, or nothing. */
  learned({ version, document }: RingLearnReply, from: number): string {
    const { host } = this.#world;
    if (this.#stopped || document === null) return '';
    if (!this.#isWhole(document)) return DAMAGED;
    if (version > host.ring().version) host.install(document.bytes, from);
    return '';
  }

  // ── what other members ask ────────────────────────────────────────────────────────────────────────────────────

  prepare(from: number, { version, ballot }: RingPrepare, answer: Answer): void {
    this.#acceptor.prepare(version, ballot, this.#learning(from, answer));
  }

  /** null: what came is not what was sent. */
  accept(from: number, { version, ballot, document }: RingAccept, answer: (said: RingLogAnswer | null) => void): void {
    if (!this.#isWhole(document)) return answer(null);
    const fault = version === this.#world.host.ring().version + 1 ? this.#world.host.faultOf(document.bytes) : '';
    if (fault === '') this.#acceptor.accept(version, ballot, document, this.#learning(from, answer));
    else answer({ kind: 'abstains', reason: `it would not install that ring: ${fault}` });
  }

  /** null: as above. */
  learn(from: number, { version, document }: RingLearn, answer: (reply: RingLearnReply | null) => void): void {
    const { host } = this.#world;
    if (document !== null && !this.#isWhole(document)) return answer(null);
    const ring = host.ring();
    if (document !== null && version > ring.version) host.install(document.bytes, from);
    const newer = ring.version > version ? this.#hashed(ring.document) : null;
    answer({ version: ring.version, document: newer, acceptorId: this.acceptorId });
  }

  #learning(from: number, answer: Answer): Answer {
    return (said) => {
      if (said.kind === 'behind' && from !== this.#world.self) this.learnFrom(from);
      answer(said);
    };
  }

  // ── the proposer's way to the voters ──────────────────────────────────────────────────────────────────────────

  #prepareAt(proposer: RingProposer, voter: number, prepare: RingPrepare): void {
    const { self, timers } = this.#world;
    const { ballot } = prepare;
    if (voter === self) {
      timers.endOfTurn(() => {
        this.prepare(self, prepare, (said) => {
          proposer.answered(self, ballot, said);
        });
      });
    } else this.#asks.prepare(voter, prepare, this.#hearing(proposer, voter, ballot));
  }

  #acceptAt(proposer: RingProposer, voter: number, accept: RingAccept): void {
    const { self, timers } = this.#world;
    const { ballot } = accept;
    if (voter === self) {
      timers.endOfTurn(() => {
        this.accept(self, accept, (said) => {
          if (said !== null) proposer.answered(self, ballot, said);
        });
      });
    } else this.#asks.accept(voter, accept, this.#hearing(proposer, voter, ballot));
  }

  #hearing(proposer: RingProposer, voter: number, ballot: Ballot): Heard<RingLogAnswer> {
    return (said, why) => {
      const accepted = said?.kind === 'promised' ? said.accepted : null;
      if (said === null) proposer.failed(voter, ballot, why);
      else if (accepted !== null && !this.#isWhole(accepted.document)) proposer.failed(voter, ballot, DAMAGED);
      else proposer.answered(voter, ballot, said);
    };
  }

  #tickLater(): void {
    this.#timer = this.#world.timers.after(TICK_MS, () => {
      this.#tickLater();
      this.#proposer?.tick(this.#world.nowMs());
    });
  }

  #ended(version: number, outcome: ProposalOutcome): void {
    const { self, log } = this.#world;
    const { kind } = outcome;
    log.info('ring-proposal-ended', { version, outcome: kind, ...(kind === 'noQuorum' ? { text: outcome.text } : {}) });
    if (kind === 'behind' && outcome.from !== self) this.learnFrom(outcome.from);
    if (kind !== 'won' && kind !== 'lost') return;
    this.#spread(version, outcome.document);
  }

  /** For the one ring that nobody has agreed on (membership/voter-rescue.ts). */
  impose(version: number, document: Uint8Array): void {
    this.#world.log.warn('ring-imposed', { version });
    this.#spread(version, this.#hashed(document));
  }

  #spread(version: number, document: RingBytes): void {
    const { host, self } = this.#world;
    host.install(document.bytes, self);
    const told = { budgetMs: RING_ASK_MS, version, document };
    for (const member of this.#asks.others()) this.#asks.learn(member, told, () => undefined);
  }

  #refuse(text: string, done: (outcome: ProposalOutcome) => void): void {
    this.#world.timers.endOfTurn(() => {
      done({ kind: 'noQuorum', text, uncertain: false });
    });
  }

  #newAcceptor(id: string, state: AcceptorState | null, abstains: string = ''): RingAcceptor {
    const persist = (next: AcceptorState): void => {
      this.#persist(acceptor, next);
    };
    const acceptor: RingAcceptor = new RingAcceptor(id, state, { persist }, abstains);
    return acceptor;
  }

  #persist(acceptor: RingAcceptor, state: AcceptorState): void {
    const { store, log } = this.#world;
    if (typeof store === 'string') return;
    store.write(state, (error) => {
      if (error === null) {
        acceptor.persisted();
        return;
      }
      log.error('acceptor-not-written', { error: error.message });
      acceptor.notPersisted(`its file ring/acceptor cannot be written: ${error.message}`);
    });
  }

  #hashed(bytes: Uint8Array): RingBytes {
    return ringBytes(bytes, this.#world.hash);
  }

  #isWhole({ bytes, hash }: RingBytes): boolean {
    return this.#hashed(bytes).hash === hash;
  }
}

const DAMAGED = 'sent a ring whose hash is another: it was damaged on its way';
