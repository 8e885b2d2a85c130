import test from 'ava';
import { FreeSlices, TASK_KINDS } from '../../src/background/slices.js';

test('free slices: everybody goes on at the end of the turn, in the order of asking', (t) => {
  const ends: (() => void)[] = [];
  const slices = new FreeSlices({
    after: () => t.fail('nobody is made to wait') as never,
    endOfTurn: (fire) => ends.push(fire),
  });
  const went: string[] = [];
  for (const task of [...TASK_KINDS].reverse()) {
    slices.ask(task, 1_000_000, () => went.push(task));
  }
  t.deepEqual(went, [], 'never inside the call');
  for (const fire of ends) fire();
  t.deepEqual(went, [...TASK_KINDS].reverse());
});
