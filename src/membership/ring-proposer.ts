/*
 * One attempt to make a document the next ring: the proposer of single-decree Paxos (ring-acceptor.ts is the other half).
 *
 *   round ──prepare to all voters──▶ a quorum promised ──accept to all──▶ a quorum accepted: decided
 *     ▲            └──── refused, or too few answered ────┘──────────────────┘
 *     └── a pause, drawn at random and growing ── a round above all that was heard of
 *
 * If a promise tells of a document that was accepted before, that one may have been decided already, and nobody can know.
 * So it is proposed instead (the one with the highest ballot), and this proposal is lost when it is decided: whoever asked
 * for it is told which ring came first, and may try again on top of that one.
 *
 * A quorum is a majority of the voters, since two majorities always have a voter in common. That rests on voters that forget
 * nothing. Voters without a name in the ring (acceptorId '') could have lost their files without anybody noticing; if there
 * is one of these, a quorum is all of them, in both phases: then what was decided is still seen as long as a single
 * one has not forgotten.
 *
 * Two proposers can refuse each other for ever; the pauses end that.
 */
import { assert } from '../lib/assert.js';
import { fullJitterMs } from '../lib/backoff.js';
import type { AcceptedRing, Ballot, RingBytes, RingLogAnswer, RingVoter } from '../model/ring-log-messages.js';
import { compareBallots } from './ring-acceptor.js';

export interface RingProposal {
  /** Of the installed ring, which names the voters; proposed is the one after it. */
  readonly baseVersion: number;
  readonly voters: readonly RingVoter[];
  /** The proposer's own; it need not be a voter. */
  readonly ordinal: number;
  readonly document: RingBytes;
  /** After that it gives up; default 10 000. */
  readonly deadlineMs?: number;
  /** For messages to people; default `node 2`. */
  readonly nameOf?: (ordinal: number) => string;
}

export type ProposalOutcome =
  | { readonly kind: 'won'; readonly document: RingBytes }
  /** Another document has become the next ring: this one. */
  | { readonly kind: 'lost'; readonly document: RingBytes }
  /** The base is not the newest ring: `from` has this one. */
  | { readonly kind: 'behind'; readonly version: number; readonly from: number }
  /** `uncertain`: voters were told to accept it, so it may yet become the next ring. */
  | { readonly kind: 'noQuorum'; readonly text: string; readonly uncertain: boolean };

export interface ProposerPort {
  /** Each is answered by `answered`, by `failed`, or not at all. */
  prepare(voter: number, version: number, ballot: Ballot): void;
  accept(voter: number, version: number, ballot: Ballot, document: RingBytes): void;
  /** Once, last. `won` and `lost` hold what is decided: it is to be installed, and sent to all. */
  ended(outcome: ProposalOutcome): void;
}

const DEADLINE_MS = 10_000;
/** How long the voters may take to answer, in each of the two phases. */
const PHASE_TIMEOUT_MS = 2_000;
const BACKOFF_BASE_MS = 50;
const BACKOFF_MAX_MS = 1_500;

type Word = 'waiting' | 'yes' | 'no' | 'abstains';

/** A majority; all, if one of them has no name. */
export function ringQuorum(voters: readonly RingVoter[]): number {
  const isBlank = voters.some(({ acceptorId }) => acceptorId === '');
  return isBlank ? voters.length : Math.floor(voters.length / 2) + 1;
}

export class RingProposer {
  readonly #proposal: RingProposal;
  readonly #port: ProposerPort;
  readonly #random: { u32(): number };
  readonly #quorum: number;
  /** A vote that turns out to be blank counts only here. */
  readonly #isUnanimous: boolean;
  /** What each voter has said in this phase. */
  readonly #words: Map<number, Word> = new Map();
  /** Why each voter has not agreed when it was asked last, for the report; empty: it did, or was not waited for. */
  readonly #reasons: Map<number, string> = new Map();
  #phase: 'new' | 'preparing' | 'accepting' | 'pausing' | 'over' = 'new';
  #ballot: Ballot;
  /** The highest that was heard of. */
  #highestRound = 0;
  #rounds = 0;
  #seen: AcceptedRing | null = null;
  #offered: RingBytes;
  #uncertain = false;
  #nowMs = 0;
  #untilMs = 0;
  /** Of the phase, or of the pause. */
  #phaseUntilMs = 0;

