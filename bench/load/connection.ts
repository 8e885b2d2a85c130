/*
 * One connection of the raw sender: `inFlight` slots, no object and no promise a request. The generator must cost less
 * than what it measures, so:
 *
 * - a chunk arrives in the same buffer each time (`onread`), and its replies are read where they lie;
 * - the clock is read once a chunk: replies that the kernel hands over together arrived together;
 * - all requests that a chunk's replies make room for leave in one write.
 *
 * A request that is given up keeps its slot until its late answer comes: an id is never used for two requests at once.
 *
 *   request id = generation (22 bits) | slot (10 bits)
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { CONTEXT_UNKNOWN, CONTEXT_UNSEEN } from './contexts.js';
import { MISMATCH, NOT_FOUND } from './dialect.js';
import type { WireDialect } from './dialect.js';
import { OK } from './recorder.js';
import type { Recorder } from './recorder.js';
import { DELETE, GET, INSERT, RMW } from './source.js';
import type { OperationSource } from './source.js';

export const IN_FLIGHT_MAX = 1_024;
const SLOT_MASK = IN_FLIGHT_MAX - 1;
const READ_BUFFER_BYTES = 65_536;
const OUTPUT_BYTES = 65_536;

const FREE = 0;
const READING = 1;
/** A read whose only purpose is the context of the write that follows. */
const LEARNING = 2;
const WRITING = 3;
const ABANDONED = 4;

export interface ConnectionOwner {
  readonly recorder: Recorder;
  readonly source: OperationSource;
  readonly dialect: WireDialect;
  /** Ready for requests; called again after a reconnect. */
  opened(connection: RawConnection): void;
  /** One slot is free; the owner may `begin` one operation. */
  slotFreed(connection: RawConnection, nowMs: number): void;
  /** `ok` or `not_found`. */
  answered(operation: number, key: number, code: string, intendedMs: number, sentMs: number, nowMs: number): void;
  /** No useful answer to an operation. Times are 0 where they mean nothing: it was refused, not waited for. */
  failed(operation: number, key: number, code: string, intendedMs: number, sentMs: number, timedOutMs: number): void;
  /** Once; the connection is of no more use. */
  closed(connection: RawConnection, reason: string): void;
}

export class RawConnection {
  /** Of its node, among those that the run is spread over. */
  readonly place: number;
  readonly #owner: ConnectionOwner;
  readonly #dialect: WireDialect;
  readonly #socket: Socket;
  readonly #read: Buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  /** The beginning of a reply whose end has not come: `#held[0, #heldEnd)`. */
  #held: Buffer = Buffer.alloc(0);
  #heldEnd: number = 0;
  #output: Buffer;
  #outputEnd: number = 0;
  #greeted: boolean;
  #open: boolean = true;

  readonly #states: Uint8Array;
  readonly #operations: Uint8Array;
  readonly #keys: Float64Array;
  readonly #valueBytes: Uint32Array;
  readonly #ids: Uint32Array;
  readonly #intendedMs: Float64Array;
  readonly #sentMs: Float64Array;
  readonly #free: Uint16Array;
  #freeCount: number;
  #generation: number = 0;
  /** Slots in the order of their requests, for dialects that answer in order; a ring. */
  readonly #order: Uint16Array;
  #orderHead: number = 0;
  #orderCount: number = 0;

  constructor(owner: ConnectionOwner, server: string, inFlight: number, place: number) {
    this.place = place;
    this.#owner = owner;
    this.#dialect = owner.dialect;
    this.#greeted = owner.dialect.greeting.length === 0;
    this.#output = Buffer.allocUnsafeSlow(OUTPUT_BYTES + 2 * owner.dialect.requestBytesMax);
    this.#states = new Uint8Array(inFlight);
    this.#operations = new Uint8Array(inFlight);
    this.#keys = new Float64Array(inFlight);
    this.#valueBytes = new Uint32Array(inFlight);
    this.#ids = new Uint32Array(inFlight);
    this.#intendedMs = new Float64Array(inFlight);
    this.#sentMs = new Float64Array(inFlight);
    this.#free = new Uint16Array(inFlight).map((_, slot) => slot);
    this.#freeCount = inFlight;
    this.#order = new Uint16Array(inFlight);
    this.#socket = this.#dial(server);
  }

  get slots(): number {
    return this.#states.length;
  }

  get freeSlots(): number {
    return this.#greeted && this.#open ? this.#freeCount : 0;
  }

  /** Slots that are not free, abandoned ones too. */
  get taken(): number {
    return this.slots - this.#freeCount;
  }

