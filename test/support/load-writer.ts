/*
 * Clients that write and read as real ones do, and keep their history (history.ts): blind puts, read-modify-writes, puts
 * on the context of an own earlier put, deletes, plain reads. Several connections, each with several requests under way,
 * over keys that they share, so that siblings come up and are merged.
 *
 * The history lives in this process, which no fault is aimed at. When a connection breaks, what was under way becomes
 * unknown; on the next connection half of it is sent again under its own put id, as a client's retry would be.
 */
import { Prng } from '../../src/lib/prng.js';
import { ERROR_CODES } from '../../src/model/errors.js';
import { History, type KeyHistory, type Violation, type Write } from './history.js';
import { ConnectionLostError, newPutId, RawClient, RefusedError, type RawWritten } from './raw-client.js';
import { STAMP_BYTES_MIN, stampedValue } from './stamp.js';

export interface LoadOptions {
  readonly seed: number;
  readonly keys: number;
  readonly connections: number;
  /** Requests under way on each connection. */
  readonly depth: number;
  readonly valueBytesMax: number;
}

export interface LoadCounts {
  acked: number;
  unknown: number;
  refused: number;
  reads: number;
  retried: number;
}

interface Unfinished {
  readonly write: Write;
  readonly value: Buffer | undefined;
  readonly context: Uint8Array;
  readonly putId: Uint8Array;
}

const NO_CONTEXT = new Uint8Array(0);
const VIOLATIONS_KEPT_MAX = 20;
const ATTEMPTS_MAX = 5;
const READERS = 16;
const UNKNOWN_STATE = ERROR_CODES.UNKNOWN_STATE.number;

