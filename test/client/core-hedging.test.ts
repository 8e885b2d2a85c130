/* The core on simulated time: an attempt that is silent is joined by another, and what comes of the two. */
import test from 'ava';
import { PartitaError } from '../../src/client/errors.js';
import { encodePong } from '../../src/wire/codec-connection.js';
import { PONG } from '../../src/wire/kinds.js';
import { failed } from '../support/fake-node.js';
import type { FakeNode } from '../support/fake-node.js';
import { LIMIT_MS, asked, ended, hangs, holds, listed, refuses, three } from '../support/silent-nodes.js';
import { A, B, C, severalNodes } from '../support/simulated-client.js';
import type { Ending } from '../support/simulated-client.js';

test('A node that stops costs a call one limit and not its deadline', (t) => {
  const several = three();
  const [head, second] = listed(several);
  hangs(head);
  const read = several.get('k');
  const write = several.put('k', 'x');
  several.timers.advance(LIMIT_MS - 5);
  t.deepEqual([read.ends, write.ends], [0, 0]);
  several.timers.advance(20);
  const { meta } = ended(t, read);
  t.deepEqual([meta.nodeId, meta.attempts], [second.nodeId, 2]);
  t.true(meta.durationMs >= LIMIT_MS && meta.durationMs < LIMIT_MS + 15, `${meta.durationMs} ms`);
  t.is(ended(t, write).siblingCount, 1);
  t.is(several.core.stats().hedges, 2);
  t.true(several.told.includes('retry put 2'));
});

test('With one of three nodes stopped in the middle no call takes much longer than a limit, and few take that', (t) => {
  const several = three({ attemptTimeoutMs: 'auto' });
  const { timers, core, nodes } = several;
  for (const node of nodes)
    node.script = (request, peer) => {
      timers.after(2, () => {
        if (!node.silent) peer.answer(request);
      });
      return true;
    };
  const endings: Ending<{ readonly meta: { readonly durationMs: number } }>[] = [];
  for (let i = 0; i < 3_000; i++) {
    if (i === 1_000) hangs(nodes[1] as FakeNode);
    const key = `k${i % 100}`;
    endings.push(i % 2 === 0 ? several.get(key) : several.put(key, `${i}`));
    timers.advance(1);
  }
  timers.advance(1_000);
  const durations = endings.map((ending) => ended(t, ending).meta.durationMs);
  const late = durations.filter((ms) => ms > 10);
  t.true(Math.max(...durations) <= 150, `${Math.max(...durations)} ms`);
  t.true(late.length >= 10 && late.length <= 60, `${late.length} late`);
  t.is(core.stats().timeouts, 0);
  t.is(core.stats().retriesDenied, 0);
});

test('The first limit is 250 ms; then it follows the answers, of each kind apart, within 50 and 500', (t) => {
  const fresh = severalNodes([A, B, C], { attemptTimeoutMs: 'auto', ringPollMs: 600_000 });
  const [head] = listed(fresh);
  hangs(head);
  const write = fresh.put('k', 'x');
  fresh.timers.advance(245);
  t.is(write.ends, 0);
  fresh.timers.advance(20);
  t.is(write.ends, 1);

  const hurried = severalNodes([A, B, C], { attemptTimeoutMs: 'auto', ringPollMs: 600_000 });
  hangs(listed(hurried)[0]);
  const read = hurried.get('k', 300);
  hurried.timers.advance(95);
  t.is(read.ends, 0);
  hurried.timers.advance(20);
  t.is(read.ends, 1, 'a third of its deadline');

  const durationAfter = (answersMs: number): number => {
    const several = three({ attemptTimeoutMs: 'auto' });
    const [first] = listed(several);
    for (const node of several.nodes)
      node.script = (request, peer) => {
        several.timers.after(answersMs, () => {
          peer.answer(request);
        });
        return true;
      };
    for (let i = 0; i < 600; i++) {
      several.get(`o${i}`, 60_000);
      several.timers.advance(answersMs);
    }
    hangs(first);
    const late = several.get('k', 60_000);
    several.timers.advance(5_000);
    return ended(t, late).meta.durationMs - answersMs;
  };
  const fast = durationAfter(1);
  const middling = durationAfter(40);
  const slow = durationAfter(400);
  t.true(fast >= 50 && fast <= 60, `${fast}`);
  t.true(middling >= 160 && middling <= 200, `${middling}`);
  t.true(slow >= 500 && slow <= 510, `${slow}`);
});

