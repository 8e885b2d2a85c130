import test from 'ava';
import { putFailure } from '../../src/coordinator/failures.js';
import { DEADLINE_MS, PATIENCE_MS, PutScript } from './script.js';

const nameOf = (node: number): string => `n${node}`;

test('A put is stored here first, then sent to the other owners, and answered after W acks', (t) => {
  const put = new PutScript();
  t.deepEqual(put.lines, ['store']);
  t.deepEqual(put.encoded(), ['send 2', 'send 3']);
  t.deepEqual(put.ack(2), []);
  t.deepEqual(put.ack(1), ['stored 2/2 durable']);
  t.deepEqual(put.ack(3), ['ended']);
});

test('An owner that is believed down is stood in for from the start (§4.6)', (t) => {
  const put = new PutScript({ suspects: [2] });
  t.deepEqual([...put.lines, ...put.encoded()], ['store', 'send 3', 'send 4 for 2']);
  t.deepEqual(put.ack(1), []);
  t.deepEqual(put.ack(4), ['stored 2/2 durable sloppy']);
  t.is(put.put.copyHintFor(2), 2);
});

test('Each owner that is down has a stand-in of its own', (t) => {
  const put = new PutScript({ suspects: [2, 3] });
  t.deepEqual([...put.lines, ...put.encoded()], ['store', 'send 4 for 2', 'send 5 for 3']);
});

test('An owner that fails is replaced; a stand-in that fails is, too; then the coordinator keeps the hint', (t) => {
  const put = new PutScript();
  put.encoded();
  t.deepEqual(put.fail(2), ['send 4 for 2']);
  t.deepEqual(put.fail(4, 'OVERLOADED'), ['send 5 for 2']);
  t.deepEqual(put.ack(1), []);
  t.deepEqual(put.ack(3), ['stored 2/2 durable']);
  t.deepEqual(put.fail(5), ['keep for 2', 'ended']);
});

test('An owner that does not answer in time is replaced, and counts all the same when it does', (t) => {
  const put = new PutScript({ quorum: 3 });
  put.encoded();
  put.ack(1);
  put.ack(3);
  t.deepEqual(put.waitUntil(PATIENCE_MS), ['send 4 for 2']);
  t.deepEqual(put.missed, [2]);
  t.deepEqual(put.ack(2), ['stored 3/3 durable', 'ended']);
});

test('The owner and its own stand-in are two nodes, and both count, once each', (t) => {
  const put = new PutScript({ quorum: 3 });
  put.encoded();
  put.ack(1);
  put.waitUntil(PATIENCE_MS); // 4 for 2, 5 for 3
  t.deepEqual(put.ack(4), []);
  t.deepEqual(put.ack(4), []);
  t.deepEqual(put.ack(2), ['stored 3/3 durable sloppy']);
});

test('Strict counts owners only, and tells at once when too few can answer', (t) => {
  const put = new PutScript({ strict: true });
  put.encoded();
  put.ack(1);
  t.deepEqual(put.fail(2), ['send 4 for 2']);
  t.deepEqual(put.ack(4), []);
  t.deepEqual(put.fail(3), ['send 5 for 3', 'too-few 1/2 unknown']);
  t.deepEqual(put.ack(5), ['ended']);
});

test('While a place changes hands, a strict put goes to both, and the place counts when both have it', (t) => {
  const handovers = [{ owner: 3, other: 4 }];
  const put = new PutScript({ strict: true, handovers });
  t.deepEqual(put.encoded(), ['store', 'send 2', 'send 3', 'send 4']);
  put.ack(1);
  t.deepEqual(put.ack(3), [], 'a reader by the next ring would ask 2 and 4');
  t.deepEqual(put.ack(4), ['stored 2/2 durable']);
  t.deepEqual(put.ack(2), ['ended']);

  const lost = new PutScript({ strict: true, handovers });
  lost.encoded();
  lost.ack(1);
  lost.ack(3);
  t.deepEqual(lost.fail(4), []);
  t.deepEqual(lost.fail(2), ['send 5 for 2', 'too-few 1/2 unknown']);
  t.deepEqual(
    new PutScript({ handovers }).encoded(),
    ['store', 'send 2', 'send 3'],
    'others are sent a copy by the port',
  );
});

test('A strict put is stored when W owners have it by every ring that may be in force', (t) => {
  const one = [{ owner: 3, other: 4 }];
  for (const handovers of [one, [...one, { owner: 2, other: 5 }], [{ owner: 1, other: 5 }]]) {
    for (let bits = 0; bits < 16; bits++) {
      const acking = [2, 3, 4, 5].filter((_, i) => ((bits >> i) & 1) === 1);
      const put = new PutScript({ strict: true, handovers });
      const lines = [...put.encoded(), ...put.ack(1), ...acking.flatMap((node) => put.ack(node))];
      const have = new Set([1, ...acking.filter((node) => put.ticket(node) >= 0)]);
      const rings = handovers.reduce(
        (known, { owner, other }) => [...known, ...known.map((row) => row.map((one) => (one === owner ? other : one)))],
        [[1, 2, 3]],
      );
      const isEverywhere = rings.every((row) => row.filter((node) => have.has(node)).length >= 2);
      t.is(
        lines.some((line) => line.startsWith('stored')),
        isEverywhere,
        `${acking.join()} of ${rings.join(' or ')}`,
      );
    }
  }
});

