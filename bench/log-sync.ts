/*
 * Which makes a log write durable sooner: O_DSYNC, or a write and then fdatasync?
 *
 * Writes groups of 1, 16 and 64 KiB one after the other into a file filled with zeros, as the commit log does, by
 * src/disk. The two take turns, so that a disk that gets slower meets both. Prints syncs a second and percentiles.
 *
 *   node dist/bench/log-sync.js [directory] [writes a turn]
 */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RealDisk } from '../src/disk/real-disk.js';
import type { DiskFile } from '../src/env/disk.js';

const TURNS = 6;
const FILE_BYTES = 67_108_864;

type Way = 'O_DSYNC' | 'write + fdatasync';

async function call<T>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return await new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value as T);
      else reject(error);
    });
  });
}

async function main(parent: string, writes: number): Promise<void> {
  const directory = mkdtempSync(join(realpathSync(parent), 'log-sync-'));
  try {
    const disk = new RealDisk(directory);
    await prepare(disk);
    const plain = await call<DiskFile>((done) => {
      disk.open('log', 'write', done);
    });
    const synced = await call<DiskFile>((done) => {
      disk.open('log', 'write-synced', done);
    });
    for (const kib of [1, 16, 64]) {
      const took: Record<Way, number[]> = { O_DSYNC: [], 'write + fdatasync': [] };
      for (let turn = 0; turn < TURNS; turn++) {
        await measure(synced, false, kib * 1_024, writes, took['O_DSYNC']);
        await measure(plain, true, kib * 1_024, writes, took['write + fdatasync']);
      }
      for (const way of ['O_DSYNC', 'write + fdatasync'] as const) print(kib, way, took[way]);
    }
    await call<void>((done) => {
      plain.close(done);
    });
    await call<void>((done) => {
      synced.close(done);
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function prepare(disk: RealDisk): Promise<void> {
  const file = await call<DiskFile>((done) => {
    disk.open('log', 'create', done);
  });
  const zeros = Buffer.alloc(1_048_576);
  for (let offset = 0; offset < FILE_BYTES; offset += zeros.length)
    await call<void>((done) => {
      file.write(offset, [zeros], done);
    });
  await call<void>((done) => {
    file.sync(done);
  });
  await call<void>((done) => {
    file.close(done);
  });
}

async function measure(file: DiskFile, sync: boolean, bytes: number, writes: number, took: number[]): Promise<void> {
  const chunk = Buffer.alloc(bytes, 7);
  for (let i = 0; i < writes; i++) {
    const began = performance.now();
    await call<void>((done) => {
      file.write((i * bytes) % FILE_BYTES, [chunk], done);
    });
    if (sync)
      await call<void>((done) => {
        file.sync(done);
      });
    took.push(performance.now() - began);
  }
}

function print(kib: number, way: Way, took: number[]): void {
  took.sort((a, b) => a - b);
  const at = (share: number): string => (took[Math.floor(took.length * share)] ?? 0).toFixed(3);
  const total = took.reduce((sum, ms) => sum + ms, 0);
  console.log(
    `${String(kib).padStart(3)} KiB  ${way.padEnd(18)} ${Math.round((1_000 * took.length) / total)} a second, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`,
  );
}

await main(process.argv[2] ?? tmpdir(), Number(process.argv[3] ?? 400));
