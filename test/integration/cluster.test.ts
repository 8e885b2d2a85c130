/* Three real partitads with one ring: what they do together, with one less, and whom they do not let in. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { copyFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as rest } from 'node:timers/promises';
import { freePorts } from '../../src/net/free-ports.js';
import type { Client } from '../../src/client/index.js';
import type { Daemon, LogLine } from '../support/daemon.js';
import { newPutId, RawClient } from '../support/raw-client.js';
import { RealCluster } from '../support/real-cluster.js';

const POLL_MS = 50;
const PATIENCE_MS = 20_000;

async function until(t: ExecutionContext, what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) {
      t.fail(`Not within ${PATIENCE_MS} ms: ${what}`);
      return;
    }
    await rest(POLL_MS);
  }
}

async function valuesOf(
  db: Client<string>,
  key: string,
  options: { r?: number; strict?: boolean } = {},
): Promise<string[]> {
  const got = await db.get(key, options);
  return got.found ? got.siblings.map(({ value }) => value).sort() : [];
}

/** Each node sees both others, and counts. */
async function allConnected(t: ExecutionContext, cluster: RealCluster): Promise<void> {
  await until(t, 'all nodes are connected', async () => {
    const seen = await Promise.all([1, 2, 3].map((n) => cluster.status(n)));
    return seen.every(({ peersUp, suspect }) => peersUp === 2 && suspect === 0);
  });
}

test.serial('Three nodes: what is put through any of them is got through each', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await allConnected(t, cluster);
  const clients = await Promise.all([1, 2, 3].map(() => cluster.connect({ routing: 'any' })));
  for (const [i, db] of clients.entries()) {
    const put = await db.put(`key-${i}`, `value-${i}`);
    t.true(put.meta.acked >= 2, `W = 2, and ${put.meta.acked} had it`);
    t.true(put.meta.durable);
  }
  for (const db of clients) {
    t.like(db.ring(), { version: 1, replicaCount: 3 });
    for (const i of [0, 1, 2]) t.deepEqual(await valuesOf(db, `key-${i}`), [`value-${i}`]);
    for (const i of [0, 1, 2]) t.deepEqual(await valuesOf(db, `key-${i}`, { r: 3, strict: true }), [`value-${i}`]);
  }
  await Promise.all(clients.map((db) => db.close()));
  t.deepEqual(await cluster.stop(), [0, 0, 0], cluster.transcript());
});

test.serial(
  'Two puts through two nodes with the same context are two siblings, and a merge of them is one',
  async (t) => {
    const cluster = await RealCluster.startFor(t);
    await allConnected(t, cluster);
    await using anna = await cluster.connect({ routing: 'any' });
    await using ben = await cluster.connect({ routing: 'any' });
    await anna.put('cart', 'tea');
    const { context } = await ben.get('cart');
    await Promise.all([anna.put('cart', 'tea, milk', { context }), ben.put('cart', 'tea, bread', { context })]);
    t.deepEqual(await valuesOf(anna, 'cart'), ['tea, bread', 'tea, milk']);
    const both = await ben.get('cart', { r: 3 });
    await ben.put('cart', 'tea, bread, milk', { context: both.context });
    t.deepEqual(await valuesOf(anna, 'cart'), ['tea, bread, milk']);
    t.deepEqual(await valuesOf(ben, 'cart', { r: 3 }), ['tea, bread, milk']);
  },
);

