/* The core on simulated time: what the essay of client-core.ts promises, one test a sentence. */
import test from 'ava';
import { fc, testProp } from '@fast-check/ava';
import { PartitaError } from '../../src/client/errors.js';
import type { TimeoutError } from '../../src/client/errors.js';
import { GET, PUT } from '../../src/wire/kinds.js';
import { failed, getReplyFrame } from '../support/fake-node.js';
import type { Request } from '../support/fake-node.js';
import { A, oneNode, simulate, value } from '../support/simulated-client.js';

test('It connects with its first call, learns the ring, and says so', (t) => {
  const { told, core, network, get, timers } = simulate();
  network.addNode(A);
  const ending = get('k');
  timers.advance(20);
  t.is(ending.result?.found, false);
  t.deepEqual(told, [`up ${A}`, 'ring 1', 'ready']);
  t.is(core.ring?.version, 1);
});

test('Many calls share one connection and may be answered in any order', (t) => {
  const { node, network, get, put, timers } = oneNode();
  const held: (() => void)[] = [];
  for (const name of ['a', 'b', 'c']) put(name, `value of ${name}`);
  timers.advance(10);
  node.script = (request, peer) =>
    held.push(() => {
      peer.answer(request);
    }) > 0;
  const endings = ['a', 'b', 'c'].map((name) => get(name));
  timers.advance(10);
  for (const answer of held.reverse()) answer();
  timers.advance(10);
  t.deepEqual(
    endings.map(({ result }) => (result?.found === true && !result.conflict ? result.value : 'none')),
    ['value of a', 'value of b', 'value of c'],
  );
  t.is(network.connections.length, 1);
});

test('A late reply to a call that was given up answers nobody', (t) => {
  const { node, core, network, get, timers } = oneNode({ inFlightMax: 2 });
  let late: Request | null = null;
  node.script = (request) => (late === null ? (late = request) !== null : false);
  const lost = get('a', 100, { attemptsMax: 1 });
  timers.advance(150);
  t.is(lost.error?.code, 'TIMEOUT');
  t.is((lost.error as TimeoutError).phase, 'reply');
  const next = get('b');
  timers.advance(5);
  node.script = () => true;
  const waiting = get('c');
  timers.advance(20);
  const connection = network.of(A)[0];
  connection?.peer.send(
    getReplyFrame(node, (late as unknown as Request).id, { siblings: [value('late')], context: new Uint8Array(0) }),
  );
  timers.advance(20);
  t.is(next.result?.found, false, 'the next call got its own answer');
  t.is(waiting.ends, 0, 'a call under way did not get it');
  t.is(lost.ends, 1);
  t.is(core.stats().lateReplies, 1);
});

test('An abandoned id stays reserved: with all of them abandoned, calls wait', (t) => {
  const { node, get, timers, core } = oneNode({ inFlightMax: 2 });
  node.script = () => true;
  const lost = [get('a', 50), get('b', 50)];
  timers.advance(100);
  t.true(lost.every(({ error }) => error?.code === 'TIMEOUT'));
  const next = get('c', 50);
  timers.advance(20);
  t.is(core.stats().waiting, 1);
  t.is(node.requests.length, 2);
  timers.advance(60);
  t.is((next.error as TimeoutError).phase, 'queue');
});

test('A reply that nobody can have asked for ends the connection, and calls go on over a new one', (t) => {
  const { node, network, get, timers, told } = oneNode();
  node.script = (request, peer) => {
    node.script = null;
    peer.send(getReplyFrame(node, request.id + 0x1_0000, { siblings: [value('wrong')], context: new Uint8Array(0) }));
    return true;
  };
  const ending = get('a');
  timers.advance(500);
  t.is(ending.result?.found, false, 'asked again, and answered');
  t.is(network.connections.length, 2);
  t.true(told.includes(`down ${A}`));
});

test('A reply of the wrong kind, or one that cannot be read, is a protocol error and not an answer', (t) => {
  for (const kind of [PUT, GET + 1]) {
    const { node, get, timers } = oneNode();
    node.script = (request, peer) => {
      peer.frame(kind, request.id, Buffer.from([0x0a, 0xff]));
      return true;
    };
    const ending = get('a', 500, { attemptsMax: 1 });
    timers.advance(600);
    t.is(ending.error?.code, 'PROTOCOL');
  }
});

test('A reply cut into single bytes is the same reply, and nothing of the buffer is kept', (t) => {
  const { network, get, put, timers } = oneNode();
  put('a', 'some value');
  timers.advance(10);
  for (const connection of network.connections) connection.pieceBytes = 1;
  const ending = get('a');
  timers.advance(10);
  t.true(ending.result?.found === true && !ending.result.conflict && ending.result.value === 'some value');
  t.is(ending.result?.context.toString(), Buffer.from('seen:1').toString('base64url'));
});

test('A read is tried again after a connection broke', (t) => {
  const { node, network, get, timers, told } = oneNode();
  node.script = () => {
    node.script = null;
    timers.endOfTurn(() => network.of(A)[0]?.cut('reset'));
    return true;
  };
  const ending = get('a');
  timers.advance(500);
  t.is(ending.result?.found, false);
  t.is(ending.result?.meta.attempts, 2);
  t.true(told.includes('retry get 2'));
});