test('Both attempts of a put carry one id, the second is marked, and the late answer of the first may be the answer', (t) => {
  const several = three();
  const [head, second] = listed(several);
  const [first, other] = [holds(head), holds(second)];
  const write = several.put('k', 'x');
  several.timers.advance(LIMIT_MS + 10);
  t.deepEqual(
    [first, other].map((held) => held.map(({ request }) => [request.putId, request.retry])),
    [[[first[0]?.request.putId, false]], [[first[0]?.request.putId, true]]],
  );
  first[0]?.peer.answer(first[0].request);
  several.timers.advance(5);
  const { meta } = ended(t, write);
  t.deepEqual([meta.nodeId, meta.attempts], [head.nodeId, 2]);
  t.is(several.core.stats().inFlight, 0);
  other[0]?.peer.answer(other[0].request);
  several.timers.advance(5);
  t.is(write.ends, 1);
  t.is(several.core.stats().lateReplies, 1);
});

test('An error of one attempt ends nothing while another may be answered', (t) => {
  for (const code of ['OVERLOADED', 'UNAVAILABLE', 'INTERNAL', 'RETRY_TOO_LATE'] as const) {
    const several = three();
    const [head, second, third] = listed(several);
    const held = holds(head);
    for (const node of [second, third]) refuses(node, code, code === 'RETRY_TOO_LATE');
    const write = several.put('k', 'x');
    several.timers.advance(500);
    t.is(write.ends, 0, code);
    held[0]?.peer.answer(held[0].request);
    several.timers.advance(5);
    t.is(ended(t, write).meta.nodeId, head.nodeId);
  }
});

test('An error of the silent attempt does not end the one that follows it', (t) => {
  const several = three();
  const [head, second] = listed(several);
  const [first, other] = [holds(head), holds(second)];
  const write = several.put('k', 'x');
  several.timers.advance(LIMIT_MS + 10);
  first[0]?.peer.fail(first[0].request.id, failed('TIMEOUT', 'Too slow', true));
  several.timers.advance(5);
  t.is(write.ends, 0);
  other[0]?.peer.answer(other[0].request);
  several.timers.advance(5);
  t.is(ended(t, write).meta.nodeId, second.nodeId);
});

test('A refusal of the request ends the call; what the silent attempt has done is not known', (t) => {
  const several = three();
  const [head, second] = listed(several);
  hangs(head);
  refuses(second, 'INVALID_CONTEXT');
  const read = several.get('k');
  const write = several.put('k', 'x');
  several.timers.advance(LIMIT_MS + 10);
  t.deepEqual([read.error?.code, read.error?.outcomeUnknown], ['INVALID_CONTEXT', false]);
  t.deepEqual([write.error?.code, write.error?.outcomeUnknown, write.error?.attempts], ['INVALID_CONTEXT', true, 2]);
  t.is(several.core.stats().inFlight, 0);
});

test('When every attempt is silent, the call ends by its deadline, and says what it went through', (t) => {
  const several = three();
  several.nodes.forEach(hangs);
  const write = several.put('k', 'x', 400);
  several.timers.advance(410);
  t.is(write.error?.code, 'TIMEOUT');
  t.deepEqual([write.error?.outcomeUnknown, write.error?.attempts], [true, 3]);
  t.true(PartitaError.is(write.error?.cause, 'TIMEOUT'));
  t.is(several.core.stats().inFlight, 0);
});

test('When the other attempts have failed, the deadline ends the silent one, as a put that may have happened', (t) => {
  const several = three();
  const [head, second, third] = listed(several);
  hangs(head);
  refuses(second, 'OVERLOADED');
  refuses(third, 'OVERLOADED');
  const write = several.put('k', 'x', 600);
  several.timers.advance(610);
  t.deepEqual([write.error?.code, write.error?.node, write.error?.outcomeUnknown], ['TIMEOUT', head.address, true]);
  t.true(PartitaError.is(write.error?.cause, 'OVERLOADED'));
});

