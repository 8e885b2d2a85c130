/*
 * Every order of events there is, up to six of them, for one put with three owners and one fallback. Small enough to try
 * all, and what can happen in six events is what happens.
 */
import test from 'ava';
import { DEADLINE_MS, PATIENCE_MS, PutScript } from './script.js';

const NODES = [1, 2, 3, 4];
const DEPTH = 6;

type Event = (put: PutScript) => readonly string[];

const EVENTS: readonly Event[] = [
  (put) => put.encoded(),
  (put) => put.ack(1),
  (put) => put.ack(2),
  (put) => put.ack(2, false),
  (put) => put.ack(4),
  (put) => put.fail(2),
  (put) => put.fail(3, 'unsent'),
  (put) => put.waitUntil(Math.max(put.nowMs, PATIENCE_MS)),
  (put) => put.waitUntil(DEADLINE_MS),
];

interface Tally {
  stored: number;
  failed: number;
  open: number;
}

/** Plays one order of events and checks what a put may never do. */
function play(order: readonly number[], tally: Tally): string {
  const put = new PutScript({ nodes: NODES });
  const asked: string[] = [...put.lines];
  const acked = new Set<number>();
  let reply = '';
  let ended = false;
  for (const event of order) {
    const wasAsked = (node: number): boolean => put.ticket(node) >= 0;
    if (!reply && event >= 1 && event <= 4) {
      const node = event === 1 ? 1 : event === 4 ? 4 : 2;
      if (wasAsked(node)) acked.add(node);
    }
    for (const line of (EVENTS[event] as Event)(put)) {
      if (ended) return `${line} after the end`;
      if (line === 'ended') {
        if (reply === '') return 'ended without a reply';
        ended = true;
      } else if (/^(stored|too-few|refused)/.test(line)) {
        if (reply !== '') return `replied ${reply}, then ${line}`;
        reply = line;
      } else {
        if (asked.includes(line)) return `${line} twice`;
        asked.push(line);
      }
    }
    if (reply.startsWith('stored') !== acked.size >= 2 && !reply.startsWith('too-few')) {
      return `${acked.size} nodes have acknowledged, and the reply is "${reply}"`;
    }
    if (put.nowMs >= DEADLINE_MS && reply === '') return 'no reply at the deadline';
  }
  tally[reply === '' ? 'open' : reply.startsWith('stored') ? 'stored' : 'failed'] += 1;
  return '';
}

test('No order of six events makes a put reply twice, too early, too late or to nobody', (t) => {
  const tally: Tally = { stored: 0, failed: 0, open: 0 };
  const order = Array.from({ length: DEPTH }, () => 0);
  const total = EVENTS.length ** DEPTH;
  for (let number = 0; number < total; number++) {
    for (let i = 0, rest = number; i < DEPTH; i++) {
      order[i] = rest % EVENTS.length;
      rest = Math.floor(rest / EVENTS.length);
    }
    const fault = play(order, tally);
    if (fault !== '') {
      t.fail(`${order.join(' ')}: ${fault}`);
      return;
    }
  }
  t.is(tally.stored + tally.failed + tally.open, total);
  t.true(tally.stored > 1_000 && tally.failed > 1_000 && tally.open > 1_000, JSON.stringify(tally));
  t.log(JSON.stringify(tally));
});
