/* partita cluster init and partita ring show: the file, what is printed, what is warned of, and every refusal. */
import test from 'ava';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import xxhash from 'xxhash-wasm';
import { hash64From } from '../../src/model/hash.js';
import { type RingFile, decodeRingFile } from '../../src/ring/ring-file.js';
import { FakeServer } from '../support/fake-server.js';
import { runCli } from '../support/run-cli.js';
import { folderFor } from '../support/temporary.js';

const hash = hash64From(await xxhash());
const FOUR = ['a', 'b', 'c', 'd'].flatMap((name, i) => ['--node', `${name}=10.0.0.${i + 1}:7411,zone=rack${i % 3}`]);

function ringIn(file: string): RingFile {
  const read = decodeRingFile(readFileSync(file), hash);
  if ('fault' in read) throw new Error(read.fault);
  return read;
}

test('cluster init writes a ring with ordinals in order, drawn ids, and the addresses given', async (t) => {
  const out = join(folderFor(t, 'cluster'), 'ring-1.json');
  const words = [
    '--node',
    'a=10.0.0.1',
    '--node',
    'b=10.0.0.2:7411,capacity=2',
    '--node',
    'c=[::1]:7000,peer=[::1]:9000',
  ];
  const { code } = await runCli(['cluster', 'init', '--cluster', 'shop', '--partitions', '64', ...words, '--out', out]);
  t.is(code, 0);
  const { ring, names } = ringIn(out);
  t.deepEqual(names, ['a', 'b', 'c']);
  t.like(ring, { version: 1, cluster: 'shop', partitionCount: 64, replicaCount: 3 });
  t.deepEqual(
    ring.members.map(({ ordinal, address, peerAddress, capacity }) => [ordinal, address, peerAddress, capacity]),
    [
      [1, '10.0.0.1:7700', '10.0.0.1:7701', 1],
      [2, '10.0.0.2:7411', '10.0.0.2:7412', 2],
      [3, '[::1]:7000', '[::1]:9000', 1],
    ],
  );
  t.is(new Set([ring.clusterId, ...ring.members.map(({ nodeId }) => nodeId)]).size, 4);
});

test('the secret of the nodes lies beside the ring, for its owner alone, another each time', async (t) => {
  const folder = folderFor(t, 'cluster');
  const secrets = [];
  for (const name of ['one', 'two']) {
    mkdirSync(join(folder, name));
    await runCli(['cluster', 'init', ...FOUR, '--out', join(folder, name, 'ring-1.json')]);
    const path = join(folder, name, 'cluster.secret');
    t.is(statSync(path).mode & 0o777, 0o600);
    secrets.push(readFileSync(path, 'utf8'));
    t.false(readFileSync(join(folder, name, 'ring-1.json'), 'utf8').includes(secrets.at(-1)?.trim() ?? ''));
  }
  for (const secret of secrets) t.regex(secret, /^[0-9a-f]{64}\n$/);
  t.not(secrets[0], secrets[1]);
});

test('a secret elsewhere, none, and none for a single node', async (t) => {
  const folder = folderFor(t, 'cluster');
  const init = async (out: string, ...words: string[]): Promise<string> =>
    (await runCli(['cluster', 'init', '--out', join(folder, out), ...words])).out;
  t.true((await init('a', ...FOUR, '--secret', join(folder, 'mine'))).includes(`--peer-secret-file ${folder}/mine `));
  t.true((await init('b', ...FOUR, '--no-secret')).includes('--peer-secret-file SECRET-FILE '));
  t.false((await init('c', '--replicas', '1', '--node', 'a=127.0.0.1')).includes('secret'));
  t.deepEqual(readdirSync(folder), ['a', 'b', 'c', 'mine']);
});

test('a secret that is there is never overwritten, and no ring is written without it', async (t) => {
  const folder = folderFor(t, 'cluster');
  writeFileSync(join(folder, 'cluster.secret'), 'of another cluster');
  const { code, err } = await runCli(['cluster', 'init', ...FOUR, '--out', join(folder, 'ring-1.json')]);
  t.is(code, 2);
  t.regex(err, /--secret: .*cluster\.secret is there already and is not overwritten: .* or say --no-secret/);
  t.deepEqual(readdirSync(folder), ['cluster.secret']);
  t.is(readFileSync(join(folder, 'cluster.secret'), 'utf8'), 'of another cluster');
});

