/* partita cluster plan: what would become of the ring, and what it costs, before anything happens. */
import type { PlanFacts, PlannedMember } from '../../model/cluster-facts.js';
import { askCluster, type ClusterOptions, nextCommand } from '../cluster-asking.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';

const HEAD = ['node', 'id', 'clients', 'zone', 'change', 'replicas now', 'then', 'coming', 'going'];

export async function runClusterPlan(io: Io, options: ClusterOptions): Promise<number> {
  const facts = await askCluster<PlanFacts>(io, options, { action: 'plan' });
  const plan = { ...facts, next: nextCommand(facts.next, options) };
  const format = formatOf(io, options.output);
  if (format !== 'json') for (const text of plan.warnings) io.err(`warning: ${text}\n`);
  if (format === 'json') printJson(io, plan);
  else if (format === 'raw') printLines(io, rawOf(plan));
  else {
    printTable(io, HEAD, plan.members.map(rowOf));
    for (const line of textOf(plan)) io.out(`${line}\n`);
  }
  return EXIT_DONE;
}

function rowOf(member: PlannedMember): readonly string[] {
  const { ordinal, nodeId, address, zone, becomes, replicasBefore, replicasAfter, incoming, outgoing } = member;
  const counts = [replicasBefore, replicasAfter, incoming, outgoing].map(String);
  return [String(ordinal), nodeId.slice(0, 8), address, zone, becomes, ...counts];
}

function rawOf({ members, version, hash, replicasMoved, next }: PlanFacts): readonly (readonly string[])[] {
  return [
    ...members.map((member) => ['node', ...rowOf(member)]),
    ['plan', String(version), hash, String(replicasMoved)],
    ['next', next],
  ];
}

function textOf(plan: PlanFacts): readonly string[] {
  const { baseVersion, version, change, replicasMoved, replicasMovedLeast, replicasAll, next } = plan;
  const { placementEfficiency: placed, tokenEfficiency: tokens } = plan;
  const least =
    replicasMoved === replicasMovedLeast
      ? 'no balanced ring is nearer'
      : `at least ${replicasMovedLeast} have to, and zones ask for more`;
  return [
    `Ring version ${version} (after ${baseVersion}): ${change}`,
    `${replicasMoved} of ${replicasAll} replicas move; ${least}`,
    `Load balancing efficiency of replicas ${placed.before.toFixed(3)} → ${placed.after.toFixed(3)}, of tokens ${tokens.before.toFixed(3)} → ${tokens.after.toFixed(3)} (1: even)`,
    `Next: ${next}`,
  ];
}
