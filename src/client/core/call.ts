/*
 * One call of the application, from start to its only answer, over as many attempts as it takes. ClientCore moves it
 * from state to state; peers and links hold it meanwhile.
 *
 *                    ┌────────────── attempt failed, retry paid for ◀──────────────┐
 *                    ▼                                                             │
 *   start ──▶ waiting (in a peer's queue) ──▶ sent (in a link's slot) ──▶ done     backing-off
 *                    ▲                             │
 *                    └── silent for too long: ─────┘  set aside, still in its slot, while the next attempt begins
 *
 * Deadline, abort and close: done, from any state. The state is that of the latest attempt; those set aside are `earlier`.
 * Whichever answers first ends the call. An attempt is known by its link and request id.
 */
import type { TimerHandle } from '../../env/clock.js';
import type { Connection } from '../../env/transport.js';
import type { PartitaError } from '../errors.js';
import type { Timed } from '../../lib/deadline-wheel.js';

export type OperationName = 'get' | 'put' | 'delete' | 'getMany' | 'putMany' | 'ping' | 'explain' | 'ring';

/** What a call says, how its answer is read, and who is told. One object serves one call. */
export interface Operation {
  readonly name: OperationName;
  /** Where it belongs; undefined: any node will do. */
  readonly key: Uint8Array | undefined;
  /** Ordinal of the node to begin at, if that is an owner of the key and connected (§5); 0: at the first that is. */
  readonly fastest: number;
  /** Its effect may outlive an error: then the error says `outcomeUnknown`. */
  readonly writes: boolean;
  readonly replyKind: number;
  /**
   * Takes in what changes from attempt to attempt, and answers the bytes of the frame that `write` would write.
   * `retry`: the request was given to some node before.
   */
  measure(budgetMs: number, ringVersion: number, retry: boolean, sentMs: number): number;
  /** Writes one frame, just measured, into the connection's output. */
  write(connection: Connection, requestId: number): void;
  /**
   * Reads the body of a reply, which may lie in bytes that are not ours when the call returns. Throws when it is not
   * what it should be. Answers the ring version that the server acted by; 0: not said.
   */
  read(bytes: Uint8Array, start: number, end: number): number;
  /** The last read reply is the answer. Called in the same turn as `read`, while its bytes are still there. */
  succeed(call: Call, durationMs: number): void;
  fail(error: PartitaError): void;
}

export interface RetryPolicy {
  /** Attempts in all, the first included, 1..100. Default 3. */
  readonly attemptsMax: number;
  /** Mean wait before the first retry is half of this, ms, 0..60_000. Default 25. */
  readonly baseDelayMs: number;
  /** No wait is longer, ms. Default 1_000. */
  readonly maxDelayMs: number;
}

export type CallState = 'waiting' | 'sent' | 'backing-off' | 'done';

/** The connection that a call was sent by, as the call's owner needs it. */
export interface CallLink {
  abandon(requestId: number): void;
  /** A call that was sent at `sentMs` had no answer in time. */
  doubt(sentMs: number): void;
}

/** The node that a call was given to. */
export interface CallPeer {
  readonly address: string;
  readonly isUp: boolean;
  /** 0: connected, and not known to be silent. */
  readonly rank: number;
  readonly lastError: PartitaError | null;
  readonly waiting: Set<Call>;
}

/** An attempt that was silent for too long, and may be answered all the same. */
export interface EarlierAttempt {
  readonly peer: CallPeer;
  readonly link: CallLink;
  readonly requestId: number;
  readonly sentMs: number;
}

const NONE: readonly EarlierAttempt[] = [];

export interface CallOwner {
  /** The time that the call has set in `deadlineMs` has come. */
  onTime(call: Call): void;
  nodeIdsOf(ordinals: readonly number[]): readonly string[];
}