test('on a terminal: the members, the balance, and the command for each node', async (t) => {
  const out = join(folderFor(t, 'cluster'), 'ring-1.json');
  const words = ['cluster', 'init', '--cluster', 'shop', ...FOUR, '--out', out];
  const ran = await runCli(words, { isTTY: true, env: { NO_COLOR: '1' } });
  t.is(ran.code, 0, ran.err);
  const { ring } = ringIn(out);
  const id = ring.members[0]?.nodeId.slice(0, 8);
  t.regex(
    ran.out,
    /│ node │ ordinal │ id {7}│ clients {7}│ peers {9}│ zone {2}│ capacity │ tokens │ replicas │ share {2}│/,
  );
  t.true(
    ran.out.includes(
      `│ a    │ 1       │ ${id} │ 10.0.0.1:7411 │ 10.0.0.1:7412 │ rack0 │ 1        │ 64     │ 192      │ 25.0 % │`,
    ),
    ran.out,
  );
  t.regex(ran.out, /Load balancing efficiency 1\.000 of replicas, 1\.000 of tokens/);
  t.true(ran.out.includes(`Ring version 1 of cluster shop (id ${ring.clusterId}, Q = 256, N = 3) is in ${out}.`));
  t.true(ran.out.includes('Next: copy both files to the machine of each node'));
  t.true(
    ran.out.includes(
      `  b  partitad --init-from ${out} --node b --peer-secret-file ${join(dirname(out), 'cluster.secret')} --data-dir /var/lib/partita/b --client-listen 10.0.0.2:7411 --peer-listen 10.0.0.2:7412\n`,
    ),
  );
  t.regex(ran.err, /warning: \d+ of 256 partitions have two replicas in one zone: .*"rack0"/);
  t.regex(ran.err, /warning: Nothing is encrypted yet, .* --insecure-listen/);
});

test('piped: a line a node and a line a command; -o json: everything', async (t) => {
  const folder = folderFor(t, 'cluster');
  const raw = await runCli(['cluster', 'init', ...FOUR, '--out', join(folder, 'it is one.json')]);
  const lines = raw.out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
  t.deepEqual(
    lines.map(([what, name]) => `${what} ${name}`),
    [...['a', 'b', 'c', 'd'].map((name) => `node ${name}`), ...['a', 'b', 'c', 'd'].map((name) => `next ${name}`)],
  );
  t.regex(lines[4]?.[2] ?? '', /^partitad --init-from '\/.*\/it is one\.json' --node a /);
  const out = join(folder, 'ring.json');
  const secret = ['--secret', join(folder, 'second.secret')];
  const json = JSON.parse((await runCli(['cluster', 'init', ...FOUR, '--out', out, ...secret, '-o', 'json'])).out) as {
    readonly members: readonly object[];
    readonly next: readonly object[];
    readonly warnings: readonly string[];
  };
  const { ring } = ringIn(out);
  t.like(json, {
    file: out,
    secretFile: join(folder, 'second.secret'),
    version: 1,
    cluster: 'partita',
    clusterId: ring.clusterId,
    placementEfficiency: 1,
  });
  t.like(json.members[3], { name: 'd', ...ring.members[3], tokens: 64, replicas: 192, share: 0.25 });
  t.is(json.next.length, 4);
  t.true(json.warnings.some((text) => text.includes('two replicas in one zone')));
});

test('a ring of one: only that its data is nowhere else is warned of', async (t) => {
  const out = join(folderFor(t, 'cluster'), 'ring');
  const one = await runCli(['cluster', 'init', '--replicas', '1', '--node', 'a=127.0.0.1', '--out', out]);
  t.is(
    one.err,
    'warning: With 1 replica nobody else has what a node holds: its disk lost is its data lost. How many there are is fixed when a cluster is made, and more nodes change nothing about it\n',
  );
});

test('an address that only its own machine reaches is warned of', async (t) => {
  const words = ['--node', 'a=127.0.0.1', '--node', 'b=10.0.0.2', '--node', 'c=10.0.0.3'];
  const { err } = await runCli(['cluster', 'init', ...words, '--out', join(folderFor(t, 'cluster'), 'ring')]);
  t.regex(err, /warning: Only its own machine reaches a: the address is a loopback one/);
});

test('a file that is there is never overwritten', async (t) => {
  const folder = folderFor(t, 'cluster');
  const out = join(folder, 'ring-1.json');
  writeFileSync(out, 'the only copy');
  const { code, err, out: said } = await runCli(['cluster', 'init', ...FOUR, '--out', out]);
  t.is(code, 2);
  t.is(said, '');
  t.regex(err, /--out: .*ring-1\.json is there already and is not overwritten: .* Name another file/);
  t.is(readFileSync(out, 'utf8'), 'the only copy');
  const nowhere = await runCli(['cluster', 'init', ...FOUR, '--out', join(folder, 'no', 'ring')]);
  t.is(nowhere.code, 2);
  t.regex(nowhere.err, /--out: .* cannot be written: ENOENT/);
  t.deepEqual(readdirSync(folder), ['ring-1.json']);
});