test('An aborted call is dropped by all nodes that have it', (t) => {
  const several = three({ inFlightMax: 1 });
  const [head, second] = listed(several);
  const [first, other] = [holds(head), holds(second)];
  const write = several.put('k', 'x');
  several.timers.advance(LIMIT_MS + 10);
  several.core.abort(write.call, 'enough');
  t.deepEqual([write.error?.code, write.error?.outcomeUnknown], ['ABORTED', true]);
  for (const held of [first, other]) held[0]?.peer.answer(held[0].request);
  several.timers.advance(5);
  t.deepEqual([write.ends, several.core.stats().lateReplies], [1, 2]);
});

test('Without a budget nothing is sent twice: the deadline is the end', (t) => {
  const several = three({ retryBudget: { ratio: 0, minPerSecond: 0 } });
  const [head, second, third] = listed(several);
  const held = holds(head);
  const write = several.put('k', 'x', 400);
  several.timers.advance(390);
  t.is(write.ends, 0);
  several.timers.advance(20);
  t.deepEqual([write.error?.code, write.error?.attempts, held.length], ['TIMEOUT', 1, 1]);
  t.deepEqual([asked(second).length, asked(third).length, several.core.stats().hedges], [0, 0, 0]);
  t.true(several.core.stats().retriesDenied > 0);
});

test('A budget that comes back pays for calls that are still silent', (t) => {
  const several = three({ retryBudget: { ratio: 0, minPerSecond: 5 } });
  const [head] = listed(several);
  hangs(head);
  const endings = Array.from({ length: 8 }, () => several.get('k'));
  several.timers.advance(LIMIT_MS + 10);
  const atOnce = endings.filter(({ ends }) => ends === 1).length;
  t.true(atOnce >= 5 && atOnce <= 7, `${atOnce}`);
  several.timers.advance(880);
  t.is(endings.filter(({ result }) => result !== null).length, 8);
});

test('With all nodes silent a call goes to the first that says something', (t) => {
  const several = three();
  const [, , third] = listed(several);
  several.nodes.forEach(hangs);
  for (let i = 0; i < 60; i++) several.get(`o${i}`, 200, { attemptsMax: 1 });
  several.timers.advance(210);
  const read = several.get('k');
  several.timers.advance(300);
  t.is(read.ends, 0);
  third.silent = false;
  several.network.of(third.address)[0]?.peer.frame(PONG, 0, encodePong({ ringVersion: 1, wallMs: 1 }));
  several.timers.advance(LIMIT_MS + 10);
  t.is(ended(t, read).meta.nodeId, third.nodeId);
});

test('Silent attempts are followed by as many as the policy has, and by none where it has one', (t) => {
  const several = three();
  const all = listed(several).map(holds);
  several.get('k', 1_000, { attemptsMax: 2 });
  several.timers.advance(900);
  t.deepEqual(
    all.map(({ length }) => length),
    [1, 1, 0],
  );
  const alone = three();
  const [first] = listed(alone);
  const held = holds(first);
  const once = alone.get('k', 400, { attemptsMax: 1 });
  alone.timers.advance(410);
  t.deepEqual([once.error?.code, once.error?.attempts, held.length], ['TIMEOUT', 1, 1]);
});

test('With a limit of 0 a call waits for its deadline', (t) => {
  const several = three({ attemptTimeoutMs: 0 });
  hangs(listed(several)[0]);
  const read = several.get('k', 900);
  several.timers.advance(890);
  t.is(read.ends, 0);
  several.timers.advance(20);
  t.deepEqual([read.error?.code, read.error?.attempts], ['TIMEOUT', 1]);
});

test('Near the deadline nothing is begun that could not be answered', (t) => {
  const several = three();
  const [head, second] = listed(several);
  hangs(head);
  const read = several.get('k', LIMIT_MS + 8);
  several.timers.advance(LIMIT_MS + 20);
  t.is(read.error?.code, 'TIMEOUT');
  t.is(asked(second).length, 0);
});
