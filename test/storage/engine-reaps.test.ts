/* Fences and reap logs: they survive what records survive, and no record that was reaped is gone without its entry. */
import test from 'ava';
import type { ReapEntry } from '../../src/storage/reap-storage.js';
import { DROP_RECORD } from '../../src/storage/storage.js';
import { place, TestWrite } from './engine-requests.js';
import { World, type WorldOptions } from './engine-world.js';

function opened(seed: number, options: Partial<WorldOptions> = {}): World {
  const world = new World({ seed, partitionCount: 4, ...options });
  const error = world.start();
  if (error !== null) throw error;
  return world;
}

class ReapWrite extends TestWrite {
  readonly reaping: { readonly fence: number; readonly atMs: number };

  constructor(name: string, fence: number, atMs = 5) {
    super(name, null, 0, 4, true, () => undefined);
    this.reaping = { fence, atMs };
  }

  override decide(stored: Parameters<TestWrite['decide']>[0]): number {
    super.decide(stored);
    return DROP_RECORD;
  }
}

function reap(world: World, name: string, fence: number, atMs = 5): ReapWrite {
  const write = new ReapWrite(name, fence, atMs);
  world.up().write(write);
  return write;
}

function reapNow(world: World, name: string, fence: number, atMs = 5): void {
  const write = reap(world, name, fence, atMs);
  world.time.runUntil(() => write.state === 'acked');
}

const hashOf = (name: string): { hashHi: number; hashLo: number; partition: number } =>
  place(Buffer.from(name, 'latin1'), 4);

function entriesOf(world: World, name: string): readonly ReapEntry[] {
  const { partition, hashHi, hashLo } = hashOf(name);
  return world.up().reaps.entriesOf(partition, hashHi, hashLo);
}

function raise(world: World, partition: number, fence: number, reapedAt = 0): { isDurable: boolean } {
  const told = { isDurable: false };
  world.up().reaps.raise(
    partition,
    { fence, reapedAt, trimmedAt: 0 },
    {
      durable: true,
      onWritten: () => {
        told.isDurable = true;
      },
    },
  );
  return told;
}

function raiseNow(world: World, partition: number, fence: number): void {
  const told = raise(world, partition, fence);
  world.time.runUntil(() => told.isDurable);
}

test('a fence refuses at once, and stamps when it is on the disk', (t) => {
  const world = opened(1);
  const { reaps } = world.up();
  const told = raise(world, 2, 7);
  t.deepEqual([reaps.stampOf(2), reaps.floorOf(2), reaps.floorOf(1)], [0, 7, 0]);
  world.time.runUntil(() => told.isDurable);
  t.deepEqual([reaps.stampOf(2), reaps.floorOf(2)], [7, 7]);
  reaps.refuseBelow(2, 9);
  t.deepEqual([reaps.stampOf(2), reaps.floorOf(2)], [7, 9]);
});

for (const ending of ['kill', 'power', 'clean'] as const) {
  test(`a fence outlives ${ending}, from the log and from the file`, (t) => {
    for (const flushed of [false, true]) {
      const world = opened(2);
      raiseNow(world, 2, 7);
      raiseNow(world, 2, 4);
      raiseNow(world, 3, 1);
      if (flushed) world.flush();
      if (ending === 'clean') t.is(world.stop(), null);
      else world.crash(ending);
      t.is(world.start(), null);
      const { reaps } = world.up();
      t.deepEqual(
        [0, 1, 2, 3].map((partition) => [reaps.stampOf(partition), reaps.floorOf(partition)]),
        [
          [0, 0],
          [0, 0],
          [7, 7],
          [1, 1],
        ],
      );
    }
  });
}

test('a reap takes the record and leaves its context, wherever the record was and whatever comes after', (t) => {
  for (const flushedBefore of [false, true]) {
    for (const flushedAfter of [false, true]) {
      const world = opened(3, { batchOperationsMax: 1 });
      world.put('a', 'one', 6);
      if (flushedBefore) world.flush();
      reapNow(world, 'a', 3);
      if (flushedAfter) world.flush();
      const check = (): void => {
        t.is(world.get('a').state, 'absent');
        const [entry, ...more] = entriesOf(world, 'a');
        t.is(more.length, 0);
        t.like(entry, { fence: 3, atMs: 5 });
        t.is(entry?.context.length, 14);
        t.is(entry?.context[13], 6);
        t.is(world.up().reaps.reapedAt(hashOf('a').partition), 3);
      };
      check();
      world.crash('power');
      t.is(world.start(), null);
      check();
      world.flush();
      check();
      t.deepEqual(
        [...world.up().liveTree(hashOf('a').partition).all()],
        [...world.up().storedLeaves(hashOf('a').partition)],
      );
      t.deepEqual(entriesOf(world, 'b'), []);
    }
  }
});

