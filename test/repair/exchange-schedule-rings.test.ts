/* A schedule whose ring changes: what was met stays met, what is sick is healed all the same, and nobody is stuck. */
import test from 'ava';
import { ExchangeSchedule, type Meeting, type MeetingResult } from '../../src/repair/exchange-schedule.js';

const HOUR = 3_600_000;
const always = (): boolean => true;
const DONE: MeetingResult = { done: true, isPeerSuspect: false, hasHints: false };
const SUSPECT: MeetingResult = { ...DONE, isPeerSuspect: true };

/** One partition of this node's, 7; each other owner is called by it. */
function scheduleOf(others: readonly number[], members: readonly number[]): ExchangeSchedule {
  return new ExchangeSchedule([{ id: 7, others, begins: others }], members, HOUR, 0, () => 0.5);
}

const nextOf = (schedule: ExchangeSchedule, nowMs: number): Meeting => schedule.next(nowMs, always) as Meeting;

/** Whom it meets from now on, until it has nobody to meet; each meeting ends so. */
function play(schedule: ExchangeSchedule, nowMs: number, result: MeetingResult): string {
  const met: string[] = [];
  for (let meeting = schedule.next(nowMs, always); meeting !== null; meeting = schedule.next(nowMs, always)) {
    met.push(`${meeting.kind} ${meeting.peer}`);
    const verdict = schedule.ended(meeting, result, nowMs);
    if (verdict !== 'none') met.push(verdict);
  }
  return met.join(', ');
}

test('pairs that a new ring leaves as they were keep their turn, and new ones get one', (t) => {
  const schedule = scheduleOf([2, 3], [2, 3, 4]);
  t.is(play(schedule, HOUR / 2, DONE), 'tree 2, tree 3');
  schedule.setPartitions([{ id: 7, others: [3, 4], begins: [3, 4] }], [3, 4], HOUR);
  t.is(schedule.pairs, 2);
  t.is(play(schedule, HOUR, DONE), '');
  t.true(schedule.hasMetAll(7, HOUR / 2) === false, '4 has not been met');
  t.is(play(schedule, 1.5 * HOUR, DONE), 'tree 3, tree 4');
  t.true(schedule.hasMetAll(7, 1.5 * HOUR));
});

test('whoever is called from now on, or calls from now on, is another pair', (t) => {
  const schedule = scheduleOf([2], [2]);
  schedule.setPartitions([{ id: 7, others: [2], begins: [] }], [2], 0);
  t.is(play(schedule, 10 * HOUR, DONE), '', 'the other one calls');
  schedule.setPartitions([{ id: 7, others: [2], begins: [2] }], [2], 10 * HOUR);
  t.is(play(schedule, 11 * HOUR, DONE), 'tree 2');
});

test('who has met a sick partition has met it under the next ring, too', (t) => {
  const schedule = scheduleOf([2, 3], [2, 3, 4]);
  schedule.setSuspects([7]);
  schedule.ended(nextOf(schedule, 0), DONE, 0);
  schedule.setPartitions([{ id: 7, others: [2, 4], begins: [] }], [2, 4], 1);
  t.deepEqual(schedule.suspects, [7]);
  t.is(play(schedule, 1, SUSPECT), 'whole 4, healed', 'by 2, which could be believed');
});

test('if the one that was missing is an owner no more, the others are met once more and heal it', (t) => {
  const schedule = scheduleOf([2, 3], [2, 3]);
  schedule.setSuspects([7]);
  const only2 = (peer: number): boolean => peer === 2;
  schedule.ended(schedule.next(0, only2) as Meeting, DONE, 0);
  t.is(schedule.next(0, only2), null, '3 is away');
  schedule.setPartitions([{ id: 7, others: [2], begins: [] }], [2, 3], 1);
  t.is(play(schedule, 1, DONE), 'whole 2, healed');
});