export class Call implements Timed {
  readonly operation: Operation;
  readonly policy: RetryPolicy;
  readonly startedMs: number;
  /** Deadline of the whole. */
  readonly endMs: number;
  /** When to look after it next: when its latest attempt has been silent for too long, or at the end. */
  deadlineMs: number;
  /** How often that was set: what was decided about an earlier attempt does not hold for the next. */
  looks: number = 0;
  /** Address of the node that is meant and no other, as long as it is known. */
  readonly pinned: string | undefined;
  /** Partition of the key; -1: no ring yet, or no key. */
  partition: number = -1;
  /** Place in the preference list of the owner to begin at; 0: at the head. */
  first: number = 0;
  /** How far down its list the last attempt was; -1: none yet. */
  turn: number = -1;

  state: CallState = 'waiting';
  /** In CallList; -1: not there. */
  position: number = -1;
  /** Attempts that have begun, also those that reached nobody. */
  attempts: number = 0;
  /** Attempts whose bytes were given to a connection. */
  sends: number = 0;
  /** When the last of them was. */
  sentMs: number = 0;
  /** A write was sent and nothing proves that it did not happen. */
  maybeDone: boolean = false;
  peer: CallPeer | null = null;
  link: CallLink | null = null;
  requestId: number = 0;
  earlier: readonly EarlierAttempt[] = NONE;
  backoff: TimerHandle | null = null;
  lastFailure: PartitaError | null = null;
  /** Once, when the call is done; set by whoever has to let go of something then. */
  onEnd: (() => void) | null = null;

  wheelBucket: number = -1;
  wheelNext: Timed | null = null;
  wheelPrevious: Timed | null = null;
  readonly #owner: CallOwner;

  constructor(
    owner: CallOwner,
    operation: Operation,
    policy: RetryPolicy,
    startedMs: number,
    endMs: number,
    pinned: string | undefined,
  ) {
    this.#owner = owner;
    this.operation = operation;
    this.policy = policy;
    this.startedMs = startedMs;
    this.endMs = endMs;
    this.deadlineMs = endMs;
    this.pinned = pinned;
  }

  expire(): void {
    this.#owner.onTime(this);
  }

  /** The attempt under way goes on on its own, and another one may begin. */
  setAside(): void {
    const { peer, link, requestId, sentMs } = this;
    if (peer === null || link === null) return;
    this.earlier = [...this.earlier, { peer, link, requestId, sentMs }];
    this.link = null;
  }

  /** The latest attempt is over, and nothing follows it: the one before is the latest. False when there is none. */
  fallBack(): boolean {
    const last = this.earlier.at(-1);
    if (last === undefined) return false;
    this.earlier = this.earlier.slice(0, -1);
    this.state = 'sent';
    this.peer = last.peer;
    this.link = last.link;
    this.requestId = last.requestId;
    this.sentMs = last.sentMs;
    return true;
  }

  /** When the attempt was sent; it is over, and out of its slot. */
  settle(link: CallLink, requestId: number): number {
    if (this.link === link && this.requestId === requestId) {
      this.link = null;
      return this.sentMs;
    }
    const attempt = this.earlier.find((earlier) => earlier.link === link && earlier.requestId === requestId);
    this.earlier = this.earlier.filter((earlier) => earlier !== attempt);
    return attempt?.sentMs ?? this.sentMs;
  }

  /** A link is gone with every attempt on it; whether the latest was among them. */
  lose(link: CallLink): boolean {
    const wasLatest = this.link === link;
    if (wasLatest) this.link = null;
    if (this.earlier.length > 0) this.earlier = this.earlier.filter((earlier) => earlier.link !== link);
    return wasLatest;
  }

  /** An attempt of it is under way there. */
  isAt(peer: CallPeer): boolean {
    return (this.link !== null && this.peer === peer) || this.earlier.some((earlier) => earlier.peer === peer);
  }

  /** The nodes that a reply names. */
  nodeIdsOf(ordinals: readonly number[]): readonly string[] {
    return this.#owner.nodeIdsOf(ordinals);
  }
}
