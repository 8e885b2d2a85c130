/*
 * Frames: what cuts a stream of bytes into messages.
 *
 *   offset  size  field
 *        0     4  length of the body in bytes
 *        4     1  message kind (kinds.ts)
 *        5     1  flags; none is known yet, so zero
 *        6     2  reserved, zero
 *        8     4  request id, chosen by the asker, echoed by the answer
 *       12     n  body: one protobuf message
 *
 * All numbers are big-endian. The stream arrives in chunks that are cut anywhere. A frame that lies whole in a chunk is
 * handed on where it lies; one that does not is collected in a buffer that grows with what has arrived, at most to
 * twice of it. The length is checked against the limit before anything is kept: four bytes
 * must not make us allocate 4 GiB.
 *
 * After a fault the stream has no meaning any more (nobody knows where the next frame begins), so all input is ignored.
 */
import { FRAME_HEADER_BYTES } from '../model/limits.js';
import { assert } from '../lib/assert.js';
import { POOLED_BYTES_MAX, type BufferPool } from '../lib/buffer-pool.js';
import { readU32, writeU32 } from '../lib/bytes.js';
import { nameOfKind } from './kinds.js';

export type FrameFault = 'too-large' | 'reserved-not-zero';

export interface FrameSink {
  /** The body is `bytes[start, end)`; the bytes are the decoder's or the transport's again when the call returns. */
  onFrame(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): void;
  /** At most once; nothing follows. `text` is a sentence for the error that the peer gets. */
  onFault(fault: FrameFault, text: string): void;
}

export function writeFrameHeader(
  target: Uint8Array,
  at: number,
  kind: number,
  requestId: number,
  bodyBytes: number,
): void {
  writeU32(target, at, bodyBytes);
  target[at + 4] = kind;
  target[at + 5] = 0;
  target[at + 6] = 0;
  target[at + 7] = 0;
  writeU32(target, at + 8, requestId);
}

/** Writes header and body; `FRAME_HEADER_BYTES + body.length` bytes. For the messages that are not written in place. */
export function writeFrame(target: Uint8Array, at: number, kind: number, requestId: number, body: Uint8Array): void {
  writeFrameHeader(target, at, kind, requestId, body.length);
  target.set(body, at + FRAME_HEADER_BYTES);
}

/** A frame in bytes of its own. */
export function frameOf(kind: number, requestId: number, body: Uint8Array): Uint8Array {
  const frame = new Uint8Array(FRAME_HEADER_BYTES + body.length);
  writeFrame(frame, 0, kind, requestId, body);
  return frame;
}

const EMPTY: Buffer = Buffer.alloc(0);
/** A collecting buffer below this size is our own, and kept for the next frame; a larger one is the pool's. */
const POOLED_FROM_BYTES = 65_536;
const FIRST_BUFFER_BYTES = 64;

