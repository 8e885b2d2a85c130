/* The core on simulated time: whom calls pass over, where they go instead, and what a lost connection costs them. */
import test from 'ava';
import { fc, testProp } from '@fast-check/ava';
import { PartitaError } from '../../src/client/errors.js';
import { ExplainOperation } from '../../src/client/operations/diagnostics.js';
import { GetOperation } from '../../src/client/operations/get.js';
import { codecs } from '../../src/client/codecs.js';
import { encodePong } from '../../src/wire/codec-connection.js';
import { PING, PONG } from '../../src/wire/kinds.js';
import { failed } from '../support/fake-node.js';
import type { Request } from '../support/fake-node.js';
import type { ScriptedPeer } from '../support/scripted-peer.js';
import { LIMIT_MS, asked, ended, hangs, holds, listed, neverMind, refuses, three } from '../support/silent-nodes.js';
import { A, B, C, oneNode, severalNodes, simulate } from '../support/simulated-client.js';

test('A call that is meant for one node is not moved', (t) => {
  const several = three();
  const [head, second, third] = listed(several);
  hangs(head);
  const reading = { codec: codecs.utf8, resolver: undefined };
  const errors: unknown[] = [];
  const get = new GetOperation(
    Buffer.from('k'),
    { r: 0, strict: false },
    reading,
    () => {
      t.fail('Nobody has answered');
    },
    (error) => errors.push(error),
  );
  several.core.start(get, 600, { attemptsMax: 3, baseDelayMs: 25, maxDelayMs: 1_000 }, head.address);
  several.timers.advance(610);
  t.true(PartitaError.is(errors[0], 'TIMEOUT'));
  t.deepEqual([asked(second).length, asked(third).length], [0, 0]);
});

test('A node is passed over while it says nothing, and used again when it does', (t) => {
  const several = three();
  const [head, second] = listed(several);
  hangs(head);
  several.get('k');
  several.timers.advance(LIMIT_MS + 10);
  for (let i = 0; i < 10; i++) {
    const read = several.get('k');
    several.timers.advance(5);
    t.is(ended(t, read).meta.attempts, 1);
  }
  t.is(asked(second).length, 11);
  head.silent = false;
  several.network.of(head.address)[0]?.peer.frame(PONG, 0, encodePong({ ringVersion: 1, wallMs: 1 }));
  several.timers.advance(5);
  const again = several.get('k');
  several.timers.advance(5);
  t.deepEqual([ended(t, again).meta.nodeId, ended(t, again).meta.attempts], [head.nodeId, 1]);
});

test('A node that gives signs of life and no answers is passed over too, and tried again after a second', (t) => {
  const several = three();
  const [head] = listed(several);
  const held: Request[] = [];
  head.script = (request) => request.kind !== PING && held.push(request) > 0;
  const counts: number[] = [];
  for (let i = 0; i < 400; i++) {
    const read = several.get('k');
    several.timers.advance(10);
    t.is(read.error, null);
    counts.push(held.length);
  }
  several.timers.advance(200);
  t.is(several.core.stats().timeouts, 0);
  const [firstSecond = 0, , , fourSeconds = 0] = [99, 199, 299, 399].map((i) => counts[i]);
  t.true(firstSecond >= 5 && firstSecond <= 25, `${firstSecond}`);
  t.true(fourSeconds > firstSecond && fourSeconds <= 4 * 25, `${fourSeconds}`);
  head.script = null;
  several.timers.advance(1_100);
  const again = several.get('k');
  several.timers.advance(5);
  t.is(ended(t, again).meta.nodeId, head.nodeId);
});

test('A node that accepts and never greets costs a call one limit', (t) => {
  const several = simulate({ seeds: [A, B], attemptTimeoutMs: LIMIT_MS, ringPollMs: 600_000, routing: 'any' });
  for (const address of [A, B]) several.network.addNode(address);
  const first = several.get('k');
  several.timers.advance(0);
  for (const node of several.network.nodes.values()) node.silent = node.address === first.call.peer?.address;
  several.timers.advance(LIMIT_MS + 10);
  t.is(ended(t, first).meta.attempts, 1, 'it was given to one node only');
  t.is(several.core.stats().hedges, 0);
});

