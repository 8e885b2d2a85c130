/*
 * Making partition files: how large their maps are, and which number a new one gets.
 */
import type { PartitionFiles } from '../env/partition-file.js';
import type { Random } from '../env/random.js';
import type { Partition } from './partition.js';

/**
 * 64 TiB of addresses are shared out once and for all: a map's size never changes. At most 1 TiB a file, since with few
 * large maps the address space of a process with threads is too much in pieces to hold them.
 */
export function mapBytesOf(partitionCount: number): number {
  return Math.min(2 ** 40, 2 ** 46 / partitionCount);
}

/** 48 random bits and never 0: a file that is deleted and made anew is another one. */
export function drawInstallation(random: Random): number {
  return 1 + (random.u32() % 0x8000) * 0x1_0000_0000 + random.u32();
}

/** Opens or makes the file of a partition that has none open. */
export function openNewFile(
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
