/*
 * A network for the client's core: dials reach fake nodes by address, bytes arrive at the end of a turn, and all of it
 * runs on FakeTimers. Nodes can be taken down, and every connection can be cut.
 */
import type { Connection, ConnectionEvents, Dialer } from '../../src/env/transport.js';
import type { FakeTimers } from './fake-timers.js';
import { ScriptedPeer } from './scripted-peer.js';
import { fakeNode } from './fake-node.js';
import type { FakeNode } from './fake-node.js';

export class FakeNetwork implements Dialer {
  readonly nodes: Map<string, FakeNode> = new Map();
  readonly down: Set<string> = new Set();
  readonly connections: FakeConnection[] = [];
  dials: number = 0;
  readonly #timers: FakeTimers;

  constructor(timers: FakeTimers) {
    this.#timers = timers;
  }

  addNode(address: string, nodeId?: string): FakeNode {
    const node = fakeNode(address, nodeId);
    this.nodes.set(address, node);
    return node;
  }

  dial(
    address: string,
    _timeoutMs: number,
    opened: (connection: Connection) => ConnectionEvents,
    failed: (error: Error) => void,
  ): { cancel(): void } {
    this.dials += 1;
    let cancelled = false;
    this.#timers.after(1, () => {
      if (cancelled) return;
      const node = this.nodes.get(address);
      if (node === undefined || this.down.has(address)) {
        failed(new Error(`Cannot connect to ${address}: refused`));
        return;
      }
      const connection = new FakeConnection(address, node, this.#timers);
      this.connections.push(connection);
      connection.events = opened(connection);
    });
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  }

  /** The open connections of a node. */
  of(address: string): FakeConnection[] {
    return this.connections.filter((connection) => connection.remote === address && !connection.closed);
  }

  /** The node is gone: its connections break, and nobody gets in. */
  kill(address: string): void {
    this.down.add(address);
    for (const connection of this.of(address)) connection.cut('connection reset');
  }
}

export class FakeConnection implements Connection {
  readonly remote: string;
  readonly group = 'client';
  readonly peer: ScriptedPeer;
  events: ConnectionEvents | null = null;
  output: Uint8Array = new Uint8Array(1_024);
  closed: boolean = false;
  queuedBytes: number = 0;
  /** Bytes towards the client arrive in pieces of this size. */
  pieceBytes: number = 1_000_000;
  readonly #timers: FakeTimers;
  #used: number = 0;
  #chunks: Uint8Array[] = [];
  #flushing: boolean = false;

  constructor(address: string, node: FakeNode, timers: FakeTimers) {
    this.remote = address;
    this.#timers = timers;
    this.peer = new ScriptedPeer(node, {
      send: (bytes) => {
        const copy = new Uint8Array(bytes);
        timers.endOfTurn(() => {
          this.#deliver(copy);
        });
      },
      close: () => {
        timers.endOfTurn(() => {
          this.cut('closed by the node');
        });
      },
    });
  }

  claim(size: number): number {
    if (this.#used + size > this.output.length) {
      const larger = new Uint8Array(Math.max(this.output.length * 2, this.#used + size));
      larger.set(this.output.subarray(0, this.#used));
      this.output = larger;
    }
    this.#used += size;
    this.#flushLater();
    return this.#used - size;
  }

  sendChunk(bytes: Uint8Array): void {
    this.#chunks.push(this.output.slice(0, this.#used), bytes);
    this.#used = 0;
    this.#flushLater();
  }

  pauseReading(): void {
    throw new Error('The client never pauses reading');
  }

  resumeReading(): void {
    throw new Error('The client never pauses reading');
  }

  end(): void {
    this.#flush();
    this.destroy('ended by the client');
  }

  destroy(reason: string): void {
    this.#timers.endOfTurn(() => {
      this.cut(reason);
    });
  }

  cut(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.events?.onClosed(reason);
  }

  #deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.closed; at += this.pieceBytes) {
      const piece = bytes.slice(at, at + this.pieceBytes);
      this.events?.onBytes(piece);
      piece.fill(0xee); // the transport's again: whoever kept a view of it shall notice
    }
  }

  #flushLater(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.#timers.endOfTurn(() => {
      this.#flush();
    });
  }

  #flush(): void {
    this.#flushing = false;
    const bytes = Buffer.concat([...this.#chunks, this.output.slice(0, this.#used)]);
    this.#chunks = [];
    this.#used = 0;
    if (bytes.length > 0 && !this.closed) this.peer.receive(bytes);
  }
}
