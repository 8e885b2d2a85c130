/*
 * Remembers for the others which next ring has been agreed on: the acceptor of single-decree Paxos (Lamport, "Paxos made
 * simple"), one decree for each version of the ring. Where version v is installed, it acts for v + 1 and nothing else.
 *
 *   prepare(ballot)            serves no lower ballot from now on; tells what it has accepted, which must be proposed again
 *   accept(ballot, document)   unless a higher ballot was promised
 *
 * All rests on this: what it has said, it will not have forgotten. So each change is durable before it is answered, and
 * whoever may have forgotten must not vote. Its file has an id, drawn when the file was made, and a ring names the ids of
 * its voters: an acceptor with another id has lost its file, and abstains until a ring that was agreed on without it names
 * the new id. A ring that was made offline names no ids: then it may vote, but blank, and blank votes decide only when
 * they are all there (ring-proposer.ts).
 *
 * A ballot is promised once, never again: a proposer that was restarted begins at round 1 as before, maybe with another
 * document, and of two that use one ballot only one may be served. A message that came twice is refused then, which costs
 * a round at most.
 */
import { assert } from '../lib/assert.js';
import type { AcceptedRing, Ballot, RingBytes, RingLogAnswer } from '../model/ring-log-messages.js';

/** Must be durable before it counts; a version that is no longer the next one is as good as nothing. */
export interface AcceptorState {
  /** That is being decided. */
  readonly version: number;
  readonly promised: Ballot | null;
  readonly accepted: AcceptedRing | null;
}

export interface AcceptorPort {
  /** Makes it durable, then calls `persisted` or `notPersisted`. One at a time. */
  persist(state: AcceptorState): void;
}

export type Answer = (answer: RingLogAnswer) => void;

/** Requests that wait for the disk; each may hold a document. */
export const WAITING_MAX = 8;

const NO_BALLOT: Ballot = { round: 0, ordinal: 0 };

interface Request {
  readonly version: number;
  readonly ballot: Ballot;
  /** null: prepare. */
  readonly document: RingBytes | null;
  readonly answer: Answer;
}

/** Below 0: `a` gives way to `b`. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round - b.round || a.ordinal - b.ordinal;
}

export class RingAcceptor {
  readonly acceptorId: string;
  readonly #port: AcceptorPort;
  /** As it is on disk, or not worth keeping. */
  #state: AcceptorState;
  #installed = 0;
  /** The id that the installed ring names for this node; empty: none; null: it is no voter. */
  #named: string | null = null;
  readonly #abstains: string;
  #persisting: { readonly state: AcceptorState; readonly request: Request } | null = null;
  #waiting: Request[] = [];

  /** `state`: as it was read from the file; null in a new one. `abstains`: why it has no file, and never votes; empty: it has. */
  constructor(acceptorId: string, state: AcceptorState | null, port: AcceptorPort, abstains: string = '') {
    this.acceptorId = acceptorId;
    this.#port = port;
    this.#abstains = abstains;
    this.#state = state ?? { version: 0, promised: null, accepted: null };
  }

  get state(): AcceptorState {
    return this.#state;
  }

  /**
   * A ring is installed, durably: if it could be lost again, what was accepted for it would be lost with it, as it is
   * dropped here. `named`: see above.
   */
  onInstalled(version: number, named: string | null): void {
    if (version < this.#installed) return;
    this.#installed = version;
    this.#named = named;
    if (this.#persisting === null) this.#turnTo(version + 1);
  }

  /**
   * What `persist` was told is not durable, or nobody knows: it was not answered, so it may be on the disk or not, as if the
   * answer had been lost. The next state is written whole, over whatever came of this one, before anything is said.
   */
  notPersisted(reason: string): void {
    const failed = this.#persisting;
    assert(failed !== null, 'what could not be persisted was asked for');
    this.#persisting = null;
    this.#turnTo(this.#installed + 1);
    failed.request.answer({ kind: 'abstains', reason });
    this.#goOn();
  }

  prepare(version: number, ballot: Ballot, answer: Answer): void {
    this.#ask({ version, ballot, document: null, answer });
  }

  accept(version: number, ballot: Ballot, document: RingBytes, answer: Answer): void {
    this.#ask({ version, ballot, document, answer });
  }

  /** What `persist` was told is durable. */
  persisted(): void {
    const done = this.#persisting;
    assert(done !== null, 'what was persisted was asked for');
    this.#persisting = null;
    this.#state = done.state;
    this.#turnTo(this.#installed + 1);
    done.request.answer(this.#agreed(done.request, done.state));
    this.#goOn();
  }

  #turnTo(version: number): void {
    if (this.#state.version < version) this.#state = { version, promised: null, accepted: null };
  }

  #ask(request: Request): void {
    if (this.#waiting.length >= WAITING_MAX) {
      request.answer({ kind: 'refused', promised: NO_BALLOT });
      return;
    }
    this.#waiting.push(request);
    this.#goOn();
  }

  #goOn(): void {
    while (this.#persisting === null) {
      const request = this.#waiting.shift();
      if (request === undefined) return;
      const answer = this.#objection(request) ?? this.#refusal(request);
      if (answer !== null) {
        request.answer(answer);
        continue;
      }
      const state = this.#next(request);
      this.#persisting = { state, request };
      this.#port.persist(state);
    }
  }

  /** Why this node cannot vote on that version. */
  #objection({ version }: Request): RingLogAnswer | null {
    const installed = this.#installed;
    if (version <= installed) return { kind: 'decided', version: installed };
    if (version > installed + 1) return { kind: 'behind', version: installed };
    const reason = this.#whyNot(version);
    return reason === '' ? null : { kind: 'abstains', reason };
  }

  #whyNot(version: number): string {
    if (this.#abstains !== '') return this.#abstains;
    if (this.#named === null) return `ring ${version - 1} does not name it as a voter`;
    if (this.#named !== '' && this.#named !== this.acceptorId) {
      return `its file ring/acceptor is not the one that ring ${version - 1} names: it was lost, and promises with it`;
    }
    if (version < this.#state.version) {
      return `it has voted on version ${this.#state.version}, but has lost ring ${this.#state.version - 1}`;
    }
    return '';
  }

  #refusal({ ballot, document }: Request): RingLogAnswer | null {
    const { promised, accepted } = this.#state;
    if (promised === null) return null;
    const order = compareBallots(ballot, promised);
    if (order > 0) return null;
    if (order < 0 || document === null) return { kind: 'refused', promised };
    if (accepted === null || compareBallots(accepted.ballot, ballot) !== 0) return null;
    // Told again what it has accepted already.
    return accepted.document.hash === document.hash
      ? { kind: 'accepted', blank: this.#named === '' }
      : { kind: 'refused', promised };
  }

  #next({ ballot, document }: Request): AcceptorState {
    const { version, accepted } = this.#state;
    return { version, promised: ballot, accepted: document === null ? accepted : { ballot, document } };
  }

  #agreed({ document }: Request, { accepted }: AcceptorState): RingLogAnswer {
    const blank = this.#named === '';
    assert(document === null || accepted !== null, 'what was accepted is kept');
    return document === null ? { kind: 'promised', accepted, blank } : { kind: 'accepted', blank };
  }
}