export class LoadWriter {
  readonly history: History;
  readonly counts: LoadCounts = { acked: 0, unknown: 0, refused: 0, reads: 0, retried: 0 };
  /** Found while reading under load; those of a check are the caller's. */
  readonly violations: Violation[] = [];
  /** Texts of refusals, for the report. */
  readonly refusals: Map<string, number> = new Map();
  readonly #options: LoadOptions;
  readonly #prng: Prng;
  readonly #unfinished: Unfinished[] = [];
  #stopping = false;
  #clients: RawClient[] = [];
  #running: Promise<void>[] = [];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#prng = new Prng(options.seed);
    this.history = new History(options.seed);
  }

  /** Connects and writes until `stop`, or until the other side is gone. */
  async start(address: string): Promise<void> {
    this.#stopping = false;
    this.#clients = [];
    for (let i = 0; i < this.#options.connections; i++) this.#clients.push(await RawClient.connect(address));
    this.#running = this.#clients.flatMap((client) =>
      Array.from({ length: this.#options.depth }, () => this.#writer(client, this.#prng.fork())),
    );
  }

  /** Sends half of what has an unknown outcome again; the rest is left unknown for ever. */
  async retryUnknown(address: string): Promise<void> {
    const unfinished = this.#unfinished.splice(0);
    const client = await RawClient.connect(address);
    try {
      for (const one of unfinished) {
        if (one.write.outcome !== 'unknown' || !this.#prng.chance(0.5)) continue;
        this.counts.retried += 1;
        await this.#send(client, one, true);
      }
    } finally {
      client.close();
    }
  }

  /** No new requests; resolves when all that was under way is answered or lost. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
    for (const client of this.#clients) client.close();
  }

  /** The other side has been killed: nothing more will come. */
  async abandon(): Promise<void> {
    this.#stopping = true;
    for (const client of this.#clients) client.close();
    await Promise.all(this.#running);
  }

  async #writer(client: RawClient, prng: Prng): Promise<void> {
    try {
      while (!this.#stopping) await this.#step(client, prng);
    } catch (error) {
      if (!(error instanceof ConnectionLostError)) throw error;
    }
  }

  async #step(client: RawClient, prng: Prng): Promise<void> {
    const key = `key-${prng.int(this.#options.keys)}`;
    const history = this.history.of(key);
    const draw = prng.float();
    if (draw < 0.25) await this.#put(client, key, NO_CONTEXT, [], prng);
    else if (draw < 0.4) await this.#putTwice(client, key, prng);
    else if (draw < 0.85) await this.#readAndReplace(client, history, draw < 0.78 ? 'put' : 'delete', prng);
    else await this.#read(client, history);
  }

  async #readAndReplace(client: RawClient, history: KeyHistory, kind: Write['kind'], prng: Prng): Promise<void> {
    const read = await this.#read(client, history);
    if (read === null) return;
    if (kind === 'put') await this.#put(client, history.key, read.context, read.ids, prng);
    else if (read.ids.length > 0) await this.#delete(client, history.key, read.context, read.ids);
  }

  /** A put, and another on top of it with the context that the first was answered with, if it was. */
  async #putTwice(client: RawClient, key: string, prng: Prng): Promise<void> {
    const first = await this.#put(client, key, NO_CONTEXT, [], prng);
    if (first === null || first.written.context.length === 0) return;
    await this.#put(client, key, first.written.context, [first.id], prng);
  }

  async #read(
    client: RawClient,
    history: KeyHistory,
  ): Promise<{ readonly ids: readonly number[]; readonly context: Uint8Array } | null> {
    try {
      const { values, context } = await client.get(history.key);
      this.counts.reads += 1;
      const { ids, violations } = history.identify(values);
      this.#report(violations);
      return { ids, context };
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      this.#countRefusal(error);
      return null;
    }
  }

  async #put(
    client: RawClient,
    key: string,
    context: Uint8Array,
    replaces: readonly number[],
    prng: Prng,
  ): Promise<{ readonly id: number; readonly written: RawWritten } | null> {
    const write = this.history.begin(key, 'put', replaces);
    const size = STAMP_BYTES_MIN + prng.int(this.#options.valueBytesMax - STAMP_BYTES_MIN);
    const value = stampedValue(this.#options.seed, key, write.id, size);
    const written = await this.#send(client, { write, value, context, putId: newPutId() }, false);
    return written === null ? null : { id: write.id, written };
  }

  async #delete(client: RawClient, key: string, context: Uint8Array, replaces: readonly number[]): Promise<void> {
    const write = this.history.begin(key, 'delete', replaces);
    await this.#send(client, { write, value: undefined, context, putId: newPutId() }, false);
  }

  async #send(client: RawClient, one: Unfinished, retry: boolean): Promise<RawWritten | null> {
    const { write, value, context, putId } = one;
    try {
      const written = await client.write({ key: write.key, value, context, putId, retry });
      if (retry) this.counts.unknown -= 1;
      write.outcome = 'acked';
      this.counts.acked += 1;
      return written;
    } catch (error) {
      if (error instanceof RefusedError) {
        this.#countRefusal(error);
        // A refused retry says nothing about the first attempt.
        if (!retry) this.#settle(one, error.outcomeUnknown ? 'unknown' : 'refused');
        return null;
      }
      if (!retry) this.#settle(one, 'unknown');
      throw error;
    }
  }

  #settle(one: Unfinished, outcome: 'unknown' | 'refused'): void {
    one.write.outcome = outcome;
    this.counts[outcome] += 1;
    if (outcome === 'unknown') this.#unfinished.push(one);
  }

  #countRefusal(error: RefusedError): void {
    const text = `${error.code}: ${error.message.replaceAll(/\d+/g, '#')}`;
    this.refusals.set(text, (this.refusals.get(text) ?? 0) + 1);
  }

  #report(violations: readonly Violation[]): void {
    if (this.violations.length < VIOLATIONS_KEPT_MAX) this.violations.push(...violations);
  }

  /**
   * Reads every key and compares with the history. Call it with no request under way. What was found settles the
   * outcome of the unknown writes, so that the next check can be strict about them.
   */
  async check(address: string): Promise<readonly Violation[]> {
    const found: Violation[] = [];
    const client = await RawClient.connect(address);
    const histories = this.history.keys.values();
    const reader = async (): Promise<void> => {
      for (const history of histories) {
        const values = await readPatiently(client, history.key);
        found.push(...history.check(values));
        history.settle(values ?? []);
      }
    };
    try {
      await Promise.all(Array.from({ length: READERS }, reader));
    } finally {
      client.close();
    }
    return found;
  }
}

/** The values under a key; null if the store says that it does not know. Whatever else it says, it is asked again. */
async function readPatiently(client: RawClient, key: string): Promise<readonly Uint8Array[] | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await client.get(key)).values;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      if (error.code === UNKNOWN_STATE || attempt === ATTEMPTS_MAX) return null;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
