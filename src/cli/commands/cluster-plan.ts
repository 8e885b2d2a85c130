/* partita cluster plan: what would become of the ring, and what it costs, before anything happens. */
import type { PlanFacts, PlannedMember } from '../../model/cluster-facts.js';
import { askCluster, type ClusterOptions, nextCommand } from '../cluster-asking.js';
import { durationText } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';
import { bytesText } from '../sizes.js';

const HEAD = ['node', 'id', 'clients', 'zone', 'change', 'replicas now', 'then', 'coming', 'going', 'bytes in', 'free'];

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
  const { incomingBytes, freeBytes } = member;
  return [...wordsOf(member), ...[incomingBytes, freeBytes].map((bytes) => (bytes === null ? '?' : bytesText(bytes)))];
}

function wordsOf(member: PlannedMember): readonly string[] {
  const { ordinal, nodeId, address, zone, becomes, replicasBefore, replicasAfter, incoming, outgoing } = member;
  const counts = [replicasBefore, replicasAfter, incoming, outgoing].map(String);
  return [String(ordinal), nodeId.slice(0, 8), address, zone, becomes, ...counts];
}

/** Bytes as numbers; empty: not known. */
function rawOf({ members, version, hash, replicasMoved, bytes, next }: PlanFacts): readonly (readonly string[])[] {
  return [
    ...members.map((member) => {
      const { incomingBytes, freeBytes } = member;
      return ['node', ...wordsOf(member), String(incomingBytes ?? ''), String(freeBytes ?? '')];
    }),
    ['plan', String(version), hash, String(replicasMoved), String(bytes.moved ?? ''), String(bytes.ms ?? '')],
    ['next', next],
  ];
}

function bytesMoved({ bytes, replicasMoved }: PlanFacts): string {
  const { moved, guessed, ms } = bytes;
  if (replicasMoved === 0) return 'No bytes move';
  if (moved === null) return 'How many bytes that is nobody could say';
  const guess = guessed === 0 ? '' : ` (the size of ${guessed} of the replicas is a guess from the others)`;
  const time =
    ms === null
      ? 'nothing holds it back but disks and network'
      : `at the most that background work gets, in ${durationText(ms)}; a busy cluster takes longer`;
  return `That is about ${bytesText(moved)}${guess}: ${time}`;
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
    bytesMoved(plan),
    `Load balancing efficiency of replicas ${placed.before.toFixed(3)} → ${placed.after.toFixed(3)}, of tokens ${tokens.before.toFixed(3)} → ${tokens.after.toFixed(3)} (1: even)`,
    `Next: ${next}`,
  ];
}
