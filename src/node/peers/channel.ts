/*
 * One connection that we opened to one peer: handshake, requests under way, heartbeats, and the end. The link (link.ts)
 * opens the next one.
 *
 *   greeting ──HELLO, CHALLENGE, PROOF, HELLO_REPLY──▶ ready ──GO_AWAY──▶ draining
 *       └───────────────────────────────┴──────────────────────┴─────────▶ closed
 *
 * A peer that has stopped must cost the others nothing, and us a bounded amount: what it has not taken yet is bounded in
 * bytes and in requests, beyond that nothing is sent; and a peer that takes nothing, or says nothing, for some looks in
 * a row is cut off. Looks are counted, not time: if it was we who were stopped, they all come late together.
 *
 * Large records leave as the caller's own bytes, which it keeps as they are until the request has ended. So a request
 * whose bytes are still waiting here when it must end takes the connection with it: nothing else keeps the transport
 * from sending what they have become.
 */
import type { Connection, ConnectionEvents } from '../../env/transport.js';
import { RequestSlots } from '../../lib/request-slots.js';
import { type Build, FIRST_BUILD } from '../../model/build.js';
import { FRAME_BODY_BYTES_BEFORE_HELLO, FRAME_HEADER_BYTES } from '../../model/limits.js';
import type { ForwardRequest, ReadRequest, StoreHead } from '../../model/peer-messages.js';
import { decodeGoAway, decodePong, encodePing } from '../../wire/codec-connection.js';
import { FrameDecoder, type FrameFault, type FrameSink, writeFrame } from '../../wire/frame.js';
import { FORWARD, GO_AWAY, HELLO, nameOfKind, PING, PONG, READ, STORE } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import {
  sizeOfForwardFrame,
  sizeOfReadFrame,
  sizeOfStoreFrame,
  writeForwardFrame,
  writeReadFrame,
  writeStoreFrame,
  writeStoreHead,
} from '../../wire/write-peer.js';
import { OWN_CHUNK_BYTES_MIN } from '../replies.js';
import { AnswerReader } from './answers.js';
import type { Greeter } from './greeter.js';
import type { BodyAsker, PeerRequest, ForwardAsker, ReadAsker, StoreAsker, Unanswered } from './request.js';
import { HEARTBEAT_MS } from './settings.js';
import type { PeerWorld } from './world.js';

/** Of the connection's own frames: handshake, pings, and what the peer says unasked. */
const OWN_ID = 0;
/** So many looks without a byte taken although some wait, or without a byte heard although a ping waits for its echo. */
const STALLED_LOOKS_MAX = 5;
const SILENT_LOOKS_MAX = 10;

export interface ChannelOwner {
  readonly ordinal: number;
  /** `build`: what the peer says that it is. */
  onReady(build: Build): void;
  /** A ring that is newer than ours leaves this node out. */
  onRemoved(ringVersion: number): void;
  onDraining(reason: string): void;
  onPong(roundTripMs: number, peerWallMs: number, ringVersion: number): void;
  /** Once, last; the requests under way are told after it. */
  onClosed(reason: string): void;
}

type State = 'greeting' | 'ready' | 'draining' | 'closed';

export class PeerChannel implements ConnectionEvents, FrameSink {
  readonly #connection: Connection;
  readonly #world: PeerWorld;
  readonly #owner: ChannelOwner;
  readonly #greeter: Greeter;
  readonly #decoder: FrameDecoder;
  readonly #answers: AnswerReader = new AnswerReader();
  #slots: RequestSlots<PeerRequest> = new RequestSlots(1);
  #state: State = 'greeting';
  #bodyBytesMax = FRAME_BODY_BYTES_BEFORE_HELLO;
  /** Ever given to the connection. */
  #queuedTotal = 0;
  readonly #helloMs: number;
  /** -1: no ping waits for its echo. */
  #pingSentMs = -1;
  #takenAtLook = 0;
  #stalledLooks = 0;
  #silentLooks = 0;
  #heard = false;
  /** Answers to requests that had timed out. */
  lateAnswers = 0;

  constructor(connection: Connection, world: PeerWorld, owner: ChannelOwner, greeter: Greeter) {
    this.#connection = connection;
    this.#world = world;
    this.#owner = owner;
    this.#greeter = greeter;
    this.#decoder = new FrameDecoder(this, FRAME_BODY_BYTES_BEFORE_HELLO, world.pool);
    this.#helloMs = world.clock.monotonicMs();
    this.#send(HELLO, greeter.hello());
  }

  get queuedBytes(): number {
    return this.#state === 'closed' ? 0 : this.#connection.queuedBytes;
  }

  /** Requests under way whose answer is still wanted. */
  get inFlight(): number {
    return this.#state === 'closed' ? 0 : this.#slots.taken - this.#slots.abandoned;
  }