test.serial('One killed: puts and gets go on; back again, it is brought what it has missed', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await allConnected(t, cluster);
  await using db = await cluster.connect();
  const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`);
  for (const key of keys) await db.put(key, 'before');

  await cluster.node(2).kill();
  for (const key of keys) {
    const { context } = await db.get(key);
    await db.put(key, 'without n2', { context });
  }
  for (const key of keys) t.deepEqual(await valuesOf(db, key), ['without n2']);
  const kept = await Promise.all([1, 3].map((n) => cluster.status(n)));
  const hints = kept.reduce((sum, status) => sum + Number(status['hints']), 0);
  t.true(hints >= keys.length, `${hints} hints for ${keys.length} keys`);
  for (const { text, hints: count } of kept) {
    const said = count === 0 ? '' : `, ${String(count)} hints kept for 1 of them`;
    t.regex(String(text), new RegExp(`, 1 of 2 peers reachable${said}$`));
  }

  await cluster.node(2).start();
  await until(t, 'the hints are home', async () => {
    const left = await Promise.all([1, 3].map((n) => cluster.status(n)));
    return left.every((status) => status['hints'] === 0);
  });
  // Its own store is asked, and nobody else is there to answer in its place.
  await cluster.node(1).stop();
  await cluster.node(3).stop();
  await using alone = await cluster.connect({ seeds: [cluster.member(2).client] });
  for (const key of keys) t.deepEqual(await valuesOf(alone, key, { r: 1, strict: true }), ['without n2']);
});

test.serial('One that stands still does not hold up the others, whichever of them is asked', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await allConnected(t, cluster);
  const clients = [
    await RawClient.connect(cluster.member(1).client),
    await RawClient.connect(cluster.member(2).client),
  ];
  t.teardown(() => {
    for (const { socket } of clients) socket.destroy();
  });
  cluster.node(3).signal('SIGSTOP');
  for (let i = 0; i < 40; i++) {
    const [key, value] = [`key-${i}`, Buffer.from('meanwhile')];
    const [one, other] = i % 2 === 0 ? [clients[0], clients[1]] : [clients[1], clients[0]];
    await one?.write({ key, value, context: Buffer.alloc(0), putId: newPutId() });
    t.deepEqual((await other?.get(key))?.values.map(String), ['meanwhile']);
  }
  cluster.node(3).signal('SIGCONT');
  await until(t, 'it is brought what it has missed', async () => {
    const left = await Promise.all([1, 2, 3].map((n) => cluster.status(n)));
    return left.every((status) => status['hints'] === 0 && status['peersUp'] === 2);
  });
});

test.serial('One that stands still holds up no client: its calls go to the others', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await allConnected(t, cluster);
  await using db = await cluster.connect({ routing: 'ring' });
  const durations: number[] = [];
  const timed = async <R extends { readonly meta: { readonly durationMs: number } }>(call: Promise<R>): Promise<R> => {
    const result = await call;
    durations.push(result.meta.durationMs);
    return result;
  };
  await until(t, 'each node is asked for some of the keys', async () => {
    const begun = await Promise.all(Array.from({ length: 40 }, (_, i) => db.get(`key-${i}`)));
    return new Set(begun.map(({ meta }) => meta.nodeId)).size === 3;
  });
  cluster.node(3).signal('SIGSTOP');
  for (let i = 0; i < 40; i++) {
    const before = await timed(db.get(`key-${i}`));
    await timed(db.put(`key-${i}`, 'meanwhile', { context: before.context }));
    const after = await timed(db.get(`key-${i}`));
    t.deepEqual(after.found ? after.siblings.map(({ value }) => value) : [], ['meanwhile']);
  }
  t.true(Math.max(...durations) < 1_000, `${Math.max(...durations)} ms`);
  t.true(db.stats().hedges > 0, 'keys of n3 were asked for');
  cluster.node(3).signal('SIGCONT');
  await until(t, 'it is asked again', async () => {
    const reads = await Promise.all(Array.from({ length: 40 }, (_, i) => db.get(`key-${i}`)));
    return new Set(reads.map(({ meta }) => meta.nodeId)).size === 3;
  });
});

test.serial('Kept hints survive the nodes that keep them', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await allConnected(t, cluster);
  await using db = await cluster.connect();
  await cluster.node(3).kill();
  for (let i = 0; i < 20; i++) await db.put(`key-${i}`, 'without n3');
  await Promise.all([cluster.node(1).kill(), cluster.node(2).kill()]);
  await cluster.start();
  await until(t, 'the hints are home', async () => {
    const left = await Promise.all([1, 2].map((n) => cluster.status(n)));
    return left.every((status) => status['hints'] === 0);
  });
  await cluster.node(1).stop();
  await cluster.node(2).stop();
  await using alone = await cluster.connect({ seeds: [cluster.member(3).client] });
  for (let i = 0; i < 20; i++) t.deepEqual(await valuesOf(alone, `key-${i}`, { r: 1, strict: true }), ['without n3']);
});

/** `a` and `b` each say why the other one is not let in. */
async function bothSay(t: ExecutionContext, a: Daemon, b: Daemon, ofA: RegExp, ofB: RegExp): Promise<void> {
  const line = (daemon: Daemon, expected: RegExp): LogLine | undefined =>
    daemon.log.find(({ event, reason }) => event === 'peer-unreachable' && expected.test(String(reason)));
  await until(t, 'both say so', () => line(a, ofA) !== undefined && line(b, ofB) !== undefined);
  t.is(line(a, ofA)?.['level'], 'warn', a.transcript());
  t.is(line(b, ofB)?.['level'], 'warn', b.transcript());
}

/** A new cluster that is to answer reads though one of its nodes was never there. */
const NOT_ALL = ['--accept-loss'];

/** n1 and n2 are connected, and neither is with n3. */
async function twoOfThree(t: ExecutionContext, cluster: RealCluster): Promise<void> {
  await until(t, 'n1 and n2 are connected', async () => {
    const seen = await Promise.all([1, 2].map((n) => cluster.status(n)));
    return seen.every(({ peersUp }) => peersUp === 1);
  });
  await using db = await cluster.connect({ seeds: [cluster.member(1).client] });
  await db.put('greeting', 'hello');
  t.deepEqual(await valuesOf(db, 'greeting'), ['hello']);
}

test.serial('A node with another secret is let in by nobody, and both sides say why', async (t) => {
  const cluster = await RealCluster.prepare({ flags: NOT_ALL });
  t.teardown(() => cluster.dispose());
  await Promise.all([cluster.node(1).start(), cluster.node(2).start()]);
  writeFileSync(cluster.secretFile, 'of another cluster'); // read at the start: n3's alone is this one
  await cluster.node(3).start();
  const notProved = (n: number): RegExp =>
    new RegExp(`^Node ${cluster.node(n).ready.nodeId} at .* has not proved that it knows the secret of this cluster`);
  await bothSay(t, cluster.node(1), cluster.node(3), notProved(3), notProved(1));
  await bothSay(t, cluster.node(2), cluster.node(3), notProved(3), notProved(2));
  await twoOfThree(t, cluster);
});

test.serial(
  'A node of another cluster at the address of a member is let in by nobody, though it knows the secret',
  async (t) => {
    const ports = await freePorts(6);
    const cluster = await RealCluster.prepare({ ports, flags: NOT_ALL });
    t.teardown(() => cluster.dispose());
    const other = await RealCluster.prepare({ ports });
    t.teardown(() => other.dispose());
    copyFileSync(cluster.secretFile, other.secretFile);
    await Promise.all([cluster.node(1).start(), cluster.node(2).start(), other.node(3).start()]);
    const otherCluster = /This node is of the cluster with id [0-9a-f]{32}, not [0-9a-f]{32}/;
    await bothSay(t, cluster.node(1), other.node(3), otherCluster, otherCluster);
    await twoOfThree(t, cluster);
  },
);

test.serial(
  'A member that answers at the address of another is taken for neither, and told from it by name',
  async (t) => {
    const ports = await freePorts(6);
    const peerOf = (n: number): string => `127.0.0.1:${ports[2 * n - 1]}`;
    const swapped: Readonly<Record<string, string>> = { n2: peerOf(3), n3: peerOf(2) };
    const flagsOf = (name: string): readonly string[] =>
      swapped[name] === undefined ? [] : ['--peer-listen', swapped[name]];
    const cluster = await RealCluster.startFor(t, { ports, flagsOf });
    const [one, two, three] = [cluster.node(1), cluster.node(2), cluster.node(3)];
    const says = (address: string, meant: Daemon, answers: Daemon): RegExp =>
      new RegExp(`^${address} is in the ring as node ${meant.ready.nodeId}, but node ${answers.ready.nodeId} answers`);
    await bothSay(t, one, one, says(peerOf(2), two, three), says(peerOf(3), three, two));
    const self = (address: string): RegExp =>
      new RegExp(`${address} is the address of this very node|connected to itself`);
    await bothSay(t, two, three, self(peerOf(3)), self(peerOf(2)));
    for (const daemon of [two, three])
      t.true(
        daemon.log.some(
          ({ event, text }) => event === 'address' && /The ring tells the other nodes to dial/.test(String(text)),
        ),
      );
  },
);

test.serial('A node lets clients in when it reaches the others, or when they have had their time', async (t) => {
  const cluster = await RealCluster.startFor(t);
  await allConnected(t, cluster);
  await cluster.node(1).kill();
  for (const n of [2, 3]) cluster.node(n).signal('SIGSTOP');
  let isReady = false;
  const starting = cluster.node(1).start();
  void starting.then(() => (isReady = true));
  await until(t, 'its peers may dial it', () => isReached(cluster.member(1).peer));
  t.false(await isReached(cluster.member(1).client), 'while it reaches nobody, clients have the other nodes');
  t.false(isReady);
  await starting;
  for (const n of [2, 3]) cluster.node(n).signal('SIGCONT');
  await allConnected(t, cluster);
  await using db = await cluster.connect({ seeds: [cluster.member(1).client], routing: 'any', retry: false });
  t.is((await db.put('tea', 'there', { w: 3, strict: true })).meta.acked, 3);
});

test.serial(
  'A put that lay before a node that stood still is not done when nobody waits for it any more',
  async (t) => {
    const cluster = await RealCluster.startFor(t);
    await allConnected(t, cluster);
    const seeds = [cluster.member(1).client];
    await using db = await cluster.connect({
      seeds,
      routing: 'any',
      retry: false,
      timeoutMs: 700,
      attemptTimeoutMs: 0,
    });
    await db.put('before', 'stored');
    cluster.node(1).signal('SIGSTOP');
    await t.throwsAsync(db.put('late', 'too late'), { code: 'TIMEOUT' });
    await rest(1_000);
    cluster.node(1).signal('SIGCONT');
    await allConnected(t, cluster);
    t.deepEqual(await valuesOf(db, 'before', { r: 3 }), ['stored']);
    t.deepEqual(await valuesOf(db, 'late', { r: 3 }), []);
  },
);

/** Somebody listens there. */
function isReached(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(Number(address.split(':').at(-1)), '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });
}