export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #pool: BufferPool | null;
  #bodyBytesMax: number;
  /** Bytes that arrived and are not handed on yet: `#held[#heldStart, #heldEnd)`. */
  #held: Buffer = EMPTY;
  #heldStart: number = 0;
  #heldEnd: number = 0;
  /** Size of the frame that is being collected, header included; 0 while its header is not complete. */
  #frameBytes: number = 0;
  #partialSince: number = -1;
  #paused: boolean = false;
  #stopped: boolean = false;
  #delivering: boolean = false;

  /** Large frames are collected in buffers of `pool`; without one, in new memory. */
  constructor(sink: FrameSink, bodyBytesMax: number, pool: BufferPool | null = null) {
    this.#sink = sink;
    this.#pool = pool;
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** Holds from the next frame on, also when called by the sink in the middle of a chunk. */
  setBodyBytesMax(bodyBytesMax: number): void {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /** A frame has begun and its end is missing. False while paused: what waits then waits for us. */
  get hasPartial(): boolean {
    return this.#partialSince >= 0;
  }

  /** `nowMs` of the push that brought the first byte of the frame under way; -1 if there is none. */
  get partialSince(): number {
    return this.#partialSince;
  }

  /** Bytes held back here: of a frame under way, or while paused. */
  get heldBytes(): number {
    return this.#heldEnd - this.#heldStart;
  }

  /** The memory behind them, for tests of the promise above. */
  get heldCapacity(): number {
    return this.#held.length;
  }

  get paused(): boolean {
    return this.#paused;
  }

  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes a chunk; `nowMs` is any clock that never goes back, the one that `partialSince` is compared with. */
  push(chunk: Uint8Array, nowMs: number): void {
    assert(!this.#delivering, 'bytes are not pushed from inside a frame');
    if (this.#stopped || chunk.length === 0) return;
    if (this.#paused) {
      this.#append(chunk, 0, chunk.length);
      return;
    }
    let at = 0;
    if (this.#heldEnd > this.#heldStart) {
      at = this.#completeHeld(chunk);
      if (this.#stopped || this.#heldEnd > this.#heldStart) return; // the whole chunk went into a frame still under way
      this.#partialSince = -1;
    }
    at = this.#deliver(chunk, at, chunk.length);
    if (this.#stopped) return;
    if (at < chunk.length) this.#append(chunk, at, chunk.length);
    this.#noticePartial(nowMs);
  }

  /** No more frames until `resume`; may be called by the sink. What is left of the chunk is kept, and so is what comes. */
  pause(): void {
    this.#paused = true;
  }

  resume(nowMs: number): void {
    this.#paused = false;
    if (this.#delivering || this.#stopped) return;
    if (this.#heldEnd > this.#heldStart) {
      const at = this.#deliver(this.#held, this.#heldStart, this.#heldEnd);
      if (this.#stopped) return;
      this.#heldStart = at;
      if (at === this.#heldEnd) this.#release();
    }
    this.#noticePartial(nowMs);
  }

  /** Ignores everything from now on; for a connection that is being closed. */
  stop(): void {
    this.#stopped = true;
    this.#partialSince = -1;
    this.#release();
  }

  #noticePartial(nowMs: number): void {
    if (this.#paused || this.#heldEnd === this.#heldStart) this.#partialSince = -1;
    else if (this.#partialSince < 0) this.#partialSince = nowMs;
  }

  /** Hands on every whole frame of `bytes[start, end)`; returns where the first byte lies that was not handed on. */
  #deliver(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    this.#frameBytes = 0;
    this.#delivering = true;
    while (!this.#paused && !this.#stopped && end - at >= FRAME_HEADER_BYTES) {
      const length = readU32(bytes, at);
      if (!this.#headerHolds(bytes, at, length)) break;
      const body = at + FRAME_HEADER_BYTES;
      if (length > end - body) {
        this.#frameBytes = FRAME_HEADER_BYTES + length;
        break;
      }
      const kind = bytes[at + 4] as number;
      const requestId = readU32(bytes, at + 8);
      at = body + length;
      this.#sink.onFrame(kind, requestId, bytes, body, at);
    }
    this.#delivering = false;
    return at;
  }

  #headerHolds(bytes: Uint8Array, at: number, length: number): boolean {
    if (((bytes[at + 5] as number) | (bytes[at + 6] as number) | (bytes[at + 7] as number)) !== 0) {
      this.#fault('reserved-not-zero', 'Flags and reserved bytes of a frame header must be zero');
      return false;
    }
    if (length > this.#bodyBytesMax) {
      const kind = nameOfKind(bytes[at + 4] as number);
      this.#fault('too-large', `A ${kind} frame announces ${length} bytes, at most ${this.#bodyBytesMax} are accepted`);
      return false;
    }
    return true;
  }

  #fault(fault: FrameFault, text: string): void {
    this.stop();
    this.#sink.onFault(fault, text);
  }

  /** Adds to the held frame what it lacks, no more; returns how much of the chunk that took. */
  #completeHeld(chunk: Uint8Array): number {
    let at = 0;
    const headerLacks = FRAME_HEADER_BYTES - (this.#heldEnd - this.#heldStart);
    if (headerLacks > 0) {
      at = Math.min(headerLacks, chunk.length);
      this.#append(chunk, 0, at);
      if (at < headerLacks) return at;
    }
    // Says how long the frame is, or that it breaks a rule; hands it on at once when it has no body.
    const handedOn = this.#deliver(this.#held, this.#heldStart, this.#heldEnd) > this.#heldStart;
    if (this.#stopped) return chunk.length;
    if (handedOn) {
      this.#release();
      return at;
    }
    const lacks = Math.min(this.#frameBytes - (this.#heldEnd - this.#heldStart), chunk.length - at);
    this.#append(chunk, at, at + lacks);
    at += lacks;
    if (this.#heldEnd - this.#heldStart === this.#frameBytes) {
      this.#deliver(this.#held, this.#heldStart, this.#heldEnd);
      this.#release();
    }
    return at;
  }

  #append(chunk: Uint8Array, from: number, to: number): void {
    const more = to - from;
    if (this.#heldEnd + more > this.#held.length) this.#makeRoom(more);
    this.#held.set(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to), this.#heldEnd);
    this.#heldEnd += more;
  }

  #makeRoom(more: number): void {
    const held = this.#heldEnd - this.#heldStart;
    const needed = held + more;
    const doubled = Math.max(2 * needed, FIRST_BUFFER_BYTES);
    const wanted = !this.#paused && this.#frameBytes >= needed ? Math.min(doubled, this.#frameBytes) : doubled;
    // What is larger is the pool's from the start: if each frame gave it new memory, it would have no room for its own.
    const isOwn = this.#pool !== null && needed <= POOLED_FROM_BYTES;
    const capacity = isOwn ? Math.min(wanted, POOLED_FROM_BYTES) : wanted;
    if (capacity <= this.#held.length) {
      this.#held.copyWithin(0, this.#heldStart, this.#heldEnd);
    } else {
      const pooled = this.#pool !== null && needed > POOLED_FROM_BYTES && needed <= POOLED_BYTES_MAX;
      const larger = pooled ? this.#pool.take(needed) : Buffer.allocUnsafeSlow(capacity);
      larger.set(this.#held.subarray(this.#heldStart, this.#heldEnd));
      this.#giveBack();
      this.#held = larger;
    }
    this.#heldStart = 0;
    this.#heldEnd = held;
  }

  #release(): void {
    this.#heldStart = 0;
    this.#heldEnd = 0;
    this.#frameBytes = 0;
    if (this.#held.length > POOLED_FROM_BYTES) this.#giveBack();
  }

  #giveBack(): void {
    // A sink that stops us in the middle of a frame still reads it.
    if (this.#pool !== null && !this.#delivering && this.#held.length > POOLED_FROM_BYTES) this.#pool.give(this.#held);
    this.#held = EMPTY;
  }
}
