/* The whole client over real sockets, against a scripted node. */
import test from 'ava';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Context, PartitaError, codecs, resolvers } from '../../src/client/index.js';
import type { ClientOptions, GetResult } from '../../src/client/index.js';
import { encodeMultiGetReply } from '../../src/wire/codec-multi.js';
import * as kinds from '../../src/wire/kinds.js';
import { FakeServer } from '../support/fake-server.js';
import { NODE_ID, failed } from '../support/fake-node.js';

interface Scene {
  readonly server: FakeServer;
  readonly db: Client<string>;
}

async function scene(
  work: (scene: Scene) => Promise<void>,
  options: Partial<ClientOptions<string>> = {},
): Promise<void> {
  const server = await FakeServer.start();
  const db = await Client.connect({ seeds: [server.address], codec: codecs.utf8, timeoutMs: 5_000, ...options });
  try {
    await work({ server, db });
  } finally {
    db.destroy();
    await server.stop();
  }
}

function valueOf<T>(result: GetResult<T>): T | undefined {
  return result.found && !result.conflict ? result.value : undefined;
}

async function rejected(promise: Promise<unknown>): Promise<PartitaError> {
  try {
    await promise;
  } catch (error) {
    if (PartitaError.is(error)) return error;
    throw error;
  }
  throw new Error('It was to be rejected');
}

test('Stores, reads, replaces and deletes', async (t) => {
  await scene(async ({ db }) => {
    t.false((await db.get('k')).found);
    t.is((await db.put('k', 'one')).siblingCount, 1);
    const read = await db.get('k');
    t.is(valueOf(read), 'one');
    t.is(read.meta.nodeId, NODE_ID);
    t.true(read.meta.durable && read.meta.durationMs > 0);
    await db.put('k', 'two', { context: read.context });
    const again = await db.get('k');
    t.is(valueOf(again), 'two');
    t.is((await db.delete('k', { context: again.context })).siblingCount, 0);
    t.false((await db.get('k')).found);
  });
});

test('Bytes come back as they were put, in memory of their own, whatever their size', async (t) => {
  const server = await FakeServer.start();
  const db = await Client.connect({ seeds: [server.address], timeoutMs: 5_000 });
  for (const length of [0, 1, 1_000, 16_383, 16_384, 100_000, 1_000_000]) {
    const bytes = Buffer.alloc(length, 'pattern');
    await db.put(`k${length}`, bytes);
    const first = valueOf(await db.get(`k${length}`));
    for (let i = 0; i < 3; i++) await db.get('k1000'); // overwrites the receive buffer
    t.true(bytes.equals(first as Uint8Array), `${length}`);
  }
  const text = db.withCodec(codecs.utf8);
  const large = 'x'.repeat(200_000);
  await text.put('large', large);
  t.is(valueOf(await text.get('large')), large);
  await db.close();
  await server.stop();
});

test('Siblings are handed out without a resolver, and merged by one', async (t) => {
  await scene(async ({ db }) => {
    await db.put('k', '["a"]');
    const second = await db.put('k', '["b"]');
    t.deepEqual([second.siblingCount, second.context], [2, undefined], 'no context for what was not read');
    const read = await db.get('k');
    t.true(read.found && read.conflict);
    t.deepEqual(read.found ? read.siblings.map(({ value }) => value) : [], ['["a"]', '["b"]']);
    const lists = db.withCodec(
      codecs.json<readonly string[]>(),
      resolvers.union((item) => item),
    );
    const merged = await lists.get('k');
    t.deepEqual(valueOf(merged), ['a', 'b']);
    t.true(merged.found && !merged.conflict && merged.resolved && merged.siblings.length === 2);
    await lists.update('k', (current) => [...(current ?? []), 'c']);
    t.deepEqual(valueOf(await lists.get('k')), ['a', 'b', 'c']);
  });
});

test('A codec that refuses is a DECODE error of that call only', async (t) => {
  await scene(async ({ db }) => {
    await db.put('k', 'not json');
    const numbers = db.withCodec(codecs.json<number>());
    const error = await rejected(numbers.get('k'));
    t.is(error.code, 'DECODE');
    t.true(error.cause instanceof SyntaxError);
    t.is(valueOf(await db.get('k')), 'not json');
  });
});

test('getMany and putMany answer for every key, in parts if need be', async (t) => {
  await scene(async ({ db, server }) => {
    const names = Array.from({ length: 300 }, (_, i) => `k${i}`);
    const stored = await db.putMany(names.map((name) => [name, `value of ${name}`] as const));
    t.true([...stored.values()].every((result) => !PartitaError.is(result) && result.siblingCount === 1));
    const read = await db.getMany([...names, 'nobody']);
    t.deepEqual([...read.keys()], [...names, 'nobody']);
    t.true(names.every((name) => valueOf(read.get(name) as GetResult<string>) === `value of ${name}`));
    t.false((read.get('nobody') as GetResult<string>).found);
    t.true(server.node.requests.length <= 8, `${server.node.requests.length} frames for 601 keys`);
    t.is((await db.getMany([])).size, 0);
  });
});

