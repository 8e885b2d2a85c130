/* The core on simulated time: which of several nodes a call goes to, and where it goes next. */
import test from 'ava';
import fc from 'fast-check';
import xxhash from 'xxhash-wasm';
import { contextOf } from '../../src/client/opaque-context.js';
import { hash64From } from '../../src/model/hash.js';
import { partitionBits, partitionOf } from '../../src/ring/partition.js';
import { PreferenceTable } from '../../src/ring/preference-table.js';
import { encodePong } from '../../src/wire/codec-connection.js';
import { PING, PONG } from '../../src/wire/kinds.js';
import { failed, ringOf } from '../support/fake-node.js';
import type { FakeNode } from '../support/fake-node.js';
import { A, B, C, severalNodes, simulate, threeNodes } from '../support/simulated-client.js';
import type { Several } from '../support/simulated-client.js';

const FIVE = [A, B, C, '10.0.0.4:7700', '10.0.0.5:7700'];
const five = (routing: 'ring' | 'any' = 'ring'): Several => severalNodes(FIVE, { routing, ringPollMs: 600_000 }, true);

/** Addresses in the order in which the nodes were asked for the key. */
function askedFor(several: Several, key: string): readonly string[] {
  const all = several.nodes.flatMap((node) => node.requests.filter((request) => request.key === key).map(() => node));
  return all.map(({ address }) => address);
}

const ordinalOf = (node: FakeNode | undefined): number =>
  node?.ring.members.find(({ nodeId }) => nodeId === node.nodeId)?.ordinal ?? 0;

function failAll(several: Several, code: 'UNAVAILABLE' | 'OVERLOADED'): string[] {
  const asked: string[] = [];
  for (const node of several.nodes)
    node.script = (request, peer) => {
      if (request.key === '') return false; // a sign of life
      asked.push(`${node.address} ${request.putId} ${request.retry}`);
      peer.fail(request.id, failed(code, 'Not now'));
      return true;
    };
  return asked;
}

test('The preference list is that of the servers: the owners, then their fallbacks in the same order', async (t) => {
  const hash = hash64From(await xxhash());
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 3 }),
      fc.array(fc.constantFrom('', 'a', 'b', 'c'), { minLength: 9, maxLength: 9 }),
      fc.string({ minLength: 1, maxLength: 8 }),
      (count, copies, zones, key) => {
        const { core, network, timers, get } = simulate();
        const members = Array.from({ length: count }, (_, i) => ({
          address: `10.0.1.${i}:7700`,
          nodeId: `${i}`.repeat(32),
        }));
        const plain = ringOf(members, 1, Math.min(copies, count));
        const ring = { ...plain, members: plain.members.map((member, i) => ({ ...member, zone: zones[i] ?? '' })) };
        network.addNode(A).ring = ring;
        get(key);
        timers.advance(20);
        const bytes = Buffer.from(key);
        hash.hash(bytes, 0, bytes.length);
        const partition = partitionOf(hash.hi, partitionBits(ring.partitionCount));
        const expected = Array.from(new PreferenceTable(ring).preferenceList(partition));
        t.deepEqual(
          core.preferenceList(bytes).map(({ address }) => address),
          expected.map((ordinal) => `10.0.1.${ordinal - 1}:7700`),
        );
      },
    ),
    { numRuns: 60 },
  );
});

test('A get goes to the first owner, a put with its context to the node that answered first', (t) => {
  const several = five();
  const { get, put, timers, listOf } = several;
  const [head, second, third] = listOf('k');
  if (head !== undefined) head.fastest = ordinalOf(third);
  const read = get('k');
  timers.advance(20);
  t.deepEqual(askedFor(several, 'k'), [head?.address]);
  const context = read.result?.context;
  t.true(context?.isEmpty, 'nothing is there, and the context remembers all the same who was fastest');
  for (const node of several.nodes) node.requests.length = 0;
  const first = put('k', 'one', 1_000, {}, context);
  timers.advance(20);
  t.deepEqual(askedFor(several, 'k'), [third?.address]);
  // A put measures nobody: what follows on it goes to the same node.
  if (third !== undefined) third.fastest = 0;
  put('k', 'two', 1_000, {}, first.result?.context);
  timers.advance(20);
  put('k', 'three');
  timers.advance(20);
  t.deepEqual(
    [third, head, second].map((node) => node?.requests.length),
    [2, 1, 0],
    'without a context: the first owner',
  );
});

