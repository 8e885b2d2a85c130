/* Scans of the real engine and of its twin in memory, held to the same sentences; then what only files can do wrong. */
import test from 'ava';
import fc from 'fast-check';
import type { Failure } from '../../src/model/errors.js';
import { type PartitionId, partitionId } from '../../src/model/ids.js';
import { HASH_END_HI, type HashPlace, type ScanRequest } from '../../src/storage/scan.js';
import { storageKey } from '../../src/storage/storage-key.js';
import type { Storage, Stored } from '../../src/storage/storage.js';
import { collidingKeys } from '../support/colliding-keys.js';
import { MemoryStorage } from '../support/memory-storage.js';
import { DIGEST, place, TestWrite, valueOf } from './engine-requests.js';
import { World, type WorldOptions } from './engine-world.js';

interface Limits {
  readonly from?: HashPlace;
  readonly until?: HashPlace;
  readonly recordsMax?: number;
  readonly bytesMax?: number;
}

/** One batch, as text: `key=value`, or `key!` where it is not known. */
class TestScan implements ScanRequest {
  readonly partition: PartitionId;
  readonly fromHi: number;
  readonly fromLo: number;
  readonly untilHi: number;
  readonly untilLo: number;
  readonly recordsMax: number;
  readonly bytesMax: number;
  readonly seen: string[] = [];
  readonly hashes: string[] = [];
  next: HashPlace | null = null;
  failure: Failure | null = null;
  ended = false;
  reasons: string[] = [];
  hadMarks = false;
  onEach: (name: string) => void = () => undefined;

  constructor(partition: number, { from, until, recordsMax, bytesMax }: Limits = {}) {
    this.partition = partitionId(partition, PARTITIONS);
    this.fromHi = from?.hi ?? 0;
    this.fromLo = from?.lo ?? 0;
    this.untilHi = until?.hi ?? HASH_END_HI;
    this.untilLo = until?.lo ?? 0;
    this.recordsMax = recordsMax ?? 1_000;
    this.bytesMax = bytesMax ?? 1_000_000;
  }

  onRecord(stored: Stored, key: Uint8Array, hashHi: number, hashLo: number): void {
    if (this.ended) throw new Error('A record after the end');
    const name = Buffer.from(key).toString('latin1');
    if (key.length > 0) {
      const expected = place(key, PARTITIONS);
      if (expected.hashHi !== hashHi || expected.hashLo !== hashLo) throw new Error(`${name} has another hash`);
    }
    this.hashes.push(`${hashHi}/${hashLo}`);
    this.seen.push(stored.state === 'ok' ? `${name}=${valueOf(stored)}` : `${name}!`);
    this.reasons.push(stored.reason);
    this.hadMarks ||= stored.hasMark;
    this.onEach(name);
  }

  onEnd(next: HashPlace | null, failure: Failure | null): void {
    if (this.ended) throw new Error('A scan ended twice');
    this.ended = true;
    this.next = next;
    this.failure = failure;
  }
}

const PARTITIONS = 4;

interface Store {
  readonly storage: Storage;
  put(name: string, value: string | null): void;
  /** Everything stored so far goes to the files, if there are any. */
  flush(): void;
  until(isDone: () => boolean): Promise<void>;
}

function engineStore(options: Partial<WorldOptions> = {}): Store & { readonly world: World } {
  const world = new World({ seed: 1, partitionCount: PARTITIONS, ...options });
  const error = world.start();
  if (error !== null) throw error;
  return {
    world,
    storage: world.up(),
    put: (name, value) => {
      world.put(name, value);
    },
    flush: () => {
      world.flush();
    },
    until: (isDone) => {
      world.time.runUntil(isDone);
      return Promise.resolve();
    },
  };
}

function memoryStore(): Store {
  const storage = new MemoryStorage();
  return {
    storage,
    put: (name, value) => {
      storage.write(new TestWrite(name, value, 1, PARTITIONS, false, () => undefined));
    },
    flush: () => undefined,
    until: async (isDone) => {
      while (!isDone()) await new Promise(setImmediate);
    },
  };
}

const STORES = {
  engine: () => engineStore(),
  'cold engine': () => engineStore({ alwaysCold: true }),
  'engine with a cache': () => engineStore({ cacheBytesMax: 50_000 }),
  twin: () => memoryStore(),
} satisfies Record<string, () => Store>;

async function scan(store: Store, partition: number, limits: Limits = {}): Promise<TestScan> {
  const request = new TestScan(partition, limits);
  store.storage.scan(request);
  await store.until(() => request.ended);
  return request;
}

/** All batches of a partition; each but the last was cut by a limit. */
async function scanAll(store: Store, partition: number, limits: Limits = {}): Promise<readonly string[]> {
  const seen: string[] = [];
  let from = limits.from ?? { hi: 0, lo: 0 };
  for (;;) {
    const batch = await scan(store, partition, { ...limits, from });
    if (batch.failure !== null) throw new Error(batch.failure.text);
    seen.push(...batch.seen);
    if (batch.next === null) return seen;
    from = batch.next;
  }
}