  constructor(proposal: RingProposal, random: { u32(): number }, port: ProposerPort) {
    const { voters, ordinal, document } = proposal;
    assert(voters.length > 0, 'a ring has voters');
    assert(new Set(voters.map((voter) => voter.ordinal)).size === voters.length, 'a voter is named once');
    this.#proposal = proposal;
    this.#random = random;
    this.#port = port;
    this.#quorum = ringQuorum(voters);
    this.#isUnanimous = this.#quorum === voters.length;
    this.#ballot = { round: 0, ordinal };
    this.#offered = document;
  }

  get isOver(): boolean {
    return this.#phase === 'over';
  }

  start(nowMs: number): void {
    assert(this.#phase === 'new', 'a proposal is started once');
    this.#nowMs = nowMs;
    this.#untilMs = nowMs + (this.#proposal.deadlineMs ?? DEADLINE_MS);
    this.#prepare();
  }

  /** Every few dozen ms, until it is over. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#phase === 'over' || this.#phase === 'new') return;
    if (nowMs >= this.#untilMs) this.#giveUp();
    else if (nowMs < this.#phaseUntilMs) return;
    else if (this.#phase === 'pausing') this.#prepare();
    else {
      for (const [voter, word] of this.#words) if (word === 'waiting') this.#note(voter, 'no', 'did not answer');
      this.#phaseFailed();
    }
  }

  /** `ballot`: that it was asked with. */
  answered(voter: number, ballot: Ballot, answer: RingLogAnswer): void {
    if (this.#phase === 'over' || this.#phase === 'new') return;
    if (answer.kind === 'decided') {
      if (answer.version > this.#proposal.baseVersion) {
        this.#end({ kind: 'behind', version: answer.version, from: voter });
      }
      return;
    }
    if (!this.#reasons.has(voter)) this.#reasons.set(voter, '');
    if (answer.kind === 'refused') this.#highestRound = Math.max(this.#highestRound, answer.promised.round);
    const word = this.#words.get(voter);
    if (!this.#isAsked(ballot) || word === undefined || word === 'yes') return;
    this.#hear(voter, answer);
  }

  /** No answer came, or none that could be read. `text`: goes on after the node's name. */
  failed(voter: number, ballot: Ballot, text = 'did not answer'): void {
    if (!this.#isAsked(ballot) || this.#words.get(voter) !== 'waiting') return;
    this.#note(voter, 'no', text);
    this.#goOn();
  }

  /** The node stops. */
  stop(): void {
    if (this.#phase !== 'over') this.#giveUp('this node is being stopped');
  }

  #isAsked(ballot: Ballot): boolean {
    const isAsking = this.#phase === 'preparing' || this.#phase === 'accepting';
    return isAsking && compareBallots(ballot, this.#ballot) === 0;
  }

  #hear(voter: number, answer: Exclude<RingLogAnswer, { kind: 'decided' }>): void {
    switch (answer.kind) {
      case 'promised':
        if (this.#phase !== 'preparing') return; // late, or a repeat
        if (answer.accepted !== null) this.#see(answer.accepted);
        this.#agree(voter, answer.blank);
        break;
      case 'accepted':
        if (this.#phase !== 'accepting') return;
        this.#agree(voter, answer.blank);
        break;
      case 'refused':
        // In the second phase that is a repeat of the first: this very ballot was promised.
        if (this.#phase === 'accepting' && compareBallots(answer.promised, this.#ballot) <= 0) return;
        this.#note(voter, 'no', 'has promised to wait for another proposal');
        break;
      case 'behind':
        this.#note(voter, 'no', `has only ring ${answer.version} yet`);
        break;
      case 'abstains':
        this.#note(voter, 'abstains', `abstains: ${answer.reason}`);
    }
    this.#goOn();
  }

  #agree(voter: number, blank: boolean): void {
    if (blank && !this.#isUnanimous) this.#note(voter, 'abstains', 'votes blank, though the ring names it');
    else this.#note(voter, 'yes', '');
  }

  #note(voter: number, word: Word, reason: string): void {
    this.#words.set(voter, word);
    this.#reasons.set(voter, reason);
  }

  #see(accepted: AcceptedRing): void {
    if (this.#seen === null || compareBallots(this.#seen.ballot, accepted.ballot) < 0) this.#seen = accepted;
  }

  #count(word: Word): number {
    let count = 0;
    for (const said of this.#words.values()) if (said === word) count += 1;
    return count;
  }

  #goOn(): void {
    const agreed = this.#count('yes');
    const waiting = this.#count('waiting');
    if (agreed >= this.#quorum) {
      if (this.#phase === 'preparing') this.#accept();
      else this.#decided();
    } else if (waiting === 0 || (agreed + waiting < this.#quorum && !this.#isHopeless())) this.#phaseFailed();
  }

  /** Too many abstain. The others are heard all the same: one may know that this proposal comes too late. */
  #isHopeless(): boolean {
    return this.#proposal.voters.length - this.#count('abstains') < this.#quorum;
  }

  #ask(phase: 'preparing' | 'accepting'): void {
    this.#phase = phase;
    this.#phaseUntilMs = this.#nowMs + PHASE_TIMEOUT_MS;
    for (const { ordinal } of this.#proposal.voters) this.#words.set(ordinal, 'waiting');
  }

  #prepare(): void {
    this.#highestRound += 1;
    this.#rounds += 1;
    this.#ballot = { round: this.#highestRound, ordinal: this.#proposal.ordinal };
    this.#seen = null;
    this.#ask('preparing');
    const { voters, baseVersion } = this.#proposal;
    const ballot = this.#ballot;
    for (const { ordinal } of voters) this.#port.prepare(ordinal, baseVersion + 1, ballot);
  }

  #accept(): void {
    this.#offered = this.#seen?.document ?? this.#proposal.document;
    if (this.#isOwn()) this.#uncertain = true;
    this.#ask('accepting');
    const { voters, baseVersion } = this.#proposal;
    const [ballot, offered] = [this.#ballot, this.#offered];
    for (const { ordinal } of voters) this.#port.accept(ordinal, baseVersion + 1, ballot, offered);
  }

  #isOwn(): boolean {
    return this.#offered.hash === this.#proposal.document.hash;
  }

  #decided(): void {
    this.#end({ kind: this.#isOwn() ? 'won' : 'lost', document: this.#offered });
  }

  #phaseFailed(): void {
    if (this.#isHopeless()) {
      this.#giveUp();
      return;
    }
    this.#phase = 'pausing';
    this.#phaseUntilMs = this.#nowMs + fullJitterMs(this.#random, BACKOFF_BASE_MS, BACKOFF_MAX_MS, this.#rounds);
  }

  #giveUp(cause: string = ''): void {
    const { voters, nameOf = (ordinal: number): string => `node ${ordinal}` } = this.#proposal;
    const agree = this.#isUnanimous && voters.length > 2 ? 'all' : String(this.#quorum);
    const parts = [`${voters.length} ${voters.length === 1 ? 'voter' : 'voters'}, ${agree} must agree`];
    for (const { ordinal } of voters) {
      const reason = this.#reasons.get(ordinal) ?? 'did not answer';
      if (reason !== '') parts.push(`${nameOf(ordinal)} ${reason}`);
    }
    if (cause !== '') parts.push(cause);
    else if (parts.length === 1) parts.push('the time was over before they had');
    this.#end({ kind: 'noQuorum', text: parts.join('; '), uncertain: this.#uncertain });
  }

  #end(outcome: ProposalOutcome): void {
    this.#phase = 'over';
    this.#port.ended(outcome);
  }
}