test('A fastest node that is no owner of the key, is not connected or not known is passed over', (t) => {
  const several = five();
  const { put, timers, listOf, network } = several;
  const [head, second, , fallback] = listOf('k');
  for (const ordinal of [ordinalOf(fallback), 77, 0xffff_ffff]) {
    put('k', 'x', 1_000, {}, contextOf(Buffer.from('c'), ordinal));
    timers.advance(20);
  }
  t.is(head?.requests.length, 3);
  network.kill(second?.address ?? '');
  timers.advance(20);
  put('k', 'x', 1_000, {}, contextOf(Buffer.from('c'), ordinalOf(second)));
  timers.advance(20);
  t.is(head?.requests.length, 4);
  t.deepEqual([second?.requests.length, fallback?.requests.length], [0, 0]);
});

test('With routing any nodes take turns, whatever ring and context say', (t) => {
  const several = five('any');
  const { put, timers, listOf, nodes } = several;
  const context = contextOf(Buffer.from('c'), ordinalOf(listOf('k')[1]));
  for (let i = 0; i < 10; i++) {
    put('k', 'x', 1_000, {}, context);
    timers.advance(5);
  }
  t.deepEqual(
    nodes.map((node) => node.requests.length),
    [2, 2, 2, 2, 2],
  );
});

test('A put that fails goes along the list from the owner where it began, with its id, marked', (t) => {
  const several = five();
  const { put, timers, listOf } = several;
  const asked = failAll(several, 'UNAVAILABLE');
  const [a, b, c, d, e] = listOf('k').map(({ address }) => address);
  const ending = put('k', 'x', 60_000, { attemptsMax: 6 }, contextOf(Buffer.from('c'), ordinalOf(listOf('k')[1])));
  timers.advance(30_000);
  t.is(ending.error?.code, 'UNAVAILABLE');
  const [putId] = (asked[0] ?? '').split(' ').slice(1);
  t.deepEqual(
    asked,
    [b, a, c, d, e, b].map((address, i) => `${address} ${putId} ${i > 0}`),
  );
});

test('A retry never goes to the node that has just failed while another is up', (t) => {
  const several = five();
  const { get, timers, listOf, network } = several;
  const [a, b, c] = listOf('k');
  network.kill(a?.address ?? '');
  timers.advance(5);
  if (b !== undefined)
    b.script = (request, peer) => {
      peer.fail(request.id, failed('DRAINING', 'Going down'));
      return true;
    };
  const ending = get('k');
  timers.advance(200);
  t.is(ending.result?.meta.attempts, 2);
  t.deepEqual(
    [a, b, c].map((node) => node?.requests.length),
    [0, 1, 1],
  );
});

test('A node that asks to be spared does not hold up the next of the list', (t) => {
  const several = five();
  const { get, timers, listOf } = several;
  const [head, second] = listOf('k');
  if (head !== undefined)
    head.script = (request, peer) => {
      peer.fail(request.id, { ...failed('OVERLOADED', 'Too busy'), retryAfterMs: 800 });
      return true;
    };
  const ending = get('k');
  timers.advance(60);
  t.is(ending.result?.found, false);
  t.is(second?.requests.length, 1);
});

test('A connection that is lost under a put: the next owner gets it, marked', (t) => {
  const several = five();
  const { put, timers, listOf, network } = several;
  const [head, second] = listOf('k');
  if (head !== undefined)
    head.script = () => {
      timers.endOfTurn(() => {
        network.kill(head.address);
      });
      return true;
    };
  const ending = put('k', 'x');
  timers.advance(200);
  t.is(ending.result?.siblingCount, 1);
  t.deepEqual([head?.requests[0]?.retry, second?.requests[0]?.retry], [false, true]);
  t.is(head?.requests[0]?.putId, second?.requests[0]?.putId);
});

test('With all owners down the first fallback is asked, and owners again when they are back', (t) => {
  const several = five();
  const { get, timers, listOf, network } = several;
  const list = listOf('k');
  for (const owner of list.slice(0, 3)) network.kill(owner.address);
  timers.advance(5);
  const ending = get('k');
  timers.advance(50);
  t.is(ending.result?.found, false);
  t.deepEqual(
    list.map((node) => node.requests.length),
    [0, 0, 0, 1, 0],
  );
  network.down.delete(list[0]?.address ?? '');
  timers.advance(5_000);
  get('k');
  timers.advance(20);
  t.is(list[0]?.requests.length, 1);
});

