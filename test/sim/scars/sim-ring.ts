/*
 * Five simulated nodes for the scripts of support/scars: whole nodes, engines on simulated disks, a network without faults.
 * What a script waits for is let happen at once, so its promises have only to be waited for; it is the same each time.
 */
import { codecs } from '../../../src/client/codecs.js';
import { ClientCore } from '../../../src/client/core/client-core.js';
import type { Operation, RetryPolicy } from '../../../src/client/core/call.js';
import { PartitaError } from '../../../src/client/errors.js';
import { contextBytes } from '../../../src/client/opaque-context.js';
import { GetOperation } from '../../../src/client/operations/get.js';
import { PutOperation, putRequest } from '../../../src/client/operations/put.js';
import { newPutId } from '../../../src/client/put-id.js';
import type { GetResult, PutResult } from '../../../src/client/results.js';
import { toHex } from '../../../src/lib/bytes.js';
import { Prng } from '../../../src/lib/prng.js';
import { ERROR_CODES } from '../../../src/model/errors.js';
import { RefusedError } from '../../support/raw-client.js';
import { type KeyNodes, keyNodes, NO_CONTEXT } from '../../support/scars/ring-of-five.js';
import type { PutWords, RingOfFive, Saw, ScriptedNode, Wrote } from '../../support/scars/ring-of-five.js';
import type { RingCluster } from '../cluster.js';
import type { SimOptions } from '../options.js';
import type { Mutant } from '../mutants/mutant.js';
import { Host } from '../network.js';
import { SimProcess } from '../process.js';
import type { SimNode } from '../sim-node.js';
import { randomFrom } from '../tools.js';
import { SimWorld } from '../world.js';

const TIMEOUT_MS = 5_000;
const POLICY: RetryPolicy = { attemptsMax: 1, baseDelayMs: 1, maxDelayMs: 1 };
const READING = { codec: codecs.utf8, resolver: undefined };
/** Longer than anything takes. */
const PATIENCE_MS = 20_000;
const MEETING_MS = 1_000;

const GIVEN: Partial<SimOptions> = {
  nodes: 5,
  cluster: { kind: 'ring', replicaCount: 3, zones: 1, routing: 'any' },
  partitionCount: 16,
  faults: [],
};

const CORE = {
  cluster: 'simulated',
  clientName: 'script',
  connections: 1,
  inFlightMax: 8,
  waitingMax: 8,
  connectTimeoutMs: 1_000,
  keepAliveMs: 5_000,
  attemptTimeoutMs: 0,
  ringPollMs: 10_000,
  retryBudget: { ratio: 1, minPerSecond: 10 },
  routing: 'any',
} as const;

/** It says itself whether it is a retry. */
class SaidPut extends PutOperation {
  readonly #isRetry: boolean;

  constructor(isRetry: boolean, ...rest: ConstructorParameters<typeof PutOperation>) {
    super(...rest);
    this.#isRetry = isRetry;
  }

  override measure(budgetMs: number, ringVersion: number, _retry: boolean, sentMs: number): number {
    return super.measure(budgetMs, ringVersion, this.#isRetry, sentMs);
  }
}

type Asking<T> = (resolve: (result: T) => void, reject: (error: unknown) => void) => Operation;

export class SimRing implements RingOfFive {
  readonly world: SimWorld;
  readonly nodes: readonly SimulatedNode[];
  readonly #host: Host = new Host('script');
  readonly #random: Prng;

  constructor(seed: number, mutant?: Mutant) {
    this.world = new SimWorld({ seed, given: GIVEN, ...(mutant === undefined ? {} : { mutant }) });
    this.#random = new Prng(seed);
    const { cluster } = this.world;
    this.nodes = cluster.nodes.map((node) => new SimulatedNode(this, node));
    for (const node of cluster.nodes) node.start();
    this.until(() => cluster.nodes.every(({ state }) => state === 'up'), 'all nodes are up');
    this.until(() => cluster.nodes.every(believesItself), 'the owners of new partitions have met');
    this.world.runFor(MEETING_MS);
  }

  of(key: string): KeyNodes {
    const list = (this.world.cluster as RingCluster).preferenceList(key);
    return keyNodes(
      key,
      list.map((node) => this.nodes[node] as SimulatedNode),
    );
  }

  /** One question to one node, by a client that is there for nothing else. */
  ask<T>(address: string, asking: Asking<T>): T {
    const heard: { result?: T; error?: unknown } = {};
    const process = this.#send(address, asking, heard);
    this.until(() => 'result' in heard || 'error' in heard, 'a node answers');
    process.end();
    if ('result' in heard) return heard.result;
    throw refusalOf(heard.error);
  }

  /** The same, but whoever asked is gone when `done` says so. */
  askUnheard(address: string, asking: Asking<unknown>, done: () => boolean): void {
    const process = this.#send(address, asking, {});
    this.until(done, 'a put arrives');
    process.end();
  }

  #send<T>(address: string, asking: Asking<T>, heard: { result?: T; error?: unknown }): SimProcess {
    const process = this.#newProcess();
    const operation = asking(
      (result) => {
        heard.result = result;
      },
      (error) => {
        heard.error = error;
      },
    );
    process.run(() => {
      this.#newCore(process, address).start(operation, TIMEOUT_MS, POLICY, address);
    });
    return process;
  }

