/*
 * An archive, read back without a cluster: every byte by its checksum, every record by its own, every count and root by what
 * the records come to. A file whose bytes are not those that were written is named with the stretch that is damaged, and not
 * opened: LMDB has no checksums of its pages, and may die of one that points astray.
 */
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchivedFile, ArchivedPartition, Manifest } from '../../archive/manifest.js';
import { MANIFEST_NAME, partitionFileName, PROGRESS_NAME } from '../../archive/names.js';
import { fromHex, readU32 } from '../../lib/bytes.js';
import type { Hash64 } from '../../model/hash.js';
import { inspectFile } from './inspect.js';
import { archiveFolder, openPlain, plainFault } from './target.js';

export interface Finding {
  /** A file, as it lies in the target. */
  readonly file: string;
  readonly text: string;
}

/** Where a partition's file is: in this archive, or in the one that is referred to. */
export function filePathOf(target: string, archive: string, partition: number, file: ArchivedFile): string {
  return join(archiveFolder(target, file.archive === '' ? archive : file.archive), partitionFileName(partition));
}

export interface Verifying {
  readonly target: string;
  readonly hash: Hash64;
  /** Files that were found sound, by their path with what they were found to be: archives share them. */
  readonly sound: Set<string>;
  /** One more partition has been looked at. */
  onPartition(): void;
}

/** What is wrong with an archive whose manifest can be read; nothing: all is well. */
export async function verifyArchive(world: Verifying, manifest: Manifest): Promise<readonly Finding[]> {
  const { target } = world;
  const { name, wanted, partitions } = manifest;
  const findings: Finding[] = [];
  const inManifest = `${name}/${MANIFEST_NAME}`;
  if (!manifest.complete) {
    const text = manifest.endedAt === '' ? 'its making was broken off, or goes on' : 'some partitions are not complete';
    findings.push({ file: inManifest, text: `The archive says that it is not complete: ${text}` });
  }
  const there = new Set(partitions.map(({ partition }) => partition));
  const lacking = wanted.filter((partition) => !there.has(partition));
  if (manifest.complete && lacking.length > 0)
    findings.push({ file: inManifest, text: `It says nothing of partition ${lacking.join(', ')}` });
  for (const partition of partitions) {
    const text = await partitionFault(world, manifest, partition);
    if (text !== '') findings.push({ file: relative(name, partition), text });
    if (!partition.complete)
      findings.push({ file: inManifest, text: `Partition ${partition.partition}: ${partition.note}` });
    world.onPartition();
  }
  for (const stray of await straysIn(archiveFolder(target, name), manifest))
    findings.push({ file: `${name}/${stray}`, text: 'It is none of this archive’s files' });
  return findings;
}

function relative(name: string, { partition, file }: ArchivedPartition): string {
  return `${file === null || file.archive === '' ? name : file.archive}/${partitionFileName(partition)}`;
}

/** What is wrong with one partition, or empty. */
export async function partitionFault(
  { target, hash, sound }: Verifying,
  { name, partitionCount }: Manifest,
  archived: ArchivedPartition,
): Promise<string> {
  const { partition, file } = archived;
  if (file === null) return archived.records === 0 ? '' : `It has no file, and ${archived.records} records`;
  const path = filePathOf(target, name, partition, file);
  const known = JSON.stringify([path, file.sha256, archived.records, archived.root]);
  if (sound.has(known)) return plainFault(path, file.bytes);
  const damage = await bytesFault(path, file, hash);
  if (damage !== '') return damage;
  const contents = inspectFile(path, partition, partitionCount, hash);
  if ('fault' in contents) return contents.fault;
  for (const what of ['records', 'values', 'tombstones', 'conflicts', 'root'] as const) {
    if (contents[what] !== archived[what])
      return `It has ${what} ${contents[what]}, the manifest says ${archived[what]}`;
  }
  sound.add(known);
  return '';
}

/** By the checksum of the whole; where that does not hold, by those of its chunks. */
async function bytesFault(path: string, expected: ArchivedFile, hash: Hash64): Promise<string> {
  const file = await openPlain(path, expected.bytes);
  if ('fault' in file) return file.fault;
  const chunks = fromHex(expected.chunks);
  const whole = createHash('sha256');
  const damaged: string[] = [];
  try {
    const chunk = Buffer.allocUnsafe(expected.chunkBytes);
    for (let from = 0, index = 0; from < expected.bytes; from += expected.chunkBytes, index++) {
      const length = Math.min(expected.chunkBytes, expected.bytes - from);
      const { bytesRead } = await file.read(chunk, 0, length, from);
      if (bytesRead !== length) return `It ends after ${from + bytesRead} bytes`;
      whole.update(chunk.subarray(0, length));
      hash.hash(chunk, 0, length);
      if (hash.hi !== readU32(chunks, 8 * index) || hash.lo !== readU32(chunks, 8 * index + 4))
        damaged.push(`${from} to ${from + length - 1}`);
    }
  } finally {
    await file.close();
  }
  if (damaged.length > 0) return `It is damaged: not as it was written are bytes ${damaged.join(', ')}`;
  return whole.digest('hex') === expected.sha256 ? '' : 'Its SHA-256 is not that of the manifest';
}

async function straysIn(folder: string, { wanted, complete }: Manifest): Promise<readonly string[]> {
  if (!complete) return [];
  const ours = new Set([MANIFEST_NAME, PROGRESS_NAME, ...wanted.map(partitionFileName)]);
  return (await readdir(folder)).filter((name) => !ours.has(name));
}
