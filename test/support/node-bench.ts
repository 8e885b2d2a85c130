/*
 * A node on a test's bench: memory storage, a clock that the test moves, connections whose two ends are arrays.
 */
import xxhash from 'xxhash-wasm';
import type { Connection, ConnectionEvents } from '../../src/env/transport.js';
import { hash64From } from '../../src/model/hash.js';
import { nodeId } from '../../src/model/ids.js';
import type { ListenerGroup } from '../../src/model/messages.js';
import { Prng } from '../../src/lib/prng.js';
import { PartitaNode } from '../../src/node/node.js';
import type { NodeSettings } from '../../src/node/settings.js';
import { firstRing, type RingDocument } from '../../src/ring/document.js';
import { Hlc } from '../../src/versioning/hlc.js';
import { decodeError, encodeHello } from '../../src/wire/codec-connection.js';
import { FrameDecoder, frameOf } from '../../src/wire/frame.js';
import { ERROR, HELLO } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { MemoryStorage } from './memory-storage.js';
import { PoisonPool } from './poison-pool.js';
import { silentLog, silentMeter } from './silent.js';

const api = await xxhash();

export const TEST_SETTINGS: NodeSettings = {
  helloTimeoutMs: 3_000,
  frameTimeoutMs: 30_000,
  idleTimeoutMs: 300_000,
  queuedBytesMax: 1_048_576,
  stalledReaderMs: 30_000,
  inFlightMax: 64,
  inFlightBytesPerConnection: 1_048_576,
  inFlightBytesMax: 4_194_304,
  valueBytesMax: 65_536,
  recordBytesMax: 262_144,
  frameBodyBytesMax: 400_000,
  token: new Uint8Array(0),
  delayMs: 0,
};

export interface Frame {
  readonly kind: number;
  readonly requestId: number;
  readonly body: Uint8Array;
}

/** Our end of a connection to the node under test. */
export class TestConnection implements Connection {
  readonly remote: string = 'test';
  readonly group: ListenerGroup;
  output: Uint8Array = new Uint8Array(64);
  events: ConnectionEvents | null = null;
  readonly frames: Frame[] = [];
  reading: boolean = true;
  ended: boolean = false;
  destroyed: string = '';
  /** While true nothing that the node says is taken: it queues. */
  deaf: boolean = false;
  #queued: Uint8Array[] = [];
  #claimed = 0;
  readonly #unread: Uint8Array[] = [];
  readonly #decoder: FrameDecoder;

  constructor(group: ListenerGroup) {
    this.group = group;
    this.#decoder = new FrameDecoder(
      {
        onFrame: (kind, requestId, bytes, start, end) => {
          this.frames.push({ kind, requestId, body: bytes.slice(start, end) });
        },
        onFault: (_fault, text) => {
          throw new Error(text);
        },
      },
      100_000_000,
    );
  }

  claim(size: number): number {
    const at = this.#claimed;
    if (at + size > this.output.length) {
      const larger = new Uint8Array(2 * (at + size));
      larger.set(this.output.subarray(0, at));
      this.output = larger;
    }
    this.#claimed += size;
    return at;
  }

  sendChunk(bytes: Uint8Array): void {
    this.#seal();
    this.#queued.push(bytes);
  }

  get queuedBytes(): number {
    return this.#claimed + this.#queued.reduce((sum, { length }) => sum + length, 0);
  }

  pauseReading(): void {
    this.reading = false;
  }

  resumeReading(): void {
    this.reading = true;
  }

  end(): void {
    this.ended = true;
  }

  destroy(reason: string): void {
    if (this.destroyed !== '') return;
    this.destroyed = reason;
    this.events?.onClosed(reason);
  }

  /** What the node has said until now, as frames; an ended connection closes behind it. */
  take(): Frame[] {
    if (!this.deaf) {
      this.#seal();
      const had = this.#queued;
      this.#queued = [];
      for (const bytes of had) this.#decoder.push(bytes, 0);
      if (had.length > 0) this.events?.onDrained();
      this.#deliver();
      if (this.ended) this.destroy('ended');
    }
    return this.frames.splice(0);
  }

  send(kind: number, requestId: number, body: Uint8Array): void {
    this.bytes(frameOf(kind, requestId, body));
  }

  /** As a kernel does: what comes while the node does not read waits here. */
  bytes(bytes: Uint8Array): void {
    this.#unread.push(bytes);
    this.#deliver();
  }

  #deliver(): void {
    while (this.reading && this.destroyed === '') {
      const bytes = this.#unread.shift();
      if (bytes === undefined) return;
      this.events?.onBytes(bytes);
    }
  }

  #seal(): void {
    if (this.#claimed === 0) return;
    this.#queued.push(this.output.slice(0, this.#claimed));
    this.#claimed = 0;
  }
}