test('a member that was away and is removed is not waited for when all hints are to come home', (t) => {
  const schedule = scheduleOf([2, 3], [2, 3, 4]);
  schedule.setSuspects([7]);
  const not4 = (peer: number): boolean => peer !== 4;
  for (let meeting = schedule.next(0, not4); meeting !== null; meeting = schedule.next(0, not4))
    t.is(schedule.ended(meeting, SUSPECT, 0), 'none');
  t.is(schedule.next(HOUR, not4), null, 'all but 4 have said that they keep no hints');
  schedule.setPartitions([{ id: 7, others: [2, 3], begins: [] }], [2, 3], HOUR);
  t.is(play(schedule, HOUR, SUSPECT), 'whole 2, whole 3, together');
});

test('a partition that comes back while a member is being asked for its hints is healed again', (t) => {
  const schedule = scheduleOf([2], [2]);
  schedule.setSuspects([7]);
  t.is(schedule.ended(nextOf(schedule, 0), SUSPECT, 0), 'none');
  const poll = nextOf(schedule, 0);
  t.is(poll.kind, 'poll');
  t.is(schedule.next(0, always), null, 'it is asked once at a time');
  schedule.setPartitions([], [2], 1);
  t.is(schedule.ended(poll, SUSPECT, 2), 'none');
  schedule.setPartitions([{ id: 7, others: [2], begins: [] }], [2], 3);
  schedule.setSuspects([7]);
  t.is(play(schedule, 4, SUSPECT), 'whole 2, poll 2, whole 2, together');
});

test('a meeting that began for a partition that went and came back says nothing of it as it is now', (t) => {
  const schedule = scheduleOf([2], [2]);
  schedule.setSuspects([7]);
  const whole = nextOf(schedule, 0);
  schedule.setPartitions([], [2], 1);
  schedule.setPartitions([{ id: 7, others: [2], begins: [2] }], [2], 2);
  schedule.setSuspects([7]);
  const again = nextOf(schedule, 2);
  t.is(schedule.ended(whole, DONE, 3), 'none');
  t.false(schedule.hasMetAll(7, 2), 'the one that began with the new ring is under way');
  t.is(schedule.next(3, always), null, 'one meeting a partition');
  t.is(schedule.ended(again, DONE, 4), 'healed');
  t.true(schedule.hasMetAll(7, 2));
});

test('what was begun before the partition was healed and fell sick again heals nothing', (t) => {
  const schedule = scheduleOf([2], [2]);
  schedule.setSuspects([7]);
  const before = nextOf(schedule, 0);
  schedule.setSuspects([]);
  schedule.setSuspects([7]);
  t.is(schedule.ended(before, DONE, 1), 'none');
  t.is(play(schedule, 1, DONE), 'whole 2, healed');
});

test('owners that were hastened are met at once, and only meetings that began since count', (t) => {
  const schedule = scheduleOf([2, 3], [2, 3]);
  t.false(schedule.hasMetAll(7, 0));
  schedule.hasten(7, 100, 100);
  const first = nextOf(schedule, 100);
  schedule.ended(first, DONE, 150);
  t.false(schedule.hasMetAll(7, 100));
  const second = nextOf(schedule, 150);
  schedule.hasten(7, 200, 200);
  schedule.ended(second, DONE, 250);
  t.true(schedule.hasMetAll(7, 100));
  t.false(schedule.hasMetAll(7, 151), 'it began at 150');
  schedule.hasten(7, 200, 250);
  t.is(play(schedule, 250, DONE), 'tree 2, tree 3');
  t.true(schedule.hasMetAll(7, 250));
  schedule.hasten(7, 250, 300);
  t.is(schedule.next(300, always), null, 'they have been');
});

test('hastening does not shorten the pause after a failure, nor names partitions that are not here', (t) => {
  const schedule = scheduleOf([2], [2]);
  schedule.hasten(7, 100, 100);
  schedule.ended(nextOf(schedule, 100), { ...DONE, done: false }, 100);
  schedule.hasten(7, 100, 101);
  t.is(schedule.next(101, always), null);
  t.is(play(schedule, 1_100, DONE), 'tree 2');
  schedule.hasten(8, 0, 2_000);
  t.is(schedule.next(2_000, always), null);
  t.false(schedule.hasMetAll(8, 0));
});
