import test from 'ava';
import type { PartitionFile } from '../../src/env/partition-file.js';
import type { ReadTask, Workers } from '../../src/env/workers.js';
import { RecordCache } from '../../src/storage/cache.js';
import { MARK_BYTES, writeMark } from '../../src/storage/engine-mark.js';
import { Reader, type Fetched } from '../../src/storage/engine-reader.js';
import { StoredSlot } from '../../src/storage/engine-stored.js';
import { Warmth } from '../../src/storage/engine-warmth.js';
import { Partition } from '../../src/storage/partition.js';
import type { ReadRequest, WriteRequest } from '../../src/storage/storage.js';
import { DIGEST, HASH, TestRead, testRecordBytes, valueOf, writeTestRecord } from './engine-requests.js';

function valueWith(text: string): Uint8Array {
  const key = Buffer.from('k');
  const size = testRecordBytes(key, text.length);
  const bytes = Buffer.alloc(size + MARK_BYTES);
  writeTestRecord(bytes, 0, key, 1, Buffer.from(text));
  writeMark(bytes, size, 0, 0, 0, 1, HASH);
  return bytes;
}

/** A reader over one cold partition whose file says `inFile`, and whose pool answers when the test says so. */
function coldReader(): {
  reader: Reader;
  partition: Partition;
  file: { value: Uint8Array };
  turn: () => void;
  pool: ((error: Error | null, values?: readonly (Uint8Array | null)[]) => void)[];
  tasks: ReadTask[];
  answers: string[];
  clock: { nowMs: number; stepMs: number; faults: number };
} {
  const clock = { nowMs: 0, stepMs: 0, faults: 0 };
  const partition = new Partition(0);
  const file = { value: valueWith('old') };
  partition.file = { get: () => file.value } as unknown as PartitionFile;
  partition.warmth.noteRead(1);
  partition.warmth.noteRead(1);
  const pool: ((error: Error | null, values?: readonly (Uint8Array | null)[]) => void)[] = [];
  const tasks: ReadTask[] = [];
  const turns: (() => void)[] = [];
  const answers: string[] = [];
  const workers = {
    readMany: (task: ReadTask, done: (error: Error | null, values?: readonly (Uint8Array | null)[]) => void): void => {
      tasks.push(task);
      pool.push(done);
    },
  } as unknown as Workers;
  const reader: Reader = new Reader({
    clock: { wallMs: () => 0, monotonicMs: () => (clock.nowMs += clock.stepMs) },
    majorFaults: () => clock.faults,
    timers: { after: () => ({ cancel: () => undefined }), endOfTurn: (fire) => turns.push(fire) },
    workers,
    files: { taskPath: () => 'p' },
    digest: DIGEST,
    hash: HASH,
    cache: new RecordCache(0),
    log: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
    coldReads: { add: () => undefined },
    suspicions: { onDamagedRecord: () => undefined, onBrokenFile: () => undefined },
    resume: (_, request: ReadRequest | WriteRequest, name: string, fetched: Fetched) => {
      const slot = new StoredSlot();
      reader.findFetched(partition, request, name, slot, fetched);
      answers.push(slot.state === 'ok' ? valueOf(slot) : slot.state);
    },
  });
  return {
    reader,
    partition,
    file,
    turn: () => {
      for (const fire of turns.splice(0)) fire();
    },
    pool,
    tasks,
    answers,
    clock,
  };
}

test('requests of one turn share one hop, and those for one key share one read', (t) => {
  const { reader, partition, turn, tasks, pool, answers, file } = coldReader();
  for (let i = 0; i < 3; i++) reader.wait(partition, new TestRead('k', 1), 'k');
  reader.wait(partition, new TestRead('other', 1), 'other');
  turn();
  reader.wait(partition, new TestRead('k', 1), 'k'); // joins what is under way
  turn();
  t.is(tasks.length, 1);
  t.is(tasks[0]?.keys.length, 2);
  t.is(reader.waiting, 5);
  pool[0]?.(null, [file.value, null]);
  t.deepEqual(answers, ['old', 'old', 'old', 'old', 'absent']);
  t.is(reader.waiting, 0);
});

test('an answer from before a flush is thrown away and the file read again', (t) => {
  const { reader, partition, turn, pool, answers, file } = coldReader();
  reader.wait(partition, new TestRead('k', 1), 'k');
  turn();
  const before = file.value;
  file.value = valueWith('new');
  partition.flushes += 1; // a frozen map, which may have held the key, is in the file now
  pool[0]?.(null, [before]);
  t.deepEqual(answers, ['new']);
});

test('when the pool cannot read, the loop does', (t) => {
  const { reader, partition, turn, pool, answers } = coldReader();
  reader.wait(partition, new TestRead('k', 1), 'k');
  turn();
  pool[0]?.(new Error('Task queue is at limit'));
  t.deepEqual(answers, ['old']);
});

test('a read that the scheduler interrupted does not make a file cold, one that waited for the disk does', (t) => {
  const { partition, reader, clock } = coldReader();
  while (partition.warmth.cold) partition.warmth.noteHop(0.1);
  const read = (faults: number): void => {
    clock.faults += faults;
    clock.stepMs = 5;
    t.true(reader.find(partition, new TestRead('k', 1), 'k', new StoredSlot()));
  };
  read(1); // the first look at the counter tells nothing
  for (let i = 0; i < 200; i++) read(0);
  t.false(partition.warmth.cold);
  read(1);
  read(1);
  t.true(partition.warmth.cold);
});

test('a partition turns cold by a slow read in a hundred, warm by many fast hops, and more warily each time', (t) => {
  const warmth = new Warmth();
  for (let i = 0; i < 1_000; i++) warmth.noteRead(i % 128 === 0 ? 5 : 0.004);
  t.false(warmth.cold);
  warmth.noteRead(5);
  warmth.noteRead(5);
  t.true(warmth.cold);
  const hopsUntilWarm = (): number => {
    let hops = 0;
    for (; warmth.cold; hops++) warmth.noteHop(0.1);
    return hops;
  };
  const first = hopsUntilWarm();
  warmth.noteRead(5);
  warmth.noteRead(5);
  warmth.noteHop(3);
  t.is(hopsUntilWarm(), 2 * first);
});
