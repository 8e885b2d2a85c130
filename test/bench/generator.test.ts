/* The generator against a server in memory: it says what happened, and nothing else. */
import test from 'ava';
import xxhash from 'xxhash-wasm';
import type { ContextMemory } from '../../bench/load/contexts.js';
import type { Plan } from '../../bench/load/plan.js';
import { NO_OPERATIONS, PLAN_DEFAULTS } from '../../bench/load/plan.js';
import type { RunResult } from '../../bench/load/result.js';
import { OwnerRoutes } from '../../bench/load/routes.js';
import { keyBytes } from '../../bench/load/dialect.js';
import { runPlan } from '../../bench/load/run.js';
import { hash64From } from '../../src/model/hash.js';
import type { RingMessage } from '../../src/model/messages.js';
import { ToyServer } from './toy-server.js';

async function against(
  arrange: (server: ToyServer) => void,
  plan: Partial<Plan>,
): Promise<{ server: ToyServer; result: RunResult }> {
  const server = new ToyServer();
  const address = await server.listen();
  arrange(server);
  try {
    const { result } = await runPlan({
      ...PLAN_DEFAULTS,
      keys: 50,
      durationMs: 300,
      connections: 4,
      ...plan,
      server: address,
    });
    return { server, result };
  } finally {
    await server.close();
  }
}

const nothing = (): void => undefined;

test('an amount is an amount, divided exactly among threads', async (t) => {
  const { server, result } = await against(nothing, { amount: 1_001, connections: 5, inFlight: 3, threads: 2 });
  t.is(result.count, 1_001);
  t.is(result.operations[0]?.service.count, 1_001);
  t.is(server.gets, 1_001);
  t.is(result.errors, 0);
});

test('keys that nobody put are not found, which is no error', async (t) => {
  const { result } = await against(nothing, { amount: 100 });
  t.deepEqual(result.codes, { not_found: 100 });
  t.is(result.errorRate, 0);
});

test('every put carries the context of the last reply, so no siblings pile up', async (t) => {
  const mix = { ...NO_OPERATIONS, get: 20, put: 50, delete: 10, rmw: 20 };
  const { server, result } = await against(nothing, {
    amount: 2_000,
    inFlight: 8,
    mix,
    preload: true,
    threads: 2,
    verify: true,
  });
  t.is(server.concurrentPuts, 0);
  t.is(result.mismatches, 0);
  t.is(result.errors, 0);
});

test('what an earlier run left behind is read, and replaced', async (t) => {
  const server = new ToyServer();
  const plan = {
    ...PLAN_DEFAULTS,
    server: await server.listen(),
    keys: 50,
    connections: 2,
    amount: 200,
    preload: true,
  };
  const mix = { ...NO_OPERATIONS, put: 1 };
  await runPlan({ ...plan, mix });
  await runPlan({ ...plan, mix });
  await server.close();
  t.is(server.concurrentPuts, 50); // each key once, by the second preloading, which could not know
  for (const entry of server.entries.values()) t.is(entry.values.length, 1);
});

test('a run that did not load the keys reads each before its first write, and the next run remembers', async (t) => {
  const server = new ToyServer();
  const plan = { ...PLAN_DEFAULTS, server: await server.listen(), keys: 20, connections: 2, amount: 300 };
  const mix = { ...NO_OPERATIONS, put: 1 };
  const memory: ContextMemory = new Map();
  await runPlan({ ...plan, mix, amount: 1, preload: true });
  const first = await runPlan({ ...plan, mix }, { memory });
  const second = await runPlan({ ...plan, mix }, { memory });
  await server.close();
  t.is(first.result.contextReads, 20);
  t.is(second.result.contextReads, 0);
  t.is(server.concurrentPuts, 0);
});

test('a value that was changed on its way is a mismatch', async (t) => {
  const corrupt = (server: ToyServer): void => {
    server.corruptEach = 10;
  };
  const { result } = await against(corrupt, { amount: 500, preload: true, verify: true });
  t.true(result.mismatches >= 45 && result.mismatches <= 56, String(result.mismatches));
  t.is(result.codes['mismatch'], result.mismatches);
  t.regex(result.mismatchTexts[0] ?? '', /^key user0{10}\d\d: its CRC does not hold$/);
});

test('refusals are counted by their code', async (t) => {
  const refuse = (server: ToyServer): void => {
    server.refuseEach = 4;
  };
  const { result } = await against(refuse, { amount: 400 });
  t.is(result.codes['overloaded'], 100);
  t.is(result.errorRate, 0.25);
});

test('an amount ends when its last requests are never answered', async (t) => {
  const mute = (server: ToyServer): void => {
    server.silentEach = 1;
  };
  const { result } = await against(mute, { amount: 4, connections: 2, timeoutMs: 150 });
  t.deepEqual(result.codes, { timeout: 4 });
});

