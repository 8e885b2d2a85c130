/*
 * One connection to one node: greeting, requests under way, keep-alive, and the end.
 *
 *   dialing ─▶ greeting ─▶ ready ─▶ draining (GoAway: nothing new, answers still come) ─▶ closed
 *
 * Replies find their call by request id alone. A reply that nobody can have asked for, or that cannot be read, ends the
 * connection: after that nothing it says can be trusted. Request id 0 is the connection's own (hello, pings).
 *
 * A connection on which a call waited in vain, and on which nothing else came either, is *silent* until something does: it
 * is asked for a sign at once, and other nodes are preferred meanwhile. A node that hangs keeps its connections open. One
 * that gives signs and no answers (it cannot reach the other nodes, or its disk hangs) is *stuck*, which is worth a pause.
 */
import type { Clock, TimerHandle, Timers } from '../../env/clock.js';
import type { Connection, ConnectionEvents, Dialer } from '../../env/transport.js';
import type { HelloReply } from '../../model/messages.js';
import { FRAME_BODY_BYTES_BEFORE_HELLO, FRAME_HEADER_BYTES } from '../../model/limits.js';
import { FrameDecoder } from '../../wire/frame.js';
import { ERROR, GO_AWAY, HELLO_REPLY, PONG, nameOfKind } from '../../wire/kinds.js';
import { ConnectionError, ProtocolError } from '../errors.js';
import type { PartitaError } from '../errors.js';
import type { Call, Operation } from './call.js';
import { RequestSlots } from '../../lib/request-slots.js';
import { errorOfFrame, readGoAway, readHelloReply, writeHello, writePing } from './session-frames.js';

/** With more than this waiting for the kernel, calls queue with us, where they can still time out cheaply. */
const OUTPUT_BYTES_MAX = 4_194_304;
/** Replies may be larger than requests: up to 100 siblings of the largest value, as long as the server sends it. */
const REPLY_BODY_BYTES_MAX = 256 * 1_048_576;
const REQUEST_ID_OF_LINK = 0;

export type LinkState = 'dialing' | 'greeting' | 'ready' | 'draining' | 'closed';

export interface LinkOptions {
  readonly connectTimeoutMs: number;
  readonly keepAliveMs: number;
  readonly inFlightMax: number;
  readonly cluster: string;
  readonly clientName: string;
}

export interface LinkWorld {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly dialer: Dialer;
}

export interface LinkEvents {
  onReady(link: Link, hello: HelloReply): void;
  /** The call is out of its slot. */
  onReply(link: Link, call: Call, requestId: number, kind: number, bytes: Uint8Array, start: number, end: number): void;
  onLateReply(): void;
  onRoom(link: Link): void;
  onSilent(): void;
  /** It says something, but a call waited in vain, and no other was answered meanwhile. */
  onStuck(): void;
  /** It was stuck, and has answered a call. */
  onAnswered(): void;
  /** It was silent, and is no more. */
  onHeard(): void;
  onDraining(link: Link, reason: string): void;
  /** Once, last. `lost` were under way; whether they had their effect is not known. */
  onClosed(link: Link, error: PartitaError, lost: readonly Call[]): void;
}

export class Link implements ConnectionEvents {
  readonly address: string;
  state: LinkState = 'dialing';
  hello: HelloReply | null = null;
  readonly #world: LinkWorld;
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #decoder: FrameDecoder;
  #slots: RequestSlots<Call>;
  #connection: Connection | null = null;
  #dial: { cancel(): void } | null = null;
  #timer: TimerHandle | null = null;
  /** Why we closed it; the transport's own reason counts only if we did not. */
  #cause: PartitaError | null = null;
  #heardMs: number = 0;
  #helloMs: number = 0;
  #bodyBytesMax: number = FRAME_BODY_BYTES_BEFORE_HELLO;
  #awaitsPong: boolean = false;
  #isSilent: boolean = false;
  /** Last answer to a call that was no error. */
  #answeredMs: number = 0;
  #isStuck: boolean = false;

