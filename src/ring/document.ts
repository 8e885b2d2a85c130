/*
 * The ring document: who the members are and which nodes hold each partition, as one versioned value that is agreed on,
 * stored and handed to clients whole (§6.2, strategy 3).
 *
 * It is JSON with a fixed order of fields: written a few times in a cluster's life, read by people in a bad hour, and
 * never on the way of a get or a put. The A/B slots that hold it add the checksum. Nothing in it is believed before
 * `ringFault` has found nothing wrong: a bad ring file must never become a new cluster of one.
 */
import { PARTITIONS_MAX } from '../model/limits.js';
import { isNodeId, type NodeId } from '../model/ids.js';
import type { RingMessage } from '../model/messages.js';

export const RING_FORMAT = 1;

export interface RingMember {
  readonly nodeId: NodeId;
  /** 1..65535, given once and never again: the first two bytes of every actor that the node mints. */
  readonly ordinal: number;
  /** Where clients reach the node; may change. */
  readonly address: string;
  /** Failure domain; replicas of a partition avoid sharing one. Empty: unknown. */
  readonly zone: string;
}

export interface RingDocument {
  readonly version: number;
  /** Names the cluster for people; Hello may insist on it. */
  readonly cluster: string;
  /** 32 hexadecimal digits, drawn when the ring was first made. */
  readonly clusterId: string;
  /** Q: a power of two, fixed for ever. */
  readonly partitionCount: number;
  /** N. */
  readonly replicaCount: number;
  readonly members: readonly RingMember[];
  /** partitionCount × replicaCount ordinals; the first of each row owns the token. */
  readonly owners: readonly number[];
}

/** The ring of a node that is a cluster of its own. */
export function firstRing(
  cluster: string,
  clusterId: string,
  member: RingMember,
  partitionCount: number,
): RingDocument {
  const owners = Array.from({ length: partitionCount }, () => member.ordinal);
  return { version: 1, cluster, clusterId, partitionCount, replicaCount: 1, members: [member], owners };
}

/** What is wrong with a ring, or null. Every loader and receiver asks before it believes. */
export function ringFault(ring: RingDocument): string | null {
  const { partitionCount: q, replicaCount: n, members, owners } = ring;
  if (!Number.isSafeInteger(ring.version) || ring.version < 1)
    return `version ${ring.version} is not a positive integer`;
  if (!/^[0-9a-f]{32}$/.test(ring.clusterId)) return 'the cluster id is not 32 hexadecimal digits';
  if (!Number.isInteger(q) || q < 1 || q > PARTITIONS_MAX || (q & (q - 1)) !== 0) {
    return `${q} partitions: not a power of two up to ${PARTITIONS_MAX}`;
  }
  if (!Number.isInteger(n) || n < 1 || n > members.length) return `${n} replicas with ${members.length} members`;
  const ordinals = new Set<number>();
  for (const member of members) {
    if (!isNodeId(member.nodeId)) return `member ${member.ordinal}: the node id is not 32 hexadecimal digits`;
    if (!Number.isInteger(member.ordinal) || member.ordinal < 1 || member.ordinal > 0xffff) {
      return `ordinal ${member.ordinal} is not within 1..65535`;
    }
    if (ordinals.has(member.ordinal)) return `ordinal ${member.ordinal} is given twice`;
    ordinals.add(member.ordinal);
  }
  if (new Set(members.map((member) => member.nodeId)).size !== members.length) return 'one node id is a member twice';
  if (owners.length !== q * n) return `${owners.length} owners for ${q} partitions of ${n} replicas`;
  return ownersFault(ring, ordinals);
}

function ownersFault(ring: RingDocument, ordinals: ReadonlySet<number>): string | null {
  const { partitionCount: q, replicaCount: n, owners } = ring;
  for (let partition = 0; partition < q; partition++) {
    const row = owners.slice(partition * n, partition * n + n);
    if (row.some((ordinal) => !ordinals.has(ordinal)))
      return `partition ${partition} is owned by a node that is no member`;
    if (new Set(row).size !== n) return `partition ${partition} has the same owner twice`;
  }
  return null;
}

export function encodeRing(ring: RingDocument): Uint8Array {
  const { version, cluster, clusterId, partitionCount, replicaCount, members, owners } = ring;
  const ordered = members.map(({ nodeId, ordinal, address, zone }) => ({ nodeId, ordinal, address, zone }));
  const document = {
    format: RING_FORMAT,
    version,
    cluster,
    clusterId,
    partitionCount,
    replicaCount,
    members: ordered,
    owners,
  };
  return Buffer.from(JSON.stringify(document));
}

/** The ring in these bytes, or why they are none. */
export function decodeRing(bytes: Uint8Array): RingDocument | { readonly fault: string } {
  let raw: unknown;
  try {
    raw = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch {
    return { fault: 'the ring document is not JSON' };
  }
  const document = shape(raw);
  if (typeof document === 'string') return { fault: document };
  const fault = ringFault(document);
  return fault === null ? document : { fault };
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function shape(raw: unknown): RingDocument | string {
  if (!isFields(raw)) return 'the ring document is not an object';
  if (raw['format'] !== RING_FORMAT)
    return `ring format ${String(raw['format'])} is not one that this release reads (${RING_FORMAT})`;
  const { version, cluster, clusterId, partitionCount, replicaCount, members, owners } = raw;
  if (typeof version !== 'number' || typeof partitionCount !== 'number' || typeof replicaCount !== 'number') {
    return 'version, partitionCount and replicaCount must be numbers';
  }
  if (typeof cluster !== 'string' || typeof clusterId !== 'string') return 'cluster and clusterId must be text';
  if (!Array.isArray(owners) || !owners.every((owner) => typeof owner === 'number'))
    return 'owners must be a list of numbers';
  if (!Array.isArray(members)) return 'members must be a list';
  const read: RingMember[] = [];
  for (const member of members as readonly unknown[]) {
    if (!isFields(member)) return 'a member is not an object';
    const { nodeId, ordinal, address, zone } = member;
    if (
      typeof nodeId !== 'string' ||
      typeof ordinal !== 'number' ||
      typeof address !== 'string' ||
      typeof zone !== 'string'
    ) {
      return 'a member lacks nodeId, ordinal, address or zone';
    }
    read.push({ nodeId: nodeId as NodeId, ordinal, address, zone });
  }
  return { version, cluster, clusterId, partitionCount, replicaCount, members: read, owners };
}

/** The ring as clients are told of it. */
export function ringMessage(ring: RingDocument): RingMessage {
  const { version, clusterId, partitionCount, replicaCount, members, owners } = ring;
  return { version, clusterId, partitionCount, replicaCount, members, owners };
}
