/* What the nodes of a cluster of real daemons have repaired: by meetings of owners, and by reads. */
import { join } from 'node:path';
import type { RepairReply } from '../../src/model/exchange-messages.js';
import type { RealCluster } from './real-cluster.js';
import { runCli } from './run-cli.js';

/** `partita repair start --wait` or `status`, on the n-th node. */
export async function repairOf(cluster: RealCluster, n: number, verb: 'start' | 'status'): Promise<RepairReply> {
  const admin = join(cluster.folder, cluster.member(n).name, 'admin.sock');
  const wait = verb === 'start' ? ['--wait'] : [];
  const { code, out, err } = await runCli(['repair', verb, ...wait, '--admin', admin, '-o', 'json']);
  if (code !== 0) throw new Error(`partita repair ${verb}: ${err}`);
  return JSON.parse(out) as RepairReply;
}

/** Over several nodes, since each of them started. */
export interface RepairFigures {
  readonly met: number;
  readonly failed: number;
  /** Records that meetings moved, both directions. */
  readonly moved: number;
  readonly bytes: number;
  /** Differences that meetings left alone, as a copy may have been on its way. */
  readonly leftAlone: number;
  readonly readYoung: number;
  readonly readSettled: number;
  readonly readDropped: number;
}

/** Of all nodes, or of those named. */
export async function repairFigures(
  cluster: RealCluster,
  numbers: readonly number[] = cluster.members.map((_, i) => i + 1),
): Promise<RepairFigures> {
  const each = await Promise.all(numbers.map((n) => cluster.status(n)));
  const sum = (of: (repair: RepairReply, reads: ReadRepairs) => number): number =>
    each.reduce((total, line) => total + of(line['repair'] as RepairReply, line['readRepairs'] as ReadRepairs), 0);
  return {
    met: sum(({ met }) => met),
    failed: sum(({ failed }) => failed),
    moved: sum(({ received, sent }) => received + sent),
    bytes: sum(({ bytesIn, bytesOut }) => bytesIn + bytesOut),
    leftAlone: sum(({ young }) => young),
    readYoung: sum((_, { young }) => young),
    readSettled: sum((_, { settled }) => settled),
    readDropped: sum((_, { dropped }) => dropped),
  };
}

interface ReadRepairs {
  readonly young: number;
  readonly settled: number;
  readonly dropped: number;
}

/**
 * Every node meets all others about every partition, now; answers how many records that has moved. 0: the trees of all
 * owners are equal.
 */
export async function meetAll(cluster: RealCluster): Promise<number> {
  const before = await repairFigures(cluster);
  for (let n = 1; n <= cluster.members.length; n++) await repairOf(cluster, n, 'start');
  return (await repairFigures(cluster)).moved - before.moved;
}