test('Of many keys some may fail', async (t) => {
  await scene(async ({ db, server }) => {
    server.node.script = (request, peer) => {
      if (request.kind !== kinds.MULTI_GET) return false;
      const origin = {
        nodeId: NODE_ID,
        ringVersion: 1,
        acked: 1,
        durable: true,
        sloppy: false,
        owners: [1],
        fallbacks: [],
        fastest: 1,
      };
      const good = {
        siblings: [{ value: Buffer.from('good'), writtenMs: 1, expiresMs: 0 }],
        context: new Uint8Array(0),
        origin,
      };
      peer.frame(
        kinds.MULTI_GET_REPLY,
        request.id,
        encodeMultiGetReply([good, { failure: failed('UNKNOWN_STATE', 'Damaged') }, good], 1),
      );
      return true;
    };
    const read = await db.getMany(['a', 'b', 'c']);
    t.deepEqual(
      [...read.values()].map((result) => (PartitaError.is(result) ? result.code : valueOf(result))),
      ['good', 'UNKNOWN_STATE', 'good'],
    );
  });
});

test('Values that do not fit into one reply together are asked for one by one', async (t) => {
  await scene(async ({ db, server }) => {
    await db.putMany([
      ['a', 'small'],
      ['b', 'large'],
    ]);
    server.node.script = (request, peer) => {
      if (request.kind !== kinds.MULTI_GET) return false;
      const origin = {
        nodeId: NODE_ID,
        ringVersion: 1,
        acked: 1,
        durable: true,
        sloppy: false,
        owners: [1],
        fallbacks: [],
        fastest: 1,
      };
      const small = {
        siblings: [{ value: Buffer.from('small'), writtenMs: 1, expiresMs: 0 }],
        context: new Uint8Array(0),
        origin,
      };
      peer.frame(
        kinds.MULTI_GET_REPLY,
        request.id,
        encodeMultiGetReply([small, { failure: failed('TOO_LARGE', 'No room') }], 1),
      );
      return true;
    };
    const read = await db.getMany(['a', 'b']);
    t.deepEqual(
      [...read.values()].map((result) => valueOf(result as GetResult<string>)),
      ['small', 'large'],
    );
  });
});

test('A frame of many keys that fails as a whole fails for every key of it', async (t) => {
  await scene(async ({ db, server }) => {
    server.node.script = () => true;
    const read = await db.getMany(['a', 'b'], { timeoutMs: 50 });
    t.deepEqual(
      [...read.values()].map((result) => (result as PartitaError).code),
      ['TIMEOUT', 'TIMEOUT'],
    );
    const put = await db.putMany([['a', '1']], { timeoutMs: 50 });
    t.true((put.get('a') as PartitaError).outcomeUnknown);
  });
});

test('A signal ends a call, before and while it is under way, and is let go of afterwards', async (t) => {
  await scene(async ({ db, server }) => {
    const reason = new Error('enough');
    t.is((await rejected(db.get('k', { signal: AbortSignal.abort(reason) }))).cause, reason);
    const controller = new AbortController();
    await db.get('k', { signal: controller.signal });
    server.node.script = () => true;
    const pending = db.put('k', 'v', { signal: controller.signal });
    await pause(20);
    controller.abort(reason);
    const error = await rejected(pending);
    t.deepEqual([error.code, error.cause, error.outcomeUnknown], ['ABORTED', reason, true]);
    t.is((await rejected(db.get('k', { signal: AbortSignal.timeout(20) }))).code, 'ABORTED');
    t.is(db.stats().inFlight, 0);
  });
});

test('A deadline ends a call', async (t) => {
  await scene(async ({ db, server }) => {
    server.node.script = () => true;
    const began = performance.now();
    const error = await rejected(db.get('k', { timeoutMs: 60 }));
    const tookMs = performance.now() - began;
    t.is(error.code, 'TIMEOUT');
    t.true(tookMs >= 60 && tookMs < 1_000, `${tookMs}`);
  });
});

test('It comes back by itself when the server does', async (t) => {
  await scene(async ({ db, server }) => {
    await db.put('k', 'v');
    const down = once(db.events, 'nodeDown');
    await server.stop();
    await down;
    t.is((await rejected(db.get('k', { retry: { baseDelayMs: 1, maxDelayMs: 5 } }))).code, 'CONNECTION');
    const up = once(db.events, 'nodeUp');
    await server.listen();
    await up;
    t.is(valueOf(await db.get('k')), 'v');
  });
});

test('Half a frame, then the end of the connection: the call is asked again', async (t) => {
  await scene(async ({ db, server }) => {
    await db.put('k', 'v');
    server.node.script = (request, peer) => {
      server.node.script = null;
      const reply = peer.replyTo(request);
      peer.send(reply.subarray(0, reply.length - 3));
      peer.close();
      return true;
    };
    const read = await db.get('k');
    t.deepEqual([valueOf(read), read.meta.attempts], ['v', 2]);
  });
});

