/*
 * One accepted connection: what it may say now, how much it may have under way, and when it has had enough time.
 *
 *   hello ──HELLO (of a peer: and PROOF) accepted──▶ ready ──drain──▶ draining ──last answer──▶ closed
 *     └── anything else, too large, too slow ──▶ error frame, closed
 *
 * Nothing is trusted before Hello: bodies are at most 4 KiB, and three seconds must do. Afterwards a connection is paused,
 * not refused, when it has as much under way as it may: its bytes wait in the kernel, and TCP tells the sender.
 *
 * A session keeps no timer. The node looks over all of them ten times a second.
 */
import type { BufferPool } from '../lib/buffer-pool.js';
import { copyBytes } from '../lib/bytes.js';
import type { Connection, ConnectionEvents } from '../env/transport.js';
import { failure, type Failure } from '../model/errors.js';
import { Transit } from '../lib/transit.js';
import { FRAME_BODY_BYTES_BEFORE_HELLO } from '../model/limits.js';
import type { ListenerGroup } from '../model/messages.js';
import { FrameDecoder, type FrameFault, type FrameSink } from '../wire/frame.js';
import { groupOfKind, HELLO, type KindGroup, nameOfKind, PING, PROOF } from '../wire/kinds.js';
import { Incoming } from './incoming.js';
import type { ByteBudget, BudgetWaiter } from './byte-budget.js';
import { replyError, sendGoAway } from './replies.js';
import type { Greeting } from './greeting.js';
import type { PeerAcceptance } from './peers/acceptance.js';
import type { NodeSettings } from './settings.js';

/** What a session needs of its node. */
export interface SessionHost {
  readonly settings: NodeSettings;
  readonly budget: ByteBudget;
  /** For frames that are collected. */
  readonly pool: BufferPool;
  readonly ringVersion: number;
  nowMs(): number;
  /** Takes HELLO, and PROOF where it asked for one. Answers the other side itself unless it refuses. */
  acceptHello(session: Session, frame: Incoming): Greeting;
  /** A request of the session's group; the session has counted it. Ends in exactly one `session.finish`. */
  dispatch(session: Session, frame: Incoming): void;
  /** The session is over; it is forgotten. */
  onSessionClosed(session: Session): void;
  /** Calls back soon, in a later turn; after `settings.delayMs` where a test has set that. */
  later(fire: () => void): void;
}

/** Collected parts of frames below this are never a reason to wait. */
const HELD_BYTES_FREE = 65_536;
/** While memory is scarce: what may lie unread for long, and how fast more than that must be taken. */
const QUEUED_BYTES_FREE = 16_384;
const TAKEN_BYTES_A_SWEEP = 8_192;
const STALLED_READER_MS_IN_NEED = 250;
const HOARDED_FRAME_MS = 250;

/** What was sent before the go-away came has arrived by then. */
const GO_AWAY_CROSSED_MS = 200;

type State = 'hello' | 'ready' | 'draining' | 'closed';

export class Session implements ConnectionEvents, FrameSink, BudgetWaiter {
  readonly connection: Connection;
  readonly group: ListenerGroup;
  readonly #host: SessionHost;
  readonly #decoder: FrameDecoder;
  readonly #transit: Transit = new Transit();
  readonly #incoming: Incoming = new Incoming();
  readonly #openedMs: number;
  #state: State = 'hello';
  #drainingSinceMs = 0;
  #inFlight = 0;
  #inFlightBytes = 0;
  /** Queued replies and collected parts of frames that the node's budget has been charged for. */
  #charged = 0;
  #readingPaused = false;
  #goingOn = false;
  #lastRequestMs: number;
  /** When the chunk came whose frames are being handed on: one look at the clock for all of them. */
  #nowMs: number;
  /** Since when the peer has been leaving too much unread; -1: it has not. */
  #stalledSinceMs = -1;
  #queuedAtSweep = 0;
  clientName = '';
  /** Of a peer that has said HELLO; its `member` says who that is. */
  acceptance: PeerAcceptance | null = null;