test('what was learnt lies beside what was reaped here, one entry for a key and fence, with all contexts', (t) => {
  const world = opened(4);
  const { hashHi, hashLo, partition } = hashOf('a');
  const entry = (fence: number, actor: number): ReapEntry => {
    const context = new Uint8Array(14);
    context[7] = actor;
    context[13] = 1;
    return { hashHi, hashLo, fence, atMs: 1, context };
  };
  const { reaps } = world.up();
  reaps.learn(partition, entry(3, 1));
  reaps.learn(partition, entry(3, 2));
  reaps.learn(partition, entry(5, 3));
  world.flush();
  reaps.learn(partition, entry(5, 4));
  const seen = (): string[] =>
    world
      .up()
      .reaps.entriesOf(partition, hashHi, hashLo)
      .map(({ fence, context }) => `${fence} ${context.length / 14}`);
  t.deepEqual(seen().sort(), ['3 2', '5 2']);
  world.flush();
  world.crash('power');
  world.start();
  t.deepEqual(seen().sort(), ['3 2', '5 2']);
});

function since(world: World, partition: number, fence: number): readonly ReapEntry[] {
  const found: ReapEntry[] = [];
  let after = '';
  do {
    const page = world.up().reaps.since(partition, fence, after);
    found.push(...page.entries);
    after = page.next;
  } while (after !== '');
  return found;
}

test('the log since a fence has every entry above it, from buffer and file, page by page', (t) => {
  const world = opened(5);
  const partition = 1;
  const { reaps } = world.up();
  for (let i = 0; i < 700; i++) {
    const entry = {
      hashHi: 0x4000_0000 + i,
      hashLo: i,
      fence: 1 + (i % 3),
      atMs: i,
      context: new Uint8Array(14).fill(1),
    };
    reaps.learn(partition, entry);
    if (i === 500) world.flush();
  }
  t.is(since(world, partition, 0).length, 700);
  t.is(since(world, partition, 1).length, 466);
  t.is(since(world, partition, 3).length, 0);
  world.flush();
  t.is(new Set(since(world, partition, 2).map(({ hashLo }) => hashLo)).size, 233);
});

test('old entries go, and the store says up to where', (t) => {
  const world = opened(6);
  world.put('a', 'one', 1);
  reapNow(world, 'a', 3, 100);
  const { partition } = hashOf('a');
  world.up().reaps.learn(partition, {
    hashHi: partition * 2 ** 30,
    hashLo: 9,
    fence: 8,
    atMs: 200,
    context: new Uint8Array(14),
  });
  raiseNow(world, partition, 9);
  world.flush();
  t.is(world.up().reaps.trim(partition, 150, ''), '');
  t.is(world.up().reaps.trimmedAt(partition), 3);
  t.deepEqual(entriesOf(world, 'a'), []);
  world.flush();
  t.deepEqual(entriesOf(world, 'a'), []);
  world.crash('power');
  world.start();
  t.deepEqual(entriesOf(world, 'a'), []);
  const { reaps } = world.up();
  t.deepEqual([reaps.trimmedAt(partition), reaps.stampOf(partition), since(world, partition, 0).length], [3, 9, 1]);
});

test('a crash at any moment leaves a record, or its entry; and a fence that was told is there', (t) => {
  for (let seed = 1; seed <= 60; seed++) {
    const world = opened(seed, { batchOperationsMax: 1 + (seed % 3) });
    const names = Array.from({ length: 5 }, (_, i) => world.nameIn(1, i));
    for (const name of names) world.put(name, 'value', 1);
    if (seed % 2 === 0) world.flush();
    const reaps = names.map((name, i) => reap(world, name, 1 + i));
    const raised = raise(world, 0, 9);
    world.up().flush(() => undefined);
    for (let i = world.random.int(60); i > 0; i--) world.time.step();
    const told = { reaped: reaps.map(({ state }) => state === 'acked'), isRaised: raised.isDurable };
    world.crash(seed % 3 === 0 ? 'kill' : 'power');
    t.is(world.start(), null);
    for (const [i, name] of names.entries()) {
      const isGone = world.get(name).state === 'absent';
      t.is(isGone, entriesOf(world, name).length === 1, `seed ${seed}, ${name}`);
      if (told.reaped[i] === true) t.true(isGone, `seed ${seed}, ${name}`);
    }
    if (told.isRaised) t.is(world.up().reaps.stampOf(0), 9, `seed ${seed}`);
  }
});

test('a partition that lost its file knows of no fence: it is to be told', (t) => {
  const world = opened(7);
  raiseNow(world, 2, 7);
  world.flush();
  t.is(world.stop(), null);
  world.medium.commits.delete(world.files.path(2));
  t.is(world.start(), null);
  t.deepEqual(world.up().status().suspectPartitions, [2]);
  t.deepEqual([world.up().reaps.stampOf(2), world.up().reaps.floorOf(2)], [0, 0]);
});
