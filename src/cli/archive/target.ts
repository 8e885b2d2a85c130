/*
 * The folder that archives are in, as files. Every name in it is made in archive/names.ts; nothing here follows a link, and
 * a file that is to be read must be a plain one with one name. What is written is synced, then renamed into its place, and
 * then the folder is synced: a crash leaves what was there, or what is there now.
 */
import { createHash } from 'node:crypto';
import { constants, lstatSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ArchivedPartition,
  decodeManifest,
  decodePartition,
  encodeManifest,
  encodePartition,
  type Manifest,
  MANIFEST_BYTES_MAX,
} from '../../archive/manifest.js';
import { isArchiveName, MANIFEST_NAME, partitionFileName, PROGRESS_NAME } from '../../archive/names.js';
import { syncFolder } from '../../disk/lmdb-file-moves.js';
import type { Digest } from '../../env/digest.js';
import { UsageError } from '../io.js';

export const DIGEST: Digest = { sha256: (bytes) => createHash('sha256').update(bytes).digest() };
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW } = constants;
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const UNNAMED = '.part';

export type Read<T> = T | { readonly fault: string };

export interface FoundArchive {
  readonly name: string;
  readonly manifest: Read<Manifest>;
}

/** Where one archive's files are. */
export function archiveFolder(target: string, name: string): string {
  if (!isArchiveName(name)) throw new UsageError(`${JSON.stringify(name)} is no name of an archive`);
  return join(target, name);
}

/** Oldest first; what is called like an archive and is no folder is none. */
export async function archivesIn(target: string): Promise<readonly FoundArchive[]> {
  let names: readonly string[];
  try {
    const entries = await readdir(target, { withFileTypes: true });
    names = entries.filter((entry) => entry.isDirectory() && isArchiveName(entry.name)).map(({ name }) => name);
  } catch (error) {
    throw new UsageError(`TARGET: cannot read ${target}: ${codeOf(error)}`);
  }
  return Promise.all([...names].sort().map(async (name) => ({ name, manifest: await readManifest(target, name) })));
}

async function readManifest(target: string, name: string): Promise<Read<Manifest>> {
  const folder = archiveFolder(target, name);
  const text = await readText(join(folder, MANIFEST_NAME));
  if (typeof text !== 'string') return text;
  const manifest = decodeManifest(text, DIGEST);
  if ('fault' in manifest) return manifest;
  return manifest.name === name ? manifest : { fault: `It is of an archive called ${manifest.name}` };
}

/** Partitions of an unfinished archive that are there; a line that a crash has cut off is not. */
export async function readProgress(folder: string): Promise<readonly ArchivedPartition[]> {
  const text = await readText(join(folder, PROGRESS_NAME));
  if (typeof text !== 'string') return [];
  const there = new Map<number, ArchivedPartition>();
  for (const line of text.split('\n')) {
    const partition = decodePartition(line, DIGEST);
    if (!('fault' in partition)) there.set(partition.partition, partition);
  }
  return [...there.values()].sort((a, b) => a.partition - b.partition);
}

export async function makeTarget(target: string): Promise<void> {
  try {
    await mkdir(target, { recursive: true, mode: FOLDER_MODE });
  } catch (error) {
    throw new UsageError(`TARGET: cannot make ${target}: ${codeOf(error)}`);
  }
}

/** What a crash has left of an archive that had not even its manifest. The caller holds the lock. */
async function clearUnnamed(target: string): Promise<void> {
  for (const entry of await readdir(target, { withFileTypes: true })) {
    const { name } = entry;
    if (entry.isDirectory() && name.endsWith(UNNAMED) && isArchiveName(name.slice(0, -UNNAMED.length)))
      await rm(join(target, name), { recursive: true });
  }
}

/** A new archive, which says that it is not complete, and is called so only when it does. */
export async function beginArchive(target: string, manifest: Manifest): Promise<string> {
  const folder = archiveFolder(target, manifest.name);
  await clearUnnamed(target);
  const unnamed = `${folder}${UNNAMED}`;
  await mkdir(unnamed, { mode: FOLDER_MODE });
  await writeManifest(unnamed, manifest);
  await rename(unnamed, folder);
  await syncFolder(target);
  return folder;
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const path = join(folder, `${MANIFEST_NAME}.part`);
  await rm(path, { force: true });
  const file = await createFile(path);
  try {
    await file.writeFile(`${encodeManifest(manifest, DIGEST)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(path, join(folder, MANIFEST_NAME));
  await syncFolder(folder);
}

/** Behind whatever a crash has left of a line. */
export async function noteProgress(folder: string, partition: ArchivedPartition): Promise<void> {
  const file = await open(join(folder, PROGRESS_NAME), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, FILE_MODE);
  try {
    await file.writeFile(`\n${encodePartition(partition, DIGEST)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(folder);
}

export async function endProgressFile(folder: string): Promise<void> {
  await rm(join(folder, PROGRESS_NAME), { force: true });
  await syncFolder(folder);
}

/** Nothing is there yet, whatever it is. */
export function createFile(path: string): Promise<FileHandle> {
  return open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, FILE_MODE);
}

/** For reading; or what is wrong with it before a byte is read. `bytes`: as long as it must be. */
export async function openPlain(path: string, bytes: number): Promise<Read<FileHandle>> {
  const fault = plainFault(path, bytes);
  if (fault !== '') return { fault };
  try {
    return await open(path, O_RDONLY | O_NOFOLLOW);
  } catch (error) {
    return { fault: `It cannot be opened (${codeOf(error)})` };
  }
}

/** Why a file is not one that an archive has written; empty: it may be. */
export function plainFault(path: string, bytes: number): string {
  try {
    const found = lstatSync(path);
    if (!found.isFile()) return 'It is no plain file';
    if (found.nlink !== 1) return `It has ${found.nlink} names`;
    return found.size === bytes ? '' : `It has ${found.size} bytes instead of ${bytes}`;
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'It is missing' : `It cannot be looked at (${codeOf(error)})`;
  }
}

export async function removeArchive(target: string, { name, manifest }: FoundArchive): Promise<void> {
  const folder = archiveFolder(target, name);
  // The manifest goes first: what is left without it is no archive any more.
  await rm(join(folder, MANIFEST_NAME), { force: true });
  await syncFolder(folder);
  const wanted = 'fault' in manifest ? [] : manifest.wanted;
  for (const partition of wanted) await rm(join(folder, partitionFileName(partition)), { force: true });
  for (const entry of await readdir(folder)) {
    if (/^[0-9a-f]{4}\.(mdb|part)(-lock)?$/.test(entry) || entry.startsWith(MANIFEST_NAME) || entry === PROGRESS_NAME)
      await rm(join(folder, entry), { force: true });
  }
  await rmdir(folder);
  await syncFolder(target);
}

async function readText(path: string): Promise<Read<string>> {
  try {
    const found = await lstat(path);
    if (!found.isFile()) return { fault: 'It is no plain file' };
    if (found.size > MANIFEST_BYTES_MAX) return { fault: `It has ${found.size} bytes` };
    const file = await open(path, O_RDONLY | O_NOFOLLOW);
    try {
      return await file.readFile('utf8');
    } finally {
      await file.close();
    }
  } catch (error) {
    return { fault: codeOf(error) === 'ENOENT' ? 'It is missing' : `It cannot be read (${codeOf(error)})` };
  }
}

export function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
