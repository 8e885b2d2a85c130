/*
 * The load of a chaos run: actions begun at a steady rate, whether or not earlier ones have been answered, over a few
 * hundred keys that they share. A client that waited for its answers would ask little just when something is wrong.
 */
import { Client, PartitaError } from '../../../src/client/index.js';
import type { Context, GetResult, PutResult } from '../../../src/client/index.js';
import { Prng } from '../../../src/lib/prng.js';
import { STAMP_BYTES_MIN, readStamp, stampedValue } from '../stamp.js';
import { monotonicMs, STREAMS } from './operation.js';
import type { FinalState, Operation, Stream } from './operation.js';

export interface WorkloadOptions {
  readonly seed: number;
  readonly seeds: readonly string[];
  readonly actionsPerSecond: number;
  /** Deadline of calls, ms. */
  readonly timeoutMs: number;
  /** Deadline of puts with w = 1, ms. */
  readonly oneTimeoutMs: number;
  readonly keysPerStream: number;
  readonly valueBytesMax: number;
  /** Default: some of everything. `seen`: who writes has read, so that siblings never pile up to a limit. */
  readonly emphasis?: 'deletes' | 'seen';
}

type Shares = readonly (readonly [Stream | 'read', number])[];

/** Of the actions begun; a put behind a get, or behind a put, makes two operations of one action. */
const SHARES: Shares = [
  ['merge', 0.3],
  ['blind', 0.1],
  ['chain', 0.1],
  ['gone', 0.15],
  ['one', 0.2],
  ['read', 0.15],
];
const DELETE_SHARES: Shares = [
  ['gone', 0.6],
  ['merge', 0.1],
  ['blind', 0.05],
  ['one', 0.1],
  ['read', 0.15],
];
const SEEN_SHARES: Shares = [
  ['merge', 0.25],
  ['chain', 0.05],
  ['gone', 0.1],
  ['read', 0.6],
];
const SEEN_STREAMS: readonly Stream[] = ['merge', 'chain', 'gone'];
const SHARES_OF = { all: SHARES, deletes: DELETE_SHARES, seen: SEEN_SHARES } as const;
/** Of the actions that find something under a key of the stream `gone`. */
const DELETED_SHARE = 0.5;
const DELETED_SHARE_HEAVY = 0.8;
/** Keys of the stream `one` have only ever more siblings, so that there must be more of them. */
const ONE_KEYS_FACTOR = 8;
/** A run whose store answers nothing at all must not fill the memory. */
const UNDER_WAY_MAX = 5_000;
const TICK_MS = 10;
const READERS = 8;
const FINAL_TIMEOUT_MS = 5_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** What a get told; null when it failed. */
type Read = { readonly shown: readonly number[]; readonly context: Context } | null;

export class Workload {
  readonly operations: Operation[] = [];
  /** Actions that were due and not begun. */
  skipped = 0;
  readonly #options: WorkloadOptions;
  readonly #client: Client;
  readonly #oneClient: Client;
  readonly #prng: Prng;
  readonly #underWay: Set<Promise<void>> = new Set();
  #running = false;
  #loop: Promise<void> = Promise.resolve();
  #lastId = 0;

  constructor(options: WorkloadOptions) {
    this.#options = options;
    this.#prng = new Prng(options.seed);
    const { seeds, timeoutMs, oneTimeoutMs } = options;
    this.#client = new Client({ seeds, timeoutMs });
    this.#oneClient = new Client({ seeds, timeoutMs: oneTimeoutMs }).withDefaults({ w: 1 });
  }

  async connect(): Promise<void> {
    await Promise.all([this.#client, this.#oneClient].map((client) => client.connect({ timeoutMs: 10_000 })));
  }

  start(): void {
    this.#running = true;
    this.#loop = this.#run();
  }

  /** Begins nothing more; resolves when everything under way has ended. */
  async stop(): Promise<void> {
    this.#running = false;
    await this.#loop;
    await Promise.all(this.#underWay);
  }

  async close(): Promise<void> {
    await Promise.all([this.#client.close(), this.#oneClient.close()]);
  }

  async #run(): Promise<void> {
    let due = 0;
    for (let last = monotonicMs(); this.#running;) {
      await sleep(TICK_MS);
      const now = monotonicMs();
      due += ((now - last) / 1_000) * this.#options.actionsPerSecond;
      last = now;
      for (; due >= 1; due--) this.#begin();
    }
  }

  #begin(): void {
    if (this.#underWay.size >= UNDER_WAY_MAX) {
      this.skipped += 1;
      return;
    }
    const action = this.#act().finally(() => this.#underWay.delete(action));
    this.#underWay.add(action);
  }

  async #act(): Promise<void> {
    const prng = this.#prng;
    let draw = prng.float();
    const { emphasis = 'all' } = this.#options;
    const isHeavy = emphasis === 'deletes';
    const [share] = SHARES_OF[emphasis].find(([, weight]) => (draw -= weight) < 0) ?? ['read' as const];
    const stream = share === 'read' ? prng.pick(emphasis === 'seen' ? SEEN_STREAMS : STREAMS) : share;
    const key = `${stream}-${prng.int(this.#options.keysPerStream * (stream === 'one' ? ONE_KEYS_FACTOR : 1))}`;
    if (share === 'read') await this.#get(stream, key);
    else if (share === 'merge') await this.#merge(stream, key);
    else if (share === 'blind' && prng.chance(0.5)) await this.#merge(stream, key);
    else if (share === 'chain') await this.#chain(stream, key);
    else if (share === 'gone')
      await this.#goOn(stream, key, prng.chance(isHeavy ? DELETED_SHARE_HEAVY : DELETED_SHARE));
    else await this.#put(stream, key, [], undefined);
  }

  async #merge(stream: Stream, key: string): Promise<void> {
    const read = await this.#get(stream, key);
    if (read !== null) await this.#put(stream, key, read.shown, read.context);
  }

  async #chain(stream: Stream, key: string): Promise<void> {
    const read = await this.#get(stream, key);
    if (read === null) return;
    const first = await this.#put(stream, key, read.shown, read.context);
    if (first?.result.context !== undefined) await this.#put(stream, key, [first.id], first.result.context);
  }

