/*
 * One question to a node's admin socket: connect, greet as an admin, ask, hang up. The SDK is for the client listener;
 * what is served here is no business of applications.
 */
import { ConnectionError, PartitaError } from '../client/index.js';
import { errorOfFrame, orThrow, sendFrame } from '../client/core/session-frames.js';
import { ConfigError, loadConfig } from '../daemon/config.js';
import type { Connection } from '../env/transport.js';
import { BufferPool } from '../lib/buffer-pool.js';
import { parseAddress } from '../net/address.js';
import { TcpDialer } from '../net/dialer.js';
import { FlushQueue } from '../net/flush-queue.js';
import { encodeHello } from '../wire/codec-connection.js';
import { FrameDecoder } from '../wire/frame.js';
import { ERROR, GO_AWAY, HELLO, HELLO_REPLY, nameOfKind } from '../wire/kinds.js';
import { AdminUnreachableError } from './exit-codes.js';
import { UsageError } from './io.js';
import type { Io } from './io.js';

const REPLY_BYTES_MAX = 16_777_216;
const GREETING = 1;
const QUESTION = 2;

export interface AdminOptions {
  /** `unix:/path`, or the path. */
  readonly admin?: string;
  /** The configuration of the node, which names its socket. */
  readonly config?: string;
}

/** Where the node's socket is: as said, or as the daemon would find it with the same environment and file. */
export function adminAddress(io: Io, options: AdminOptions): string {
  const { admin } = options;
  if (admin === undefined) return `unix:${configuredSocket(io, options)}`;
  if (options.config !== undefined) throw new UsageError('--admin and --config: give one of them');
  const address = admin.startsWith('/') ? `unix:${admin}` : admin;
  try {
    if (parseAddress(address).kind === 'unix') return address;
  } catch (error) {
    throw new UsageError(`--admin: ${error instanceof Error ? error.message : String(error)}`);
  }
  throw new UsageError(`--admin: ${admin} is no unix socket: expected unix:/path. --server is for other commands`);
}

function configuredSocket(io: Io, options: AdminOptions): string {
  const file = options.config ?? io.env['PARTITA_CONFIG'];
  try {
    return loadConfig({ flags: {}, env: io.env, ...(file === undefined ? {} : { file }) }).config.admin.socket;
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.faults.join('\nerror: '));
    throw error;
  }
}

/** What is asked, and how the answer is read; `read` gives a text that says what is wrong, or the answer. */
export interface AdminQuestion<T extends object> {
  readonly kind: number;
  readonly replyKind: number;
  readonly body: Uint8Array;
  readonly read: (bytes: Uint8Array, start: number, end: number) => T | string;
}

/** Rejects with a PartitaError. */
export function askAdmin<T extends object>(address: string, timeoutMs: number, question: AdminQuestion<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    let connection: Connection | null = null;
    let ended = false;
    const end = (settle: () => void): void => {
      if (ended) return;
      ended = true;
      settle(); // first: what it reads is the connection's
      clearTimeout(timer);
      dial.cancel();
      connection?.destroy('No more to ask');
    };
    const fail = (error: PartitaError): void => {
      end(() => {
        reject(error);
      });
    };
    const timer = setTimeout(() => {
      fail(new PartitaError('TIMEOUT', `no reply from ${address} within ${timeoutMs} ms`));
    }, timeoutMs);
    const onFrame = (kind: number, _id: number, bytes: Uint8Array, start: number, stop: number): void => {
      if (kind === ERROR) fail(errorOfFrame(bytes, start, stop, address).error);
      else if (kind === HELLO_REPLY && connection !== null)
        sendFrame(connection, question.kind, QUESTION, question.body);
      else if (kind === question.replyKind)
        end(() => {
          settleWith(question, bytes, start, stop, resolve, reject);
        });
      else if (kind !== GO_AWAY)
        fail(new PartitaError('PROTOCOL', `${address} answered with ${nameOfKind(kind)}, which is no answer to this`));
    };
    const onFault = (_fault: string, text: string): void => {
      fail(new PartitaError('PROTOCOL', `${address} sent what is no frame: ${text}`));
    };
    const decoder = new FrameDecoder({ onFrame, onFault }, REPLY_BYTES_MAX);
    const dial = new TcpDialer(new BufferPool(), new FlushQueue()).dial(
      address,
      timeoutMs,
      (opened) => {
        connection = opened;
        sendFrame(opened, HELLO, GREETING, HELLO_BODY);
        return {
          onBytes: (chunk) => {
            decoder.push(chunk, 0);
          },
          onDrained: () => {},
          onClosed: (reason) => {
            fail(new ConnectionError('CONNECTION', `${address} hung up before it had answered: ${reason}`));
          },
        };
      },
      (error) => {
        fail(new AdminUnreachableError('CONNECTION', error.message, { cause: error }));
      },
    );
  });
}

const HELLO_BODY: Uint8Array = encodeHello({
  versionMin: 1,
  versionMax: 1,
  cluster: '',
  role: 'admin',
  token: new Uint8Array(0),
  features: 0,
  clientName: 'partita',
});

function settleWith<T extends object>(
  { read }: AdminQuestion<T>,
  bytes: Uint8Array,
  start: number,
  end: number,
  resolve: (answer: T) => void,
  reject: (error: Error) => void,
): void {
  try {
    resolve(orThrow(read(bytes, start, end)));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    reject(new PartitaError('PROTOCOL', `the answer cannot be read: ${why}`, { cause }));
  }
}
