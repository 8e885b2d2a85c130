/* What the commands about the members of a ring have in common: they ask one node, and point at its members. */
import { PartitaError } from '../client/index.js';
import type { ClusterStatusFacts, MemberFacts } from '../model/cluster-facts.js';
import { type ClusterRequest, decodeClusterReply, encodeCluster } from '../wire/codec-cluster.js';
import { CLUSTER, CLUSTER_REPLY } from '../wire/kinds.js';
import { type AdminOptions, adminAddress, askAdmin } from './admin.js';
import { type Io, UsageError } from './io.js';
import { type CommonOptions, timeoutMsOf } from './session.js';
import { quoted } from './start-words.js';

export type ClusterOptions = AdminOptions & Pick<CommonOptions, 'output' | 'timeout'>;

const NOTHING: Omit<ClusterRequest, 'action' | 'budgetMs'> = { edits: '', baseVersion: 0, planHash: '' };

/** Rejects with a PartitaError. */
export async function askCluster<T extends object>(
  io: Io,
  options: ClusterOptions,
  request: Partial<ClusterRequest> & Pick<ClusterRequest, 'action'>,
): Promise<T> {
  const budgetMs = timeoutMsOf(options);
  const { facts } = await askAdmin(adminAddress(io, options), budgetMs, {
    kind: CLUSTER,
    replyKind: CLUSTER_REPLY,
    body: encodeCluster({ ...NOTHING, ...request, budgetMs }),
    read: decodeClusterReply,
  });
  try {
    return JSON.parse(facts) as T;
  } catch (cause) {
    throw new PartitaError('PROTOCOL', 'the node has answered with what is no JSON', { cause });
  }
}

export async function statusOf(io: Io, options: ClusterOptions): Promise<ClusterStatusFacts> {
  return askCluster(io, options, { action: 'status' });
}

const PREFIX_MIN = 4;

/** By ordinal, by the first digits of its id, or by an address. Throws UsageError. */
export function memberMeant<M extends Pick<MemberFacts, 'ordinal' | 'nodeId' | 'address' | 'peerAddress'>>(
  word: string,
  members: readonly M[],
): M {
  const found = /^[0-9]{1,5}$/.test(word)
    ? members.filter(({ ordinal }) => ordinal === Number(word))
    : members.filter(
        ({ nodeId, address, peerAddress }) =>
          address === word ||
          peerAddress === word ||
          (word.length >= PREFIX_MIN && nodeId.startsWith(word.toLowerCase())),
      );
  const [member, other] = found;
  if (member !== undefined && other === undefined) return member;
  const known = members.map(({ ordinal, nodeId, address }) => `${ordinal} (${nodeId.slice(0, 8)}, ${address})`);
  const why = member === undefined ? 'no member of the ring is meant by it' : 'more than one member is meant by it';
  throw new UsageError(
    `NODE: ${JSON.stringify(word)}: ${why}. Name it by its number, by an address of it, or by at least ${PREFIX_MIN} first digits of its id; there are ${known.join(', ')}`,
  );
}

/** The same socket again. */
export function nextCommand(words: string, { admin, config }: AdminOptions): string {
  if (admin !== undefined) return `${words} --admin ${quoted(admin)}`;
  return config === undefined ? words : `${words} -c ${quoted(config)}`;
}