test('A buffered ack of an owner counts, and the reply does not claim more', (t) => {
  const put = new PutScript();
  put.encoded();
  put.ack(1, false);
  t.deepEqual(put.ack(2, false), ['stored 2/2']);
});

test('Where durable is asked for, buffered acks do not count until they are durable', (t) => {
  const put = new PutScript({ durable: true });
  put.encoded();
  t.deepEqual([...put.ack(1, false), ...put.ack(2, true)], []);
  t.deepEqual(put.ack(3, false), ['send 4 for 1'], 'only another node can make it two');
  t.deepEqual(put.ack(1, true), ['stored 2/2 durable', 'ended']);
});

test('A stand-in counts when its hint is durable, not before', (t) => {
  const put = new PutScript({ suspects: [2, 3] });
  put.encoded();
  put.ack(1);
  t.deepEqual(put.ack(4, false), []);
  t.deepEqual(put.ack(4, true), ['stored 2/2 durable sloppy']);
});

test('W = 1 is stored by a fallback alone when no owner can be reached', (t) => {
  const put = new PutScript({ self: 4, quorum: 1, suspects: [1, 2, 3, 5] });
  t.deepEqual(put.lines, ['store for 1']);
  t.deepEqual(put.encoded(), ['keep for 2', 'keep for 3']);
  t.deepEqual(put.ack(4), ['stored 1/1 durable sloppy', 'ended']);
});

test('Suspects are asked where W is out of reach without them', (t) => {
  const put = new PutScript({ nodes: [1, 2, 3], suspects: [2, 3] });
  put.encoded();
  t.deepEqual(put.ack(1), []);
  t.is(put.put.copyCount, 2, 'one more would do, so one more is asked');
  t.deepEqual(put.ack(2), ['stored 2/2 durable', 'ended']);
});

test('What the own store refuses was not stored, and nobody else is asked', (t) => {
  const put = new PutScript();
  t.deepEqual([...put.lines, ...put.fail(1, 'DISK_FULL')], ['store', 'refused 0/2', 'ended']);
});

test('At the deadline the client hears how many, who, and that it may have happened', (t) => {
  const put = new PutScript({ quorum: 3 });
  put.encoded();
  put.ack(1);
  put.fail(2, 'OVERLOADED');
  put.fail(4, 'lost');
  t.deepEqual(put.waitUntil(PATIENCE_MS), ['keep for 2', 'keep for 3']);
  t.deepEqual(put.waitUntil(DEADLINE_MS), ['too-few 1/3 unknown', 'ended']);
  const told = putFailure(put.put, nameOf);
  t.is(told.code, 'QUORUM_UNAVAILABLE');
  t.true(told.outcomeUnknown);
  t.is(
    told.text,
    '1 of 3 replicas stored it, the write may have happened (n1: stored; n2: OVERLOADED; n3: no answer; ' +
      'n4 for n2: connection lost, may have it; n5 for n2: no answer; ring version 7)',
  );
});

test('A cold disk that outlasts the deadline: unknown, and when the record stands it still goes to all', (t) => {
  const put = new PutScript();
  t.deepEqual(put.waitUntil(DEADLINE_MS), ['store', 'too-few 0/2 unknown']);
  t.deepEqual(put.encoded(), ['send 2', 'send 3']);
  put.ack(1);
  put.ack(2);
  t.deepEqual(put.ack(3), ['ended']);
});

test('Acks and failures of an earlier put find nothing in the one that uses its object', (t) => {
  const put = new PutScript();
  put.encoded();
  const late = put.ticket(3);
  put.ack(1);
  put.ack(2);
  put.fail(3);
  put.ack(4);
  t.deepEqual(put.lines, []);
  put.start();
  put.encoded();
  put.put.acked(late, true, 0);
  put.put.failed(late, 'lost', 0);
  t.deepEqual(put.lines, []);
  t.is(put.put.copyState(2), 'pending');
});

test('An owner that is none any more by its newer ring counts as a stand-in does', (t) => {
  const put = new PutScript();
  put.encoded();
  put.ack(1);
  t.deepEqual(put.keptForOthers(2), ['stored 2/2 durable sloppy']);
  t.is(put.put.copyHintFor(1), 2);
  t.deepEqual(put.ack(3), ['ended']);
});

test('Strict does not count it, and nobody is asked in its place', (t) => {
  const put = new PutScript({ strict: true });
  put.encoded();
  put.ack(1);
  t.deepEqual(put.keptForOthers(2), []);
  t.deepEqual(put.fail(3), ['send 4 for 3', 'too-few 1/2 unknown']);
  t.regex(putFailure(put.put, nameOf).text, /n2 \(lives by a newer ring\): stored/);
});
