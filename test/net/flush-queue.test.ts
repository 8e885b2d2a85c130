import test from 'ava';
import { FlushQueue } from '../../src/net/flush-queue.js';
import { turn } from './pair.js';

test('everybody is flushed once, in order, at the end of the turn', async (t) => {
  const queue = new FlushQueue();
  const flushed: string[] = [];
  const member = (name: string): { flush(): void } => ({ flush: () => flushed.push(name) });
  queue.add(member('a'));
  queue.add(member('b'));
  t.deepEqual(flushed, []);
  await turn();
  t.deepEqual(flushed, ['a', 'b']);
  await turn();
  t.deepEqual(flushed, ['a', 'b']);
});

test('who joins during the flush is flushed in the next turn', async (t) => {
  const queue = new FlushQueue();
  const flushed: string[] = [];
  queue.add({
    flush: () => {
      flushed.push('a');
      queue.add({ flush: () => flushed.push('later') });
    },
  });
  queue.flushAll();
  t.deepEqual(flushed, ['a']);
  await turn();
  await turn();
  t.deepEqual(flushed, ['a', 'later']);
});
