import test from 'ava';
import { ExchangeSchedule, type Meeting, type Verdict } from '../../src/repair/exchange-schedule.js';

const HOUR = 3_600_000;
const always = (): boolean => true;
const DONE = { done: true, isPeerSuspect: false, hasHints: false };

function scheduleOf(partitions = 4): ExchangeSchedule {
  const owned = Array.from({ length: partitions }, (_, id) => ({
    id,
    others: [2, 3],
    begins: id % 2 === 0 ? [2, 3] : [3],
  }));
  let drawn = 0;
  return new ExchangeSchedule(owned, [2, 3, 4], HOUR, 0, () => (drawn = (drawn + 0.37) % 1));
}

test('within a period every pair that this node begins meets once, and no other', (t) => {
  const schedule = scheduleOf();
  const met: string[] = [];
  for (let nowMs = 0; nowMs <= HOUR; nowMs += 10_000) {
    for (let meeting = schedule.next(nowMs, always); meeting !== null; meeting = schedule.next(nowMs, always)) {
      met.push(`${meeting.kind} ${meeting.partition} ${meeting.peer}`);
      t.is(schedule.ended(meeting, DONE, nowMs), 'none');
    }
  }
  t.deepEqual([...met].sort(), ['tree 0 2', 'tree 0 3', 'tree 1 3', 'tree 2 2', 'tree 2 3', 'tree 3 3']);
});

test('pairs that met all at once do not go on meeting all at once, nor later than a period after it', (t) => {
  const schedule = scheduleOf(40);
  const meetAt = (nowMs: number): number => {
    let met = 0;
    for (let meeting = schedule.next(nowMs, always); meeting !== null; meeting = schedule.next(nowMs, always)) {
      schedule.ended(meeting, DONE, nowMs);
      met += 1;
    }
    return met;
  };
  schedule.startAll(0, 'called');
  t.is(meetAt(0), 60);
  for (const round of [0, 1, 2]) {
    const tenths = Array.from({ length: 10 }, (_, i) => meetAt(round * HOUR + ((i + 1) * HOUR) / 10));
    t.is(
      tenths.reduce((sum, met) => sum + met, 0),
      60,
    );
    t.true(
      tenths.every((met) => met <= 12),
      `of 60 in each tenth of a period: ${tenths.join(' ')}`,
    );
  }
});

test('a peer that is down is waited for, one that fails is asked again after a growing pause', (t) => {
  const schedule = scheduleOf(1);
  schedule.startAll(0);
  t.is(
    schedule.next(0, () => false),
    null,
  );
  const first = schedule.next(0, (peer) => peer === 3) as Meeting;
  t.is(first.peer, 3);
  t.is(schedule.next(0, always), null, 'one meeting a partition');
  schedule.ended(first, { ...DONE, done: false }, 0);
  t.is(
    schedule.next(500, (peer) => peer === 3),
    null,
  );
  const again = schedule.next(1_000, (peer) => peer === 3) as Meeting;
  schedule.ended(again, { ...DONE, done: false }, 1_000);
  t.is(
    schedule.next(2_500, (peer) => peer === 3),
    null,
  );
  t.not(
    schedule.next(3_000, (peer) => peer === 3),
    null,
  );
});

/** Ends every meeting that comes; `sound`: peers that are believed; `hints`: members that keep hints. */
function play(
  schedule: ExchangeSchedule,
  partition: number,
  nowMs: number,
  sound: readonly number[],
  hints: readonly number[] = [],
): { readonly verdict: Verdict; readonly met: readonly string[] } {
  const met: string[] = [];
  for (let meeting = schedule.next(nowMs, always); meeting !== null; meeting = schedule.next(nowMs, always)) {
    if (meeting.partition === partition) met.push(`${meeting.kind} ${meeting.peer}`);
    const result = { done: true, isPeerSuspect: !sound.includes(meeting.peer), hasHints: hints.includes(meeting.peer) };
    const verdict = schedule.ended(meeting, result, nowMs);
    if (verdict !== 'none') return { verdict, met };
  }
  return { verdict: 'none', met };
}

test('a suspect partition is healed by all other owners, at once', (t) => {
  const schedule = scheduleOf();
  schedule.setSuspects([1, 9]);
  t.deepEqual(schedule.suspects, [1]);
  const { verdict, met } = play(schedule, 1, 0, [2]);
  t.is(verdict, 'healed');
  t.deepEqual(met, ['whole 2', 'whole 3'], 'both, though one would be believed by itself');
  t.deepEqual(schedule.suspects, []);
});

test('an owner that cannot be reached keeps it suspect', (t) => {
  const schedule = scheduleOf();
  schedule.setSuspects([1]);
  const only2 = (peer: number): boolean => peer === 2;
  const meeting = schedule.next(0, only2) as Meeting;
  t.is(schedule.ended(meeting, DONE, 0), 'none');
  for (let nowMs = 0; nowMs < HOUR; nowMs += 60_000) t.not(schedule.next(nowMs, only2)?.partition, 1);
  t.is(play(schedule, 1, HOUR, [2, 3]).verdict, 'healed');
});

test('a meeting that broke off counts for nothing', (t) => {
  const schedule = scheduleOf(1);
  schedule.setSuspects([0]);
  const meeting = schedule.next(0, always) as Meeting;
  schedule.ended(meeting, { ...DONE, done: false }, 0);
  const other = schedule.next(0, always) as Meeting;
  t.not(other.peer, meeting.peer);
  t.is(schedule.ended(other, DONE, 0), 'none');
  t.is(play(schedule, 0, 5_000, [2, 3]).verdict, 'healed');
});

test('where no owner is believed, hints of all members come home first, and the owners meet again', (t) => {
  const schedule = scheduleOf();
  schedule.setSuspects([1]);
  const waiting = play(schedule, 1, 0, [], [4]);
  t.is(waiting.verdict, 'none');
  t.deepEqual(waiting.met, ['whole 2', 'whole 3', 'poll 2', 'poll 3', 'poll 4']);
  t.deepEqual(play(schedule, 1, 1_000, [], [4]).met, [], 'not all the time');
  t.deepEqual(play(schedule, 1, 2_000, [], [4]).met, ['poll 4']);
  const { verdict, met } = play(schedule, 1, 4_000, [], []);
  t.is(verdict, 'together');
  t.deepEqual(met, ['poll 4', 'whole 2', 'whole 3']);
});

test('an owner that counts by the second meeting heals it as one always does', (t) => {
  const schedule = scheduleOf();
  schedule.setSuspects([1]);
  t.is(play(schedule, 1, 0, [], [4]).verdict, 'none');
  t.is(play(schedule, 1, 2_000, [3], []).verdict, 'healed');
});

test('what is trusted by hand is suspect no more, and what is suspected again begins anew', (t) => {
  const schedule = scheduleOf();
  schedule.setSuspects([1]);
  schedule.ended(schedule.next(0, always) as Meeting, DONE, 0);
  schedule.setSuspects([]);
  schedule.setSuspects([1]);
  t.deepEqual(play(schedule, 1, 0, [2, 3]).met, ['whole 2', 'whole 3']);
});
