/*
 * The thin shell around ClientCore: options checked, keys and values turned into bytes, answers into promises, signals
 * listened to. What happens when is decided in core/.
 */
import type { EventEmitter } from 'node:events';
import { codecs } from './codecs.js';
import type { Codec } from './codecs.js';
import { Context } from './context.js';
import { closedError } from './core/client-core.js';
import type { Operation, RetryPolicy } from './core/call.js';
import { ConnectionError, PartitaError } from './errors.js';
import type { ClientEvents } from './events.js';
import { batchesOf } from './batches.js';
import { ExplainOperation, PingOperation } from './operations/diagnostics.js';
import { GetOperation } from './operations/get.js';
import type { ReadSettings } from './operations/get.js';
import { GetManyOperation, PutManyOperation } from './operations/many.js';
import type { MutablePut, WriteSettings } from './operations/put.js';
import { PutOperation, putRequest } from './operations/put.js';
import type { Reading } from './operations/replies.js';
import { keyBytes, replicasOf, resolveOptions, retryPolicy, timeoutOf, ttlOf } from './options.js';
import type { CallOptions, ClientOptions, ReadOptions, UpdateOptions, WriteOptions } from './options.js';
import { contextBytes, fastestOf } from './opaque-context.js';
import { newPutId } from './put-id.js';
import type { Resolver } from './resolvers.js';
import type { ClientStats, Explanation, GetResult, Key, NodeInfo, PutResult, Sibling } from './results.js';
import { type Ring, ringOf } from './ring.js';
import { abortOn, makeShared } from './shared.js';
import type { Shared } from './shared.js';
import { realSystem } from './system.js';
import type { ClientSystem } from './system.js';
import { update } from './update.js';

/** Changes the current value; see {@link Client.update}. */
export type Change<T> = (current: T | undefined, siblings: readonly Sibling<T>[]) => T | Promise<T>;

type Defaults = ReadOptions & Omit<WriteOptions, 'context'>;

/** How a view differs from another of the same client. */
interface View<T> extends Reading<T> {
  readonly timeoutMs: number;
  readonly policy: RetryPolicy;
  readonly read: ReadSettings;
  readonly write: WriteSettings;
}

/**
 * A client of a Partita cluster. Cheap to keep, not to make: one a process is enough.
 *
 * All calls share a few multiplexed connections; requests of one turn of the loop leave in one write. Reads are retried,
 * and so are puts and deletes, which carry an id that makes a repetition harmless; retries are limited to a share of the
 * calls. Every call ends by its deadline, with a result or a {@link PartitaError}.
 *
 * ```ts
 * await using db = await Client.connect({ seeds: ['127.0.0.1:7700'], codec: codecs.json<Cart>() });
 * const cart = await db.get('cart:1');
 * await db.put('cart:1', { items: ['tea'] }, { context: cart.context });
 * ```
 */
export class Client<T = Uint8Array> implements AsyncDisposable {
  readonly #shared: Shared;
  readonly #view: View<T>;

