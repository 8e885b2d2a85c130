/*
 * One request to a peer, from the frame to its end. The objects are pooled: whoever asked holds one only until the end
 * that it is told of, and the common path allocates nothing.
 *
 * Every request ends exactly once. Asking answers null where nothing was sent and nothing will follow (`unsent`: the
 * peer is not connected, or has as much under way as it may), otherwise one of these calls follows, later:
 *
 *   onStored, onRead, onForwarded   it answered; the view is good until the call returns
 *   onRefused                       it answered that it would not, and why
 *   onUnanswered 'timeout'          no answer in time; a late one is dropped, whatever it says
 *   onUnanswered 'lost'             the connection ended first
 *
 * After the last two the request may have had its effect.
 */
import type { Timed } from '../../lib/deadline-wheel.js';
import type { Failure } from '../../model/errors.js';
import type { ForwardReplyView, ReadReplyView, StoreReplyView } from '../../wire/read-peer.js';

export type Unanswered = 'timeout' | 'lost';

/** `from` is the peer's ordinal, `tag` what the asker gave with the request. */
export interface Asker {
  onRefused(from: number, tag: number, refusal: Failure): void;
  onUnanswered(from: number, tag: number, why: Unanswered): void;
}

export interface StoreAsker extends Asker {
  onStored(from: number, tag: number, reply: StoreReplyView): void;
}

export interface ReadAsker extends Asker {
  onRead(from: number, tag: number, reply: ReadReplyView): void;
}

export interface ForwardAsker extends Asker {
  onForwarded(from: number, tag: number, reply: ForwardReplyView): void;
}

/** Of rare messages: the answer comes as the body of its frame, good until the call returns. */
export interface BodyAsker extends Asker {
  onAnswer(from: number, tag: number, bytes: Uint8Array, start: number, end: number): void;
}

/** Whose request it is: it is told when the time is over. */
interface Expirer {
  expire(request: PeerRequest): void;
}

export class PeerRequest implements Timed {
  kind: number = 0;
  requestId: number = 0;
  tag: number = 0;
  askedMs: number = 0;
  /** The connection's count of queued bytes at the end of this request's own chunk; 0: it was copied whole. */
  chunkEnd: number = 0;
  /** The one that goes with `kind`; null: nobody wants to know any more. */
  asker: StoreAsker | ReadAsker | ForwardAsker | BodyAsker | null = null;
  owner: Expirer | null = null;
  deadlineMs: number = 0;
  wheelBucket: number = -1;
  wheelNext: Timed | null = null;
  wheelPrevious: Timed | null = null;

  /** The asker hears nothing of it any more. Not for a request whose bytes it must keep: it would never learn how long. */
  abandon(): void {
    this.asker = null;
  }

  expire(): void {
    // The wheel takes out all that are due before it expires the first. What that one's asker does may end this one, and
    // may take it for a request of its own: then it is in the wheel again, and not due.
    if (this.wheelBucket < 0) this.owner?.expire(this);
  }
}

const FREE_MAX = 4_096;

export class PeerRequestPool {
  readonly #free: PeerRequest[] = [];

  take(): PeerRequest {
    return this.#free.pop() ?? new PeerRequest();
  }

  give(request: PeerRequest): void {
    request.asker = null;
    request.owner = null;
    if (this.#free.length < FREE_MAX) this.#free.push(request);
  }
}
