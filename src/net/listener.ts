/*
 * Accepts connections on a TCP port or a unix socket. A full house and a failing accept refuse newcomers and disturb
 * nobody else: both are counted and logged, and accepting goes on.
 *
 * One failure is not seen here. When descriptors run out, libuv spends one that it keeps for that to accept whoever
 * waits and to close them at once, and says nothing. So `connectionsMax` is to be well below RLIMIT_NOFILE, and the
 * number of open descriptors belongs on the dashboard.
 */
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { Counter, Log } from '../env/meter.js';
import type { Acceptor } from '../env/transport.js';
import type { ListenerGroup } from '../model/messages.js';
import { formatTcp, parseAddress } from './address.js';
import type { Address } from './address.js';
import type { BufferPool } from '../lib/buffer-pool.js';
import type { FlushQueue } from './flush-queue.js';
import { KEEPALIVE_MS, TcpConnection } from './tcp-connection.js';
import { clearUnixPath } from './unix-path.js';

export interface ListenOptions {
  /** `host:port` (port 0: any free one), `[ipv6]:port` or `unix:/path`. */
  readonly address: string;
  readonly group: ListenerGroup;
  /** More than this many at a time are closed as they come. */
  readonly connectionsMax: number;
  readonly accept: Acceptor;
  readonly pool: BufferPool;
  readonly queue: FlushQueue;
  readonly log: Log;
  /** Connections closed because of `connectionsMax`. */
  readonly refused: Counter;
  /** Failures of accept(2). */
  readonly acceptErrors: Counter;
}

/** A storm of refusals is one line in this time. */
const LOG_EVERY_MS = 1_000;
/** Beside what a turn accepts; the kernel cuts it to net.core.somaxconn. */
const BACKLOG = 1_024;

export class Listener {
  /** As it was opened: with the port that was given for port 0. */
  readonly address: string;
  readonly #server: Server;

  constructor(address: string, server: Server) {
    this.address = address;
    this.#server = server;
  }

  /** Stops accepting; connections that are open stay so. A unix socket's file goes. */
  close(done: () => void): void {
    this.#server.close();
    // `close` would call back when the last connection has gone; the caller wants to know that the port is free.
    setImmediate(done);
  }
}

/** Opens a listener; errors say which address, and what to do about it. */
export function listen(options: ListenOptions, done: (error: Error | null, listener?: Listener) => void): void {
  let address: Address;
  try {
    address = parseAddress(options.address);
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error));
    setImmediate(() => {
      done(failure);
    });
    return;
  }
  if (address.kind === 'tcp') {
    open(options, address, done);
    return;
  }
  clearUnixPath(address.path, (error) => {
    if (error === null) open(options, address, done);
    else done(error);
  });
}

function open(
  options: ListenOptions,
  address: Address,
  done: (error: Error | null, listener?: Listener) => void,
): void {
  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: KEEPALIVE_MS,
  });
  server.maxConnections = options.connectionsMax;
  const failed = (error: NodeJS.ErrnoException): void => {
    done(new Error(whyNotOpen(options.address, address.kind, error), { cause: error }));
  };
  server.once('error', failed);
  server.once('listening', () => {
    server.off('error', failed);
    serve(server, options);
    const bound = server.address();
    const name = bound === null || typeof bound === 'string' ? options.address : formatTcp(bound.address, bound.port);
    done(null, new Listener(name, server));
  });
  if (address.kind === 'tcp') {
    server.listen({ host: address.host, port: address.port, backlog: BACKLOG });
    return;
  }
  // The socket is bound inside of this call, so nobody gets a moment in which its permissions are wider.
  const before = process.umask(0o177);
  try {
    server.listen({ path: address.path, backlog: BACKLOG });
  } finally {
    process.umask(before);
  }
}

/** What a server that listens does with its connections, and with what goes wrong. */
export function serve(server: Server, options: ListenOptions): void {
  const { log, group, accept, pool, queue } = options;
  const logRefusal = sometimes((count) => {
    log.warn('connections-refused', { group, count, connectionsMax: options.connectionsMax });
  });
  const logError = sometimes((count, error) => {
    log.error('accept-failed', { group, count, error: error?.message });
  });
  server.on('connection', (socket: Socket) => {
    const connection = new TcpConnection(socket, group, pool, queue);
    connection.start(accept(connection));
  });
  server.on('drop', () => {
    options.refused.add(1);
    logRefusal();
  });
  server.on('error', (error) => {
    options.acceptErrors.add(1);
    logError(error);
  });
}

/** Calls `say` for the first event and then at most once in LOG_EVERY_MS, with how many there were. */
function sometimes(say: (count: number, error?: Error) => void): (error?: Error) => void {
  let count = 0;
  let timer: NodeJS.Timeout | null = null;
  return (error) => {
    count++;
    if (timer !== null) return;
    say(count, error);
    count = 0;
    timer = setTimeout(() => {
      timer = null;
      if (count > 0) say(count, error);
      count = 0;
    }, LOG_EVERY_MS);
    timer.unref();
  };
}

function whyNotOpen(address: string, kind: Address['kind'], error: NodeJS.ErrnoException): string {
  if (kind === 'unix' && error.code === 'EACCES') {
    // libuv says EACCES for ENOENT here.
    return `Cannot listen on ${address}: the folder does not exist or this user may not write to it`;
  }
  switch (error.code) {
    case 'EADDRINUSE':
      return `Cannot listen on ${address}: another process does; stop it or choose another address`;
    case 'EACCES':
      return `Cannot listen on ${address}: not permitted; choose a port above 1023`;
    case 'EADDRNOTAVAIL':
      return `Cannot listen on ${address}: this host has no such address`;
    default:
      return `Cannot listen on ${address}: ${error.message}`;
  }
}
