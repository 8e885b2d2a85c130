import test from 'ava';
import { HINT_LIMITS, HINT_OVERHEAD_BYTES, type Hint, HintBook } from '../../src/coordinator/hint-book.js';
import type { PeerView } from '../../src/coordinator/preference.js';
import type { PartitionId } from '../../src/model/ids.js';

const P = 3 as PartitionId;
const OWNER = 9;

class Desk {
  readonly log: string[] = [];
  suspects: number[] = [];
  readonly book: HintBook;
  ticket = 0;

  constructor(bytesMax: number = HINT_LIMITS.bytesMax, opening: number = 1) {
    const peers: PeerView = {
      isHealthy: (node) => !this.suspects.includes(node),
      putPatienceMs: () => 1,
      getPatienceMs: () => 1,
      readCost: () => 1,
      missed: () => undefined,
    };
    const limits = { ...HINT_LIMITS, bytesMax, batchCountMax: 2, batchBytesMax: 1_000 };
    this.book = new HintBook(
      opening,
      peers,
      {
        persist: (hint) => this.log.push(`persist ${hint.key}`),
        forget: (hint) => this.log.push(`forget ${hint.key}`),
        deliver: (batch) => {
          this.ticket = batch.ticket;
          this.log.push(`deliver ${batch.hints.map(({ key }) => key).join(',')} to ${batch.owner}`);
        },
      },
      limits,
    );
  }

  add(key: string, bytes: number = 100, nowMs: number = 0): Hint {
    const hint = this.book.add(P, key, OWNER, bytes, nowMs) as Hint;
    this.book.durable(hint.id, hint.version);
    return hint;
  }
}

test('Many puts to one key are one hint, as old as the first of them', (t) => {
  const { book, log, add } = bound(new Desk());
  const first = add('a', 100, 5).version;
  const hint = add('a', 150, 6);
  t.true(hint.version > first);
  t.is(book.count, 1);
  t.deepEqual(book.kept(OWNER), { count: 1, bytes: 150 + 1 + HINT_OVERHEAD_BYTES, oldestMs: 5 });
  t.deepEqual(log, ['persist a', 'persist a']);
});

test('An ack removes the hint only if it names the version that there is', (t) => {
  const { book, add } = bound(new Desk());
  const { id, version } = { ...add('a') };
  const newer = add('a').version;
  t.false(book.acked(id, version));
  t.is(book.count, 1);
  t.true(book.acked(id, newer));
  t.false(book.acked(id, newer), 'and only once');
  t.is(book.bytes, 0);
});

test('An ack of an earlier hint does not touch a later one of the same key', (t) => {
  const { book, add } = bound(new Desk());
  const { id, version } = { ...add('a') };
  book.acked(id, version);
  add('a');
  t.false(book.acked(id, version));
  t.is(book.count, 1);
});

test('Nothing is outstanding only when the removal is on the disk', (t) => {
  const desk = new Desk();
  t.true(desk.book.noneOutstanding(P));
  const hint = desk.book.add(P, 'a', OWNER, 10, 0) as Hint;
  t.false(desk.book.noneOutstanding(P), 'from before it is durable');
  desk.book.durable(hint.id, hint.version);
  desk.book.acked(hint.id, hint.version);
  t.false(desk.book.noneOutstanding(P), 'a crash would bring it back');
  desk.book.forgotten(P);
  t.true(desk.book.noneOutstanding(P));
});

test('Delivery is by age, a batch at a time, and what is not acknowledged lets the others pass', (t) => {
  const { book, log, add, desk } = bound(new Desk());
  for (const key of ['a', 'b', 'c']) add(key);
  log.length = 0;
  book.deliver(OWNER, 0);
  book.deliver(OWNER, 0);
  t.deepEqual(log, ['deliver a,b to 9']);
  book.batchEnded(OWNER, desk.ticket, true, 0);
  book.deliver(OWNER, 0);
  t.deepEqual(log.slice(1), ['deliver c,a to 9']);
});

test('A hint that is not on the disk at all is not delivered', (t) => {
  const desk = new Desk();
  desk.book.add(P, 'a', OWNER, 10, 0);
  desk.book.deliver(OWNER, 0);
  t.deepEqual(desk.log, ['persist a']);
});

test('Large records make small batches, never empty ones', (t) => {
  const { book, log, add, desk } = bound(new Desk());
  add('a', 5_000);
  add('b', 5_000);
  book.deliver(OWNER, 0);
  book.batchEnded(OWNER, desk.ticket, true, 0);
  book.deliver(OWNER, 0);
  t.deepEqual(log.slice(2), ['deliver a to 9', 'deliver b to 9']);
});

test('Delivery pauses while the owner is suspect, and after a batch that failed', (t) => {
  const { book, log, add, desk } = bound(new Desk());
  add('a');
  log.length = 0;
  desk.suspects = [OWNER];
  book.deliver(OWNER, 0);
  t.deepEqual(log, []);
  desk.suspects = [];
  book.deliver(OWNER, 0);
  book.batchEnded(OWNER, desk.ticket, false, 0);
  book.deliver(OWNER, 499);
  t.is(log.length, 1);
  book.deliver(OWNER, 500);
  t.is(log.length, 2);
  book.batchEnded(OWNER, desk.ticket - 1, true, 500); // an earlier batch: nothing to do with it
  book.deliver(OWNER, 500);
  t.is(log.length, 2);
});

test('Beyond the bound a hint is refused; a key that shrinks always finds room', (t) => {
  const { book, add } = bound(new Desk(500));
  add('a', 300);
  t.is(book.add(P, 'b', OWNER, 10, 0), null);
  t.is(book.add(P, 'a', OWNER, 400, 0), null);
  t.not(book.add(P, 'a', OWNER, 200, 0), null);
  t.is(book.bytes, 200 + 1 + HINT_OVERHEAD_BYTES);
});

test('What an earlier opening left is there again, and its versions are never given out again', (t) => {
  const old = { ...bound(new Desk()).add('a', 100, 1) };
  const { book, add, log } = bound(new Desk(undefined, 2));
  book.restore(old);
  t.false(book.noneOutstanding(P));
  t.true(add('b').version > old.version);
  book.deliver(OWNER, 0);
  t.is(log.at(-1), 'deliver a,b to 9');
  t.true(book.acked(old.id, old.version));
  t.deepEqual([...book.owners()], [OWNER]);
});

function bound(desk: Desk): { desk: Desk; book: HintBook; log: string[]; add: Desk['add'] } {
  return { desk, book: desk.book, log: desk.log, add: desk.add.bind(desk) };
}
