/* The command line against several scripted nodes. */
import test from 'ava';
import { withCluster } from '../support/fake-cluster.js';
import type { FakeServer } from '../support/fake-server.js';
import { runCli } from '../support/run-cli.js';

const at = (server: FakeServer | undefined): readonly string[] => ['-s', server?.address ?? ''];

test('ring show has every member with its address, zone and part', async (t) => {
  await withCluster(5, async (servers) => {
    const raw = await runCli([...at(servers[3]), 'ring', 'show']);
    t.deepEqual([raw.code, raw.err], [0, '']);
    const rows = raw.out
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'));
    t.deepEqual(
      rows.map(([, ordinal, id, address, , zone]) => [ordinal, id, address, zone]),
      servers.map(({ node, address }, i) => [`${i + 1}`, node.nodeId.slice(0, 8), address, `zone-${i + 1}`]),
    );
    t.deepEqual(
      rows.map((row) => row.slice(7, 9)),
      [
        ['4', '10'],
        ['3', '10'],
        ['3', '10'],
        ['3', '9'],
        ['3', '9'],
      ],
    );
    t.regex((await runCli([...at(servers[0]), 'ring', 'show', '-o', 'table'])).out, /ring version 4, Q = 16, N = 3\n/);
  });
});

test('ping asks every member; one that is down is named, and the exit code says so', async (t) => {
  await withCluster(3, async (servers) => {
    const well = await runCli([...at(servers[0]), 'ping']);
    t.is(well.code, 0);
    t.is(well.out.split(' ms\n').length, 4);
    await servers[1]?.stop();
    const ill = await runCli([...at(servers[0]), 'ping']);
    t.is(ill.code, 4);
    const lines = ill.out.trimEnd().split('\n');
    t.deepEqual(
      lines.map((line) => line.endsWith('\tCONNECTION')),
      [false, true, false],
    );
    t.true(ill.err.startsWith(`error: ping of ${servers[1]?.address}: Cannot connect`));
  });
});

test('explain tells owners from fallbacks, and shows what one node has: the first owner, or the one that is named', async (t) => {
  await withCluster(5, async (servers) => {
    await runCli([...at(servers[0]), 'put', 'k', 'v']);
    const facts = async (...more: string[]): Promise<Map<string, string>> => {
      const { out } = await runCli([...at(servers[0]), 'explain', 'k', ...more]);
      return new Map(out.split('\n').map((line) => line.split('\t') as [string, string]));
    };
    const first = await facts();
    const owners = (first.get('owners') ?? '').split(', ');
    const fallbacks = (first.get('fallbacks, in order') ?? '').split(', ');
    t.deepEqual([owners.length, fallbacks.length, new Set([...owners, ...fallbacks]).size], [3, 2, 5]);
    const named = servers.find(({ address }) => fallbacks[0]?.endsWith(address));
    t.is((await facts('--node', named?.address ?? '')).get('as node'), named?.address);
    t.is((await facts('--node', named?.node.nodeId ?? '')).get('as node'), named?.address);
    const nobody = await runCli([...at(servers[0]), 'explain', 'k', '--node', '10.9.9.9:1']);
    t.deepEqual(
      [nobody.code, nobody.err],
      [2, 'error: explain: No node 10.9.9.9:1; nodes() lists those that are known\n'],
    );
  });
});

test('get -o json names the nodes that answered', async (t) => {
  await withCluster(3, async (servers) => {
    await runCli([...at(servers[0]), 'put', 'k', 'v']);
    const { out } = await runCli([...at(servers[0]), 'get', 'k', '-o', 'json']);
    const { meta } = JSON.parse(out) as { meta: { owners: string[]; fallbacks: string[]; nodeId: string } };
    t.deepEqual([meta.owners, meta.fallbacks], [[meta.nodeId], []]);
  });
});
