/*
 * The kernel's limits, looked at before they are met: with Q files open a node that runs into one of them fails on some
 * partition in the middle of the night, with an error that names neither the limit nor the cure.
 */
import { readFileSync } from 'node:fs';

/** A partition costs its file, LMDB's second descriptor for synced meta pages, and the lock file. */
const DESCRIPTORS_PER_PARTITION = 3;
/** A partition's map and its lock's. */
const MAPPINGS_PER_PARTITION = 2;
/** Segments, sockets of our own, epoll, workers, shared libraries. */
const DESCRIPTORS_ASIDE = 256;
const MAPPINGS_ASIDE = 2_048;
/** All partitions' maps together, whatever Q is: mapSize is this / Q. */
const MAPPED_BYTES = 32 * 1_099_511_627_776;

export interface KernelLimits {
  /** Infinity: unlimited. null: this kernel does not say. */
  readonly openFiles: number | null;
  readonly addressSpace: number | null;
  readonly mapCount: number | null;
}

export function readKernelLimits(): KernelLimits {
  const limits = readOrEmpty('/proc/self/limits');
  const mapCount = Number.parseInt(readOrEmpty('/proc/sys/vm/max_map_count'), 10);
  return {
    openFiles: softLimit(limits, 'Max open files'),
    addressSpace: softLimit(limits, 'Max address space'),
    mapCount: Number.isNaN(mapCount) ? null : mapCount,
  };
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return ''; // no /proc, or ProcSubset=pid hides it: nothing can be said
  }
}

/** `Max open files   1024   1048576   files`: name, soft, hard, unit. */
function softLimit(limits: string, name: string): number | null {
  const line = limits.split('\n').find((one) => one.startsWith(name));
  const soft = line?.slice(name.length).trim().split(/\s+/)[0];
  if (soft === undefined) return null;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/** What is too small, each with the command that raises it; empty: all is well. */
export function limitFaults(limits: KernelLimits, partitions: number, connectionsMax: number): readonly string[] {
  const faults: string[] = [];
  const files = partitions * DESCRIPTORS_PER_PARTITION + connectionsMax + DESCRIPTORS_ASIDE;
  if (limits.openFiles !== null && limits.openFiles < files) {
    faults.push(
      `${partitions} partitions and ${connectionsMax} connections need ${files} open files, the limit is ${limits.openFiles}: ` +
        `raise it with "ulimit -n ${files}" or LimitNOFILE=${files} in the unit, or lower limits.connectionsMax`,
    );
  }
  const maps = partitions * MAPPINGS_PER_PARTITION + MAPPINGS_ASIDE;
  if (limits.mapCount !== null && limits.mapCount < maps) {
    faults.push(
      `${partitions} partitions need ${maps} memory mappings, the limit is ${limits.mapCount}: ` +
        `raise it with "sysctl -w vm.max_map_count=${2 * maps}"`,
    );
  }
  if (limits.addressSpace !== null && limits.addressSpace < 2 * MAPPED_BYTES) {
    faults.push(
      'Partition files are mapped sparsely into 32 TiB of address space, but address space is limited: ' +
        'raise it with "ulimit -v unlimited" or LimitAS=infinity in the unit',
    );
  }
  return faults;
}