  /** Requests whose answers are waited for; abandoned ones are not. */
  get waiting(): number {
    let waiting = 0;
    for (const state of this.#states) if (state !== FREE && state !== ABANDONED) waiting++;
    return waiting;
  }

  /** Takes the operation that the source holds. There must be a free slot; call `flush` before returning to the loop. */
  begin(intendedMs: number, nowMs: number): void {
    const source = this.#owner.source;
    const slot = this.#free[--this.#freeCount] as number;
    const operation = source.operation;
    this.#operations[slot] = operation;
    this.#keys[slot] = source.key;
    this.#valueBytes[slot] = source.valueBytes;
    this.#intendedMs[slot] = intendedMs;
    this.#sentMs[slot] = nowMs;
    this.#states[slot] = operation === GET ? READING : this.#mustLearn(operation, source.key) ? LEARNING : WRITING;
    this.#send(slot);
  }

  /** One write for all that was begun. */
  flush(nowMs: number): void {
    if (this.#outputEnd === 0 || !this.#open) return;
    const { recorder } = this.#owner;
    recorder.moved(this.#outputEnd, nowMs);
    recorder.bytesWritten += this.#outputEnd;
    this.#socket.write(this.#output.subarray(0, this.#outputEnd));
    this.#outputEnd = 0;
    // The kernel took it all: the buffer is ours again. Otherwise the socket keeps it, and we take another.
    if (this.#socket.writableLength > 0) this.#output = Buffer.allocUnsafeSlow(this.#output.length);
  }

  /** Gives up what was sent before `sentBeforeMs`; returns whether no slot is of any use any more. */
  abandonOlder(sentBeforeMs: number, nowMs: number): boolean {
    let stuck = this.#greeted && this.#freeCount === 0;
    for (let slot = 0; slot < this.#states.length; slot++) {
      const state = this.#states[slot] as number;
      if (state === FREE || state === ABANDONED) continue;
      if ((this.#sentMs[slot] as number) >= sentBeforeMs) {
        stuck = false;
        continue;
      }
      this.#states[slot] = ABANDONED;
      this.#fail(slot, 'timeout', nowMs);
    }
    return stuck;
  }

  close(): void {
    this.#socket.destroy();
  }

  #dial(server: string): Socket {
    const onread = {
      buffer: this.#read,
      callback: (size: number): boolean => {
        this.#received(size);
        return true;
      },
    };
    const unix = server.startsWith('unix:');
    const colon = server.lastIndexOf(':');
    const socket = unix
      ? connect({ path: server.slice(5), onread })
      : connect({
          host: server.slice(0, colon).replace(/^\[|\]$/g, ''),
          port: Number(server.slice(colon + 1)),
          onread,
        });
    let reason = 'the server closed the connection';
    socket.on('connect', () => {
      socket.setNoDelay(true);
      if (this.#greeted) this.#owner.opened(this);
      else socket.write(this.#dialect.greeting);
    });
    socket.on('error', (error) => (reason = error.message));
    socket.on('close', () => {
      this.#closed(reason);
    });
    return socket;
  }

  #closed(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    const nowMs = performance.now();
    for (let slot = 0; slot < this.#states.length; slot++) {
      const state = this.#states[slot] as number;
      if (state !== FREE && state !== ABANDONED) this.#fail(slot, 'connection', nowMs);
    }
    this.#owner.closed(this, reason);
  }

  #received(size: number): void {
    const nowMs = performance.now();
    const { recorder } = this.#owner;
    recorder.moved(size, nowMs);
    recorder.bytesRead += size;
    if (this.#heldEnd === 0) {
      const used = this.#take(this.#read, size, nowMs);
      if (used < size) this.#hold(this.#read.subarray(used, size));
    } else {
      this.#hold(this.#read.subarray(0, size));
      const used = this.#take(this.#held, this.#heldEnd, nowMs);
      this.#held.copyWithin(0, used, this.#heldEnd);
      this.#heldEnd -= used;
    }
    this.flush(nowMs);
  }

  #hold(bytes: Buffer): void {
    const needed = this.#heldEnd + bytes.length;
    if (this.#held.length < needed) {
      const larger = Buffer.allocUnsafeSlow(2 * needed);
      this.#held.copy(larger, 0, 0, this.#heldEnd);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#heldEnd);
    this.#heldEnd = needed;
  }

  /** Handles all whole replies; returns how many bytes they were. */
  #take(bytes: Buffer, end: number, nowMs: number): number {
    const dialect = this.#dialect;
    let at = 0;
    for (;;) {
      const size = dialect.parse(bytes, at, end);
      if (size === 0) return at;
      at += size;
      if (this.#greeted) this.#reply(dialect.requestId, nowMs);
      else this.#greet();
      if (!this.#open) return end;
    }
  }

  #greet(): void {
    const fault = this.#dialect.greetingFault();
    if (fault !== '') {
      this.#socket.destroy(new Error(fault));
      return;
    }
    this.#greeted = true;
    this.#owner.opened(this);
  }

  #reply(requestId: number, nowMs: number): void {
    const { inOrder } = this.#dialect;
    if (requestId === -1) return;
    const slot = inOrder ? this.#oldest() : requestId & SLOT_MASK;
    const state = this.#states[slot] ?? FREE;
    if (state === FREE || (!inOrder && this.#ids[slot] !== requestId)) {
      this.#owner.recorder.mismatch(`an answer to request ${requestId}, which was not asked`);
      return;
    }
    if (state === ABANDONED) this.#release(slot, nowMs);
    else if (state === WRITING) this.#written(slot, nowMs);
    else this.#wasRead(slot, state, nowMs);
  }

  #written(slot: number, nowMs: number): void {
    const key = this.#keys[slot] as number;
    this.#finish(slot, this.#dialect.judgeWrite(key), nowMs);
  }

  #wasRead(slot: number, state: number, nowMs: number): void {
    const key = this.#keys[slot] as number;
    const code = this.#dialect.judgeGet(key, state === LEARNING);
    if (state === READING || (code !== OK && code !== NOT_FOUND)) {
      this.#finish(slot, code, nowMs);
      return;
    }
    if (this.#operations[slot] !== RMW) {
      // The read was ours, not the workload's: the write's clocks begin now, its intended time stays.
      this.#owner.recorder.contextReads++;
      if (this.#intendedMs[slot] === this.#sentMs[slot]) this.#intendedMs[slot] = nowMs;
      this.#sentMs[slot] = nowMs;
    }
    this.#states[slot] = WRITING;
    this.#send(slot);
  }

  #finish(slot: number, code: string, nowMs: number): void {
    const operation = this.#operations[slot] as number;
    const key = this.#keys[slot] as number;
    if (code === OK || code === NOT_FOUND) {
      const intendedMs = this.#intendedMs[slot] as number;
      this.#owner.answered(operation, key, code, intendedMs, this.#sentMs[slot] as number, nowMs);
    } else {
      if (code === MISMATCH) this.#owner.recorder.mismatch(this.#dialect.fault);
      this.#owner.failed(operation, key, code, 0, 0, 0);
    }
    if (operation !== GET) this.#owner.source.writeEnded(key);
    this.#release(slot, nowMs);
  }

  #fail(slot: number, code: 'timeout' | 'connection', nowMs: number): void {
    const operation = this.#operations[slot] as number;
    const key = this.#keys[slot] as number;
    const countedMs = code === 'timeout' ? nowMs : 0;
    if (operation !== GET) {
      this.#dialect.contexts?.forget(key); // it may have been written: read before the next write
      this.#owner.source.writeEnded(key);
    }
    this.#owner.failed(operation, key, code, this.#intendedMs[slot] as number, this.#sentMs[slot] as number, countedMs);
  }

  #release(slot: number, nowMs: number): void {
    this.#states[slot] = FREE;
    this.#free[this.#freeCount++] = slot;
    this.#owner.slotFreed(this, nowMs);
  }

