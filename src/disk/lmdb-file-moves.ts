/*
 * Closed LMDB files that go, or take another one's place, with the lock files beside them. On libuv's threads: to free what
 * a large file takes can last as long as writing it.
 */
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a task names the file at `path` by when so many before it have gone. */
export function laterPath(path: string, gone: number): string {
  return `${path}?${gone}`;
}

/** The path of a file that a task names. */
export function filePath(taskPath: string): string {
  return taskPath.replace(/\?\d+$/, '');
}

/** That there is none is fine. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await rm(`${path}-lock`, { force: true });
  await syncFolder(dirname(path));
}

/** The file at `path`, if there is one, is never missed: the other takes its name in one step. */
export async function replaceFile(from: string, path: string): Promise<void> {
  await rm(`${path}-lock`, { force: true });
  await rename(from, path);
  await rm(`${from}-lock`, { force: true });
  await syncFolder(dirname(path));
  await syncFolder(dirname(from));
}

export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Outside of the promise: what is thrown by whoever is told is a bug of ours, and no failure of the work. */
export function settle(work: Promise<void>, done: (error: Error | null) => void): void {
  work.then(
    () => {
      setImmediate(done, null);
    },
    (error: unknown) => {
      setImmediate(done, error instanceof Error ? error : new Error(String(error)));
    },
  );
}
