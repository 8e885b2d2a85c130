/*
 * The ring document: who the members are and which nodes hold each partition, as one versioned value that is agreed on,
 * stored and handed to clients whole (§6.2, strategy 3).
 *
 * It is JSON with a fixed order of fields: written a few times in a cluster's life, read by people in a bad hour, and
 * never on the way of a get or a put. The A/B slots that hold it add the checksum. Nothing in it is believed before
 * `ringFault` has found nothing wrong: a bad ring file must never become a new cluster of one.
 *
 * Documents of the first release have neither capacity nor peerAddress. They are rings of one node, and are read as
 * capacity 1 and no peer address: so the format keeps its number, and that release, which skips fields that it does not
 * know, can still read what this one writes for one node. A ring of several needs every peer address.
 */
import { isNodeId, type NodeId } from '../model/ids.js';
import type { RingMessage } from '../model/messages.js';
import { membersFault, tableFault } from './invariants.js';
import type { PlacedMember } from './shares.js';

export const RING_FORMAT = 1;

const MEMBER_DEFAULTS = { capacity: 1, peerAddress: '' } as const;

export interface RingMember extends PlacedMember {
  readonly nodeId: NodeId;
  /** 1..65535, given once and never again: the first two bytes of every actor that the node mints. */
  readonly ordinal: number;
  /** Where clients reach the node; may change. */
  readonly address: string;
  /** Where other nodes reach it; may change. Empty only in a ring of one. */
  readonly peerAddress: string;
  /** Failure domain; replicas of a partition avoid sharing one. Empty: unknown. */
  readonly zone: string;
  /** Weight of the node's part of the data: 1..CAPACITY_MAX, 1 where all are alike. */
  readonly capacity: number;
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
  member: Omit<RingMember, keyof typeof MEMBER_DEFAULTS> & Partial<RingMember>,
  partitionCount: number,
): RingDocument {
  const owners = Array.from({ length: partitionCount }, () => member.ordinal);
  const members = [{ ...MEMBER_DEFAULTS, ...member }];
  return { version: 1, cluster, clusterId, partitionCount, replicaCount: 1, members, owners };
}

/** What is wrong with a ring, or null. Every loader and receiver asks before it believes. */
export function ringFault(ring: RingDocument): string | null {
  return headFault(ring) ?? tableFault(ring);
}

/** What is wrong with all but the rows: asked before there are any. */
export function headFault(ring: Omit<RingDocument, 'owners'>): string | null {
  if (!Number.isSafeInteger(ring.version) || ring.version < 1)
    return `version ${ring.version} is not a positive integer`;
  if (!/^[0-9a-f]{32}$/.test(ring.clusterId)) return 'the cluster id is not 32 hexadecimal digits';
  return membersFault(ring) ?? namesFault(ring.members);
}

/** Ids and addresses: nobody twice, and everybody can be reached. */
function namesFault(members: readonly RingMember[]): string | null {
  const nodeIds = new Set<NodeId>();
  const addresses = new Map<string, number>();
  for (const { nodeId, ordinal, address, peerAddress } of members) {
    if (!isNodeId(nodeId)) return `member ${ordinal}: the node id is not 32 hexadecimal digits`;
    if (nodeIds.has(nodeId)) return `node id ${nodeId} is a member twice`;
    nodeIds.add(nodeId);
    if (members.length > 1 && peerAddress === '') {
      return `member ${ordinal} has no peer address: in a ring of ${members.length} the others could not reach it`;
    }
    for (const one of new Set([address, peerAddress])) {
      const other = addresses.get(one);
      if (one !== '' && other !== undefined) return `members ${other} and ${ordinal} both have the address ${one}`;
      addresses.set(one, ordinal);
    }
  }
  return null;
}

export function encodeRing(ring: RingDocument): Uint8Array {
  const { version, cluster, clusterId, partitionCount, replicaCount, members, owners } = ring;
  const ordered = members.map(({ nodeId, ordinal, address, peerAddress, zone, capacity }) => {
    return { nodeId, ordinal, address, peerAddress, zone, capacity };
  });
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
  for (const each of members as readonly unknown[]) {
    const member = memberShape(each);
    if (typeof member === 'string') return member;
    read.push(member);
  }
  return { version, cluster, clusterId, partitionCount, replicaCount, members: read, owners };
}

function memberShape(raw: unknown): RingMember | string {
  if (!isFields(raw)) return 'a member is not an object';
  const { nodeId, ordinal, address, zone } = raw;
  const { capacity, peerAddress } = { ...MEMBER_DEFAULTS, ...raw } as Fields;
  if (
    typeof nodeId !== 'string' ||
    typeof ordinal !== 'number' ||
    typeof address !== 'string' ||
    typeof zone !== 'string'
  ) {
    return 'a member lacks nodeId, ordinal, address or zone';
  }
  if (typeof capacity !== 'number' || typeof peerAddress !== 'string') {
    return `member ${ordinal}: capacity must be a number and peerAddress text`;
  }
  return { nodeId: nodeId as NodeId, ordinal, address, peerAddress, zone, capacity };
}

/** The ring as clients are told of it. */
export function ringMessage(ring: RingDocument): RingMessage {
  const { version, clusterId, partitionCount, replicaCount, owners } = ring;
  const members = ring.members.map(({ nodeId, ordinal, address, zone }) => ({ nodeId, ordinal, address, zone }));
  return { version, clusterId, partitionCount, replicaCount, members, owners };
}
