/*
 * The same commands on LMDB and on its twin in memory: what one answers, the other answers.
 */
import { mkdtempSync, realpathSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { LmdbPartitionFiles } from '../../src/disk/lmdb-partition-file.js';
import type { Timers } from '../../src/env/clock.js';
import type { FileName, PartitionFile, PartitionFileOperation, PartitionFiles } from '../../src/env/partition-file.js';
import { Prng } from '../../src/lib/prng.js';
import { MemoryMedium, MemoryPartitionFiles } from '../support/memory-partition-file.js';
import { SimulatedDisk } from '../support/simulated-disk.js';

const TIMERS: Timers = {
  after: (ms, fire) => {
    const timer = setTimeout(fire, ms);
    return {
      cancel: () => {
        clearTimeout(timer);
      },
    };
  },
  endOfTurn: (fire) => {
    setImmediate(fire);
  },
};
const MAP_BYTES = 2 ** 38;

type Command =
  | {
      readonly kind: 'write';
      readonly partition: FileName;
      readonly operations: readonly { key: number; size: number | null }[];
    }
  | { readonly kind: 'get'; readonly partition: FileName; readonly key: number }
  | { readonly kind: 'scan'; readonly partition: FileName; readonly after: number | null; readonly limit: number }
  | { readonly kind: 'turn' | 'reopen' };

const KEYS: readonly Buffer[] = Array.from({ length: 12 }, (_, i) => Buffer.alloc(i === 0 ? 511 : 1 + i * 13, i % 5));
const commands = (): fc.Arbitrary<Command[]> => {
  const partition = fc.constantFrom<FileName>(0, 1, 2, 'hints');
  const key = fc.integer({ min: 0, max: KEYS.length - 1 });
  return fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constant('write' as const),
        partition,
        operations: fc.array(
          fc.record({
            key,
            size: fc.option(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 3_000, max: 20_000 }))),
          }),
          { minLength: 1, maxLength: 6 },
        ),
      }),
      fc.record({ kind: fc.constant('get' as const), partition, key }),
      fc.record({
        kind: fc.constant('scan' as const),
        partition,
        after: fc.option(key),
        limit: fc.integer({ min: 1, max: 9 }),
      }),
      fc.record({ kind: fc.constantFrom('turn' as const, 'reopen' as const) }),
    ),
    { maxLength: 25 },
  );
};

class Store {
  readonly files: PartitionFiles;
  readonly #open: Map<FileName, PartitionFile> = new Map();

  constructor(files: PartitionFiles) {
    this.files = files;
  }

  async file(partition: FileName): Promise<PartitionFile> {
    const known = this.#open.get(partition);
    if (known !== undefined) return known;
    const opened = await new Promise<PartitionFile>((resolve, reject) => {
      this.files.open(partition, MAP_BYTES, (error, file) => {
        if (error === null && file !== undefined) resolve(file);
        else reject(error ?? new Error('No file'));
      });
    });
    this.#open.set(partition, opened);
    return opened;
  }