const partitionOf = (name: string): number => place(Buffer.from(name, 'latin1'), PARTITIONS).partition;

function inHashOrder(model: ReadonlyMap<string, string>, partition: number): readonly string[] {
  return [...model]
    .map(([name, value]) => ({ name, value, ...place(Buffer.from(name, 'latin1'), PARTITIONS) }))
    .filter((line) => line.partition === partition)
    .sort((a, b) => a.hashHi - b.hashHi || a.hashLo - b.hashLo)
    .map(({ name, value }) => `${name}=${value}`);
}

for (const [kind, make] of Object.entries(STORES)) {
  test(`${kind}: puts and drops, flushed or not, are shown as they are, in hash order, whatever the batch`, async (t) => {
    const step = fc.record({
      key: fc.integer({ min: 0, max: 30 }),
      kind: fc.constantFrom('put', 'put', 'put', 'drop', 'flush'),
    });
    const cut = fc.record({ recordsMax: fc.integer({ min: 1, max: 9 }), bytesMax: fc.integer({ min: 1, max: 2_000 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 50 }), cut, async (steps, limits) => {
        const store = make();
        const model = new Map<string, string>();
        for (const [i, { key, kind: what }] of steps.entries()) {
          const name = key % 5 === 0 ? `long ${key} `.padEnd(600, 'k') : `key ${key}`;
          if (what === 'flush') store.flush();
          else store.put(name, what === 'put' ? `value ${i}` : null);
          if (what === 'put') model.set(name, `value ${i}`);
          else if (what === 'drop') model.delete(name);
        }
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const expected = inHashOrder(model, partition);
          t.deepEqual(await scanAll(store, partition, limits), expected);
          t.deepEqual((await scan(store, partition)).seen, expected);
        }
      }),
      { numRuns: 30 },
    );
  });

  test(`${kind}: a stretch is from its first hash to before its last, and a limit is where it says`, async (t) => {
    const store = make();
    const names = Array.from({ length: 60 }, (_, i) => `key ${i}`).filter((name) => partitionOf(name) === 2);
    for (const [i, name] of names.entries()) {
      store.put(name, 'v'.repeat(100));
      if (i === 5) store.flush();
    }
    const all = await scan(store, 2);
    t.is(all.seen.length, names.length);
    t.true(names.length > 8);
    const hashes = all.hashes.map((hash) => hash.split('/').map(Number)).map(([hi = 0, lo = 0]) => ({ hi, lo }));
    const [from, until] = [hashes[2], hashes[6]] as [HashPlace, HashPlace];
    t.deepEqual((await scan(store, 2, { from, until })).seen, all.seen.slice(2, 6));
    t.is((await scan(store, 2, { from, until })).next, null);
    t.deepEqual((await scan(store, 2, { from: until, until: from })).seen, []);
    const three = await scan(store, 2, { from, recordsMax: 3 });
    t.deepEqual(three.seen, all.seen.slice(2, 5));
    t.deepEqual(three.next, hashes[5]);
    t.is((await scan(store, 2, { bytesMax: 1 })).seen.length, 1);
    t.is((await scan(store, 2, { bytesMax: 300 })).seen.length, 2);
    t.deepEqual((await scan(store, 2, { recordsMax: names.length })).next, null);
    t.deepEqual((await scan(store, 1, { from, until })).seen, [], 'a stretch of another partition');
  });

  test(`${kind}: keys of one hash are in one batch, wherever they lie`, async (t) => {
    const [one, two, three] = collidingKeys(3).map((key) => Buffer.from(key).toString('latin1')) as [
      string,
      string,
      string,
    ];
    const partition = partitionOf(one);
    const store = make();
    store.put(one, '1');
    store.put(two, '2');
    store.flush();
    store.put(three, '3');
    const others = Array.from({ length: 40 }, (_, i) => `other ${i}`).filter((name) => partitionOf(name) === partition);
    for (const name of others) store.put(name, 'x');
    const batches: number[] = [];
    let from: HashPlace | null = { hi: 0, lo: 0 };
    while (from !== null) {
      const batch: TestScan = await scan(store, partition, { from, recordsMax: 1 });
      batches.push(batch.seen.length);
      if (batch.seen.length > 1) t.deepEqual([...batch.seen].sort(), [`${one}=1`, `${two}=2`, `${three}=3`].sort());
      from = batch.next;
    }
    t.deepEqual(batches.toSorted((a, b) => b - a).slice(0, 2), [3, 1]);
    t.is(batches.length, others.length + 1);
    store.put(two, null);
    t.deepEqual(
      (await scanAll(store, partition)).filter((line) => !line.startsWith('other')).sort(),
      [`${one}=1`, `${three}=3`].sort(),
    );
  });

  test(`${kind}: it never answers inside the call, and what is written from inside an answer is seen further on`, async (t) => {
    const store = make();
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i'].filter((name) => partitionOf(name) === 3);
    t.true(names.length >= 2);
    for (const name of names) store.put(name, 'old');
    store.flush();
    const order = (await scan(store, 3)).seen.map((line) => line.slice(0, 1));
    const request = new TestScan(3);
    request.onEach = (name) => {
      const following = order[order.indexOf(name) + 1];
      if (following === undefined) return;
      store.storage.write(
        new TestWrite(following, following === order[1] ? null : 'new', 2, PARTITIONS, false, () => undefined),
      );
    };
    store.storage.scan(request);
    t.false(request.ended);
    t.deepEqual(request.seen, []);
    await store.until(() => request.ended);
    t.deepEqual(request.seen.slice(0, 2), [`${order[0]}=old`, `${order[2]}=old`].slice(0, order.length > 2 ? 2 : 1));
  });
}