const one = ['--replicas', '1', '--node'];
const REFUSED: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['no node', [], /--node: name each node of the cluster/],
  ['more replicas than nodes', FOUR.slice(0, 4), /3 replicas \(the default\) need as many nodes, and 2 are given/],
  [
    'more replicas than the one node',
    ['--replicas', '2', '--node', 'a=h'],
    /2 replicas need as many nodes, and 1 is given/,
  ],
  ['no address', [...one, 'a'], /--node a: expected NAME=HOST:PORT first/],
  ['a name that is none', [...one, '../a=h'], /a name has letters, digits/],
  ['an address that is none', [...one, 'a=h:x'], /"h:x" is no address: expected host:port/],
  ['a bare IPv6 address', [...one, 'a=::1'], /"::1" is no address: .*"\[::1\]:7700"/],
  ['port 0', [...one, 'a=h:0'], /h:0: port 0 cannot be dialled/],
  ['no port after the last', [...one, 'a=h:65535'], /no port after this one: add peer=/],
  ['an unknown field', [...one, 'a=h,rack=1'], /"rack=1" is not peer=HOST:PORT, zone=NAME or capacity=N/],
  ['a field twice', [...one, 'a=h,zone=x,zone=y'], /zone is given twice/],
  ['a capacity that is none', [...one, 'a=h,capacity=0'], /capacity: "0" is not a whole number from 1 to 1000000/],
  ['a zone that is none', [...one, 'a=h,zone=a b'], /a zone has up to 64 letters/],
  ['a name twice', [...one, 'a=h', '--node', 'a=g'], /two nodes are called a/],
  ['an address twice', [...one, 'a=h:1', '--node', 'b=h:2'], /members 1 and 2 both have the address h:2/],
  ['an odd number of partitions', [...one, 'a=h', '--partitions', '100'], /100 partitions: not a power of two/],
  ['a cluster name that is none', [...one, 'a=h', '--cluster', 'a b'], /--cluster: "a b" is not/],
];
for (const [what, words, expected] of REFUSED) {
  test(`cluster init refuses ${what}, exit 2, and writes nothing`, async (t) => {
    const out = join(folderFor(t, 'cluster'), 'ring');
    const { code, err } = await runCli(['cluster', 'init', ...words, '--out', out]);
    t.is(code, 2);
    t.regex(err, expected);
    t.false(existsSync(out));
  });
}

test('ring show of a file', async (t) => {
  const file = join(folderFor(t, 'cluster'), 'ring');
  await runCli(['cluster', 'init', ...FOUR, '--out', file]);
  const { ring } = ringIn(file);
  const table = await runCli(['ring', 'show', file, '-o', 'table']);
  t.is(table.code, 0, table.err);
  t.true(table.out.includes(`ring version 1, cluster partita, clusterId ${ring.clusterId}, Q = 256, N = 3\n`));
  const json = JSON.parse((await runCli(['ring', 'show', file, '-o', 'json'])).out) as { readonly owners: unknown };
  t.deepEqual(json.owners, ring.owners);
  t.is((await runCli(['ring', 'show', file])).out.split('\n')[1]?.split('\t')[0], 'b');

  writeFileSync(file, readFileSync(file, 'utf8').replace('10.0.0.1', '10.0.0.9'));
  const edited = await runCli(['ring', 'show', file]);
  t.deepEqual([edited.code, edited.out], [2, '']);
  t.regex(edited.err, /cannot be used: its checksum does not hold: it was edited/);
  t.regex((await runCli(['ring', 'show', `${file}x`])).err, /FILE: cannot read .*ENOENT/);
  t.regex((await runCli(['ring', 'show', file, '-s', 'h:1'])).err, /FILE and --server: give one of them/);
});

test('ring show of a server', async (t) => {
  const server = await FakeServer.start();
  t.teardown(() => server.stop());
  const { out, code } = await runCli(['ring', 'show', '-s', server.address, '-o', 'table']);
  t.is(code, 0);
  t.regex(out, /│ ordinal │ id {7}│ clients +│ zone {3}│ tokens │ replicas │ share {3}│/);
  t.regex(out, /│ 1 {7}│ 01234567 │ 127\.0\.0\.1:\d+ +│ zone-1 │ 16 {5}│ 16 {7}│ 100\.0 % │/);
  t.regex(out, /ring version 1, Q = 16, N = 1\nLoad .* 1\.000 of tokens \(1: even\); capacities taken as equal\n$/);
});