  newPutId(): Uint8Array {
    return newPutId(this.#newProcess(), randomFrom(this.#random));
  }

  until(done: () => boolean, what: string): void {
    if (!this.world.pump(done, PATIENCE_MS))
      throw new Error(`Within ${PATIENCE_MS} ms it does not happen that ${what}`);
  }

  #newProcess(): SimProcess {
    return new SimProcess('script', this.world.network.time, { offsetMs: 0 }, (error) => {
      throw error;
    });
  }

  #newCore(process: SimProcess, address: string): ClientCore {
    const nothing = (): void => undefined;
    const dialer = this.world.network.dialer(this.#host, process, (other) => this.world.hostOf(other));
    const token = (answer: (error: PartitaError | null, token?: Uint8Array) => void): void => {
      answer(null, NO_CONTEXT);
    };
    return new ClientCore(
      { clock: process, timers: process, callTimers: process, random: randomFrom(this.#random), dialer, token },
      { ...CORE, seeds: [address] },
      { onReady: nothing, onNodeUp: nothing, onNodeDown: nothing, onRingChange: nothing, onRetry: nothing },
    );
  }
}

class SimulatedNode implements ScriptedNode {
  readonly #ring: SimRing;
  readonly #node: SimNode;
  #wiped = false;

  constructor(ring: SimRing, node: SimNode) {
    this.#ring = ring;
    this.#node = node;
  }

  put(key: string, value: string, words: PutWords = {}): Promise<Wrote> {
    return this.#write(this.#putting(key, value, words));
  }

  putUnheard(key: string, value: string, putId: Uint8Array): Promise<void> {
    const { held } = this.#ring.world.observer;
    const isStored = (): boolean => (held.get(toHex(putId))?.size ?? 0) > 0;
    this.#ring.askUnheard(this.#node.address, this.#putting(key, value, { putId }), isStored);
    return Promise.resolve();
  }

  remove(key: string, context: Uint8Array, w: number = 0): Promise<Wrote> {
    return this.#write(this.#putting(key, undefined, { context, w }));
  }

  get(key: string, r: number = 0): Promise<Saw> {
    return settled(() => {
      const asking: Asking<GetResult<string>> = (done, failed) =>
        new GetOperation<string>(Buffer.from(key), { r, strict: false }, READING, done, failed);
      const result = this.#ring.ask(this.#node.address, asking);
      const values = result.found ? result.siblings.map(({ value }) => value).sort() : [];
      return { values, context: contextBytes(result.context) };
    });
  }

  kill(): Promise<void> {
    this.#node.crash('kill');
    return Promise.resolve();
  }

  /**
   * Its peers have heard that it is back, as real ones have when it says that it is ready. But a node that has lost its
   * disk is written to at once, before the others have given it back what it had: the loss is what the script is about.
   */
  start(): Promise<void> {
    this.#node.start();
    this.#ring.until(() => this.#node.state === 'up', 'a node is up');
    const hasForgotten = this.#wiped;
    this.#wiped = false;
    return hasForgotten ? Promise.resolve() : this.pass(MEETING_MS);
  }

  wipe(): void {
    this.#wiped = true;
    this.#node.loseDisk();
  }

  backUp(): () => void {
    const copy = this.#node.copyDisk();
    return () => {
      this.#node.rollBack(copy);
    };
  }

  hintsKept(): Promise<number> {
    const hints = this.#node.server?.clusterStatus()?.hints ?? [];
    return Promise.resolve(hints.reduce((sum, { count }) => sum + count, 0));
  }

  newPutId(): Uint8Array {
    return this.#ring.newPutId();
  }

  pass(ms: number): Promise<void> {
    this.#ring.world.runFor(ms);
    return Promise.resolve();
  }

  #putting(key: string, value: string | undefined, words: PutWords): Asking<PutResult> {
    const { context = NO_CONTEXT, w = 0, putId = this.newPutId(), retry = false } = words;
    const bytes = value === undefined ? undefined : Buffer.from(value);
    const request = putRequest(Buffer.from(key), bytes, context, putId, { w, strict: false, durable: false, ttlMs: 0 });
    return (done, failed) => new SaidPut(retry, request, true, done, failed);
  }

  #write(asking: Asking<PutResult>): Promise<Wrote> {
    return settled(() => {
      const { context, siblingCount } = this.#ring.ask(this.#node.address, asking);
      return { context: context === undefined ? NO_CONTEXT : contextBytes(context), siblingCount };
    });
  }
}

function settled<T>(act: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(act());
  });
}

/** What it holds is all that it ever acknowledged, as far as it knows. */
function believesItself({ server }: SimNode): boolean {
  return server?.clusterStatus()?.repair.suspect.length === 0;
}

/** As a raw client would hear it. */
function refusalOf(error: unknown): unknown {
  if (!(error instanceof PartitaError)) return error;
  const { message: text, outcomeUnknown, retryable } = error;
  const known = (ERROR_CODES as Readonly<Record<string, { readonly number: number } | undefined>>)[error.code];
  return new RefusedError({ code: known?.number ?? 0, text: `${error.code}: ${text}`, outcomeUnknown, retryable });
}