test('A put is resent with the same id and marked as a retry; the first attempt is not', (t) => {
  const { node, network, put, timers } = oneNode();
  node.script = () => {
    node.script = null;
    timers.endOfTurn(() => network.of(A)[0]?.cut('reset'));
    return true;
  };
  const ending = put('a', 'x');
  timers.advance(500);
  t.is(ending.result?.siblingCount, 1);
  const [first, second, ...others] = node.requests;
  t.deepEqual([first?.retry, second?.retry, others.length], [false, true, 0]);
  t.is(first?.putId, second?.putId);
  t.is(first?.putId.length, 24);
});

test('A put that never left is not marked as a retry when it does', (t) => {
  const { network, put, timers, told } = simulate();
  const node = network.addNode(A);
  network.down.add(A);
  const ending = put('a', 'x');
  timers.advance(2);
  network.down.delete(A);
  timers.advance(500);
  t.is(ending.result?.siblingCount, 1);
  t.true(told.includes('retry put 2'));
  t.deepEqual(
    node.requests.map(({ retry }) => retry),
    [false],
  );
});

test('A put that was sent and not answered has an unknown outcome; one that was refused or never left has not', (t) => {
  const silent = oneNode();
  silent.node.script = () => true;
  const unanswered = silent.put('a', 'x', 100);
  const read = silent.get('a', 100);
  silent.timers.advance(200);
  t.is(unanswered.error?.outcomeUnknown, true);
  t.is(read.error?.outcomeUnknown, false, 'reading has no outcome');

  const refusing = oneNode();
  refusing.node.script = (request, peer) => {
    peer.fail(request.id, failed('DISK_FULL', 'No room'));
    return true;
  };
  const refused = refusing.put('a', 'x');
  refusing.timers.advance(2_000);
  t.is(refused.error?.code, 'DISK_FULL');
  t.is(refused.error?.outcomeUnknown, false);
  t.is(refused.error?.attempts, 3);

  const down = simulate();
  const unsent = down.put('a', 'x');
  down.timers.advance(2_000);
  t.is(unsent.error?.code, 'CONNECTION');
  t.is(unsent.error?.outcomeUnknown, false);
  t.is(unsent.error?.attempts, 0);
});

test('An unknown outcome stays unknown when a later attempt is refused', (t) => {
  const { node, network, put, timers } = oneNode();
  node.script = () => {
    node.script = (request, peer) => {
      peer.fail(request.id, failed('OVERLOADED', 'Too busy'));
      return true;
    };
    timers.endOfTurn(() => network.of(A)[0]?.cut('reset'));
    return true;
  };
  const ending = put('a', 'x');
  timers.advance(900);
  t.is(ending.error?.code, 'OVERLOADED');
  t.is(ending.error?.outcomeUnknown, true);
});

test('What cannot succeed is not tried again', (t) => {
  for (const code of ['TOO_LARGE', 'INVALID_CONTEXT', 'RETRY_TOO_LATE', 'DENIED', 'SIBLINGS_LIMIT'] as const) {
    const { node, put, timers } = oneNode();
    node.script = (request, peer) => {
      peer.fail(request.id, { ...failed(code, 'No'), context: Buffer.from('ctx') });
      return true;
    };
    const ending = put('a', 'x');
    timers.advance(900);
    t.is(ending.error?.code, code);
    t.is(node.requests.length, 1);
    t.is(ending.error?.context?.toString(), Buffer.from('ctx').toString('base64url'));
  }
});

test('An unhappy server gets a fifth more requests from us, not three times as many', (t) => {
  const { node, get, timers, core } = oneNode({ waitingMax: 10_000 });
  node.script = (request, peer) => {
    peer.fail(request.id, failed('OVERLOADED', 'Too busy'));
    return true;
  };
  for (let i = 0; i < 5_000; i++) {
    get('a', 5_000);
    timers.advance(1);
  }
  timers.advance(6_000);
  t.true(node.requests.length <= 5_000 * 1.2 + 10 * 11 + 10, `${node.requests.length}`);
  t.true(node.requests.length >= 5_900, `${node.requests.length}`);
  t.true(core.stats().retriesDenied > 3_000);
});

test('A server that asks to be spared is spared for that long', (t) => {
  const { node, get, timers } = oneNode();
  node.script = (request, peer) => {
    node.script = null;
    peer.fail(request.id, { ...failed('OVERLOADED', 'Too busy'), retryAfterMs: 300 });
    return true;
  };
  const ending = get('a');
  timers.advance(290);
  t.is(ending.ends, 0);
  timers.advance(20);
  t.is(ending.result?.found, false);
});

test('The frame carries what is left of the deadline', (t) => {
  const { node, network, get, timers } = oneNode();
  node.script = () => {
    node.script = null;
    timers.advance(0);
    timers.after(200, () => network.of(A)[0]?.cut('reset'));
    return true;
  };
  get('a', 1_000);
  timers.advance(900);
  const [first, second] = node.requests.map(({ budgetMs }) => budgetMs);
  t.is(first, 1_000);
  t.true((second as number) <= 800 && (second as number) > 600, `${second}`);
});

