/* The whole client over real sockets, against several scripted nodes. */
import test from 'ava';
import { Client, PartitaError, codecs } from '../../src/client/index.js';
import * as kinds from '../../src/wire/kinds.js';
import { failed } from '../support/fake-node.js';
import { withCluster } from '../support/fake-cluster.js';
import type { FakeServer } from '../support/fake-server.js';

async function withClient(
  count: number,
  work: (db: Client<string>, servers: readonly FakeServer[]) => Promise<void>,
): Promise<void> {
  await withCluster(count, async (servers) => {
    const seeds = servers.map(({ address }) => address);
    const db = await Client.connect({ seeds, codec: codecs.utf8, timeoutMs: 5_000 });
    try {
      for (let i = 0; i < 40; i++) await db.get(`warm ${i}`); // connects to all
      for (const { node } of servers) node.requests.length = 0;
      await work(db, servers);
    } finally {
      db.destroy();
    }
  });
}

test('update and putMany write to the node that was the fastest to answer the read', async (t) => {
  await withClient(5, async (db, servers) => {
    const list = db.preferenceList('k');
    const nodeAt = (place: number): FakeServer =>
      servers.find(({ address }) => address === list[place]?.address) as FakeServer;
    const head = nodeAt(0);
    const second = nodeAt(1);
    head.node.fastest = head.node.ring.members.find(({ address }) => address === second.address)?.ordinal ?? 0;
    await db.update('k', (current) => `${current ?? ''}x`);
    const putsAt = ({ node }: FakeServer): number =>
      node.requests.filter(({ kind }) => kind === kinds.PUT || kind === kinds.MULTI_PUT).length;
    t.deepEqual([putsAt(head), putsAt(second)], [0, 1]);
    const read = await db.get('k');
    const many = await db.putMany([['k', 'y', read.context]]);
    t.deepEqual([putsAt(head), putsAt(second)], [0, 2]);
    const result = many.get('k');
    if (result === undefined || PartitaError.is(result)) throw new Error('It was to be stored');
    t.deepEqual(result.meta.owners, [second.node.nodeId]);
  });
});

test('Of many keys those that one node cannot serve now are asked for elsewhere', async (t) => {
  await withClient(4, async (db, servers) => {
    let refused = 0;
    const [sick] = servers;
    if (sick === undefined) throw new Error('There are four');
    sick.node.script = (request, peer) => {
      if (request.kind !== kinds.MULTI_GET && request.kind !== kinds.MULTI_PUT) return false;
      refused += 1;
      peer.fail(request.id, failed('UNAVAILABLE', 'Not now'));
      return true;
    };
    const names = Array.from({ length: 60 }, (_, i) => `k${i}`);
    const stored = await db.putMany(names.map((name) => [name, name] as const));
    t.true([...stored.values()].every((result) => !PartitaError.is(result)));
    const read = await db.getMany(names);
    t.true([...read.values()].every((result) => !PartitaError.is(result)));
    t.true(refused >= 2);
  });
});
