/*
 * Making partition files: how large their maps are, and which number a new one gets.
 */
import type { PartitionFiles } from '../env/partition-file.js';
import type { Random } from '../env/random.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';
import type { FlusherParts } from './flusher.js';
import { encodeHome } from './partition-home.js';
import type { Partition } from './partition.js';

/**
 * 32 TiB of addresses are shared out once and for all: a map's size never changes. A process has 128 TiB, but V8 strews
 * its pages over the lower 64 at random, so only the upper half is in one piece; and files are opened late, when the
 * heap has grown. With 64 TiB in all the last ones did not fit (ENOMEM, at 16 partitions in every other run). At most
 * 1 TiB a file, so that few partitions need no larger holes than many.
 */
export function mapBytesOf(partitionCount: number): number {
  return Math.min(2 ** 40, 2 ** 45 / partitionCount);
}

/** 48 random bits and never 0: a file that is deleted and made anew is another one. */
export function drawInstallation(random: Random): number {
  return 1 + (random.u32() % 0x8000) * 0x1_0000_0000 + random.u32();
}

/** What the flusher must know of files. */
export function flusherFiles(
  { files, random, hash }: { readonly files: PartitionFiles; readonly random: Random; readonly hash: Hash64 },
  { nodeId, partitionCount }: { readonly nodeId: NodeId; readonly partitionCount: number },
): Pick<FlusherParts, 'homeOf' | 'openFile'> {
  return {
    homeOf: ({ id, installation }, appliedLsn) =>
      encodeHome({ nodeId, installation, appliedLsn, partition: id, partitionCount }, hash),
    openFile: (partition, done) => {
      openNewFile(files, random, partition, partitionCount, done);
    },
  };
}

/** Opens or makes the file of a partition that has none open. */
function openNewFile(
  files: PartitionFiles,
  random: Random,
  partition: Partition,
  partitionCount: number,
  done: (error: Error | null) => void,
): void {
  files.open(partition.id, mapBytesOf(partitionCount), (error, file) => {
    if (error !== null || file === undefined) {
      done(error ?? new Error(`Partition ${partition.id} was not opened`));
      return;
    }
    partition.file = file;
    partition.installation = drawInstallation(random);
    done(null);
  });
}