  constructor(address: string, world: LinkWorld, options: LinkOptions, events: LinkEvents) {
    this.address = address;
    this.#world = world;
    this.#options = options;
    this.#events = events;
    this.#slots = new RequestSlots(1);
    this.#decoder = new FrameDecoder(
      {
        onFrame: (kind, requestId, bytes, start, end) => {
          this.#onFrame(kind, requestId, bytes, start, end);
        },
        onFault: (_fault, text) => {
          this.#violation(text);
        },
      },
      FRAME_BODY_BYTES_BEFORE_HELLO,
    );
  }

  /** Calls under way whose callers still wait. */
  get inFlight(): number {
    return this.#slots.taken - this.#slots.abandoned;
  }

  get hasRoom(): boolean {
    return this.state === 'ready' && !this.#slots.full && (this.#connection?.queuedBytes ?? 0) < OUTPUT_BYTES_MAX;
  }

  open(token: Uint8Array): void {
    const { connectTimeoutMs, cluster, clientName } = this.#options;
    this.#timer = this.#world.timers.after(connectTimeoutMs, () => {
      this.close(
        new ConnectionError('CONNECTION', `${this.address} did not answer the greeting within ${connectTimeoutMs} ms`, {
          retryable: true,
        }),
      );
    });
    this.#dial = this.#world.dialer.dial(
      this.address,
      connectTimeoutMs,
      (connection) => {
        this.#dial = null;
        this.#connection = connection;
        if (this.state === 'closed') connection.destroy('given up');
        else {
          this.state = 'greeting';
          this.#helloMs = this.#world.clock.monotonicMs();
          writeHello(connection, REQUEST_ID_OF_LINK, { cluster, clientName, token });
        }
        return this;
      },
      (error) => {
        this.#dial = null;
        this.#ended(
          new ConnectionError('CONNECTION', error.message, { retryable: true, node: this.address, cause: error }),
        );
      },
    );
  }

  /** What is sent at `nowMs` tells the server so: by this it knows what was too long on its way. */
  sentMs(nowMs: number): number {
    return 1 + Math.floor(nowMs - this.#helloMs);
  }

  /** Writes the request; only when `hasRoom`. Answers false, and has done nothing, when the server accepts no frame of that size. */
  send(call: Call, operation: Operation, frameBytes: number): boolean {
    const connection = this.#connection;
    if (connection === null || frameBytes > this.#bodyBytesMax + FRAME_HEADER_BYTES) return false;
    call.requestId = this.#slots.take(call);
    call.link = this;
    operation.write(connection, call.requestId);
    return true;
  }

  get bodyBytesMax(): number {
    return this.#bodyBytesMax;
  }

  /** The caller has gone; its id stays reserved. */
  abandon(requestId: number): void {
    if (this.state === 'closed') return;
    this.#slots.abandon(requestId);
    this.#endIfDrained();
  }

  /** A call that was sent at `sentMs` has waited for too long. */
  doubt(sentMs: number): void {
    if (this.state !== 'ready' || this.#isSilent) return;
    if (this.#heardMs > sentMs) {
      if (this.#answeredMs <= sentMs) this.#doubtIdleTalk();
      return;
    }
    this.#isSilent = true;
    this.#askForSign();
    this.#events.onSilent();
  }

  /** Signs and refusals come, answers do not. */
  #doubtIdleTalk(): void {
    this.#isStuck = true;
    this.#events.onStuck();
  }

  /** Nothing new from now on; ends when the last answer has come. */
  drain(): void {
    if (this.state === 'dialing' || this.state === 'greeting') this.close(closedByUs(this.address));
    if (this.state !== 'ready') return;
    this.state = 'draining';
    this.#endIfDrained();
  }

  close(cause: PartitaError): void {
    if (this.state === 'closed') return;
    this.#cause ??= cause;
    if (this.#connection !== null) this.#connection.destroy(cause.message);
    else {
      this.#dial?.cancel();
      this.#ended(cause);
    }
  }

  onBytes(chunk: Uint8Array): void {
    const nowMs = this.#world.clock.monotonicMs();
    this.#heardMs = nowMs;
    if (this.#isSilent) {
      this.#isSilent = false;
      this.#events.onHeard();
    }
    this.#decoder.push(chunk, nowMs);
  }

  onDrained(): void {
    if (this.hasRoom) this.#events.onRoom(this);
  }

  onClosed(reason: string): void {
    const when = this.state === 'greeting' ? 'during the greeting' : 'and the connection was lost';
    this.#ended(
      this.#cause ??
        new ConnectionError('CONNECTION', `${this.address} hung up ${when}: ${reason}`, {
          retryable: true,
          node: this.address,
        }),
    );
  }

  #onFrame(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.state === 'greeting') this.#onGreeting(kind, bytes, start, end);
    else if (kind === GO_AWAY) this.#onGoAway(bytes, start, end);
    else if (requestId === REQUEST_ID_OF_LINK) this.#onOwnReply(kind, bytes, start, end);
    else this.#onReply(kind, requestId, bytes, start, end);
  }

  #onReply(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): void {
    const call = this.#slots.settle(requestId);
    if (call === undefined) {
      this.#violation(`A ${nameOfKind(kind)} came for request ${requestId}, which is not under way`);
      return;
    }
    if (kind !== ERROR) this.#noteAnswer();
    if (call === null) this.#events.onLateReply();
    else this.#events.onReply(this, call, requestId, kind, bytes, start, end);
    if (this.state === 'draining') this.#endIfDrained();
    else if (this.hasRoom) this.#events.onRoom(this);
  }

  #noteAnswer(): void {
    this.#answeredMs = this.#heardMs;
    if (!this.#isStuck) return;
    this.#isStuck = false;
    this.#events.onAnswered();
  }

  #onGreeting(kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (kind === ERROR) {
      this.close(errorOfFrame(bytes, start, end, this.address).error);
      return;
    }
    if (kind !== HELLO_REPLY) {
      this.#violation(`The greeting was answered by a ${nameOfKind(kind)}`);
      return;
    }
    let hello: HelloReply;
    try {
      hello = readHelloReply(bytes, start, end);
    } catch (error) {
      this.#violation('The answer to the greeting cannot be read', error);
      return;
    }
    this.hello = hello;
    this.state = 'ready';
    this.#bodyBytesMax = hello.frameBodyBytesMax;
    this.#decoder.setBodyBytesMax(REPLY_BODY_BYTES_MAX);
    this.#slots = new RequestSlots(Math.max(1, Math.min(this.#options.inFlightMax, hello.inFlightMax)));
    this.#keepAlive();
    this.#events.onReady(this, hello);
  }

  #onGoAway(bytes: Uint8Array, start: number, end: number): void {
    if (this.state !== 'ready') return;
    this.state = 'draining';
    this.#events.onDraining(this, readGoAway(bytes, start, end));
    this.#endIfDrained();
  }

  #onOwnReply(kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (kind === PONG && this.#awaitsPong) this.#awaitsPong = false;
    else if (kind === ERROR) this.close(errorOfFrame(bytes, start, end, this.address).error);
    else this.#violation(`A ${nameOfKind(kind)} came that nobody asked for`);
  }

  /** Every `keepAliveMs`: a connection that was silent is asked for a sign; one that owed it already is given up. */
  #keepAlive(): void {
    this.#timer?.cancel();
    const { keepAliveMs } = this.#options;
    this.#timer = this.#world.timers.after(keepAliveMs, () => {
      const silentMs = this.#world.clock.monotonicMs() - this.#heardMs;
      if (silentMs >= keepAliveMs && this.#awaitsPong) {
        this.close(
          new ConnectionError('CONNECTION', `${this.address} has been silent for ${Math.round(silentMs)} ms`, {
            retryable: true,
            node: this.address,
          }),
        );
        return;
      }
      if (silentMs >= keepAliveMs) this.#askForSign();
      this.#keepAlive();
    });
  }

  #askForSign(): void {
    if (this.#awaitsPong || this.#connection === null) return;
    this.#awaitsPong = true;
    writePing(this.#connection, REQUEST_ID_OF_LINK, this.#options.keepAliveMs);
  }

  #endIfDrained(): void {
    if (this.state !== 'draining' || this.inFlight > 0) return;
    this.#cause ??= closedByUs(this.address);
    this.#connection?.end();
  }

  #violation(text: string, cause?: unknown): void {
    this.close(
      new ProtocolError('PROTOCOL', `${this.address} broke the protocol: ${text}`, {
        retryable: true,
        node: this.address,
        cause,
      }),
    );
  }

  #ended(error: PartitaError): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.#timer?.cancel();
    this.#decoder.stop();
    this.#connection = null;
    this.#events.onClosed(this, error, this.#slots.drain());
  }
}

function closedByUs(address: string): PartitaError {
  return new ConnectionError('CLOSED', `The connection to ${address} was closed by this client`, { retryable: true });
}