  async #goOn(stream: Stream, key: string, deletes: boolean): Promise<void> {
    const read = await this.#get(stream, key);
    if (read === null) return;
    if (!deletes || read.shown.length === 0) await this.#put(stream, key, read.shown, read.context);
    else {
      const done = this.#note(stream, 'delete', key, read.shown);
      await this.#client.delete(key, { context: read.context }).then(done.ok, done.failed);
    }
  }

  async #get(stream: Stream, key: string): Promise<Read> {
    const done = this.#note(stream, 'get', key, []);
    try {
      const result = await this.#client.get(key);
      const { shown, strange } = identify(this.#options.seed, key, result);
      done.end('ok', undefined, result, shown, strange);
      return { shown, context: result.context };
    } catch (error) {
      done.failed(error);
      return null;
    }
  }

  async #put(
    stream: Stream,
    key: string,
    replaces: readonly number[],
    context: Context | undefined,
  ): Promise<{ readonly id: number; readonly result: PutResult } | null> {
    const done = this.#note(stream, 'put', key, replaces);
    const { seed, valueBytesMax } = this.#options;
    const size = STAMP_BYTES_MIN + this.#prng.int(valueBytesMax - STAMP_BYTES_MIN);
    const client = stream === 'one' ? this.#oneClient : this.#client;
    try {
      const result = await client.put(key, stampedValue(seed, key, done.id, size), { context });
      done.ok(result);
      return { id: done.id, result };
    } catch (error) {
      done.failed(error);
      return null;
    }
  }

  /** Notes the operation when it ends. */
  #note(stream: Stream, kind: Operation['kind'], key: string, replaces: readonly number[]): Note {
    this.#lastId += 1;
    return new Note(this.operations, this.#lastId, stream, kind, key, replaces);
  }

  /** Reads every key that was written, until `replicas` of its nodes have answered together. */
  async readAll(replicas: number): Promise<readonly FinalState[]> {
    const keys = new Set(this.operations.filter(({ kind }) => kind !== 'get').map(({ key }) => key)).values();
    const states: FinalState[] = [];
    const reader = async (): Promise<void> => {
      for (const key of keys) states.push(await this.#readFinally(key, replicas));
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    return states;
  }

  async #readFinally(key: string, replicas: number): Promise<FinalState> {
    try {
      const result = await this.#client.get(key, {
        r: replicas,
        strict: true,
        timeoutMs: FINAL_TIMEOUT_MS,
        retry: { attemptsMax: 20 },
      });
      return { key, ...identify(this.#options.seed, key, result) };
    } catch (error) {
      return { key, shown: null, strange: [error instanceof Error ? error.message : String(error)] };
    }
  }
}

function identify(
  seed: number,
  key: string,
  result: GetResult<Uint8Array>,
): { readonly shown: readonly number[]; readonly strange: readonly string[] } {
  const shown: number[] = [];
  const strange: string[] = [];
  for (const { value } of result.found ? result.siblings : []) {
    const stamp = readStamp(seed, key, value);
    if ('id' in stamp) shown.push(stamp.id);
    else strange.push(`a value of ${value.length} bytes: ${stamp.fault}`);
  }
  return { shown, strange };
}

class Note {
  readonly id: number;
  readonly #into: Operation[];
  readonly #head: Pick<Operation, 'id' | 'stream' | 'kind' | 'key' | 'replaces' | 'startMs'>;

  constructor(
    into: Operation[],
    id: number,
    stream: Stream,
    kind: Operation['kind'],
    key: string,
    replaces: readonly number[],
  ) {
    this.id = id;
    this.#into = into;
    this.#head = { id, stream, kind, key, replaces, startMs: monotonicMs() };
  }

  readonly ok = (result: PutResult): void => {
    this.end('ok', undefined, result, [], []);
  };

  /** Anything but the client's own errors is a mistake of ours. */
  readonly failed = (error: unknown): void => {
    if (!PartitaError.is(error)) throw error;
    const isUnknown = this.#head.kind !== 'get' && error.outcomeUnknown;
    this.end(isUnknown ? 'unknown' : 'refused', error, undefined, [], []);
  };

  end(
    outcome: Operation['outcome'],
    error: PartitaError | undefined,
    result: GetResult<Uint8Array> | PutResult | undefined,
    shown: readonly number[],
    strange: readonly string[],
  ): void {
    this.#into.push({
      ...this.#head,
      endMs: monotonicMs(),
      outcome,
      code: error?.code ?? '',
      text: error?.message ?? '',
      node: error?.node ?? result?.meta.nodeId.slice(0, 8) ?? '',
      attempts: error?.attempts ?? result?.meta.attempts ?? 0,
      shown,
      strange,
    });
  }
}