test('While the first owner is down, the next one is dialled though a fallback could answer', (t) => {
  const { network, timers, core, get } = simulate({ seeds: [A], ringPollMs: 600_000 });
  const members = FIVE.map((address, i) => ({ address, nodeId: `${i}`.repeat(32) }));
  for (const { address, nodeId } of members) network.addNode(address, nodeId).ring = ringOf(members, 1, 3);
  get('warm');
  timers.advance(20);
  const list = (key: string): readonly string[] => core.preferenceList(Buffer.from(key)).map(({ address }) => address);
  // A key for which A, the only node that is connected, is a fallback.
  const key = Array.from({ length: 200 }, (_, i) => `k${i}`).find((name) => list(name).indexOf(A) >= 3) ?? '';
  const [head = '', second = ''] = list(key);
  network.down.add(head);
  for (let i = 0; i < 4; i++) {
    get(key);
    timers.advance(20);
  }
  t.is(core.nodes().find(({ address }) => address === second)?.state, 'up');
  t.true((network.nodes.get(second)?.requests.length ?? 0) > 0);
});

test('A node that hangs costs the calls that it has, not those that follow; and it is asked again when it answers', (t) => {
  const several = five();
  const { get, timers, listOf, network, core } = several;
  const [head, second] = listOf('k');
  if (head === undefined || second === undefined) throw new Error('There are five');
  head.silent = true;
  const lost = get('k', 200);
  timers.advance(210);
  t.is(lost.error?.code, 'TIMEOUT');
  const next = get('k', 200);
  timers.advance(20);
  t.is(next.result?.found, false);
  t.is(next.result?.meta.nodeId, second.nodeId);
  t.is(core.peerOf(head.address)?.isUp, true, 'its connection is kept: it may only be slow');
  head.silent = false;
  // The sign that it was asked for has been swallowed; the next thing that it says makes it good again.
  network.of(head.address)[0]?.peer.frame(PONG, 0, encodePong({ ringVersion: 1, wallMs: 1 }));
  timers.advance(5);
  get('k');
  timers.advance(20);
  t.is(head.requests.length, 1);
});

test('A call that is slow on a connection where others are answered casts no doubt on the node', (t) => {
  const several = five();
  const { get, timers, listOf } = several;
  const [head] = listOf('k');
  if (head === undefined) throw new Error('There are five');
  head.script = ({ key, kind }) => key === 'k' || kind === PING; // a sign that was asked for would hide the doubt
  const slow = get('k', 200);
  timers.advance(100);
  const other = Array.from({ length: 500 }, (_, i) => `o${i}`).find((key) => listOf(key)[0] === head) ?? '';
  get(other);
  timers.advance(110);
  t.is(slow.error?.code, 'TIMEOUT');
  head.script = null;
  get('k');
  timers.advance(20);
  t.is(head.requests.filter(({ key }) => key === 'k').length, 2);
});

test('Many keys go in one frame to each node that they begin at, those of a dead one to their next owners', (t) => {
  const several = five();
  const { core, timers, network, listOf } = several;
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  const goesTo = (key: string): string => core.firstPeer(Buffer.from(key), 0).address;
  for (const key of keys) t.is(goesTo(key), listOf(key)[0]?.address ?? '');
  network.kill(B);
  timers.advance(5);
  for (const key of keys) t.is(goesTo(key), listOf(key).find(({ address }) => address !== B)?.address ?? '');
  const owner = listOf('k0').find(({ address }, place) => place > 0 && address !== B);
  t.is(core.firstPeer(Buffer.from('k0'), ordinalOf(owner)).address, owner?.address ?? '');
  const any = five('any').core;
  t.is(new Set(keys.map((key) => any.firstPeer(Buffer.from(key), 0))).size, 1);
});

test('A newer ring is fetched from the node that answered by it, not from one that may not know it', (t) => {
  const several = five();
  const { get, timers, listOf, core, nodes } = several;
  const [head] = listOf('k');
  if (head !== undefined) head.ring = { ...head.ring, version: 2 };
  get('k');
  timers.advance(20);
  t.is(core.ring?.version, 2);
  t.is(nodes.filter(({ ring }) => ring.version === 2).length, 1);
});

test('An answer names its owners and fallbacks by id; those of a ring that is not known yet by ordinal', (t) => {
  const { get, timers, nodes, listOf, core } = threeNodes();
  const read = get('k');
  timers.advance(20);
  const { meta } = read.result ?? {};
  t.deepEqual([meta?.owners, meta?.fallbacks], [[meta?.nodeId], []]);
  t.true(listOf('k').some(({ nodeId }) => nodeId === meta?.nodeId) && nodes.length === 3);
  t.deepEqual(core.nodeIdsOf([2, 9, 1]), [nodes[1]?.nodeId, '#9', nodes[0]?.nodeId]);
});