test("a request without an answer times out, and its late answer is nobody else's", async (t) => {
  const silent = (server: ToyServer): void => {
    server.silentEach = 50;
  };
  const { result } = await against(silent, { durationMs: 700, inFlight: 4, timeoutMs: 200 });
  t.true((result.codes['timeout'] ?? 0) > 0);
  t.is(result.mismatches, 0);
});

test('a lost connection is an error and is opened again', async (t) => {
  const drop = (server: ToyServer): void => {
    server.dropAt = 100;
  };
  const { result } = await against(drop, { amount: 400 });
  t.is(result.codes['connection'], 4);
  t.is(result.count, 400);
});

test('bailout stops a run that has no chance', async (t) => {
  const refuse = (server: ToyServer): void => {
    server.refuseEach = 1;
  };
  const { result } = await against(refuse, { durationMs: 5_000, bailout: 50 });
  t.regex(result.stoppedBy, /^bailout after 50 errors$/);
  t.true(result.elapsedMs < 2_000);
});

test('nobody listens: the error names the server', async (t) => {
  await t.throwsAsync(runPlan({ ...PLAN_DEFAULTS, server: '127.0.0.1:1' }), {
    message: /^Cannot reach 127\.0\.0\.1:1: .*ECONNREFUSED/,
  });
});

test('open loop: the rate is kept, and a stall is charged to every request that was due', async (t) => {
  const stalled = (server: ToyServer): void => {
    server.stallAt = 300;
  };
  const { result } = await against(stalled, { rate: 1_000, durationMs: 1_000, threads: 2, inFlight: 128 });
  const [get] = result.operations;
  t.is(result.mode, 'open loop');
  t.true(Math.abs(result.count + result.unsent - 1_000) <= 2, `${result.count} + ${result.unsent}`);
  t.true((get?.response.percentiles['p97.5'] ?? 0) > 100_000, 'a fifth of the requests were due while nobody answered');
});

test('open loop with too few slots: response time tells what service time hides', async (t) => {
  const slow = (server: ToyServer): void => {
    server.delayMs = 20;
  };
  const { result } = await against(slow, { rate: 200, durationMs: 500, connections: 1, inFlight: 1 });
  const [get] = result.operations;
  t.true((get?.service.percentiles['p50'] ?? 0) < (get?.response.percentiles['p50'] ?? 0));
  t.true((get?.response.max ?? 0) > 2 * (get?.service.percentiles['p50'] ?? 0));
  t.true(result.unsent > 0);
});

/** Three nodes, of which each owns every third partition of 64, alone. */
async function threeToys(): Promise<{ toys: readonly ToyServer[]; ring: RingMessage }> {
  const toys = [1, 2, 3].map(() => new ToyServer());
  const addresses = await Promise.all(toys.map((toy) => toy.listen()));
  const members = addresses.map((address, i) => ({ nodeId: `${i + 1}`.repeat(32), ordinal: i + 1, address, zone: '' }));
  const owners = Array.from({ length: 64 }, (_, partition) => (partition % 3) + 1);
  const ring = { version: 1, clusterId: '0'.repeat(32), partitionCount: 64, replicaCount: 1, members, owners };
  toys.forEach((toy, i) => {
    toy.ring = ring;
    toy.nodeId = `${i + 1}`.repeat(32);
  });
  return { toys, ring };
}

async function keysByToy(routing: 'any' | 'ring', rate: number): Promise<{ at: string[][]; owner: string[][] }> {
  const { toys, ring } = await threeToys();
  const server = ring.members[0]?.address ?? '';
  const mix = { ...NO_OPERATIONS, put: 1 };
  const plan: Plan = { ...PLAN_DEFAULTS, server, routing, rate, mix, keys: 200, connections: 6, amount: 400 };
  const { result } = await runPlan(plan);
  await Promise.all(toys.map((toy) => toy.close()));
  if (result.count !== 400 || result.errors > 0) throw new Error(JSON.stringify(result.codes));
  const routes = new OwnerRoutes(ring, hash64From(await xxhash()));
  const owner: string[][] = [[], [], []];
  for (let key = 0; key < 200; key++) owner[routes.owner(routes.partition(key), 0)]?.push(keyBytes(key).toString());
  return { at: toys.map((toy) => [...toy.entries.keys()]), owner };
}

for (const rate of [0, 4_000]) {
  const loop = rate === 0 ? 'closed' : 'open';
  test(`by ring, every key is asked of its owner alone (${loop} loop)`, async (t) => {
    const { at, owner } = await keysByToy('ring', rate);
    t.true(at.every((keys) => keys.length > 20));
    at.forEach((keys, i) => {
      for (const key of keys) t.true(owner[i]?.includes(key), `${key} at ${i}`);
    });
  });

  test(`by any, keys are asked of nodes that do not own them (${loop} loop)`, async (t) => {
    const { at, owner } = await keysByToy('any', rate);
    at.forEach((keys, i) => {
      t.true(keys.some((key) => owner[i]?.includes(key) === false));
    });
  });
}