function fileKey(name: string): Uint8Array {
  const { hashHi, hashLo } = place(Buffer.from(name, 'latin1'), PARTITIONS);
  return storageKey(hashHi, hashLo, Buffer.from(name, 'latin1'), DIGEST);
}

test('a damaged record is shown as unknown under its key, and counted, unless the buffer has a newer one', async (t) => {
  for (const name of ['short', 'long '.padEnd(700, 'x')]) {
    for (const byte of [0, 2, 30]) {
      const store = engineStore();
      const { world } = store;
      store.put(name, 'value');
      store.flush();
      world.medium.flip(world.files.path(partitionOf(name)), fileKey(name), byte);
      const found = await scan(store, partitionOf(name));
      // A long key that the record does not name right is nobody's; its hash is known.
      t.true([`${name}!`, name === 'short' ? 'none' : '!'].includes(found.seen[0] as string), `${byte}`);
      t.is(found.seen.length, 1);
      t.regex(found.reasons[0] as string, /^The stored record is damaged \(/);
      t.is(found.failure, null);
      t.is(world.up().status().damagedRecords, 1);
      store.put(name, 'newer');
      t.deepEqual((await scan(store, partitionOf(name))).seen, [`${name}=newer`]);
    }
  }
});

test('a suspect partition shows what it has, without marks', async (t) => {
  const store = engineStore();
  store.put('a', 'value');
  t.true((await scan(store, partitionOf('a'))).hadMarks);
  store.world.up().suspect(partitionOf('a'), 2);
  t.is(store.world.get('a').state, 'unknown');
  const found = await scan(store, partitionOf('a'));
  t.deepEqual(found.seen, ['a=value']);
  t.false(found.hadMarks);
});

test('a flush between the question and the answer hides nothing', async (t) => {
  for (let steps = 0; steps < 60; steps++) {
    const store = engineStore({ seed: steps, batchOperationsMax: 2 });
    const { world } = store;
    const names = Array.from({ length: 40 }, (_, i) => `key ${i}`).filter((name) => partitionOf(name) === 1);
    for (const name of names) store.put(name, 'old');
    store.flush();
    for (const name of names) store.put(name, name.endsWith('1') ? null : 'new');
    world.up().flush(() => undefined);
    for (let i = 0; i < steps; i++) world.time.step();
    const request = new TestScan(1);
    world.up().scan(request);
    world.time.runUntil(() => request.ended);
    const expected = new Map(names.filter((name) => !name.endsWith('1')).map((name) => [name, 'new']));
    t.deepEqual(request.seen, inHashOrder(expected, 1));
  }
});

test('a pool that fails costs a read on the loop; a file that cannot be read is a failure and makes a suspect', async (t) => {
  const store = engineStore();
  const { world } = store;
  store.put('a', 'value');
  store.flush();
  const files = world.files as { snapshotOf: unknown };
  files.snapshotOf = (): never => {
    throw new Error('No thread today');
  };
  t.deepEqual((await scan(store, partitionOf('a'))).seen, ['a=value']);
  t.true(world.lines.some(({ event }) => event === 'scan_failed'));
  const commit = world.medium.commits;
  const original = commit.get.bind(commit);
  world.time.runFor(10);
  store.put('b', 'ends the snapshot of this file');
  store.flush();
  commit.get = (path): never => {
    throw new Error(`Cannot read ${path}`);
  };
  const found = await scan(store, partitionOf('b'));
  commit.get = original;
  t.like(found, { next: null, failure: { code: 'UNAVAILABLE' } });
  t.deepEqual(world.up().status().suspectPartitions, [partitionOf('b')]);
});

test('a store that stops waits for scans under way, and refuses new ones', (t) => {
  const store = engineStore();
  const { world } = store;
  store.put('a', 'value');
  store.flush();
  const engine = world.up();
  const request = new TestScan(partitionOf('a'));
  engine.scan(request);
  t.is(world.stop(), null);
  t.deepEqual(request.seen, ['a=value']);
  const late = new TestScan(partitionOf('a'));
  engine.scan(late);
  t.like(late, { ended: true, next: null, failure: { code: 'DRAINING' } });
});