  #mustLearn(operation: number, key: number): boolean {
    if (operation === RMW) return true;
    const known = this.#dialect.contexts?.lengthOf(key);
    return known === CONTEXT_UNKNOWN || (known === CONTEXT_UNSEEN && operation !== INSERT);
  }

  #send(slot: number): void {
    const dialect = this.#dialect;
    if (this.#output.length - this.#outputEnd < dialect.requestBytesMax) this.flush(this.#sentMs[slot] as number);
    this.#generation = (this.#generation + 1) & 0x3fffff;
    const id = ((this.#generation << 10) | slot) >>> 0;
    this.#ids[slot] = id;
    const key = this.#keys[slot] as number;
    if (this.#states[slot] !== WRITING) this.#outputEnd = dialect.writeGet(this.#output, this.#outputEnd, id, key);
    else if (this.#operations[slot] === DELETE) {
      this.#outputEnd = dialect.writeDelete(this.#output, this.#outputEnd, id, key);
    } else {
      const bytes = this.#valueBytes[slot] as number;
      this.#outputEnd = dialect.writePut(this.#output, this.#outputEnd, id, key, bytes);
    }
    if (dialect.inOrder) this.#order[(this.#orderHead + this.#orderCount++) % this.#order.length] = slot;
  }

  #oldest(): number {
    if (this.#orderCount === 0) return -1;
    const slot = this.#order[this.#orderHead] as number;
    this.#orderHead = (this.#orderHead + 1) % this.#order.length;
    this.#orderCount--;
    return slot;
  }
}