test('A call ends by its deadline whatever the server does', (t) => {
  const { node, get, timers } = oneNode();
  node.script = () => true;
  const ending = get('a', 300);
  timers.advance(299);
  t.is(ending.ends, 0);
  timers.advance(10);
  t.is(ending.error?.code, 'TIMEOUT');
  t.regex(ending.error?.message ?? '', /no reply from 10\.0\.0\.1:7700 within 300 ms/);
});

test('An aborted call ends at once, and its late reply is nobody’s', (t) => {
  const { node, get, put, timers, core } = oneNode();
  const requests: Request[] = [];
  node.script = (request) => requests.push(request) > 0;
  const read = get('a');
  const write = put('b', 'x');
  timers.advance(5);
  core.abort(read.call, 'enough');
  core.abort(write.call, 'enough');
  core.abort(read.call, 'twice');
  t.deepEqual([read.error?.code, read.error?.cause, read.error?.outcomeUnknown], ['ABORTED', 'enough', false]);
  t.deepEqual([write.error?.code, write.error?.outcomeUnknown, write.ends], ['ABORTED', true, 1]);
});

test('Past the limit of calls under way calls wait, and past that limit they are refused at once', (t) => {
  const { node, get, timers, core } = oneNode({ inFlightMax: 4, waitingMax: 6 });
  const answers: (() => void)[] = [];
  node.script = (request, peer) =>
    answers.push(() => {
      peer.answer(request);
    }) > 0;
  const endings = Array.from({ length: 12 }, (_, i) => get(`k${i}`));
  t.deepEqual(
    endings.map(({ error }) => error?.code ?? ''),
    [...Array<string>(10).fill(''), 'OVERLOADED', 'OVERLOADED'],
  );
  t.is(core.stats().waiting, 6);
  timers.advance(5);
  t.is(node.requests.length, 4);
  while (answers.length > 0) {
    answers.shift()?.();
    timers.advance(1);
  }
  t.true(endings.slice(0, 10).every(({ result }) => result !== null));
  t.deepEqual(
    node.requests.map(({ key }) => key),
    Array.from({ length: 10 }, (_, i) => `k${i}`),
    'first come, first served',
  );
});

test('The server’s own limit of requests under way is kept', (t) => {
  const { network, get, timers, core } = simulate();
  const node = network.addNode(A);
  node.inFlightMax = 3;
  get('warm');
  timers.advance(20);
  node.script = () => true;
  for (let i = 0; i < 5; i++) get('a');
  timers.advance(10);
  t.is(node.requests.length, 4); // the warm one and three
  t.is(core.stats().waiting, 2);
});

test('A request larger than the node accepts is not sent', (t) => {
  const { network, put, get, timers } = simulate();
  const node = network.addNode(A);
  node.frameBodyBytesMax = 1_000;
  const large = put('a', 'x'.repeat(1_001));
  timers.advance(20);
  t.is(large.error?.code, 'TOO_LARGE');
  t.regex(large.error?.message ?? '', /accepts bodies up to 1000/);
  const next = get('a');
  timers.advance(20);
  t.is(next.result?.found, false, 'the connection is as good as before');
});

const fault = fc.constantFrom('answer', 'answer', 'answer', 'late', 'never', 'cut', 'fail', 'twice', 'kill');

testProp(
  'Whatever happens, every call ends once, by its deadline, with its own answer or an error',
  [fc.array(fault, { minLength: 1, maxLength: 60 }), fc.integer()],
  (t, faults, seed) => {
    const { node, network, get, put, timers, core } = oneNode({ inFlightMax: 8, waitingMax: 16 }, seed);
    for (let i = 0; i < 8; i++) node.store.set(`k${i}`, [value(`value of k${i}`)]);
    let turn = 0;
    node.script = (request, peer) => {
      const what = faults[turn++ % faults.length];
      const connection = network.of(A)[0];
      if (what === 'answer') return false;
      if (what === 'late')
        timers.after(400, () => {
          peer.answer(request);
        });
      if (what === 'cut')
        timers.endOfTurn(() => {
          connection?.cut('reset');
        });
      if (what === 'fail') peer.fail(request.id, failed('UNAVAILABLE', 'Not now'));
      if (what === 'twice') {
        peer.answer(request);
        peer.answer(request);
      }
      if (what === 'kill') {
        network.kill(A);
        timers.after(100, () => network.down.delete(A));
      }
      return true;
    };
    const endings = Array.from({ length: 60 }, (_, i) => {
      timers.advance(i % 5);
      const key = `k${i % 8}`;
      return { key, ending: i % 3 === 0 ? put(`p${i}`, 'x', 300) : get(key, 300) };
    });
    timers.advance(400);
    for (const { key, ending } of endings) {
      t.is(ending.ends, 1);
      if (ending.error !== null) t.true(PartitaError.is(ending.error));
      const { result } = ending;
      if (result !== null && 'found' in result)
        t.true(result.found && !result.conflict && result.value === `value of ${key}`);
    }
    t.is(core.stats().inFlight, 0);
  },
);
