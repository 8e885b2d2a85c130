/* What a store tells those who move partitions: the copy of one, with what stands in the buffer; and how large they are. */
import test from 'ava';
import type { FileManifest } from '../../src/env/workers.js';
import type { StoreRoom } from '../../src/model/space-messages.js';
import { World } from './engine-world.js';

const PARTITIONS = 64;

interface Told {
  manifest: FileManifest | null;
  ms: number;
}

function opened(seed: number): World {
  const world = new World({ seed, partitionCount: PARTITIONS });
  const error = world.start();
  if (error !== null) throw error;
  world.disk.makeFolder('outgoing', () => undefined);
  return world;
}

/** Not waited for. */
function put(world: World, partition: number, count: number, counter = 1): void {
  for (let i = 0, done = 0; done < count; i++) {
    const name = `k${i}`;
    if (world.partitionOf(name) !== partition) continue;
    world.write(name, `of ${counter}`.padEnd(1_000, '.'), counter, false, () => undefined);
    done += 1;
  }
}

function copy(world: World, meanwhile: () => void = () => undefined): Told {
  const startMs = world.time.monotonicMs();
  const told: Told = { manifest: null, ms: -1 };
  world.up().moves.copyFile(0, 'outgoing/one', (error, made) => {
    if (error !== null) throw error;
    told.manifest = made ?? null;
    told.ms = world.time.monotonicMs() - startMs;
  });
  world.time.runUntil(() => {
    meanwhile();
    return told.ms >= 0 || world.fatal !== null;
  });
  return told;
}

const fileOf = (world: World, partition: number): string => world.files.path(partition);

test('what is in the buffer is in the copy, and the other partitions keep their turn', (t) => {
  const world = opened(1);
  for (let partition = 1; partition < 30; partition++) put(world, partition, 4);
  put(world, 0, 40);
  const { manifest, ms } = copy(world);
  t.is(manifest?.records, 40);
  const flushed = Array.from({ length: 29 }, (_, i) => world.disk.paths().includes(fileOf(world, i + 1)));
  t.true(flushed.filter((isThere) => isThere).length < 10, 'it does not wait behind them');
  t.true(ms < 2_000, `${ms} ms`);
  world.flush();
  t.true(world.disk.paths().includes(fileOf(world, 29)));
});

test('what is written meanwhile is not waited for', (t) => {
  const world = opened(2);
  put(world, 0, 40);
  let counter = 1;
  let nextMs = 0;
  const { manifest } = copy(world, () => {
    if (world.time.monotonicMs() < nextMs) return;
    nextMs = world.time.monotonicMs() + 5;
    put(world, 0, 2, ++counter);
  });
  t.is(manifest?.records, 40);
  t.true(counter > 3, 'it was written all the time');
});

test('a disk that is too slow for it gives what the file has', (t) => {
  const world = opened(3);
  put(world, 0, 20);
  world.flush();
  put(world, 0, 60, 2);
  world.disk.slow(60_000); // of the log, too: nothing goes to a file before it is durable there
  const { manifest, ms } = copy(world);
  t.is(manifest?.records, 20);
  t.true(ms > 5_000, `${ms} ms`);
});

test('a store that is closed meanwhile makes no copy', (t) => {
  const world = opened(4);
  put(world, 0, 400);
  let failure = '';
  world.up().moves.copyFile(0, 'outgoing/one', (error) => {
    failure = error?.message ?? 'none';
  });
  t.is(world.stop(), null);
  t.is(failure, 'The store is being closed');
});

test('how large partitions are, in the file and in the buffer, and how much room there is', (t) => {
  const world = opened(5);
  put(world, 3, 20);
  world.flush();
  put(world, 0, 10);
  put(world, 3, 1, 2);
  const told: { room: StoreRoom | null } = { room: null };
  world.up().moves.room((error, room) => {
    if (error !== null) throw error;
    told.room = room ?? null;
  });
  world.time.runUntil(() => told.room !== null);
  const { room } = told;
  t.deepEqual(
    room?.partitions.map(({ partition }) => partition),
    [0, 3],
  );
  const [first = 0, second = 0] = room?.partitions.map(({ bytes }) => bytes) ?? [];
  t.true(first > 10_000 && first < 20_000 && second > 20_000, `${first}, ${second}`);
  t.true((room?.freeBytes ?? 0) > 0 && (room?.freeBytes ?? 0) <= (room?.totalBytes ?? 0));
  t.true((room?.keptBytes ?? 0) > 4 * 64 * 1_048_576);
});