  constructor(connection: Connection, host: SessionHost) {
    this.connection = connection;
    this.group = connection.group;
    this.#host = host;
    this.#decoder = new FrameDecoder(this, FRAME_BODY_BYTES_BEFORE_HELLO, host.pool);
    this.#openedMs = host.nowMs();
    this.#lastRequestMs = this.#openedMs;
    this.#nowMs = this.#openedMs;
  }

  get closed(): boolean {
    return this.#state === 'closed';
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  onBytes(chunk: Uint8Array): void {
    if (this.#host.settings.delayMs > 0) {
      const copy = copyBytes(chunk);
      this.#host.later(() => {
        this.#take(copy);
      });
      return;
    }
    this.#take(chunk);
  }

  #take(chunk: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#nowMs = this.#host.nowMs();
    this.#decoder.push(chunk, this.#nowMs);
    this.#charge();
    if (this.#decoder.paused || this.#collectsTooMuch()) this.#pauseReading();
  }

  #pauseReading(): void {
    if (this.#readingPaused || this.#state === 'closed') return;
    this.#readingPaused = true;
    this.connection.pauseReading();
  }

  /** Half a large frame, while all connections together have as much as they may: the rest waits in the kernel. */
  #collectsTooMuch(): boolean {
    if (!this.#inNeed || this.#decoder.heldBytes <= HELD_BYTES_FREE) return false;
    this.#host.budget.wait(this);
    return true;
  }

  onFrame(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === 'hello') {
      this.#hello(kind, requestId, bytes, start, end);
      return;
    }
    const group = groupOfKind(kind);
    if (kind !== PING && !this.#serves(group)) {
      const text =
        group === 'connection' || group === 'unknown'
          ? 'is not a request'
          : `is not served by the ${this.group} listener`;
      this.refuse(requestId, failure('PROTOCOL', `A ${nameOfKind(kind)} frame ${text}`));
      return;
    }
    if (this.#state === 'draining') {
      replyError(
        this,
        requestId,
        failure('DRAINING', 'This node is being stopped: send the request to another, or again later'),
      );
      return;
    }
    this.#lastRequestMs = this.#nowMs;
    this.#inFlight += 1;
    this.#inFlightBytes += end - start;
    this.#host.budget.take(end - start);
    this.#host.dispatch(this, this.#incomingOf(kind, requestId, bytes, start, end));
    if (this.#mustWait()) this.#decoder.pause();
  }

  #serves(group: KindGroup): boolean {
    if (this.group === 'peer') return group === 'peer';
    return group === 'data' || (group === 'admin' && this.group === 'admin');
  }

  #hello(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): void {
    const expected = this.acceptance === null ? HELLO : PROOF;
    if (kind !== expected) {
      const place = expected === HELLO ? 'first' : 'second';
      const text = `The ${place} frame must be ${nameOfKind(expected)}, not ${nameOfKind(kind)}`;
      this.refuse(requestId, failure('PROTOCOL', text));
      return;
    }
    if (expected === HELLO) this.#transit.delayMs(this.#nowMs, 1);
    const refusal = this.#host.acceptHello(this, this.#incomingOf(kind, requestId, bytes, start, end));
    if (refusal === 'challenged') return;
    if (refusal !== null) {
      this.refuse(requestId, refusal, refusal.code === 'NOT_A_MEMBER' ? this.#host.ringVersion : 0);
      return;
    }
    this.#state = 'ready';
    this.#decoder.setBodyBytesMax(this.#host.settings.frameBodyBytesMax);
  }

  #incomingOf(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): Incoming {
    const incoming = this.#incoming;
    incoming.kind = kind;
    incoming.requestId = requestId;
    incoming.bytes = bytes;
    incoming.start = start;
    incoming.end = end;
    incoming.nowMs = this.#nowMs;
    return incoming;
  }

  onFault(fault: FrameFault, text: string): void {
    this.refuse(0, failure(fault === 'too-large' ? 'TOO_LARGE' : 'PROTOCOL', text));
  }

  /** Says why, and closes: for a peer that we cannot or will not go on with. */
  refuse(requestId: number, reason: Failure, ringVersion: number = 0): void {
    if (this.#state === 'closed') return;
    replyError(this, requestId, reason, ringVersion);
    this.#decoder.stop();
    this.connection.end();
  }

  /**
   * Has a request that was sent at `sentMs` been longer on its way than whoever sent it would wait? Nobody hears the answer
   * then, and others may have done it meanwhile, and more on top. 0: it does not say when it was sent.
   */
  isLate(sentMs: number, budgetMs: number): boolean {
    return sentMs > 0 && this.#transit.delayMs(this.#nowMs, sentMs) > budgetMs;
  }

  /** More bytes that a request under way will need; `finish` gives them back with the rest. */
  reserve(bytes: number): void {
    this.#inFlightBytes += bytes;
    this.#host.budget.take(bytes);
  }

  /** A request of this session has been answered, or never will be because the session is over. */
  finish(bodyBytes: number): void {
    this.#inFlight -= 1;
    this.#inFlightBytes -= bodyBytes;
    this.#host.budget.give(bodyBytes);
    if (this.#state === 'draining' && this.#isDrained(this.#host.nowMs())) this.connection.end();
    if (this.#readingPaused) this.#goOn();
  }

  /** A request that crosses the go-away is refused, so that whoever sent it knows that it was not done. */
  #isDrained(nowMs: number): boolean {
    return this.#state === 'draining' && this.#inFlight === 0 && nowMs - this.#drainingSinceMs >= GO_AWAY_CROSSED_MS;
  }

  onDrained(): void {
    this.#charge();
    if (this.#readingPaused) this.#goOn();
  }

  onRoom(): void {
    if (this.#readingPaused) this.#goOn();
  }

  onClosed(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#decoder.stop();
    this.#host.budget.forget(this);
    this.#host.budget.give(this.#charged);
    this.#charged = 0;
    this.#host.onSessionClosed(this);
  }

  /** No new requests; closes when the last answer is out. */
  drain(reason: string): void {
    if (this.#state === 'closed' || this.#state === 'draining') return;
    if (this.#state === 'ready') sendGoAway(this, reason);
    else this.connection.end();
    this.#state = 'draining';
    this.#drainingSinceMs = this.#host.nowMs();
  }

  /** Closes connections whose time is up; called by the node's sweep. */
  sweep(nowMs: number): void {
    const { helloTimeoutMs, frameTimeoutMs, idleTimeoutMs, stalledReaderMs } = this.#host.settings;
    this.#charge();
    this.#noteReading(nowMs);
    if (this.#readingPaused) this.#goOn();
    if (this.#isDrained(nowMs)) this.connection.end();
    const partialSince = this.#decoder.partialSince;
    if (this.#state === 'hello' && nowMs - this.#openedMs > helloTimeoutMs) {
      this.#drop(`No ${this.acceptance === null ? 'HELLO' : 'PROOF'} within ${helloTimeoutMs} ms`);
    } else if (partialSince >= 0 && nowMs - partialSince > this.#frameMs(frameTimeoutMs)) {
      this.#drop(`A frame was begun and not completed within ${this.#frameMs(frameTimeoutMs)} ms`);
    } else if (this.#stalledSinceMs >= 0 && nowMs - this.#stalledSinceMs > this.#patienceMs(stalledReaderMs)) {
      const { queuedBytes } = this.connection;
      this.connection.destroy(`The peer left ${queuedBytes} bytes unread for ${this.#patienceMs(stalledReaderMs)} ms`);
    } else if (
      this.#inFlight === 0 &&
      this.connection.queuedBytes === 0 &&
      nowMs - this.#lastRequestMs > idleTimeoutMs
    ) {
      this.#drop(`No request for ${idleTimeoutMs} ms`);
    }
  }

  /**
   * Is the peer taking what we send? Usually it may leave up to `queuedBytesMax` lie. While others wait for memory it may
   * leave nothing of account, and must take it at some speed: a byte now and then is no reading.
   */
  #noteReading(nowMs: number): void {
    const { queuedBytes } = this.connection;
    const inNeed = this.#inNeed;
    const taken = this.#queuedAtSweep - queuedBytes;
    this.#queuedAtSweep = queuedBytes;
    const isStalled = inNeed
      ? queuedBytes >= QUEUED_BYTES_FREE && taken < TAKEN_BYTES_A_SWEEP
      : queuedBytes >= this.#host.settings.queuedBytesMax;
    if (!isStalled) this.#stalledSinceMs = -1;
    else if (this.#stalledSinceMs < 0) this.#stalledSinceMs = nowMs;
  }

  /**
   * While memory is scarce, a frame of which much has been collected must be there soon: it may be one that we have
   * stopped reading ourselves, and whoever sent it may be gone without our seeing it.
   */
  #frameMs(frameTimeoutMs: number): number {
    const isHoard = this.#inNeed && this.#decoder.heldBytes > HELD_BYTES_FREE;
    return isHoard ? Math.min(frameTimeoutMs, HOARDED_FRAME_MS) : frameTimeoutMs;
  }

  /** While others wait for the memory that it holds, a reader that does not read has a quarter of a second. */
  #patienceMs(stalledReaderMs: number): number {
    return this.#inNeed ? Math.min(stalledReaderMs, STALLED_READER_MS_IN_NEED) : stalledReaderMs;
  }

  #drop(text: string): void {
    this.refuse(0, failure('TIMEOUT', `${text}; the connection is closed`));
    // What refuse() queued has one sweep to leave; a peer that takes nothing is not waited for.
    this.#host.later(() => {
      this.connection.destroy(text);
    });
  }

  #mustWait(): boolean {
    const { inFlightMax, inFlightBytesPerConnection, queuedBytesMax } = this.#host.settings;
    if (this.#inFlight >= inFlightMax || this.#inFlightBytes >= inFlightBytesPerConnection) return true;
    if (this.connection.queuedBytes >= queuedBytesMax) return true;
    // A connection with nothing under way gets one request through, so that those who read are served beside those who
    // do not; unless it is twice the limit already.
    const { budget } = this.#host;
    if (!this.#inNeed) return false;
    if (!budget.overdrawn && this.#inFlight === 0 && this.connection.queuedBytes === 0) return false;
    budget.wait(this);
    return true;
  }

  /**
   * Are we to wait because all connections together have as much as they may? Peers are counted and never wait for that:
   * two nodes whose clients have used up everything would each wait for the other to go on. Their own limits bound them.
   */
  get #inNeed(): boolean {
    return this.group !== 'peer' && this.#host.budget.exhausted;
  }

  #goOn(): void {
    if (this.#goingOn || this.#state === 'closed' || this.#mustWait()) return;
    if (this.#decoder.paused) {
      this.#goingOn = true; // requests that end while frames are handed on come back here
      this.#nowMs = this.#host.nowMs();
      this.#decoder.resume(this.#nowMs);
      this.#goingOn = false;
    }
    this.#charge();
    if (this.#decoder.paused || this.#collectsTooMuch()) return;
    this.#readingPaused = false;
    this.connection.resumeReading();
  }

  #charge(): void {
    const held = this.connection.queuedBytes + this.#decoder.heldBytes;
    const more = held - this.#charged;
    this.#charged = held;
    if (more > 0) this.#host.budget.take(more);
    else if (more < 0) this.#host.budget.give(-more);
  }
}