test('Calls that wait for room at a node that has stopped go elsewhere, and those at a busy one stay', (t) => {
  const several = three({ inFlightMax: 2 });
  const [head] = listed(several);
  hangs(head);
  const endings = Array.from({ length: 6 }, () => several.get('k'));
  several.timers.advance(LIMIT_MS + 20);
  t.true(endings.every(({ result }) => result !== null));

  const busy = three({ inFlightMax: 1 });
  const [first] = listed(busy);
  first.script = (request, peer) => {
    busy.timers.after(LIMIT_MS - 10, () => {
      peer.answer(request);
    });
    return true;
  };
  const waiting = Array.from({ length: 5 }, () => busy.get('k'));
  busy.timers.advance(5 * LIMIT_MS);
  t.deepEqual(
    waiting.map((ending) => ended(t, ending).meta.nodeId),
    waiting.map(() => first.nodeId),
  );
});

test('Three hundred calls on a connection that breaks all succeed elsewhere', (t) => {
  const several = three({ attemptTimeoutMs: 'auto', waitingMax: 1_000 });
  const { timers, network } = several;
  const [head] = listed(several);
  const held = holds(head);
  const endings = [
    ...Array.from({ length: 150 }, () => several.get('k')),
    ...Array.from({ length: 150 }, (_, i) => several.put('k', `${i}`)),
  ];
  timers.advance(20);
  t.is(held.length, 300);
  network.kill(head.address);
  timers.advance(100);
  t.true(endings.every(({ result, ends }) => ends === 1 && result !== null));
  t.is(several.core.stats().retriesDenied, 0);
});

test('With all nodes down a call has its attempts, waits before each, and is not sent', (t) => {
  const several = three({ waitingMax: 1_000 });
  const { timers, network, nodes } = several;
  const held = nodes.map(holds);
  const endings = Array.from({ length: 300 }, (_, i) => several.put(`k${i}`, 'x'));
  timers.advance(10);
  const sent = held.reduce((sum, { length }) => sum + length, 0);
  const dials = network.dials;
  for (const { address } of nodes) network.kill(address);
  timers.advance(3_000);
  t.true(endings.every(({ ends, error }) => ends === 1 && error?.outcomeUnknown === true));
  t.is(
    held.reduce((sum, { length }) => sum + length, 0),
    sent,
  );
  t.true(network.dials - dials <= 45, `${network.dials - dials} dials`);
});

test('What has arrived while we stood still is read before a node is called silent', (t) => {
  const several = three();
  const { timers, told } = several;
  timers.advance(1_000); // timers of calls that have ended
  for (const node of several.nodes)
    node.script = (request, peer) => {
      timers.after(20, () => {
        peer.answer(request);
      });
      return true;
    };
  const reads = Array.from({ length: 5 }, () => several.get('k'));
  timers.settle();
  timers.stall(2 * LIMIT_MS);
  t.true(reads.every(({ result }) => result !== null));
  t.deepEqual([several.core.stats().hedges, told.filter((text) => text.startsWith('retry')).length], [0, 0]);
});

test('A call that is given back by a silent node has not used up an attempt', (t) => {
  const several = three({ inFlightMax: 1 });
  const [head, second, third] = listed(several);
  hangs(head);
  refuses(second, 'OVERLOADED');
  several.get('k');
  const waiting = several.get('k', 1_000, { attemptsMax: 2 });
  several.timers.advance(LIMIT_MS + 150);
  t.is(ended(t, waiting).meta.nodeId, third.nodeId);
});

test('A node that has the call already is not asked again while another one is up', (t) => {
  const several = three();
  const { timers, network, listOf } = several;
  const [head, second, third] = listed(several);
  const other = Array.from({ length: 500 }, (_, i) => `o${i}`).find((key) => listOf(key)[0] === head) ?? '';
  head.script = ({ key }) => key === 'k'; // slow with this key, and known to be well
  refuses(second, 'OVERLOADED');
  network.kill(third.address);
  timers.advance(5);
  several.get('k', 1_000, { attemptsMax: 6 });
  timers.advance(20);
  several.get(other);
  timers.advance(900);
  t.is(asked(head).filter(({ key }) => key === 'k').length, 1);
  t.true(asked(second).length >= 2);
});

