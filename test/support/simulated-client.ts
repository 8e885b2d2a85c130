/* The client's core on a clock and a network of the test's own; calls leave their answers in a list. */
import xxhash from 'xxhash-wasm';
import { ClientCore } from '../../src/client/core/client-core.js';
import type { CoreOptions } from '../../src/client/core/client-core.js';
import type { Call, RetryPolicy } from '../../src/client/core/call.js';
import { codecs } from '../../src/client/codecs.js';
import { Context } from '../../src/client/context.js';
import type { PartitaError } from '../../src/client/errors.js';
import { GetOperation } from '../../src/client/operations/get.js';
import { PutOperation, putRequest } from '../../src/client/operations/put.js';
import { contextBytes, fastestOf } from '../../src/client/opaque-context.js';
import { newPutId } from '../../src/client/put-id.js';
import type { GetResult, PutResult } from '../../src/client/results.js';
import { Prng } from '../../src/lib/prng.js';
import { hash64From } from '../../src/model/hash.js';
import { FakeNetwork } from './fake-network.js';
import { ringOf } from './fake-node.js';
import type { FakeNode } from './fake-node.js';
import { FakeTimers } from './fake-timers.js';

export const A = '10.0.0.1:7700';
export const B = '10.0.0.2:7700';
export const C = '10.0.0.3:7700';

const api = await xxhash();

const OPTIONS: CoreOptions = {
  seeds: [A],
  routing: 'ring',
  cluster: '',
  clientName: 'test',
  connections: 1,
  inFlightMax: 1_024,
  waitingMax: 64,
  connectTimeoutMs: 1_000,
  keepAliveMs: 10_000,
  ringPollMs: 10_000,
  attemptTimeoutMs: 0,
  retryBudget: { ratio: 0.2, minPerSecond: 10 },
};
const POLICY: RetryPolicy = { attemptsMax: 3, baseDelayMs: 25, maxDelayMs: 1_000 };

/** How a call ended; null while it has not. */
export interface Ending<R> {
  call: Call;
  ends: number;
  result: R | null;
  error: PartitaError | null;
}

export interface Simulated {
  readonly timers: FakeTimers;
  readonly network: FakeNetwork;
  readonly core: ClientCore;
  readonly told: string[];
  get(key: string, timeoutMs?: number, policy?: Partial<RetryPolicy>): Ending<GetResult<string>>;
  put(
    key: string,
    value: string,
    timeoutMs?: number,
    policy?: Partial<RetryPolicy>,
    context?: Context,
  ): Ending<PutResult>;
}

export function simulate(options: Partial<CoreOptions> = {}, seed: number = 1): Simulated {
  const timers = new FakeTimers();
  const network = new FakeNetwork(timers);
  const random = new Prng(seed);
  const told: string[] = [];
  const token = (done: (error: PartitaError | null, token?: Uint8Array) => void): void => {
    done(null, Buffer.from('secret'));
  };
  const world = { clock: timers, timers, callTimers: timers, random, dialer: network, token };
  const core = new ClientCore(
    world,
    { ...OPTIONS, ...options },
    {
      onReady: () => told.push('ready'),
      onNodeUp: (node) => told.push(`up ${node.address}`),
      onNodeDown: (node) => told.push(`down ${node.address}`),
      onRingChange: (version) => told.push(`ring ${version}`),
      onRetry: (operation, attempt) => told.push(`retry ${operation} ${attempt}`),
    },
  );
  core.useHash(hash64From(api));

  function begin<R>(start: (succeed: (result: R) => void, fail: (error: unknown) => void) => Call): Ending<R> {
    const ending: Omit<Ending<R>, 'call'> = { ends: 0, result: null, error: null };
    const call = start(
      (result) => {
        ending.ends += 1;
        ending.result = result;
      },
      (error) => {
        ending.ends += 1;
        ending.error = error as PartitaError;
      },
    );
    return Object.assign(ending, { call });
  }

  return {
    timers,
    network,
    core,
    told,
    get: (key, timeoutMs = 1_000, policy = {}) =>
      begin((succeed, fail) => {
        const reading = { codec: codecs.utf8, resolver: undefined };
        const operation = new GetOperation(Buffer.from(key), { r: 0, strict: false }, reading, succeed, fail);
        return core.start(operation, timeoutMs, { ...POLICY, ...policy });
      }),
    put: (key, value, timeoutMs = 1_000, policy = {}, context = Context.empty) =>
      begin((succeed, fail) => {
        const settings = { w: 0, strict: false, durable: false, ttlMs: 0 };
        const request = putRequest(
          Buffer.from(key),
          Buffer.from(value),
          contextBytes(context),
          newPutId(timers, random),
          settings,
        );
        const operation = new PutOperation(request, true, succeed, fail, fastestOf(context));
        return core.start(operation, timeoutMs, { ...POLICY, ...policy });
      }),
  };
}

/** A client with one node, connected. */
export function oneNode(options: Partial<CoreOptions> = {}, seed: number = 1): Simulated & { readonly node: FakeNode } {
  const simulated = simulate(options, seed);
  const node = simulated.network.addNode(A);
  simulated.get('warm');
  simulated.timers.advance(50);
  node.requests.length = 0;
  return { ...simulated, node };
}

export interface Several extends Simulated {
  readonly nodes: readonly FakeNode[];
  /** The nodes in the order of the key's preference list. */
  listOf(key: string): readonly FakeNode[];
}

/** Three nodes that own every key together, in an order that depends on the key. */
export function threeNodes(): Several {
  return severalNodes([A, B, C]);
}

/** A client with nodes of which three own each key; with `isWarm` it is connected to all of them. */
export function severalNodes(
  addresses: readonly string[],
  options: Partial<CoreOptions> = {},
  isWarm: boolean = false,
): Several {
  const simulated = simulate({ seeds: addresses, ...options });
  const members = addresses.map((address, i) => ({ address, nodeId: `${i}`.repeat(32) }));
  const nodes = members.map(({ address, nodeId }) => simulated.network.addNode(address, nodeId));
  for (const node of nodes) node.ring = ringOf(members, 1, 3);
  simulated.get('warm');
  simulated.timers.advance(50);
  for (let i = 0; isWarm && i < 50; i++) {
    simulated.get(`warm ${i}`);
    simulated.timers.advance(5);
  }
  for (const node of nodes) node.requests.length = 0;
  const listOf = (key: string): FakeNode[] =>
    simulated.core.preferenceList(Buffer.from(key)).flatMap(({ id }) => nodes.filter(({ nodeId }) => nodeId === id));
  return { ...simulated, nodes, listOf };
}

export const value = (text: string): { value: Uint8Array; writtenMs: number; expiresMs: number } => ({
  value: Buffer.from(text),
  writtenMs: 1,
  expiresMs: 0,
});