  /**
   * A client that connects with its first call. Throws TypeError or RangeError for options that cannot be.
   * @param system For tests and simulations: another clock, network and chance.
   */
  constructor(options: ClientOptions<T>, system?: ClientSystem);
  /** @internal */
  constructor(options: { readonly shared: Shared; readonly view: View<T> });
  constructor(
    options: ClientOptions<T> | { readonly shared: Shared; readonly view: View<T> },
    system: ClientSystem = realSystem(),
  ) {
    if ('shared' in options) {
      this.#shared = options.shared;
      this.#view = options.view;
      return;
    }
    const { codec, resolver, ...others } = options;
    const resolved = resolveOptions(others);
    this.#shared = makeShared(resolved, system, options.auth?.token);
    this.#view = {
      codec: codec ?? (codecs.bytes as Codec<unknown> as Codec<T>),
      resolver,
      timeoutMs: resolved.timeoutMs,
      policy: resolved.retry,
      read: { r: 0, strict: false },
      write: { w: 0, strict: false, durable: false, ttlMs: 0 },
    };
  }

  /** A client that is connected and knows the ring, or the error why not. */
  static async connect<T = Uint8Array>(options: ClientOptions<T>, call?: CallOptions): Promise<Client<T>> {
    const client = new Client<T>(options);
    try {
      return await client.connect(call);
    } catch (error) {
      client.destroy();
      throw error;
    }
  }

  /** Resolves when a node has answered and the ring is known. Not needed before other calls. Default deadline: that of calls. */
  async connect(options?: CallOptions): Promise<this> {
    await this.#shared.hashLoaded;
    const { core } = this.#shared;
    await new Promise<void>((resolve, reject) => {
      const call = core.connect(this.#timeoutMs(options), this.#policy(options), (error) => {
        if (error === null) resolve();
        else reject(error);
      });
      if (options?.signal !== undefined) abortOn(options.signal, core, call);
    });
    return this;
  }

  /** What was put last under the key: one value, several that nobody has merged, or none; and the context to put with. */
  get(key: Key, options?: ReadOptions): Promise<GetResult<T>> {
    return new Promise((resolve, reject) => {
      this.#start(new GetOperation(keyBytes(key), this.#read(options), this.#view, resolve, reject), options, reject);
    });
  }

  /**
   * Stores a version that replaces exactly what `options.context` has seen. Never refused because somebody else wrote
   * meanwhile: then both are kept as siblings, and the result counts them.
   *
   * Bytes given as they are (`codecs.bytes`) must not change until the promise has settled.
   */
  put(key: Key, value: T, options?: WriteOptions): Promise<PutResult> {
    return new Promise((resolve, reject) => {
      const { codec } = this.#view;
      const request = this.#putRequest(keyBytes(key), codec.encode(value), options?.context, this.#write(options));
      const fastest = fastestOf(options?.context ?? Context.empty);
      this.#start(new PutOperation(request, codec.fresh === true, resolve, reject, fastest), options, reject);
    });
  }

  /** Deletes exactly what `options.context` has seen. Without a context it deletes nothing that is there: read first. */
  delete(key: Key, options?: WriteOptions): Promise<PutResult> {
    return new Promise((resolve, reject) => {
      const request = this.#putRequest(keyBytes(key), undefined, options?.context, this.#write(options));
      const fastest = fastestOf(options?.context ?? Context.empty);
      this.#start(new PutOperation(request, true, resolve, reject, fastest), options, reject);
    });
  }

  /**
   * Reads, changes, and writes back with the context. When another write came between, the resolver's merge of the
   * siblings is written next (without a resolver, `change` is called again with the siblings and is to merge them, the
   * one among them that it made before included), `roundsMax` times at most.
   *
   * @param change Gets the value, or undefined when there is none or when there are siblings and no resolver.
   * @returns The result of the last put. `siblingCount` above 1: stored, but still beside others.
   */
  async update(key: Key, change: Change<T>, options: UpdateOptions = {}): Promise<PutResult> {
    const { clock, random, callTimers } = this.#shared.system;
    const deadlineMs = clock.monotonicMs() + this.#timeoutMs(options);
    const left = (): UpdateOptions => ({ ...options, timeoutMs: Math.max(1, deadlineMs - clock.monotonicMs()) });
    return update<T>({
      read: () => this.get(key, left()),
      write: (value, context) => this.put(key, value, { ...left(), context }),
      change,
      pause: (round) =>
        new Promise((resolve) => {
          callTimers.after((random.u32() / 0x1_0000_0000) * round * 10, resolve);
        }),
      roundsMax: options.roundsMax ?? 8,
    });
  }

  /**
   * Many gets in few frames. Every key gets a result or an error of its own; the promise is rejected for mistakes in the
   * arguments only. The map has the keys as they were given.
   */
  async getMany<K extends Key>(keys: Iterable<K>, options?: ReadOptions): Promise<Map<K, GetResult<T> | PartitaError>> {
    const items = Array.from(keys, (name) => ({ name, key: keyBytes(name), fastest: 0 }));
    const settings = this.#read(options);
    const { clock } = this.#shared.system;
    const deadlineMs = clock.monotonicMs() + this.#timeoutMs(options);
    const all = await this.#runMany<K, (typeof items)[number], GetResult<T>>(
      items,
      (item) => item.key.length,
      options,
      (batch, done) =>
        new GetManyOperation(
          batch.map((item) => item.key),
          settings,
          this.#view,
          done,
        ),
    );
    // Values that did not fit into one reply together are asked for one by one.
    const alone = [...all].filter(([, result]) => PartitaError.is(result, 'TOO_LARGE')).map(([name]) => name);
    const left = { ...options, timeoutMs: Math.max(1, deadlineMs - clock.monotonicMs()) };
    const results = await Promise.allSettled(alone.map((name) => this.get(name, left)));
    results.forEach((result, i) => {
      const name = alone[i] as K;
      if (result.status === 'fulfilled') all.set(name, result.value);
      else if (PartitaError.is(result.reason)) all.set(name, result.reason);
    });
    return all;
  }

  /** Many puts in few frames, each with a context of its own if it has one; else as getMany(). */
  async putMany<K extends Key>(
    entries: Iterable<readonly [key: K, value: T, context?: Context | undefined]>,
    options?: Omit<WriteOptions, 'context'>,
  ): Promise<Map<K, PutResult | PartitaError>> {
    const settings = this.#write(options);
    const items = Array.from(entries, ([name, value, context]) => {
      const put = this.#putRequest(keyBytes(name), this.#view.codec.encode(value), context, settings);
      return { name, key: put.key, fastest: fastestOf(context ?? Context.empty), put };
    });
    const bytesOf = ({ put }: { put: MutablePut }): number =>
      put.key.length + (put.value?.length ?? 0) + put.context.length + 64;
    return this.#runMany(items, bytesOf, options, (batch, done) => new PutManyOperation(batch, done));
  }

  /** Time to a node's answer and back, ms. `node`: id or address of one that nodes() lists; default: any. */
  ping(options?: CallOptions & { readonly node?: string | undefined }): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#start(new PingOperation(resolve, reject), options, reject, this.#addressOf(options?.node));
    });
  }

  /**
   * Everything that one node has stored under a key but the values: versions, clocks, why a version is not shown.
   * `node`: id or address of one that nodes() lists; default: the first owner that can be asked.
   */
  explain(key: Key, options?: CallOptions & { readonly node?: string | undefined }): Promise<Explanation> {
    return new Promise((resolve, reject) => {
      const pinned = this.#addressOf(options?.node);
      this.#start(new ExplainOperation(keyBytes(key), resolve, reject), options, reject, pinned);
    });
  }

  /** The same client with values of another type: same connections, same defaults. */
  withCodec<U>(codec: Codec<U>, resolver?: Resolver<U>): Client<U> {
    return new Client<U>({ shared: this.#shared, view: { ...this.#view, codec, resolver } });
  }

  /** The same client with other defaults for its calls. A `signal` cannot be one. */
  withDefaults(options: Omit<Defaults, 'signal'>): Client<T> {
    const view: View<T> = {
      ...this.#view,
      timeoutMs: this.#timeoutMs(options),
      policy: this.#policy(options),
      read: this.#read(options),
      write: this.#write(options),
    };
    return new Client<T>({ shared: this.#shared, view });
  }

  /** The nodes that this client knows: members of the ring, and seeds that are none or did not answer yet. */
  nodes(): readonly NodeInfo[] {
    return this.#shared.core.nodes();
  }

  /** Whom the client asks for a key, best first: its owners, then the rest. Empty until the ring is known. */
  preferenceList(key: Key): readonly NodeInfo[] {
    return this.#shared.core.preferenceList(keyBytes(key));
  }

  /** The ring that the client routes by; undefined until it is known. */
  ring(): Ring | undefined {
    const { ring } = this.#shared.core;
    return ring === null ? undefined : ringOf(ring);
  }

  stats(): ClientStats {
    return this.#shared.core.stats();
  }

  /** Events of the client, the same for all its views. */
  get events(): EventEmitter<ClientEvents> {
    return this.#shared.events;
  }

  /** Refuses new calls (`CLOSED`), waits for those under way, at most `graceMs` (default 5_000), then closes the connections. */
  close(options: { readonly graceMs?: number | undefined } = {}): Promise<void> {
    const { core, events } = this.#shared;
    return new Promise((resolve) => {
      core.close(options.graceMs ?? 5_000, () => {
        events.emit('close', undefined);
        resolve();
      });
    });
  }

  /** Closes at once; calls under way fail with `CLOSED`. */
  destroy(cause?: Error): void {
    const error =
      cause === undefined
        ? closedError('it was destroyed')
        : new ConnectionError('CLOSED', `This client was destroyed: ${cause.message}`, { cause });
    this.#shared.core.destroy(error);
    this.#shared.events.emit('close', error);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #addressOf(node: string | undefined): string | undefined {
    if (node === undefined) return undefined;
    const peer = this.#shared.core.peerOf(node);
    if (peer !== undefined) return peer.address;
    throw new PartitaError('INVALID_ARGUMENT', `No node ${node}; nodes() lists those that are known`);
  }

  #start(
    operation: Operation,
    options: CallOptions | undefined,
    reject: (error: unknown) => void,
    pinned?: string,
  ): void {
    const { core } = this.#shared;
    const signal = options?.signal;
    if (signal === undefined) {
      core.start(operation, this.#timeoutMs(options), this.#policy(options), pinned);
      return;
    }
    if (signal.aborted) {
      reject(
        new PartitaError('ABORTED', `The ${operation.name} was aborted before it began`, { cause: signal.reason }),
      );
      return;
    }
    abortOn(signal, core, core.start(operation, this.#timeoutMs(options), this.#policy(options), pinned));
  }

  #runMany<K, I extends { readonly name: K; readonly key: Uint8Array; readonly fastest: number }, R>(
    items: readonly I[],
    bytesOf: (item: I) => number,
    options: CallOptions | undefined,
    operationOf: (batch: readonly I[], done: (results: readonly (R | PartitaError)[]) => void) => Operation,
  ): Promise<Map<K, R | PartitaError>> {
    const { core } = this.#shared;
    const all = new Map<K, R | PartitaError>();
    const batches = batchesOf(items, (item) => core.firstPeer(item.key, item.fastest), bytesOf);
    return new Promise((resolve, reject) => {
      let left = batches.length;
      if (left === 0) resolve(all);
      for (const { items: batch } of batches) {
        const operation = operationOf(batch, (results) => {
          batch.forEach((item, i) => all.set(item.name, results[i] as R | PartitaError));
          left -= 1;
          if (left === 0) resolve(all);
        });
        this.#start(operation, options, reject);
      }
    });
  }

  #putRequest(
    key: Uint8Array,
    value: Uint8Array | undefined,
    context: Context | undefined,
    settings: WriteSettings,
  ): MutablePut {
    const { clock, random } = this.#shared.system;
    return putRequest(key, value, contextBytes(context ?? Context.empty), newPutId(clock, random), settings);
  }

  #timeoutMs(options: CallOptions | undefined): number {
    return timeoutOf(options?.timeoutMs, this.#view.timeoutMs);
  }

  #policy(options: CallOptions | undefined): RetryPolicy {
    return retryPolicy(options?.retry, this.#view.policy);
  }

  #read(options: ReadOptions | undefined): ReadSettings {
    if (options === undefined || (options.r === undefined && options.strict === undefined)) return this.#view.read;
    const { read } = this.#view;
    return { r: options.r === undefined ? read.r : replicasOf('r', options.r), strict: options.strict ?? read.strict };
  }

  #write(options: Omit<WriteOptions, 'context'> | undefined): WriteSettings {
    if (options === undefined) return this.#view.write;
    const { write } = this.#view;
    return {
      w: options.w === undefined ? write.w : replicasOf('w', options.w),
      strict: options.strict ?? write.strict,
      durable: options.durable ?? write.durable,
      ttlMs: options.ttlMs === undefined ? write.ttlMs : ttlOf(options.ttlMs),
    };
  }
}