test('A slow reply, byte by byte, is a reply', async (t) => {
  await scene(async ({ db, server }) => {
    await db.put('k', 'v');
    server.node.script = (request, peer) => {
      const reply = peer.replyTo(request);
      const send = async (): Promise<void> => {
        for (let i = 0; i < reply.length; i++) {
          peer.send(reply.subarray(i, i + 1));
          if (i % 10 === 0) await pause(1);
        }
      };
      void send();
      return true;
    };
    t.is(valueOf(await db.get('k')), 'v');
  });
});

test('A server that drains loses no call', async (t) => {
  await scene(async ({ db, server }) => {
    await db.put('k', 'v');
    const [old] = server.peers;
    let left = 200;
    const callers = Array.from({ length: 8 }, async () => {
      while (left-- > 0) t.is(valueOf(await db.get('k')), 'v');
    });
    await pause(2);
    old?.goAway('draining');
    await Promise.all(callers);
    t.is(server.connections, 2);
  });
});

test('The caller’s mistakes reject, and nothing is sent', async (t) => {
  await scene(async ({ db, server }) => {
    const sent = server.node.requests.length;
    t.is((await rejected(db.get(''))).code, 'INVALID_ARGUMENT');
    t.is((await rejected(db.put('x'.repeat(2_049), 'v'))).code, 'TOO_LARGE');
    t.is((await rejected(db.ping({ node: 'elsewhere:1' }))).code, 'INVALID_ARGUMENT');
    await t.throwsAsync(db.get('k', { timeoutMs: 0 }), { instanceOf: RangeError, message: /timeoutMs/ });
    await t.throwsAsync(db.put('k', 'v', { ttlMs: -1 }), { instanceOf: RangeError, message: /ttlMs/ });
    await t.throwsAsync(db.getMany(['ok', '']), { message: /empty key/ });
    t.throws(() => db.withDefaults({ r: 0 }), { instanceOf: RangeError });
    t.is(server.node.requests.length, sent);
  });
});

test('A token may be asked for, and its failure is told', async (t) => {
  const server = await FakeServer.start();
  const good = await Client.connect({ seeds: [server.address], auth: { token: () => Promise.resolve('fresh') } });
  t.deepEqual(server.node.tokens, ['fresh']);
  await good.close();
  const bad = new Client({
    seeds: [server.address],
    auth: {
      token: () => {
        throw new Error('no vault');
      },
    },
  });
  const error = await rejected(bad.get('k'));
  t.is(error.code, 'UNAUTHENTICATED');
  t.regex(error.message, /no vault/);
  bad.destroy();
  await server.stop();
});

test('connect() says why it cannot', async (t) => {
  const server = await FakeServer.start();
  server.node.refuse = () => failed('VERSION_MISMATCH', 'This node speaks versions 2 to 3');
  t.is((await rejected(Client.connect({ seeds: [server.address] }))).code, 'VERSION_MISMATCH');
  const { address } = server;
  await server.stop();
  t.is((await rejected(Client.connect({ seeds: [address] }))).code, 'CONNECTION');
});

test('Closing waits for what is under way, and disposing closes', async (t) => {
  const server = await FakeServer.start();
  {
    await using db = await Client.connect({ seeds: [server.address], codec: codecs.utf8 });
    await db.put('k', 'v');
    const pending = db.get('k');
    const closed = db.close();
    t.is(valueOf(await pending), 'v');
    await closed;
    t.is((await rejected(db.get('k'))).code, 'CLOSED');
  }
  await pause(20);
  t.is(server.peers.size, 0);
  await server.stop();
});

test('Views share connections and differ in codec and defaults', async (t) => {
  await scene(async ({ db, server }) => {
    const durable = db.withDefaults({ durable: true, ttlMs: 1_000, timeoutMs: 700 });
    await durable.put('k', 'v');
    const put = server.node.requests.at(-1);
    t.deepEqual([put?.durable, put?.ttlMs], [true, 1_000]);
    t.true((put?.budgetMs ?? 0) <= 700);
    t.true(Buffer.from('v').equals(valueOf(await db.withCodec(codecs.bytes).get('k')) as Uint8Array));
    t.is(server.connections, 1);
    t.is(durable.events, db.events);
  });
});

test('It tells what it knows: nodes, preference lists, statistics, explanations', async (t) => {
  await scene(async ({ db, server }) => {
    await db.put('k', 'v');
    t.deepEqual(db.nodes(), [{ id: NODE_ID, address: server.address, zone: 'zone-1', state: 'up' }]);
    t.deepEqual(db.preferenceList('k'), db.nodes());
    t.true((await db.ping()) > 0 && (await db.ping({ node: NODE_ID })) > 0);
    const explained = await db.explain('k');
    t.deepEqual([explained.found, explained.siblings.length], [true, 1]);
    const { sent, received, inFlight, latencyMs } = db.stats();
    t.true(sent >= 5 && received === sent && inFlight === 0);
    t.true(0 < latencyMs.p50 && latencyMs.p50 <= latencyMs.p99 && latencyMs.p99 <= latencyMs.max);
  });
});

test('A context may travel as text', async (t) => {
  await scene(async ({ db }) => {
    await db.put('k', 'one');
    const { context } = await db.get('k');
    const result = await db.put('k', 'two', { context: Context.parse(String(context)) });
    t.is(result.siblingCount, 1);
  });
});