  store(
    head: StoreHead,
    record: Uint8Array,
    stays: boolean,
    timeoutMs: number,
    asker: StoreAsker,
    tag: number,
  ): PeerRequest | null {
    const frameBytes = sizeOfStoreFrame(head, record.length);
    if (!this.#hasRoom(frameBytes)) return null;
    const request = this.#begin(STORE, frameBytes, timeoutMs, asker, tag);
    const connection = this.#connection;
    if (stays && record.length >= OWN_CHUNK_BYTES_MIN) {
      const at = connection.claim(frameBytes - record.length);
      writeStoreHead(connection.output, at, request.requestId, head, record.length);
      connection.sendChunk(record);
      request.chunkEnd = this.#queuedTotal;
    } else {
      const at = connection.claim(frameBytes);
      writeStoreFrame(connection.output, at, request.requestId, head, record, 0, record.length);
    }
    return request;
  }

  read(read: ReadRequest, timeoutMs: number, asker: ReadAsker, tag: number): PeerRequest | null {
    const frameBytes = sizeOfReadFrame(read);
    if (!this.#hasRoom(frameBytes)) return null;
    const request = this.#begin(READ, frameBytes, timeoutMs, asker, tag);
    const at = this.#connection.claim(frameBytes);
    writeReadFrame(this.#connection.output, at, request.requestId, read);
    return request;
  }

  forward(forward: ForwardRequest, timeoutMs: number, asker: ForwardAsker, tag: number): PeerRequest | null {
    const sentMs = 1 + Math.floor(this.#world.clock.monotonicMs() - this.#helloMs);
    const timed = { ...forward, sentMs };
    const frameBytes = sizeOfForwardFrame(timed);
    if (!this.#hasRoom(frameBytes)) return null;
    const request = this.#begin(FORWARD, frameBytes, timeoutMs, asker, tag);
    const at = this.#connection.claim(frameBytes);
    writeForwardFrame(this.#connection.output, at, request.requestId, timed);
    return request;
  }

  /** A question whose body is made and whose answer is read by whoever asks. */
  ask(kind: number, body: Uint8Array, timeoutMs: number, asker: BodyAsker, tag: number): PeerRequest | null {
    const frameBytes = FRAME_HEADER_BYTES + body.length;
    if (!this.#hasRoom(frameBytes)) return null;
    const request = this.#begin(kind, frameBytes, timeoutMs, asker, tag);
    const at = this.#connection.claim(frameBytes);
    writeFrame(this.#connection.output, at, kind, request.requestId, body);
    return request;
  }

  /** Once every HEARTBEAT_MS: is the peer still there, and does it take what we send? */
  look(): void {
    if (this.#state === 'closed') return;
    const queued = this.#connection.queuedBytes;
    const taken = this.#queuedTotal - queued;
    this.#stalledLooks = queued > 0 && taken === this.#takenAtLook ? this.#stalledLooks + 1 : 0;
    this.#silentLooks = this.#pingSentMs >= 0 && !this.#heard ? this.#silentLooks + 1 : 0;
    this.#takenAtLook = taken;
    this.#heard = false;
    if (this.#stalledLooks >= STALLED_LOOKS_MAX) {
      this.close(
        `It has taken none of the ${queued} bytes that wait for it for ${STALLED_LOOKS_MAX * HEARTBEAT_MS} ms`,
      );
    } else if (this.#silentLooks >= SILENT_LOOKS_MAX) {
      this.close(`It has said nothing for ${SILENT_LOOKS_MAX * HEARTBEAT_MS} ms`);
    } else if (this.#state === 'draining' && this.inFlight === 0) {
      this.close('It is being stopped');
    }
  }

  /** One at a time: while an echo is missing, no more are sent. */
  ping(): void {
    if (this.#state !== 'ready' || this.#pingSentMs >= 0) return;
    this.#pingSentMs = this.#world.clock.monotonicMs();
    this.#send(PING, encodePing({ budgetMs: HEARTBEAT_MS }));
  }

  /** Everything under way ends as lost. */
  close(reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#connection.destroy(reason);
    this.#ended(reason);
  }

  onBytes(chunk: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#heard = true;
    this.#decoder.push(chunk, this.#world.clock.monotonicMs());
  }

  onDrained(): void {}

  onClosed(reason: string): void {
    if (this.#state !== 'closed') this.#ended(reason);
  }

  onFault(_fault: FrameFault, text: string): void {
    this.close(text);
  }

  onFrame(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === 'greeting') this.#onGreeting(kind, bytes, start, end);
    else if (requestId === OWN_ID) this.#onOwn(kind, bytes, start, end);
    else this.#onAnswer(kind, requestId, bytes, start, end);
  }

  /** The time of a request is over. Its id stays taken until the late answer has come. */
  expire(request: PeerRequest): void {
    const { requestId, chunkEnd } = request;
    this.#slots.abandon(requestId);
    if (chunkEnd > this.#queuedTotal - this.#connection.queuedBytes) {
      this.close('A record that it should have stored is still waiting to be sent');
    }
    this.#unanswered(request, 'timeout');
  }

  #hasRoom(frameBytes: number): boolean {
    if (this.#state !== 'ready' || this.#slots.full || frameBytes - FRAME_HEADER_BYTES > this.#bodyBytesMax)
      return false;
    const { queuedBytes } = this.#connection;
    return queuedBytes === 0 || queuedBytes + frameBytes <= this.#world.settings.queuedBytesMax;
  }

  #begin(
    kind: number,
    frameBytes: number,
    timeoutMs: number,
    asker: NonNullable<PeerRequest['asker']>,
    tag: number,
  ): PeerRequest {
    const { requests, clock, wheel } = this.#world;
    const request = requests.take();
    request.kind = kind;
    request.tag = tag;
    request.asker = asker;
    request.owner = this;
    request.chunkEnd = 0;
    request.askedMs = clock.monotonicMs();
    request.deadlineMs = request.askedMs + timeoutMs;
    request.requestId = this.#slots.take(request);
    wheel.add(request);
    this.#queuedTotal += frameBytes;
    return request;
  }

  #onGreeting(kind: number, bytes: Uint8Array, start: number, end: number): void {
    const step = this.#greeter.onFrame(kind, bytes, start, end);
    if (step.kind === 'send') {
      this.#send(step.frameKind, step.body);
    } else if (step.kind === 'refuse') {
      this.#refuse(step.frame, step.text);
    } else if (step.kind === 'failed') {
      this.close(step.text);
    } else if (step.kind === 'removed') {
      this.close(step.text);
      this.#owner.onRemoved(step.ringVersion);
    } else {
      const { inFlightMax, frameBodyBytesMax, build } = step.reply;
      this.#state = 'ready';
      this.#bodyBytesMax = frameBodyBytesMax;
      this.#decoder.setBodyBytesMax(this.#world.settings.replyBodyBytesMax);
      this.#slots = new RequestSlots(Math.min(this.#world.settings.inFlightMax, inFlightMax));
      this.#owner.onReady(build ?? FIRST_BUILD);
    }
  }

  /** Says why before it closes. */
  #refuse(frame: Uint8Array, text: string): void {
    const at = this.#connection.claim(frame.length);
    this.#connection.output.set(frame, at);
    this.#state = 'closed';
    this.#connection.end();
    this.#ended(text);
  }

  #onOwn(kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (kind === PONG && this.#pingSentMs >= 0) {
      const pong = decodePong(bytes, start, end);
      if (isFault(pong)) {
        this.close(`Its PONG cannot be read: ${pong}`);
        return;
      }
      const roundTripMs = this.#world.clock.monotonicMs() - this.#pingSentMs;
      this.#pingSentMs = -1;
      this.#owner.onPong(roundTripMs, pong.wallMs, pong.ringVersion);
    } else if (kind === GO_AWAY) {
      const goAway = decodeGoAway(bytes, start, end);
      if (this.#state === 'ready') this.#state = 'draining';
      this.#owner.onDraining(isFault(goAway) ? 'no reason given' : goAway.reason);
    } else {
      this.close(this.#greeter.textOf(kind, bytes, start, end));
    }
  }

  #onAnswer(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): void {
    const request = this.#slots.settle(requestId);
    if (request === undefined) {
      this.close(`It sent a ${nameOfKind(kind)} for request ${requestId}, which is not under way`);
      return;
    }
    if (request === null) {
      this.lateAnswers += 1;
      return;
    }
    const { kind: asked, asker, tag, askedMs } = request;
    const fault = this.#answers.take(asked, kind, bytes, start, end);
    if (fault !== '') {
      this.close(`It broke the protocol: ${fault}`);
      this.#unanswered(request, 'lost');
      return;
    }
    this.#release(request);
    const { table, clock } = this.#world;
    const nowMs = clock.monotonicMs();
    if (asked === STORE) table.answered(this.#owner.ordinal, 'put', nowMs - askedMs, nowMs);
    else if (asked === READ) table.answered(this.#owner.ordinal, 'get', nowMs - askedMs, nowMs);
    this.#answers.deliver(asked, asker, this.#owner.ordinal, tag);
  }

  #unanswered(request: PeerRequest, why: Unanswered): void {
    const { kind, asker, tag } = request;
    this.#release(request);
    const { table, clock } = this.#world;
    if (kind === STORE || kind === READ) table.failed(this.#owner.ordinal, clock.monotonicMs());
    asker?.onUnanswered(this.#owner.ordinal, tag, why);
  }

  #release(request: PeerRequest): void {
    this.#world.wheel.remove(request);
    this.#world.requests.give(request);
  }

  #ended(reason: string): void {
    this.#state = 'closed';
    this.#decoder.stop();
    this.#owner.onClosed(reason);
    for (const request of this.#slots.drain()) this.#unanswered(request, 'lost');
  }

  #send(kind: number, body: Uint8Array): void {
    const size = FRAME_HEADER_BYTES + body.length;
    const at = this.#connection.claim(size);
    writeFrame(this.#connection.output, at, kind, OWN_ID, body);
    this.#queuedTotal += size;
  }
}
