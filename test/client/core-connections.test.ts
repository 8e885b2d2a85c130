/* The core on simulated time: connections, nodes and the ring. */
import test from 'ava';
import { failed, ringOf } from '../support/fake-node.js';
import { A, oneNode, simulate, threeNodes } from '../support/simulated-client.js';

test('GoAway: nothing new on that connection, answers under way still come', (t) => {
  const { node, network, get, timers } = oneNode();
  const held: (() => void)[] = [];
  node.script = (request, peer) =>
    held.push(() => {
      peer.answer(request);
    }) > 0;
  const underWay = get('a');
  timers.advance(5);
  node.script = null;
  const old = network.of(A)[0];
  old?.peer.goAway('draining');
  timers.advance(1);
  const next = get('b');
  timers.advance(200);
  t.is(next.result?.found, false);
  t.is(underWay.ends, 0);
  t.false(old?.closed);
  for (const answer of held) answer();
  timers.advance(5);
  t.is(underWay.result?.found, false);
  t.true(old?.closed, 'the last answer has come');
  t.is(network.connections.length, 2);
});

test('When a node dies its calls go to the next of the preference list, and come back when it is up again', (t) => {
  const { nodes, network, get, timers, core } = threeNodes();
  const first = core.preferenceList(Buffer.from('key'))[0]?.address ?? '';
  const counts = (): number => nodes.find(({ address }) => address === first)?.requests.length ?? -1;
  get('key'); // if it is not connected yet, another node answers and it is dialled in passing
  timers.advance(20);
  for (const node of nodes) node.requests.length = 0;
  get('key');
  timers.advance(20);
  t.is(counts(), 1);
  network.kill(first);
  const meanwhile = get('key');
  timers.advance(200);
  t.is(meanwhile.result?.found, false);
  t.is(counts(), 1);
  network.down.delete(first);
  timers.advance(5_000);
  get('key');
  timers.advance(20);
  t.is(counts(), 2);
});

test('Reconnecting waits longer and longer, up to two seconds, with jitter', (t) => {
  const { network, timers } = oneNode();
  network.kill(A);
  const before = network.dials;
  timers.advance(60_000);
  const dials = network.dials - before;
  t.true(dials >= 30 && dials <= 120, `${dials} dials in a minute`);
});

test('A node that accepts and hangs up is not dialled in a loop', (t) => {
  const { network, timers, get } = simulate();
  const node = network.addNode(A);
  node.refuse = () => failed('DRAINING', 'Going down');
  get('a');
  timers.advance(60_000);
  t.true(network.dials <= 120, `${network.dials}`);
});

test('A refused greeting fails the call with the server’s reason, and is not tried again by it', (t) => {
  const { network, timers, get } = simulate();
  const node = network.addNode(A);
  node.refuse = () => failed('UNAUTHENTICATED', 'No such token');
  const ending = get('a');
  timers.advance(100);
  t.is(ending.error?.code, 'UNAUTHENTICATED');
  t.deepEqual(node.tokens[0], 'secret');
});

test('A server that accepts and says nothing costs the connect timeout', (t) => {
  const { network, timers, get } = simulate({ connectTimeoutMs: 200 });
  network.addNode(A).silent = true;
  const ending = get('a', 5_000, { attemptsMax: 1 });
  timers.advance(300);
  t.is(ending.error?.code, 'CONNECTION');
  t.regex(ending.error?.message ?? '', /did not answer the greeting within 200 ms/);
});

test('A connection that has fallen silent is given up, an idle one is kept', (t) => {
  const { node, network, timers, core } = oneNode({ keepAliveMs: 1_000 });
  timers.advance(60_000);
  t.is(network.connections.length, 1);
  node.silent = true;
  timers.advance(3_000);
  t.true(network.connections[0]?.closed);
  t.not(core.nodes()[0]?.state, 'up');
});

test('The ring is polled, and fetched at once when an answer names a newer one', (t) => {
  const { node, timers, core, told, get } = oneNode();
  node.ring = { ...node.ring, version: 2 };
  get('a');
  timers.advance(5);
  t.is(core.ring?.version, 2);
  node.ring = { ...node.ring, version: 3 };
  timers.advance(10_000);
  t.is(core.ring?.version, 3);
  t.deepEqual(
    told.filter((line) => line.startsWith('ring')),
    ['ring 1', 'ring 2', 'ring 3'],
  );
});

test('A ring that cannot be one does not replace ours', (t) => {
  const { node, timers, core, get } = oneNode();
  node.ring = { ...node.ring, version: 2, owners: node.ring.owners.map(() => 77) };
  get('a');
  timers.advance(5);
  t.is(core.ring?.version, 1);
  const ending = get('b');
  timers.advance(5);
  t.is(ending.result?.found, false);
});

test('One node known by two addresses is connected to once', (t) => {
  const { network, timers, core, get } = simulate({ seeds: ['localhost:7700'] });
  const node = network.addNode('localhost:7700');
  network.nodes.set(A, node);
  node.ring = ringOf([{ nodeId: node.nodeId, address: A }]);
  for (let i = 0; i < 5; i++) {
    get(`k${i}`);
    timers.advance(20);
  }
  t.is(network.connections.length, 1);
  t.deepEqual(
    core.nodes().map(({ address, state }) => `${address} ${state}`),
    ['localhost:7700 up'],
  );
});

test('Closing refuses new calls, waits for those under way, then hangs up', (t) => {
  const { node, network, get, timers, core } = oneNode();
  const held: (() => void)[] = [];
  node.script = (request, peer) =>
    held.push(() => {
      peer.answer(request);
    }) > 0;
  const underWay = get('a');
  timers.advance(5);
  let closed = 0;
  core.close(5_000, () => {
    closed += 1;
  });
  const refused = get('b');
  t.is(refused.error?.code, 'CLOSED');
  timers.advance(100);
  t.is(closed, 0);
  for (const answer of held) answer();
  timers.advance(5);
  t.is(underWay.result?.found, false);
  t.is(closed, 1);
  t.true(network.connections.every((connection) => connection.closed));
  timers.advance(60_000);
  t.is(network.connections.length, 1, 'nothing is dialled after that');
  t.is(timers.pending, 0, 'and no timer is left');
});

test('Closing gives up what does not end within the grace', (t) => {
  const { node, put, timers, core } = oneNode();
  node.script = () => true;
  const stuck = put('a', 'x', 60_000);
  let closed = false;
  timers.advance(5);
  core.close(200, () => {
    closed = true;
  });
  timers.advance(250);
  t.deepEqual([stuck.error?.code, stuck.error?.outcomeUnknown, closed], ['CLOSED', true, true]);
});

test('Several connections to a node take turns', (t) => {
  const { node, network, get, timers } = oneNode({ connections: 4 });
  node.script = () => true;
  for (let i = 0; i < 40; i++) get(`k${i}`);
  timers.advance(5);
  t.is(network.connections.length, 4);
  t.is(node.requests.length, 40);
  const used = new Set(node.requests.map(({ id }) => id & 0xffff));
  t.is(used.size, 10, 'each has ten under way, in slots 0 to 9 of its own');
});
