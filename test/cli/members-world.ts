/* For the commands about the members of a ring: a scripted node on a unix socket, and what it says. */
import type { ClusterStatusFacts, CommitFacts, PlanFacts } from '../../src/model/cluster-facts.js';
import { encodeRing, type RingDocument } from '../../src/ring/document.js';
import type { ClusterAction } from '../../src/wire/codec-cluster.js';
import { documentOf, members, tableOf } from '../ring/rings.js';
import { run } from '../support/told-cluster.js';

export const RING: RingDocument = documentOf(tableOf(members(4, 2), 8, 3));
export const PLAN_HASH = '0123456789abcdef';
export const NOW = 1_700_000_000_000;
const raw = JSON.parse(Buffer.from(encodeRing(RING)).toString()) as unknown;

export const STATUS: ClusterStatusFacts = {
  cluster: 'shop',
  clusterId: RING.clusterId,
  version: 6,
  level: 1,
  finalize: { level: 2, isReady: false, text: 'feature level 2 has to wait: node 4 is old' },
  change: 'node 4 joins',
  changedAtMs: NOW,
  partitionCount: 8,
  replicaCount: 3,
  self: 1,
  members: RING.members.map((member) => ({
    ...member,
    nodeId: `${'abcd'.repeat(7)}000${member.ordinal}`,
    state: member.ordinal === 1 ? 'this node' : member.ordinal === 3 ? 'unreachable' : 'up',
    reason: '',
    ringVersion: 6,
    release: member.ordinal === 4 ? '' : '0.1.0',
    levelMax: member.ordinal === 3 ? 0 : member.ordinal === 4 ? 1 : 2,
    replicas: 6,
    tokens: 2,
    incoming: member.ordinal === 4 ? 2 : 0,
    outgoing: 0,
  })),
  moves: [
    { partition: 3, from: 1, to: 4, phase: 'copy', step: '', since: 6, file: null },
    { partition: 5, from: 0, to: 4, phase: 'settle', step: '', since: 6, file: null },
    { partition: 6, from: 2, to: 1, phase: 'copy', step: 'comparing', since: 6, file: null },
  ],
  departing: [7],
  suspect: 0,
  hints: 0,
  voters: [
    { ordinal: 1, reachable: true },
    { ordinal: 3, reachable: false },
  ],
  quorum: 2,
  staged: ['node 2 leaves'],
  plan: { version: 7, hash: PLAN_HASH, isStale: false },
  joining: [],
  troubles: ['node 3 cannot be reached from here', '3 replicas are being moved'],
  ring: raw,
};

export const PLAN: PlanFacts = {
  baseVersion: 6,
  version: 7,
  hash: PLAN_HASH,
  change: 'node 2 leaves',
  edits: ['node 2 leaves'],
  members: [
    {
      ordinal: 2,
      nodeId: 'ab'.repeat(16),
      address: '10.0.0.1:2',
      zone: 'z1',
      becomes: 'leaves',
      replicasBefore: 6,
      replicasAfter: 0,
      incoming: 0,
      outgoing: 6,
      incomingBytes: 0,
      outgoingBytes: 3 * 2 ** 30,
      incomingMs: null,
      freeBytes: 2 ** 30,
    },
  ],
  replicasMoved: 7,
  replicasMovedLeast: 6,
  replicasAll: 24,
  bytes: { moved: 3 * 2 ** 30, guessed: 0, ms: 72_000 },
  placementEfficiency: { before: 1, after: 0.98765 },
  tokenEfficiency: { before: 1, after: 0.5 },
  warnings: ['Think of this'],
  next: `partita cluster commit --version 7 --plan ${PLAN_HASH}`,
};

export const DONE: CommitFacts = {
  kind: 'done',
  text: 'Ring version 7 is in force',
  ring: raw,
  version: 7,
  joined: [],
};

export function withoutRing(facts: ClusterStatusFacts): object {
  return Object.fromEntries(Object.entries(facts).filter(([name]) => name !== 'ring'));
}

export const staging: Partial<Record<ClusterAction, object>> = { status: STATUS, stage: { staged: ['so it is'] } };

export async function staged(...words: readonly string[]): Promise<readonly Record<string, unknown>[]> {
  const { asked } = await run(staging, 'cluster', ...words);
  const edits = asked.find(({ action }) => action === 'stage')?.edits ?? '[]';
  return JSON.parse(edits) as Record<string, unknown>[];
}