export class NodeBench {
  readonly storage: MemoryStorage = new MemoryStorage();
  readonly node: PartitaNode;
  readonly warnings: Readonly<Record<string, unknown>>[] = [];
  readonly ring: RingDocument;
  nowMs: number = 1_000_000;
  wallMs: number = 1_700_000_000_000;
  #timers: { at: number; fire: () => void }[] = [];

  constructor(settings: Partial<NodeSettings> = {}) {
    const id = nodeId('0123456789abcdef0123456789abcdef');
    const member = { nodeId: id, ordinal: 7, address: '127.0.0.1:7700', zone: '' };
    this.ring = firstRing('test', 'f'.repeat(32), member, 256);
    const prng = new Prng(42);
    this.node = new PartitaNode({
      settings: { ...TEST_SETTINGS, ...settings },
      storage: this.storage,
      hash: hash64From(api),
      clock: { wallMs: () => this.wallMs, monotonicMs: () => this.nowMs },
      timers: {
        after: (delayMs, fire) => {
          const timer = { at: this.nowMs + delayMs, fire };
          this.#timers.push(timer);
          return {
            cancel: () => {
              this.#timers = this.#timers.filter((other) => other !== timer);
            },
          };
        },
        endOfTurn: (fire) => {
          this.#timers.push({ at: this.nowMs, fire });
        },
      },
      random: {
        u32: () => prng.u32(),
        fill: (bytes) => {
          prng.fill(bytes);
        },
      },
      hlc: new Hlc(0, 0),
      ring: this.ring,
      nodeId: id,
      ordinal: 7,
      pool: new PoisonPool(),
      meter: silentMeter,
      log: { ...silentLog, warn: (event, fields) => this.warnings.push({ event, ...fields }) },
    });
  }

  connect(group: ListenerGroup = 'client'): TestConnection {
    const connection = new TestConnection(group);
    connection.events = this.node.acceptor(connection);
    return connection;
  }

  /** A connection that has said Hello and been accepted. */
  ready(group: 'client' | 'admin' = 'client'): TestConnection {
    const connection = this.connect(group);
    connection.send(HELLO, 1, helloBody(group));
    connection.take();
    return connection;
  }

  /** Lets time pass, firing what falls due. */
  pass(ms: number): void {
    const until = this.nowMs + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.wallMs += Math.max(0, due.at - this.nowMs);
      this.nowMs = Math.max(this.nowMs, due.at);
      due.fire();
    }
    this.wallMs += until - this.nowMs;
    this.nowMs = until;
  }

  /** A put id of this moment. */
  putId(random: number): Uint8Array {
    const id = new Uint8Array(12);
    const view = new DataView(id.buffer);
    view.setUint32(0, Math.floor(this.wallMs / 1_000));
    view.setUint32(8, random);
    return id;
  }
}

export function helloBody(
  role: 'client' | 'peer' | 'admin',
  more: { versionMin?: number; cluster?: string; token?: Uint8Array } = {},
): Uint8Array {
  const { versionMin = 1, cluster = '', token = new Uint8Array(0) } = more;
  return encodeHello({
    versionMin,
    versionMax: Math.max(1, versionMin),
    cluster,
    role,
    token,
    features: 0,
    clientName: 'test',
  });
}

/** The error in a frame that must be one. */
export function errorOf(frame: Frame | undefined): {
  code: string;
  text: string;
  outcomeUnknown: boolean;
  retryable: boolean;
} {
  if (frame?.kind !== ERROR) throw new Error(`Not an error frame: ${JSON.stringify(frame)}`);
  const error = decodeError(frame.body, 0, frame.body.length);
  if (isFault(error)) throw new Error(error);
  return error;
}
