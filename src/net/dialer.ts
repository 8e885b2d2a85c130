/*
 * Opens connections. All sockets that we dial read into one buffer: what arrives is taken out of it before the next
 * read, so nothing is allocated a read, and Node's stream machinery stays out of the way.
 */
import { connect } from 'node:net';
import type { Socket, TcpSocketConnectOpts } from 'node:net';
import type { Connection, ConnectionEvents, Dialer } from '../env/transport.js';
import { parseAddress } from './address.js';
import type { Address } from './address.js';
import type { BufferPool } from '../lib/buffer-pool.js';
import type { FlushQueue } from './flush-queue.js';
import { KEEPALIVE_MS, TcpConnection } from './tcp-connection.js';

const READ_BUFFER_BYTES = 65_536;

export class TcpDialer implements Dialer {
  readonly #pool: BufferPool;
  readonly #queue: FlushQueue;
  readonly #readBuffer: Buffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

  constructor(pool: BufferPool, queue: FlushQueue) {
    this.#pool = pool;
    this.#queue = queue;
  }

  dial(
    address: string,
    timeoutMs: number,
    opened: (connection: Connection) => ConnectionEvents,
    failed: (error: Error) => void,
  ): { cancel(): void } {
    let target: Address;
    try {
      target = parseAddress(address);
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      const answer = setImmediate(() => {
        failed(failure);
      });
      return {
        cancel: () => {
          clearImmediate(answer);
        },
      };
    }
    return this.#connect(address, target, timeoutMs, opened, failed);
  }

  #connect(
    address: string,
    target: Address,
    timeoutMs: number,
    opened: (connection: Connection) => ConnectionEvents,
    failed: (error: Error) => void,
  ): { cancel(): void } {
    let connection: TcpConnection | null = null;
    const socket = this.#socketTo(target, (chunk) => connection?.receive(chunk));
    const timer = setTimeout(() => {
      settle(new Error(`Cannot connect to ${address}: no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    let settled = false;
    const settle = (error: Error | null): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      if (connection === null) socket.destroy();
      if (error !== null) failed(error);
    };
    socket.on('error', (error) => {
      settle(
        new Error(`Cannot connect to ${address}: ${error.message || (error as NodeJS.ErrnoException).code}`, {
          cause: error,
        }),
      );
    });
    socket.once('connect', () => {
      if (settled) return;
      connection = new TcpConnection(socket, 'client', this.#pool, this.#queue);
      settle(null);
      connection.start(opened(connection));
    });
    return {
      cancel: () => {
        settle(null);
      },
    };
  }

  #socketTo(target: Address, received: (chunk: Uint8Array) => void): Socket {
    const readBuffer = this.#readBuffer;
    const shared = {
      allowHalfOpen: true,
      onread: {
        buffer: readBuffer,
        callback: (bytes: number): boolean => {
          received(readBuffer.subarray(0, bytes));
          return true;
        },
      },
    };
    if (target.kind === 'unix') return connect({ ...shared, path: target.path });
    const options: TcpSocketConnectOpts = {
      ...shared,
      host: target.host,
      port: target.port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEPALIVE_MS,
    };
    return connect(options);
  }
}
