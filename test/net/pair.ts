/* A connection of ours on a real loopback socket, with a plain socket at its other end. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { Counter, Log } from '../../src/env/meter.js';
import type { Acceptor, Connection, ConnectionEvents } from '../../src/env/transport.js';
import { PoisonPool } from '../support/poison-pool.js';
import { FlushQueue } from '../../src/net/flush-queue.js';
import { listen } from '../../src/net/listener.js';
import type { Listener, ListenOptions } from '../../src/net/listener.js';

export class CountingCounter implements Counter {
  total: number = 0;
  add(amount: number): void {
    this.total += amount;
  }
}

export class Lines implements Log {
  readonly lines: string[] = [];
  debug(event: string): void {
    this.lines.push(event);
  }
  info(event: string): void {
    this.lines.push(event);
  }
  warn(event: string): void {
    this.lines.push(event);
  }
  error(event: string): void {
    this.lines.push(event);
  }
}

export class Events implements ConnectionEvents {
  received: Buffer = Buffer.alloc(0);
  drained: number = 0;
  readonly closed: string[] = [];
  onChunk: (chunk: Uint8Array) => void = () => undefined;

  onBytes(chunk: Uint8Array): void {
    this.received = Buffer.concat([this.received, chunk]);
    this.onChunk(chunk);
  }
  onDrained(): void {
    this.drained++;
  }
  onClosed(reason: string): void {
    this.closed.push(reason);
  }
}

export interface Harness {
  readonly options: ListenOptions;
  readonly refused: CountingCounter;
  readonly acceptErrors: CountingCounter;
  readonly pool: PoisonPool;
  readonly log: Lines;
}

export function harness(accept: Acceptor, more: Partial<ListenOptions> = {}): Harness {
  const [refused, acceptErrors, pool, log] = [
    new CountingCounter(),
    new CountingCounter(),
    new PoisonPool(),
    new Lines(),
  ];
  const options: ListenOptions = {
    address: '127.0.0.1:0',
    group: 'client',
    connectionsMax: 100,
    accept,
    pool,
    queue: new FlushQueue(),
    log,
    refused,
    acceptErrors,
    ...more,
  };
  return { options, refused, acceptErrors, pool, log };
}

export async function listening(t: ExecutionContext, options: ListenOptions): Promise<Listener> {
  const listener = await new Promise<Listener>((resolve, reject) => {
    listen(options, (error, opened) => {
      if (opened === undefined) reject(error ?? new Error('neither'));
      else resolve(opened);
    });
  });
  t.teardown(() => new Promise<void>((resolve) => listener.close(resolve)));
  return listener;
}

export interface Pair extends Harness {
  readonly ours: Connection;
  readonly events: Events;
  readonly theirs: Socket;
}

/** `theirs` does not read until somebody listens to its data. */
export async function pair(t: ExecutionContext): Promise<Pair> {
  const events = new Events();
  let ours: Connection | null = null;
  const made = harness((connection) => {
    ours = connection;
    return events;
  });
  const listener = await listening(t, made.options);
  const theirs = connect(portOf(listener.address), '127.0.0.1');
  theirs.on('error', () => undefined);
  t.teardown(() => {
    theirs.destroy();
    ours?.destroy('The test is over');
  });
  await until(() => ours !== null);
  return { ...made, events, theirs, ours: ours as unknown as Connection };
}

export function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}

export async function until(holds: () => boolean, ms: number = 5_000): Promise<void> {
  const end = Date.now() + ms;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`Not within ${ms} ms: ${String(holds)}`);
    await turn();
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'partita-net-'));
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

export function say(connection: Connection, text: string): void {
  const bytes = Buffer.from(text);
  const at = connection.claim(bytes.length);
  connection.output.set(bytes, at);
}
