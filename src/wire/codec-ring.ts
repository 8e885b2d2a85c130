/* The ring as clients fetch it, and `explain`: rare messages, by protobufjs both ways. */
import { fromHex } from '../lib/bytes.js';
import { CONTEXT_ENTRIES_MAX, PARTITIONS_MAX } from '../model/limits.js';
import type { ExplainReply, ExplainSibling, RequestHead, RingMessage } from '../model/messages.js';
import { countAt } from './cursor.js';
import { partita } from './protobuf.js';
import { bad, count53, decodeBy, hexOfId, limited } from './plain.js';
import { SIBLINGS_DECODED_MAX } from './read-replies.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
/** Ordinals have 16 bits. */
const MEMBERS_MAX = 65_536;
/** No sane N is larger; bounds the table at 2^17 entries. */
const REPLICAS_MAX = 32;
const PUT_IDS_DECODED_MAX = 1_024;
const STATES: readonly ExplainReply['state'][] = ['ok', 'absent', 'damaged', 'suspect'];

export interface RingFetch {
  /** The version that the asker has; 0: none. */
  readonly knownVersion: number;
}

export function encodeRingFetch(fetch: RingFetch): Uint8Array {
  return v1.RingFetch.encode(fetch).finish();
}

export function decodeRingFetch(bytes: Uint8Array, start: number, end: number): RingFetch | DecodeFault {
  return decodeBy(v1.RingFetch, bytes, start, end, (fetch) => ({ knownVersion: fetch.knownVersion }));
}

export function encodeRingReply(ring: RingMessage): Uint8Array {
  const members = ring.members.map((member) => ({ ...member, nodeId: fromHex(member.nodeId) }));
  return v1.RingReply.encode({ ...ring, members, owners: [...ring.owners] }).finish();
}

export function decodeRingReply(bytes: Uint8Array, start: number, end: number): RingMessage | DecodeFault {
  if (countAt(bytes, start, end, [5], MEMBERS_MAX) > MEMBERS_MAX) return `More than ${MEMBERS_MAX} members`;
  return decodeBy(v1.RingReply, bytes, start, end, (ring) => {
    if (ring.partitionCount > PARTITIONS_MAX)
      bad(`${ring.partitionCount} partitions, at most ${PARTITIONS_MAX} can be`);
    if (ring.replicaCount > REPLICAS_MAX) bad(`${ring.replicaCount} replicas, at most ${REPLICAS_MAX} can be`);
    if (ring.owners.length !== ring.partitionCount * ring.replicaCount) {
      bad(`${ring.owners.length} owners for ${ring.partitionCount} partitions of ${ring.replicaCount} replicas`);
    }
    return {
      version: ring.version,
      clusterId: ring.clusterId,
      partitionCount: ring.partitionCount,
      replicaCount: ring.replicaCount,
      members: ring.members.map((member) => ({
        nodeId: hexOfId(member.nodeId ?? NONE),
        ordinal: member.ordinal ?? 0,
        address: member.address ?? '',
        zone: member.zone ?? '',
      })),
      owners: ring.owners,
    };
  });
}

export interface ExplainRequest extends Pick<RequestHead, 'budgetMs' | 'namespace'> {
  readonly key: Uint8Array;
}

export function encodeExplain(request: ExplainRequest): Uint8Array {
  return v1.Explain.encode(request).finish();
}

export function decodeExplain(bytes: Uint8Array, start: number, end: number): ExplainRequest | DecodeFault {
  return decodeBy(v1.Explain, bytes, start, end, (request) => ({
    key: request.key,
    budgetMs: request.budgetMs,
    namespace: request.namespace,
  }));
}

export function encodeExplainReply(reply: ExplainReply): Uint8Array {
  return v1.ExplainReply.encode({
    ...reply,
    context: [...reply.context],
    siblings: [...reply.siblings],
    rememberedPutIds: [...reply.rememberedPutIds],
  }).finish();
}

export function decodeExplainReply(bytes: Uint8Array, start: number, end: number): ExplainReply | DecodeFault {
  if (countAt(bytes, start, end, [8], CONTEXT_ENTRIES_MAX) > CONTEXT_ENTRIES_MAX) return 'Too many context entries';
  if (countAt(bytes, start, end, [9], SIBLINGS_DECODED_MAX) > SIBLINGS_DECODED_MAX) return 'Too many siblings';
  return decodeBy(v1.ExplainReply, bytes, start, end, (reply) => ({
    found: reply.found,
    partition: reply.partition,
    keyHash: reply.keyHash,
    recordBytes: reply.recordBytes,
    state: STATES.find((state) => state === reply.state) ?? bad(`State ${JSON.stringify(reply.state)} is not known`),
    storedIn: reply.storedIn,
    mark: reply.mark,
    context: reply.context.map((entry) => ({ actor: entry.actor ?? '', counter: count53(entry.counter ?? 0) })),
    siblings: reply.siblings.map(takeSibling),
    rememberedPutIds: limited(reply.rememberedPutIds, PUT_IDS_DECODED_MAX, 'remembered put ids'),
    cutSeconds: reply.cutSeconds,
    reaping: reply.reaping,
  }));
}

const NONE: Uint8Array = new Uint8Array(0);

function takeSibling(sibling: partita.v1.ExplainReply.Version.$Properties): ExplainSibling {
  return {
    dot: sibling.dot ?? '',
    tombstone: sibling.tombstone ?? false,
    writtenMs: count53(sibling.writtenMs ?? 0),
    logical: sibling.logical ?? 0,
    expiresMs: count53(sibling.expiresMs ?? 0),
    putId: sibling.putId ?? '',
    valueBytes: sibling.valueBytes ?? 0,
    hidden: sibling.hidden ?? '',
  };
}