test('A call may be aborted by what another one does when their connection breaks', (t) => {
  const { core, network, get, timers, node } = oneNode();
  node.script = () => true;
  const errors: unknown[] = [];
  const reading = { codec: codecs.utf8, resolver: undefined };
  const first = new GetOperation(Buffer.from('a'), { r: 0, strict: false }, reading, neverMind, (error) => {
    errors.push(error);
    core.abort(second.call, 'as the other has failed');
  });
  core.start(first, 1_000, { attemptsMax: 1, baseDelayMs: 25, maxDelayMs: 1_000 });
  const second = get('b');
  timers.advance(5);
  network.kill(A);
  timers.advance(5);
  t.true(PartitaError.is(errors[0], 'CONNECTION'));
  t.deepEqual([second.error?.code, second.ends], ['ABORTED', 1]);
});

test('An answer is ascribed to the node that gave it, not to the one that was asked last', (t) => {
  const several = three();
  const [head, second] = listed(several);
  const [held] = [holds(head), holds(second)];
  const nodes: string[] = [];
  const explain = new ExplainOperation(Buffer.from('k'), ({ node }) => nodes.push(node), neverMind);
  several.core.start(explain, 1_000, { attemptsMax: 3, baseDelayMs: 25, maxDelayMs: 1_000 });
  several.timers.advance(LIMIT_MS + 10);
  held[0]?.peer.answer(held[0].request);
  several.timers.advance(5);
  t.deepEqual(nodes, [head.address]);
});

const fault = fc.constantFrom('answer', 'answer', 'late', 'later', 'never', 'cut', 'fail', 'refuse', 'hang', 'wake');

testProp(
  'Whatever several nodes do, every call ends once, by its deadline; a put that a node has taken is never said to be undone',
  [fc.array(fault, { minLength: 1, maxLength: 60 }), fc.integer()],
  (t, faults, seed) => {
    const several = severalNodes([A, B, C], { attemptTimeoutMs: 20, inFlightMax: 8, waitingMax: 16 }, true);
    const { timers, network, core } = several;
    const taken: Set<string> = new Set();
    let turn = Math.abs(seed) % 60;
    for (const node of several.nodes) {
      const take = (request: Request, peer: ScriptedPeer): void => {
        taken.add(Buffer.from(request.value ?? '').toString());
        if (!node.silent) peer.answer(request);
      };
      node.script = (request, peer) => {
        if (request.kind === PING) return false;
        const what = faults[turn++ % faults.length];
        if (what === 'answer') take(request, peer);
        if (what === 'late') timers.after(30, () => take(request, peer));
        if (what === 'later') timers.after(200, () => take(request, peer));
        if (what === 'cut') timers.endOfTurn(() => network.of(node.address)[0]?.cut('reset'));
        if (what === 'fail') peer.fail(request.id, failed('UNAVAILABLE', 'Not now'));
        if (what === 'refuse') peer.fail(request.id, failed('INVALID_CONTEXT', 'No'));
        if (what === 'hang') node.silent = true;
        if (what === 'wake') for (const other of several.nodes) other.silent = false;
        return true;
      };
    }
    const puts = Array.from({ length: 40 }, (_, i) => {
      timers.advance(i % 7);
      return { name: `value ${i}`, ending: several.put(`k${i % 8}`, `value ${i}`, 300) };
    });
    const reads = Array.from({ length: 20 }, (_, i) => several.get(`k${i % 8}`, 300));
    timers.advance(310);
    for (const { name, ending } of puts) {
      t.is(ending.ends, 1);
      if (ending.error !== null && taken.has(name)) t.true(ending.error.outcomeUnknown, name);
    }
    for (const { ends } of reads) t.is(ends, 1);
    t.is(core.stats().inFlight, 0);
    timers.advance(1_000);
    t.true(puts.every(({ ending }) => ending.ends === 1));
  },
  { numRuns: 60 },
);
