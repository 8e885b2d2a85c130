/* partita balance, against a scripted node on a unix socket. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { windowOf, WINDOW_MS } from '../../src/balance/load-counters.js';
import type { KeyLoad, NodeLoad } from '../../src/model/load-messages.js';
import { encodeRing } from '../../src/ring/document.js';
import { decodeBalance, encodeBalanceReply } from '../../src/wire/codec-loads.js';
import { BALANCE, BALANCE_REPLY } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { keyIn, nodesOf } from '../balance/loads.js';
import { documentOf, members, tableOf } from '../ring/rings.js';
import { withAdminSocket } from '../support/admin-socket.js';
import type { Script } from '../support/fake-node.js';
import { runCli } from '../support/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const Q = 16;
const BITS = 4;
const TABLE = tableOf(members(4), Q, 3);
const RING = documentOf(TABLE);
const EVEN = Array.from({ length: Q }, () => 1_000);
const CROWDED = EVEN.map((weight, partition) => (partition === 3 ? 5 * weight : weight));
const HOT: readonly KeyLoad[] = [keyIn(3, BITS, 4_000, 'cart:hot'), keyIn(4, BITS, 40, '\u001b[31m')];

interface Asked {
  windows: number;
}

function answering(nodes: readonly NodeLoad[], asked: Asked = { windows: 0 }): Script {
  return (request, peer) => {
    if (request.kind !== BALANCE) throw new Error('Only the balance is asked for');
    const question = decodeBalance(request.body, 0, request.body.length);
    if (isFault(question)) throw new Error(question);
    asked.windows = question.windows;
    peer.frame(BALANCE_REPLY, request.id, encodeBalanceReply({ self: 1, ring: encodeRing(RING), nodes }));
    return true;
  };
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(script: Script, ...words: readonly string[]): Promise<Ran> {
  let ran: Ran = { code: -1, out: '', err: '' };
  await withAdminSocket(script, async (admin) => {
    ran = await runCli(['balance', ...words, '--admin', admin], { env: { NO_COLOR: '1' } });
  });
  return ran;
}

test('people see nodes, the efficiency and what it is made of, popular keys and what to make of it', async (t) => {
  const { code, out, err } = await run(answering(nodesOf(TABLE, CROWDED, HOT)), '-o', 'table');
  t.deepEqual([code, err], [0, '']);
  t.regex(out, /│ node │ id +│ clients +│ capacity │ tokens │ replicas │ requests │ reads/);
  t.regex(out, /│ 1 +│ 00000000 │ 10\.0\.0\.1:1 │ 1 +│ 4 +│ 12 +│/);
  t.regex(
    out,
    /60000 reads and writes by the nodes\nLoad balancing efficiency 0\.\d{3} \(mean node ÷ hottest; 1: even\); /,
  );
  t.regex(out, / {2}= placement 1\.000 × tokens 0\.99\d × keys 0\.9\d\d × owners 1\.000\n/);
  t.regex(out, / {2}keys: some keys alone ask for much/);
  t.regex(out, /2 keys with 0\.1 % of the requests or more:/);
  t.regex(out, /│ cart:hot +│ 20\.00 % │ 4000 +│ 0 +│ 3 +│ \d, \d, \d │/);
  t.false(out.includes('\u001b'), 'what a terminal would obey is not passed on');
});

test('programs get lines with names, or JSON with everything', async (t) => {
  const script = answering(nodesOf(TABLE, CROWDED, HOT));
  const { out } = await run(script, '--keys', '1');
  const words = out
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')[0]);
  t.deepEqual(words, ['node', 'node', 'node', 'node', 'efficiency', 'split', 'key', 'window']);
  const json = JSON.parse((await run(script, '-o', 'json')).out) as Record<string, unknown> & {
    keys: readonly Record<string, unknown>[];
    nodes: readonly unknown[];
    ownerLoads: readonly number[];
  };
  t.is(json.nodes.length, 4);
  t.is(json['ringVersion'], 1);
  t.is(json['whatIf'], null);
  t.is(json.ownerLoads[3], 5_000);
  t.like(json.keys[0], { key: 'cart:hot', keyHex: '636172743a686f74', partition: 3, requests: 4_000, share: 0.2 });
  t.deepEqual(json.keys[0]?.['owners'], TABLE.owners.slice(9, 12));
});

test('what another ring would do is told beside what is', async (t) => {
  const script = answering(nodesOf(TABLE, CROWDED, HOT));
  const join = await run(script, '--what-if', 'join,capacity=2', '--what-if', 'leave=3', '-o', 'table');
  t.is(join.code, 0);
  t.regex(join.out, /What if: \d+ replicas would be copied\n/);
  t.regex(join.out, /of this load 0\.\d{3} → 0\.\d{3} \(owners of a partition alike\)/);
  t.regex(join.out, /│ 5 +│ +│ \d+ +│ +│ \d+ +│ +│ [+-]?\d+\.\d % │/);
  const cut = await run(script, '--what-if', 'q=64', '-o', 'table');
  t.regex(cut.out, /Q never changes: this would be a new cluster with 64 partitions/);
  const raw = await run(script, '--what-if', 'q=64');
  t.is(raw.out.split('\n').filter((line) => line.startsWith('what-if-node\t')).length, 4);
});

test('a drawing is written, and replaced', async (t) => {
  const folder = temporaryFolder('balance');
  t.teardown(() => {
    folder.remove();
  });
  const file = join(folder.path, 'b.svg');
  for (const more of [[], ['--what-if', 'join']]) {
    t.is((await run(answering(nodesOf(TABLE, CROWDED, HOT)), '--svg', file, ...more)).code, 0);
    const svg = readFileSync(file, 'utf8');
    t.true(svg.startsWith('<svg ') && svg.endsWith('</svg>\n'));
    t.is(svg.includes('What if'), more.length > 0);
  }
});

test('a silent node, few requests and nothing at all are said so', async (t) => {
  const nodes = nodesOf(TABLE, EVEN).map((node) =>
    node.ordinal === 2 ? { ...node, silence: 'is not connected: no route', report: null } : node,
  );
  const silent = await run(answering(nodes), '-o', 'table');
  t.is(silent.err, 'warning: Node 2 is not connected: no route: all figures are without it\n');
  t.regex(silent.out, /│ not known +│/);
  t.regex(silent.out, /0 of 3 nodes more than 15 % off/);
  const few = await run(answering(nodesOf(TABLE, new Array<number>(Q).fill(2))), '-o', 'table');
  t.regex(few.err, /^warning: Few requests: chance alone would make the efficiency 0\.\d\d/);
  t.regex(few.out, /No key has 0\.1 % of the requests/);
  const none = await run(answering(nodesOf(TABLE, new Array<number>(Q).fill(0))), '-o', 'table');
  t.regex(none.out, /No gets and puts from .*Placement efficiency 1\.000 \(1: even\)\n$/);
});

test('--since asks for the half hours that are begun in it', async (t) => {
  const asked = { windows: 0 };
  const script = answering(nodesOf(TABLE, EVEN), asked);
  await run(script);
  t.true(asked.windows === 2 || asked.windows === 1);
  await run(script, '--since', '24h');
  t.is(asked.windows, 48);
  await run(script, '--since', '1ms');
  t.true(asked.windows === 1 || windowOf(Date.now()) * WINDOW_MS > Date.now() - 10_000);
});

test('wishes that cannot be are refused with the reason', async (t) => {
  const script = answering(nodesOf(TABLE, EVEN));
  for (const [words, expected] of [
    [['--what-if', 'grow'], /"grow" is none of join\[,capacity=N\]\[,zone=NAME\], leave=NODE and q=PARTITIONS/],
    [['--what-if', 'join,colour=red'], /join,colour=red: after join can be capacity=N and zone=NAME/],
    [['--what-if', 'leave=9'], /no member of the ring is meant by it/],
    [['--what-if', 'q=12'], /power of two/],
    [['--what-if', 'q=4', '--what-if', 'join'], /goes with no other change/],
    [['--what-if', 'leave=1', '--what-if', 'leave=2'], /2 nodes would stay, and each key is kept on 3/],
    [['--since', '25h'], /25h is more than the 24h that nodes remember/],
    [['--keys', 'all'], /--keys/],
    [['--svg', '/nonexistent/b.svg'], /--svg: cannot write \/nonexistent\/b\.svg: ENOENT/],
  ] as const) {
    const { code, err } = await run(script, ...words);
    t.is(code, 2, words.join(' '));
    t.regex(err, expected);
  }
});
