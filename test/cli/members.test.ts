/* The commands about the members of a ring, against a scripted node on a unix socket. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { PlanFacts } from '../../src/model/cluster-facts.js';
import { decodeRingFile } from '../../src/ring/ring-file.js';
import { decodeCluster, encodeClusterReply } from '../../src/wire/codec-cluster.js';
import { CLUSTER_REPLY } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { withAdminSocket } from '../support/admin-socket.js';
import { type Script } from '../support/fake-node.js';
import { HASH } from '../support/log-world.js';
import { run, scripted } from '../support/told-cluster.js';
import { runCli } from '../support/run-cli.js';
import { folderFor } from '../support/temporary.js';
import { RING, PLAN_HASH, NOW, STATUS, PLAN, DONE, withoutRing, staging, staged } from './members-world.js';

test('status: members, moves, voters, what is staged, and a verdict', async (t) => {
  const table = await run({ status: STATUS }, 'cluster', 'status', '-o', 'table');
  t.deepEqual([table.code, table.err], [0, '']);
  t.regex(
    table.out,
    /│ 3 {4}│ abcdabcd │ 10\.0\.0\.1:3 │ 10\.0\.1\.1:3 │ z0 {3}│ 1 {8}│ unreachable │.*│ unknown {3}│/,
  );
  t.regex(table.out, /│ 10\.0\.1\.1:4 │ z1 {3}│ 1 {8}│ up .*│ old \(1\) {3}│/);
  const lines = table.out.trimEnd().split('\n').slice(-7);
  t.deepEqual(lines, [
    `Ring version 6 of cluster shop (id ${RING.clusterId}, Q = 8, N = 3), since ${new Date(NOW).toISOString()}: node 4 joins`,
    'Voters: node 1, node 3; 2 of 2 have to agree on a change, 1 can be reached',
    'Feature level 1; feature level 2 has to wait: node 4 is old',
    'Moves: 2 being copied, 1 being restored from the other owners',
    `Staged, planned: partita cluster commit --version 7 --plan ${PLAN_HASH} --admin ${table.admin}`,
    '  node 2 leaves',
    'Not yet: node 3 cannot be reached from here; 3 replicas are being moved',
  ]);
  const raws = (await run({ status: STATUS }, 'cluster', 'status')).out.trimEnd().split('\n');
  t.is(raws[0], `node\t1\tabcdabcd\t10.0.0.1:1\t10.0.1.1:1\tz0\t1\tthis node\t2\t6\t0\t0\t0.1.0 (2)`);
  t.deepEqual(raws.slice(4), [
    `ring\t6\t${new Date(NOW).toISOString()}\tnode 4 joins`,
    'level\t1',
    'finalize\twaits\tfeature level 2 has to wait: node 4 is old',
    'staged\tnode 2 leaves',
    'trouble\tnode 3 cannot be reached from here',
    'trouble\t3 replicas are being moved',
    'verdict\tnot-yet',
  ]);
  const json = JSON.parse((await run({ status: STATUS }, 'cluster', 'status', '-o', 'json')).out) as object;
  t.deepEqual(json, { ...withoutRing(STATUS), isWell: false });
  const well = await run(
    { status: { ...STATUS, finalize: null, troubles: [], moves: [], staged: [] } },
    'cluster',
    'status',
    '-o',
    'table',
  );
  t.regex(well.out, /1 can be reached\nFeature level 1\nAll is well\n$/);
  const stale = { ...STATUS, plan: { version: 6, hash: PLAN_HASH, isStale: true } };
  t.regex(
    (await run({ status: stale }, 'cluster', 'status', '-o', 'table')).out,
    /planned on an older ring: partita cluster plan --admin/,
  );
});

test('transfers: of the node that is asked, both ways', async (t) => {
  const ran = await run({ status: STATUS }, 'transfers');
  t.is(ran.out, '3\t1\t4\tcopy\t\t6\t\t\t\n6\t2\t1\tcopy\tcomparing\t6\t\t\t\n');
  const table = await run({ status: STATUS }, 'transfers', '-o', 'table');
  t.regex(
    table.out,
    /Node 1 takes over 1 replica and gives up 1 replica; it still holds something of 1 partition that moved away\n$/,
  );
  const none = { ...STATUS, moves: [], departing: [] };
  t.is((await run({ status: none }, 'transfers', '-o', 'table')).out, 'Nothing is on its way to node 1, or from it\n');
  t.deepEqual(JSON.parse((await run({ status: none }, 'transfers', '-o', 'json')).out), {
    node: 1,
    moves: [],
    departing: [],
  });
});

test('transfers: how far files are, how fast, and how long they take still', async (t) => {
  const mebi = 2 ** 20;
  const files = [
    { bytes: 30 * mebi, ofBytes: 40 * mebi, bytesPerSecond: 2 * mebi },
    { bytes: 0, ofBytes: 0, bytesPerSecond: 0 },
    { bytes: 64 * mebi, ofBytes: 64 * mebi, bytesPerSecond: 5 * mebi },
  ];
  const moves = STATUS.moves.map((move, i) => ({ ...move, file: files[i] ?? null }));
  const raw = await run({ status: { ...STATUS, moves } }, 'transfers');
  t.is(
    raw.out,
    [
      `3\t1\t4\tcopy\t\t6\t${30 * mebi}\t${40 * mebi}\t${2 * mebi}\n`,
      '5\tlost\t4\tsettle\t\t6\t0\t0\t0\n',
      `6\t2\t1\tcopy\tcomparing\t6\t${64 * mebi}\t${64 * mebi}\t${5 * mebi}\n`,
    ].join(''),
  );
  const { out } = await run({ status: { ...STATUS, moves } }, 'transfers', '-o', 'table');
  t.regex(out, /│ \[#{15}\.{5}\] 75 % +│ 30 MiB of 40 MiB +│ 2 MiB\/s +│ 5s +│/);
  t.regex(out, /│ lost +│ 4 +│ settle +│ +│ 6 +│ is being copied +│/);
  t.regex(out, /│ \[#{20}\] 100 % +│ 64 MiB of 64 MiB +│ 5 MiB\/s +│ all there +│/);
  t.regex(out, /\n2 files on the way: 94 MiB of 104 MiB, 2 MiB\/s, 5s left\n$/);
  t.regex(out, /Node 1 takes over 1 replica and gives up 1 replica;/);
});

test('a node is meant by its number, an address, or the first digits of its id', async (t) => {
  for (const word of ['2', '10.0.0.1:2', '10.0.1.1:2', `${'abcd'.repeat(7)}0002`, `${'ABCD'.repeat(7)}0002`])
    t.deepEqual(await staged('leave', word), [{ kind: 'leave', ordinal: 2 }], word);
  t.deepEqual(await staged('stay', '2', '3'), [
    { kind: 'stay', ordinal: 2 },
    { kind: 'stay', ordinal: 3 },
  ]);
  for (const [word, why] of [
    ['9', 'no member of the ring is meant by it'],
    ['abc', 'no member'],
    ['abcd', 'more than one member is meant by it'],
    ['10.0.0.1', 'no member'],
  ] as const) {
    const { code, err, asked } = await run(staging, 'cluster', 'leave', word);
    t.is(code, 2);
    t.true(err.startsWith(`error: NODE: "${word}": ${why}`), err);
    t.regex(err, /there are 1 \(abcdabcd, 10\.0\.0\.1:1\), 2 \(/);
    t.false(asked.some(({ action }) => action === 'stage'));
  }
});

test('join, replace, remove and set stage what they say', async (t) => {
  const [one = {}, two = {}] = await staged('join', 'd=10.0.0.9:7700,zone=r1,capacity=2', 'e=10.0.0.10');
  t.like(one, {
    kind: 'join',
    name: 'd',
    address: '10.0.0.9:7700',
    peerAddress: '10.0.0.9:7701',
    zone: 'r1',
    capacity: 2,
  });
  t.like(two, { name: 'e', address: '10.0.0.10:7700', zone: '', capacity: 1 });
  t.regex(String(one['nodeId']), /^[0-9a-f]{32}$/);
  t.not(one['nodeId'], two['nodeId']);
  const [coming = {}, going = {}] = await staged('replace', '2', 'f=10.0.0.11');
  t.like(coming, { kind: 'join', name: 'f', zone: 'z1' }, 'in the zone of the old one');
  t.deepEqual(going, { kind: 'leave', ordinal: 2 });
  t.deepEqual(
    (await staged('replace', '2', 'f=10.0.0.11,zone=q', '--force')).map(({ kind, zone }) => [kind, zone]),
    [
      ['join', 'q'],
      ['remove', undefined],
    ],
  );
  t.deepEqual(await staged('remove', '3', '--force'), [{ kind: 'remove', ordinal: 3 }]);
  t.deepEqual(await staged('set', '3', '--zone', '', '--capacity', '4', '--address', 'h:1', '--peer-address', 'h:2'), [
    { kind: 'set', ordinal: 3, zone: '', capacity: 4, address: 'h:1', peerAddress: 'h:2' },
  ]);
  const { out, admin } = await run(staging, 'cluster', 'leave', '2', '-o', 'table');
  t.is(out, `Staged, and nothing has happened yet:\n  so it is\nNext: partita cluster plan --admin ${admin}\n`);
  t.is((await run(staging, 'cluster', 'leave', '2')).out, 'staged\tso it is\n');
});

for (const [words, text] of [
  [
    ['remove', '3'],
    /^error: --force is needed to remove node 3: .* partita cluster leave 3; .* partita cluster remove 3 --force\n$/,
  ],
  [['join', 'd'], /^error: d: expected NAME=HOST:PORT first/],
  [['join', 'd=h:1,zone=a b'], /^error: d=h:1,zone=a b: a zone has up to 64/],
  [['set', '3'], /^error: Nothing to set: give --zone/],
  [['set', '3', '--capacity', '0'], /^error: --capacity: "0" is not a whole number from 1/],
  [['set', '3', '--address', 'h:0'], /^error: --address: port 0 cannot be dialled/],
  [['set', '3', '--peer-address', 'h'], /^error: --peer-address: "h" is no address/],
  [['set', '3', '--zone', 'a b'], /^error: --zone: "a b" is not up to 64/],
  [['commit'], /^error: --version: say which ring version was planned/],
  [['commit', '--version', '6'], /^error: --version: 6 was asked for, and what was planned last makes version 7/],
  [['commit', '--version', '7', '--plan', 'xyz'], /^error: --plan: "xyz" is not the 16 hexadecimal digits/],
  [['leave'], /missing required argument/],
  [['clear'], /^error: cluster clear: No clear today\n$/],
] as const)
  test(`a wrong command line is exit code 2: ${words.join(' ')}`, async (t) => {
    const { code, err, asked } = await run(staging, 'cluster', ...words);
    t.is(code, 2);
    t.regex(err, text);
    t.false(asked.some(({ action }) => action === 'stage' || action === 'commit'));
  });

test('plan: what moves, warnings beside it, and the next command', async (t) => {
  const { code, out, err, admin } = await run({ plan: PLAN }, 'cluster', 'plan', '-o', 'table');
  t.deepEqual([code, err], [0, 'warning: Think of this\n']);
  t.deepEqual(out.trimEnd().split('\n').slice(-5), [
    'Ring version 7 (after 6): node 2 leaves',
    '7 of 24 replicas move; at least 6 have to, and zones ask for more',
    'That is about 3 GiB: at the most that background work gets, in 1m 12s; a busy cluster takes longer',
    'Load balancing efficiency of replicas 1.000 → 0.988, of tokens 1.000 → 0.500 (1: even)',
    `Next: ${PLAN.next} --admin ${admin}`,
  ]);
  const plain = await run({ plan: PLAN }, 'cluster', 'plan');
  t.is(
    plain.out,
    `node\t2\tabababab\t10.0.0.1:2\tz1\tleaves\t6\t0\t0\t6\t0\t1073741824\nplan\t7\t${PLAN_HASH}\t7\t3221225472\t72000\nnext\t${PLAN.next} --admin ${plain.admin}\n`,
  );
  const said = async (bytes: PlanFacts['bytes'], replicasMoved = 7): Promise<string> =>
    (await run({ plan: { ...PLAN, bytes, replicasMoved } }, 'cluster', 'plan', '-o', 'table')).out;
  t.regex(await said({ moved: null, guessed: 7, ms: null }), /How many bytes that is nobody could say\n/);
  t.regex(
    await said({ moved: 2_048, guessed: 2, ms: null }),
    /That is about 2 KiB \(the size of 2 of the replicas is a guess from the others\): nothing holds it back but disks and network\n/,
  );
  t.regex(await said({ moved: 0, guessed: 0, ms: 0 }, 0), /\nNo bytes move\n/);
  const json = await run({ plan: PLAN }, 'cluster', 'plan', '-o', 'json');
  t.like(JSON.parse(json.out), { hash: PLAN_HASH, warnings: ['Think of this'] });
});

test('commit: names version and plan; how it ended is the exit code', async (t) => {
  const ran = await run({ status: STATUS, commit: DONE }, 'cluster', 'commit', '--version', '7', '-o', 'table');
  t.deepEqual([ran.code, ran.err], [0, '']);
  t.is(ran.out, `Ring version 7 is in force\nNext: partita cluster status --admin ${ran.admin}\n`);
  t.like(ran.asked[1], { action: 'commit', baseVersion: 6, planHash: PLAN_HASH, budgetMs: 20_000 });
  for (const [kind, expected] of [
    ['refused', 1],
    ['conflict', 1],
    ['no-quorum', 4],
    ['unknown', 4],
  ] as const) {
    const facts = { ...DONE, kind, text: 'As it was' };
    const { code, out, err } = await run({ status: STATUS, commit: facts }, 'cluster', 'commit', '--version', '7');
    t.deepEqual([code, out, err], [expected, '', 'error: cluster commit: As it was\n']);
  }
  const none = await run({ status: { ...STATUS, plan: null } }, 'cluster', 'commit', '--version', '7');
  t.deepEqual([none.code, none.err], [2, 'error: There is no plan to commit. Make one: partita cluster plan\n']);
});

test('commit with a join writes the ring for the new node, and says how it is started', async (t) => {
  const file = join(folderFor(t, 'commit'), 'ring-7.json');
  const { nodeId } = RING.members[3] ?? { nodeId: '' };
  const commit = { ...DONE, joined: [{ nodeId, name: 'd' }] };
  const words = ['cluster', 'commit', '--version', '7', '--out', file, '--secret', '/etc/s'];
  const facts = { status: { ...STATUS, joining: ['d'] }, commit };
  const ran = await run(facts, ...words);
  t.is(ran.code, 0, ran.err);
  t.regex(ran.err, /^warning: Nothing is encrypted yet/);
  t.is(
    ran.out,
    `version\t7\nfile\t${file}\nstart\td\tpartitad --init-from ${file} --node d --peer-secret-file /etc/s --data-dir /var/lib/partita/d --client-listen 10.0.0.1:4 --peer-listen 10.0.1.1:4\n`,
  );
  t.like(decodeRingFile(readFileSync(file), HASH), { ring: RING, names: ['node-1', 'node-2', 'node-3', 'd'] });
  const again = await run(facts, ...words);
  t.is(again.code, 2);
  t.regex(again.err, /ring-7\.json is there already and is not overwritten: .*Nothing was committed/);
  t.false(again.asked.some(({ action }) => action === 'commit'));
  const nowhere = await run(facts, ...words.slice(0, 4), '--out', '/nonexistent/r.json');
  t.is(nowhere.code, 2);
  t.regex(nowhere.err, /cannot be written: .*Nothing was committed/);
});

test('ring-file: the ring in force, again', async (t) => {
  const file = join(folderFor(t, 'ring'), 'r.json');
  const { code, out } = await run({ status: STATUS }, 'cluster', 'ring-file', '--out', file, '-o', 'table');
  t.is(code, 0);
  t.regex(out, /In it the nodes are called node-1, node-2, node-3, node-4, by their numbers\n$/);
  t.true(existsSync(file));
  t.like(decodeRingFile(readFileSync(file), HASH), { ring: RING });
});

test('a commit whose answer is lost may have happened, and that is said', async (t) => {
  const silent: Script = (request, peer) => {
    const { body } = request;
    const question = decodeCluster(body, 0, body.length);
    if (!isFault(question) && question.action === 'commit') return true;
    return scripted({ status: STATUS })(request, peer);
  };
  await withAdminSocket(silent, async (admin) => {
    const words = ['cluster', 'commit', '--version', '7', '--admin', admin, '--timeout', '300ms'];
    const { code, err } = await runCli(words);
    t.is(code, 5);
    t.regex(
      err,
      /no reply from .* within 300 ms\. The change may have been decided on all the same: look with partita cluster status/,
    );
  });
});

test('clear and history', async (t) => {
  const cleared = { clear: { staged: ['node 2 leaves'] } };
  t.is((await run(cleared, 'cluster', 'clear', '-o', 'table')).out, 'Forgotten: node 2 leaves\n');
  t.is((await run(cleared, 'cluster', 'clear')).out, 'cleared\tnode 2 leaves\n');
  t.is((await run({ clear: { staged: [] } }, 'cluster', 'clear', '-o', 'table')).out, 'Nothing was staged\n');
  const rings = [
    { version: 2, changedAtMs: NOW, change: 'node 4 joins' },
    { version: 1, changedAtMs: 0, change: '' },
  ];
  const time = new Date(NOW).toISOString();
  t.is((await run({ history: { rings } }, 'cluster', 'history')).out, `2\t${time}\tnode 4 joins\n1\t\tmade\n`);
  t.deepEqual(JSON.parse((await run({ history: { rings } }, 'cluster', 'history', '-o', 'json')).out), {
    rings: [
      { version: 2, change: 'node 4 joins', changedAt: time },
      { version: 1, change: '', changedAt: '' },
    ],
  });
});

test('an answer that is no JSON is a protocol error', async (t) => {
  const babbling: Script = (request, peer) => {
    peer.frame(CLUSTER_REPLY, request.id, encodeClusterReply({ facts: '{' }));
    return true;
  };
  await withAdminSocket(babbling, async (admin) => {
    const { code, err } = await runCli(['cluster', 'status', '--admin', admin]);
    t.is(code, 1);
    t.regex(err, /^error: cluster status: the node has answered with what is no JSON/);
  });
});
