/*
 * One client program: the SDK's promise-free core with its real operations, on a machine of its own. It keeps what a
 * careful application keeps (the last context of a key, and what was read with it) and writes down what it did and was
 * told.
 */
import { codecs } from '../../src/client/codecs.js';
import { ClientCore, type CoreOptions } from '../../src/client/core/client-core.js';
import type { RetryPolicy } from '../../src/client/core/call.js';
import type { PartitaError } from '../../src/client/errors.js';
import { EMPTY_CONTEXT, contextBytes, type OpaqueContext } from '../../src/client/opaque-context.js';
import { GetOperation } from '../../src/client/operations/get.js';
import { type MutablePut, PutOperation, putRequest } from '../../src/client/operations/put.js';
import { newPutId } from '../../src/client/put-id.js';
import type { GetResult, PutResult } from '../../src/client/results.js';
import { toHex } from '../../src/lib/bytes.js';
import type { Prng } from '../../src/lib/prng.js';
import { readStamp, stampedValue } from '../support/stamp.js';
import { majorityOf, type SimCluster } from './cluster.js';
import type { History, ReadOp, WriteOp } from './history.js';
import { Host, type SimulatedNetwork } from './network.js';
import type { SimOptions } from './options.js';
import { SimProcess, type SkewedClock } from './process.js';
import { HASH, randomFrom } from './tools.js';

/** What was last seen of a key: the context, and the puts whose values came with it. */
export interface Seen {
  readonly context: OpaqueContext;
  readonly ids: readonly number[];
}

export const NOTHING_SEEN: Seen = { context: EMPTY_CONTEXT, ids: [] };

/** How many nodes are waited for (0: a majority), which ones count, and for how long. */
export interface Terms {
  readonly count: number;
  readonly strict: boolean;
  readonly timeoutMs: number;
  /** Of a put: acknowledged after the sync. */
  readonly durable?: boolean;
  /** Of a put: how long it lives; absent: for ever. */
  readonly ttlMs?: number;
  /** Address of the one node that may be asked. */
  readonly at?: string;
}

type Asked = Pick<ReadOp, 'from' | 'startMs' | 'r' | 'strict'>;

export interface ClientWorld {
  readonly options: SimOptions;
  readonly network: SimulatedNetwork;
  readonly cluster: SimCluster;
  readonly history: History;
  hostOf(address: string): Host | undefined;
  say(text: string): void;
  violation(text: string): void;
}

const CORE: Omit<CoreOptions, 'seeds' | 'routing'> = {
  cluster: 'simulated',
  clientName: 'sim',
  connections: 1,
  inFlightMax: 64,
  waitingMax: 64,
  connectTimeoutMs: 1_000,
  keepAliveMs: 5_000,
  ringPollMs: 10_000,
  attemptTimeoutMs: 0, // retries are among the work; a second attempt would make a run depend on how late an answer is
  retryBudget: { ratio: 0.2, minPerSecond: 10 },
};
const POLICY: RetryPolicy = { attemptsMax: 3, baseDelayMs: 25, maxDelayMs: 1_000 };

/** A put as it was first sent, to be sent again as it was. */
export interface Sent {
  readonly write: WriteOp;
  readonly request: MutablePut;
}

/** A request that the application sends again: it is a retry from the first byte on. */
class RepeatedPut extends PutOperation {
  override measure(budgetMs: number, ringVersion: number, _retry: boolean, sentMs: number): number {
    return super.measure(budgetMs, ringVersion, true, sentMs);
  }
}

export class SimClient {
  readonly index: number;
  readonly host: Host;
  readonly clock: SkewedClock = { offsetMs: 0 };
  readonly seen: Map<string, Seen> = new Map();
  /** The last puts of unknown outcome, or acknowledged: for retries by the application. */
  sent: Sent[] = [];
  underWay = 0;
  process: SimProcess;
  readonly #world: ClientWorld;
  readonly #random: Prng;
  #cores: (ClientCore | undefined)[] = [];

  constructor(index: number, world: ClientWorld, random: Prng) {
    this.index = index;
    this.host = new Host(`c${index}`);
    this.#world = world;
    this.#random = random;
    this.process = this.#newProcess();
  }

  /** Another process; what it was asked for will never be answered, and what it knew is forgotten. */
  restart(): void {
    this.process.end();
    this.#cores = [];
    this.seen.clear();
    this.underWay = 0;
    this.process = this.#newProcess();
  }

