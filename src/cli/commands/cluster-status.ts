/* partita cluster status: the members of the ring, what moves between them, and whether all is well. */
import { setTimeout as rest } from 'node:timers/promises';
import type { ClusterStatusFacts, MemberFacts } from '../../model/cluster-facts.js';
import { type ClusterOptions, nextCommand, statusOf } from '../cluster-asking.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { endProgress, formatOf, printJson, printLines, printTable, showProgress, timeOf } from '../output.js';

export type ClusterStatusOptions = ClusterOptions & { readonly wait?: boolean };

const LOOK_MS = 500;
const HEAD = [
  'node',
  'id',
  'clients',
  'peers',
  'zone',
  'capacity',
  'state',
  'tokens',
  'replicas',
  'coming',
  'going',
  'release',
];

export async function runClusterStatus(io: Io, options: ClusterStatusOptions): Promise<number> {
  let facts = await statusOf(io, options);
  while (options.wait === true && facts.troubles.length > 0) {
    showProgress(io, verdict(facts));
    await rest(LOOK_MS);
    facts = await statusOf(io, options);
  }
  if (options.wait === true) endProgress(io);
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { ...facts, ring: undefined, isWell: facts.troubles.length === 0 });
  else if (format === 'raw') printLines(io, rawOf(facts));
  else {
    printTable(io, HEAD, facts.members.map(rowOf));
    for (const line of textOf(facts, options)) io.out(`${line}\n`);
  }
  return EXIT_DONE;
}

function rowOf(member: MemberFacts): readonly string[] {
  const { ordinal, nodeId, address, peerAddress, zone, capacity, tokens, replicas, incoming, outgoing } = member;
  const names = [String(ordinal), nodeId.slice(0, 8), address, peerAddress, zone, String(capacity)];
  return [...names, stateOf(member), ...[tokens, replicas, incoming, outgoing].map(String), releaseOf(member)];
}

/** With the highest level that it understands. */
function releaseOf({ release, levelMax }: MemberFacts): string {
  if (levelMax === 0) return 'unknown';
  return `${release === '' ? 'old' : release} (${levelMax})`;
}

function stateOf({ state, leaving }: MemberFacts): string {
  return leaving ? `${state}, leaving` : state;
}

function rawOf(facts: ClusterStatusFacts): readonly (readonly string[])[] {
  return [
    ...facts.members.map((member) => ['node', ...rowOf(member)]),
    ['ring', String(facts.version), timeOf(facts.changedAtMs), facts.change],
    ['level', String(facts.level)],
    ...(facts.finalize === null ? [] : [['finalize', facts.finalize.isReady ? 'ready' : 'waits', facts.finalize.text]]),
    ...facts.staged.map((text) => ['staged', text]),
    ...facts.troubles.map((text) => ['trouble', text]),
    ['verdict', facts.troubles.length === 0 ? 'well' : 'not-yet'],
  ];
}

function textOf(facts: ClusterStatusFacts, options: ClusterOptions): readonly string[] {
  const { cluster, clusterId, version, partitionCount, replicaCount, change, changedAtMs, voters, quorum } = facts;
  const reached = voters.filter(({ reachable }) => reachable).length;
  const how = change === '' ? '' : `: ${change}`;
  const when = changedAtMs === 0 ? '' : `, since ${timeOf(changedAtMs)}`;
  return [
    `Ring version ${version} of cluster ${cluster} (id ${clusterId}, Q = ${partitionCount}, N = ${replicaCount})${when}${how}`,
    `Voters: ${voters.map(({ ordinal }) => `node ${ordinal}`).join(', ')}; ${quorum} of ${voters.length} have to agree on a change, ${reached} can be reached`,
    levelText(facts),
    ...movesText(facts),
    ...stagedText(facts, options),
    verdict(facts),
  ];
}

function levelText({ level, finalize }: ClusterStatusFacts): string {
  return `Feature level ${level}${finalize === null ? '' : `; ${finalize.text}`}`;
}

function movesText({ moves }: ClusterStatusFacts): readonly string[] {
  if (moves.length === 0) return [];
  const copied = moves.filter(({ phase }) => phase === 'copy').length;
  const lost = moves.filter(({ phase, from }) => phase === 'settle' && from === 0).length;
  const steps = [
    ...(copied > 0 ? [`${copied} being copied`] : []),
    ...(lost > 0 ? [`${lost} being restored from the other owners`] : []),
    ...(moves.length > copied + lost ? [`${moves.length - copied - lost} about to end`] : []),
  ];
  return [`Moves: ${steps.join(', ')}`];
}

function stagedText({ staged, plan }: ClusterStatusFacts, options: ClusterOptions): readonly string[] {
  if (staged.length === 0) return [];
  const next =
    plan === null || plan.isStale
      ? `${plan === null ? 'not planned yet' : 'planned on an older ring'}: ${nextCommand('partita cluster plan', options)}`
      : `planned: ${nextCommand(`partita cluster commit --version ${plan.version} --plan ${plan.hash}`, options)}`;
  return [`Staged, ${next}`, ...staged.map((text) => `  ${text}`)];
}

function verdict({ troubles }: ClusterStatusFacts): string {
  return troubles.length === 0 ? 'All is well' : `Not yet: ${troubles.join('; ')}`;
}
