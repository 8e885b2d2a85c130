/* Loads of nodes for the tests of balance/: what they would count, were each owner of a partition to do the same. */
import { windowOf, WINDOW_MS } from '../../src/balance/load-counters.js';
import type { KeyLoad, LoadReport, NodeLoad, PartitionLoad } from '../../src/model/load-messages.js';
import type { RingTable } from '../../src/ring/shares.js';

export const NOW_MS: number = 1_000_000 * WINDOW_MS + 60_000;

/** Each owner of a partition does `weights` of it: one request of a client, and as many reads. */
export function nodesOf(table: RingTable, weights: readonly number[], keys: readonly KeyLoad[] = []): NodeLoad[] {
  const { members, owners, replicaCount: n } = table;
  return members.map(({ ordinal }, index) => {
    const partitions = weights.flatMap((weight, partition): PartitionLoad[] => {
      const row = owners.slice(partition * n, partition * n + n);
      const counts = { requests: row[0] === ordinal ? weight : 0, reads: weight, writes: 0 };
      return row.includes(ordinal) && weight > 0 ? [{ partition, ...counts, bytesRead: 0, bytesWritten: 0 }] : [];
    });
    return { ordinal, silence: '', report: reportOf(partitions, index === 0 ? keys : []) };
  });
}

export function reportOf(partitions: readonly PartitionLoad[], keys: readonly KeyLoad[] = []): LoadReport {
  const sum = (of: keyof PartitionLoad): number => partitions.reduce((total, one) => total + one[of], 0);
  const counts = {
    requests: sum('requests'),
    reads: sum('reads'),
    writes: sum('writes'),
    bytesRead: sum('bytesRead'),
    bytesWritten: sum('bytesWritten'),
  };
  const fromMs = windowOf(NOW_MS) * WINDOW_MS;
  return { windows: [{ fromMs, toMs: NOW_MS, ...counts }], partitions, keys, sampling: 1 };
}

/** In a partition of Q, 2^bits of them. */
export function keyIn(partition: number, bits: number, samples: number, name: string): KeyLoad {
  const hashHi = bits === 0 ? 0 : (partition << (32 - bits)) >>> 0;
  const key = Buffer.from(name);
  return { key, keyBytes: key.length, hashHi, hashLo: samples, samples, overcount: 0 };
}