  get(key: string, { count, strict, timeoutMs, at }: Terms, done: (seen: Seen | null) => void): void {
    const startMs = this.process.monotonicMs();
    const reading = { codec: codecs.bytes, resolver: undefined };
    this.underWay += 1;
    const operation = new GetOperation<Uint8Array>(
      Buffer.from(key, 'latin1'),
      { r: count, strict },
      reading,
      (result) => {
        this.underWay -= 1;
        done(this.#read(key, { startMs, r: this.#effective(count), strict }, result));
      },
      (error) => {
        this.underWay -= 1;
        this.#world.say(`client ${this.index} get ${short(key)}: ${(error as PartitaError).message}`);
        done(null);
      },
    );
    this.#core(key).start(operation, timeoutMs, POLICY, at);
  }

  #effective(count: number): number {
    return count === 0 ? majorityOf(this.#world.cluster.replicaCount) : count;
  }

  /** Puts a value of `size` bytes that names itself; null: a delete. */
  write(key: string, size: number | null, seen: Seen, terms: Terms, done: (write: WriteOp) => void): void {
    const { history } = this.#world;
    const id = history.nextId();
    const putId = newPutId(this.process, randomFrom(this.#random));
    const write = history.write({
      kind: size === null ? 'delete' : 'put',
      id,
      key,
      client: this.index,
      putId: toHex(putId),
      read: seen.ids,
      startMs: this.process.monotonicMs(),
      endMs: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      isDurable: false,
      acked: 0,
      w: this.#effective(terms.count),
      strict: terms.strict,
      ttlMs: size === null ? 0 : (terms.ttlMs ?? 0),
      attempts: 0,
    });
    const value = size === null ? undefined : stampedValue(history.seed, key, id, size);
    const settings = { w: terms.count, strict: terms.strict, durable: terms.durable === true, ttlMs: write.ttlMs };
    const request = putRequest(Buffer.from(key, 'latin1'), value, contextBytes(seen.context), putId, settings);
    this.#send({ write, request }, terms.timeoutMs, false, done);
  }

  /** Sends a put again, with its own id, however long ago that was. */
  repeat(sent: Sent, timeoutMs: number, done: (write: WriteOp) => void): void {
    this.#send({ write: sent.write, request: { ...sent.request } }, timeoutMs, true, done);
  }

  #send(sent: Sent, timeoutMs: number, isRepeated: boolean, done: (write: WriteOp) => void): void {
    const { write, request } = sent;
    const startMs = this.process.monotonicMs();
    this.underWay += 1;
    write.attempts += 1;
    const Operation = isRepeated ? RepeatedPut : PutOperation;
    const operation = new Operation(
      request,
      true,
      (result) => {
        this.underWay -= 1;
        this.#acked(write, startMs, result);
        this.sent.push(sent);
        done(write);
      },
      (error) => {
        this.underWay -= 1;
        this.#failed(write, error as PartitaError);
        if (write.outcome !== 'refused') this.sent.push(sent);
        done(write);
      },
    );
    this.#core(write.key).start(operation, timeoutMs, POLICY);
  }

  #acked(write: WriteOp, startMs: number, result: PutResult): void {
    const nowMs = this.process.monotonicMs();
    write.outcome = 'ok';
    write.endMs = nowMs;
    write.isDurable ||= result.meta.durable;
    write.acked = Math.max(write.acked, result.meta.acked);
    if (result.context === undefined) return;
    const ids = write.kind === 'put' ? [write.id] : [];
    this.#note(write.key, { from: 'put', startMs, r: 0, strict: false }, result.context, ids, []);
  }

  /** Once it may have happened it stays so, whatever a later attempt is told. */
  #failed(write: WriteOp, error: PartitaError): void {
    this.#world.say(
      `client ${this.index} ${write.kind} ${write.id} ${short(write.key)}: ${error.code}${error.outcomeUnknown ? '?' : ''} ${error.message}`,
    );
    if (write.outcome === 'ok') return;
    write.outcome = error.outcomeUnknown || write.attempts > 1 ? 'unknown' : 'refused';
    write.endMs = this.process.monotonicMs();
  }

  #read(key: string, asked: Omit<Asked, 'from'>, result: GetResult<Uint8Array>): Seen {
    const ids: number[] = [];
    const faults: string[] = [];
    for (const { value } of result.found ? result.siblings : []) {
      const stamp = readStamp(this.#world.history.seed, key, value);
      if ('id' in stamp) ids.push(stamp.id);
      else faults.push(stamp.fault);
    }
    return this.#note(key, { from: 'get', ...asked }, result.context, ids, faults);
  }

  #note(key: string, asked: Asked, context: OpaqueContext, ids: readonly number[], faults: readonly string[]): Seen {
    const endMs = this.process.monotonicMs();
    this.#world.history.read({
      key,
      client: this.index,
      endMs,
      ...asked,
      ids,
      faults,
      context: contextBytes(context),
    });
    const seen = { context, ids };
    this.seen.set(key, seen);
    return seen;
  }

  #core(key: string): ClientCore {
    const { cluster, network } = this.#world;
    const group = cluster.groupOf(key);
    let core = this.#cores[group];
    if (core !== undefined) return core;
    const { process } = this;
    const nothing = (): void => undefined;
    core = new ClientCore(
      {
        clock: process,
        timers: process,
        callTimers: process,
        random: randomFrom(this.#random),
        dialer: network.dialer(this.host, process, (address) => this.#world.hostOf(address)),
        token: (answer) => {
          answer(null, new Uint8Array(0));
        },
      },
      { ...CORE, routing: this.#world.options.cluster.routing, seeds: cluster.seedsOf(group) },
      { onReady: nothing, onNodeUp: nothing, onNodeDown: nothing, onRingChange: nothing, onRetry: nothing },
    );
    core.useHash(HASH);
    this.#cores[group] = core;
    return core;
  }

  #newProcess(): SimProcess {
    return new SimProcess(this.host.name, this.#world.network.time, this.clock, (error) => {
      this.#world.violation(
        `client ${this.index} threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    });
  }
}

/** Long keys are long; a report needs only to tell them apart. */
export function short(key: string): string {
  return key.length <= 20 ? key : `${key.slice(0, 8)}…${key.slice(-6)}`;
}