  async write(partition: FileName, operations: readonly PartitionFileOperation[]): Promise<void> {
    const file = await this.file(partition);
    await new Promise<void>((resolve, reject) => {
      file.write(operations, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  close(): void {
    for (const file of this.#open.values()) file.close();
    this.#open.clear();
  }
}

/** What a command answers, as text. */
async function answer(store: Store, command: Command, step: number): Promise<string> {
  switch (command.kind) {
    case 'turn':
      await new Promise((resolve) => setImmediate(resolve));
      return 'turn';
    case 'reopen':
      store.close();
      return 'reopen';
    case 'write':
      await store.write(
        command.partition,
        command.operations.map(({ key, size }) => ({
          key: KEYS[key] as Buffer,
          value: size === null ? null : Buffer.alloc(size, step),
        })),
      );
      return 'written';
    case 'get': {
      const value = (await store.file(command.partition)).get(KEYS[command.key] as Buffer);
      return value === null ? 'absent' : Buffer.from(value).toString('hex');
    }
    case 'scan': {
      const entries = (await store.file(command.partition)).scan(
        command.after === null ? null : (KEYS[command.after] as Buffer),
        command.limit,
      );
      return entries
        .map(({ key, value }) => `${Buffer.from(key).toString('hex')}=${Buffer.from(value).toString('hex')}`)
        .join();
    }
  }
}

function memoryStore(): Store {
  const random = new Prng(1);
  return new Store(new MemoryPartitionFiles(new MemoryMedium(), simulatedFolder(), TIMERS, random));
}

function simulatedFolder(): SimulatedDisk {
  const disk = new SimulatedDisk({ timers: TIMERS, random: new Prng(2), delayMsMax: 0 });
  disk.restore('partitions/.', new Uint8Array(0));
  return disk;
}

async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'partita-files-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('LMDB and its twin give the same answers', async (t) => {
  await fc.assert(
    fc.asyncProperty(commands(), (list) =>
      inFolder(async (folder) => {
        const lmdb = new Store(new LmdbPartitionFiles(folder));
        const memory = memoryStore();
        try {
          for (const [step, command] of list.entries()) {
            const [one, other] = [await answer(lmdb, command, step), await answer(memory, command, step)];
            if (one !== other)
              throw new Error(
                `${JSON.stringify(command)}: LMDB says ${one.slice(0, 200)}, the twin ${other.slice(0, 200)}`,
              );
          }
        } finally {
          lmdb.close();
          memory.close();
        }
      }),
    ),
    { numRuns: 60 },
  );
  t.pass();
});

test('a read in the answer of a batch sees the batch, whatever was read before', async (t) => {
  await inFolder(async (folder) => {
    for (const store of [new Store(new LmdbPartitionFiles(folder)), memoryStore()]) {
      const key = Buffer.from('k');
      const file = await store.file(0);
      await store.write(0, [{ key, value: Buffer.from('one') }]);
      t.deepEqual(file.get(key), Buffer.from('one'));
      await new Promise<void>((resolve) => {
        file.write([{ key, value: Buffer.from('two') }], () => {
          t.deepEqual(file.get(key), Buffer.from('two'));
          resolve();
        });
      });
      t.deepEqual(file.get(key), Buffer.from('two'));
      store.close();
    }
  });
});

test('a truncated file is refused before LMDB touches it, a strange one too', async (t) => {
  await inFolder(async (folder) => {
    const store = new Store(new LmdbPartitionFiles(folder));
    await store.write(
      5,
      Array.from({ length: 50 }, (_, i) => ({ key: Buffer.from(`k${i}`), value: Buffer.alloc(1_000, i) })),
    );
    const { fileBytes } = (await store.file(5)).stats();
    store.close();
    for (const size of [fileBytes - 1, 8_192, 4_096, 100]) {
      truncateSync(store.files.path(5), size);
      await t.throwsAsync(store.file(5), { code: 'DAMAGED' }, `${size} bytes`);
    }
    const setAside = (name: FileName): Promise<string> =>
      new Promise<string>((resolve, reject) => {
        store.files.quarantine(name, (error, where) => {
          if (error === null) resolve(where ?? '');
          else reject(error);
        });
      });
    t.true((await setAside(5)).endsWith('/quarantine/0005.mdb.0'));
    t.is((await store.file(5)).stats().entries, 0);
    await store.write('hints', [{ key: Buffer.from('k'), value: Buffer.from('v') }]);
    t.is(store.files.path('hints'), join(realpathSync(folder), 'hints.mdb'));
    store.close();
    t.true((await setAside('hints')).endsWith('/quarantine/hints.mdb.0'));
    t.is((await store.file('hints')).stats().entries, 0);
    store.close();
  });
});

test('256 files open, and open again, in well under the time of a start', async (t) => {
  await inFolder(async (folder) => {
    const store = new Store(new LmdbPartitionFiles(folder));
    for (let i = 0; i < 256; i++) await store.file(i);
    store.close();
    const startedMs = performance.now();
    for (let i = 0; i < 256; i++) await store.file(i);
    const tookMs = performance.now() - startedMs;
    store.close();
    t.log(`opened again in ${tookMs.toFixed(0)} ms`);
    t.true(tookMs < 5_000);
  });
});
