/* What the command line asks a node about the members of its ring, on the unix socket, and how it changes them. */
import { fromHex, toHex } from '../lib/bytes.js';
import { bad, decodeBy } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
const HASH_BYTES = 8;
const NONE: Uint8Array = new Uint8Array(0);
/** Some hundred nodes at once; more come in several steps. */
export const EDITS_CHARACTERS_MAX = 131_072;

const ACTIONS = ['status', 'stage', 'clear', 'plan', 'commit', 'history', 'finalize', 'voters'] as const;

export type ClusterAction = (typeof ACTIONS)[number];

export interface ClusterRequest {
  readonly budgetMs: number;
  readonly action: ClusterAction;
  /** stage: a list of edits as JSON; voters: of ordinals that are lost for good. It is read, and judged, by the node. */
  readonly edits: string;
  /** commit, voters: the ring version that it begins with; and of the plan its hash (16 hexadecimal digits; empty otherwise). */
  readonly baseVersion: number;
  readonly planHash: string;
}

export interface ClusterReply {
  /** A JSON object; model/cluster-facts.ts says which. */
  readonly facts: string;
}

export function encodeCluster({ budgetMs, action, edits, baseVersion, planHash }: ClusterRequest): Uint8Array {
  const hash = planHash === '' ? NONE : fromHex(planHash);
  return v1.Cluster.encode({ budgetMs, action: ACTIONS.indexOf(action), edits, baseVersion, planHash: hash }).finish();
}

export function decodeCluster(bytes: Uint8Array, start: number, end: number): ClusterRequest | DecodeFault {
  return decodeBy(v1.Cluster, bytes, start, end, ({ budgetMs, action, edits, baseVersion, planHash }) => {
    if (edits.length > EDITS_CHARACTERS_MAX) bad(`Edits of ${edits.length} characters`);
    if (planHash.length !== 0 && planHash.length !== HASH_BYTES)
      bad(`A plan hash of ${planHash.length} bytes instead of ${HASH_BYTES}`);
    return {
      budgetMs,
      action: ACTIONS[action] ?? bad(`Action ${action} is none of 0 to ${ACTIONS.length - 1} (${ACTIONS.join(', ')})`),
      edits,
      baseVersion,
      planHash: toHex(planHash),
    };
  });
}

export function encodeClusterReply({ facts }: ClusterReply): Uint8Array {
  return v1.ClusterReply.encode({ facts }).finish();
}

export function decodeClusterReply(bytes: Uint8Array, start: number, end: number): ClusterReply | DecodeFault {
  return decodeBy(v1.ClusterReply, bytes, start, end, ({ facts }) => ({ facts }));
}
