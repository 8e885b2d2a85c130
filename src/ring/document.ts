/*
 * The ring document: who the members are and which nodes hold each partition, as one versioned value that is agreed on,
 * stored and handed to clients whole (§6.2, strategy 3).
 *
 * It is JSON with a fixed order of fields: written a few times in a cluster's life, read by people in a bad hour, and
 * never on the way of a get or a put. The A/B slots that hold it add the checksum. Nothing in it is believed before
 * `ringFault` has found nothing wrong: a bad ring file must never become a new cluster of one.
 *
 * `owners` are those who are asked: a get reads from them, and a put counts their acks. While partitions move, `moves`
 * says what is to become of them; the table that is balanced is then the one that it leads to (moves.ts).
 *
 * Documents of the first release have neither capacity nor peerAddress. They are rings of one node, and are read as
 * capacity 1 and no peer address: so the format keeps its number, and that release, which skips fields that it does not
 * know, can still read what this one writes for one node. A ring of several needs every peer address.
 *
 * A ring at a feature level above 1 (model/build.ts) is of format 3, so that releases which know no levels refuse it. It has
 * all fields whatever its version, and says first which level, and which release understands that.
 */
import { BUILD, type Build, FIRST_LEVEL, levelFault, releaseOfLevel } from '../model/build.js';
import { isNodeId, type NodeId } from '../model/ids.js';
import type { RingMessage } from '../model/messages.js';
import type { RingVoter } from '../model/ring-log-messages.js';
import { membersFault, ownersFault, tableFault } from './invariants.js';
import { movesFault, type RingMove, targetOwners } from './moves.js';
import type { PlacedMember } from './shares.js';
import { chooseVoters, votersFault } from './voters.js';

/** Of a ring that nothing has changed yet; later ones have all the fields of FORMAT_CHANGED. */
const FORMAT_FIRST = 1;
const FORMAT_CHANGED = 2;
const FORMAT_WITH_LEVEL = 3;

const ORDINAL_MAX = 0xffff;
const RELEASE_CHARACTERS_MAX = 40;

const MEMBER_DEFAULTS = { capacity: 1, peerAddress: '', leaving: false } as const;

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
  /** It gives up all that it holds, and is no member any more when that has gone home. */
  readonly leaving: boolean;
}

export interface RingDocument {
  readonly version: number;
  /** Feature level: 1 or more, and never less than in the version before. */
  readonly level: number;
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
  readonly moves: readonly RingMove[];
  /** Who decides on the next version. */
  readonly voters: readonly RingVoter[];
  /** The next node that joins gets it: no ordinal is given twice. */
  readonly ordinalNext: number;
  /** For people: what made this version of the one before. */
  readonly change: string;
  /** Wall clock of whoever proposed it; 0: not known. */
  readonly changedAtMs: number;
}

/** What only a ring that was changed has to say. */
export type RingHead = Omit<RingDocument, 'owners' | 'moves' | 'voters' | 'ordinalNext' | 'change' | 'changedAtMs'>;

/** Without a level it is at the first. */
export type NewRing = Omit<RingHead, 'level'> & Partial<Pick<RingHead, 'level'>>;

/** A ring that nothing has changed yet. */
export function unchanged({ level = FIRST_LEVEL, ...ring }: NewRing & Pick<RingDocument, 'owners'>): RingDocument {
  const ordinalNext = ring.members.reduce((highest, { ordinal }) => Math.max(highest, ordinal), 0) + 1;
  return { ...ring, level, moves: [], voters: chooseVoters(ring.members, []), ordinalNext, change: '', changedAtMs: 0 };
}

/** The ring of a node that is a cluster of its own: others may join it, and N stays 1. */
export function firstRing(
  cluster: string,
  clusterId: string,
  member: Omit<RingMember, keyof typeof MEMBER_DEFAULTS> & Partial<RingMember>,
  partitionCount: number,
  level: number = FIRST_LEVEL,
): RingDocument {
  const owners = Array.from({ length: partitionCount }, () => member.ordinal);
  const members = [{ ...MEMBER_DEFAULTS, ...member }];
  return unchanged({ version: 1, level, cluster, clusterId, partitionCount, replicaCount: 1, members, owners });
}

/** What is wrong with a ring, or null. Every loader and receiver asks before it believes. */
export function ringFault(ring: RingDocument): string | null {
  return (
    headFault(ring) ??
    ownersFault(ring) ??
    movesFault(ring) ??
    votersFault(ring) ??
    balanceFault(ring) ??
    ordinalsFault(ring)
  );
}

/** The next node must not mint under the ordinal of another. */
function ordinalsFault({ members, ordinalNext }: RingDocument): string | null {
  const highest = members.reduce((most, { ordinal }) => Math.max(most, ordinal), 0);
  if (Number.isInteger(ordinalNext) && ordinalNext > highest && ordinalNext <= ORDINAL_MAX + 1) return null;
  return `the next ordinal is ${ordinalNext}, and ${highest} is given already`;
}

/** The members that share the data: all but those that leave. */
export function stayingMembers<M extends { readonly leaving: boolean }>(members: readonly M[]): readonly M[] {
  return members.filter(({ leaving }) => !leaving);
}

/** Where the moves lead to has to be balanced; on the way there no more is asked than `ownersFault` does. */
function balanceFault(ring: RingDocument): string | null {
  const fault = tableFault({ ...ring, members: stayingMembers(ring.members), owners: targetOwners(ring) });
  return fault === null || ring.moves.length === 0 ? fault : `after its moves, ${fault}`;
}

/** What is wrong with all but the rows: asked before there are any. */
export function headFault(ring: RingHead): string | null {
  if (!Number.isSafeInteger(ring.version) || ring.version < 1)
    return `version ${ring.version} is not a positive integer`;
  if (!Number.isSafeInteger(ring.level) || ring.level < FIRST_LEVEL)
    return `feature level ${ring.level} is not a positive integer`;
  if (!/^[0-9a-f]{32}$/.test(ring.clusterId)) return 'the cluster id is not 32 hexadecimal digits';
  return (
    membersFault({ ...ring, members: stayingMembers(ring.members) }) ?? membersFault(ring) ?? namesFault(ring.members)
  );
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
      return `member ${ordinal} has no peer address: in a ring of ${members.length} the others could not reach it. Stage one for it first: partita cluster set ${ordinal} --peer-address HOST:PORT`;
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
  const isFirst = ring.version === 1 && ring.level === FIRST_LEVEL;
  const { level, version, cluster, clusterId, partitionCount, replicaCount, owners } = ring;
  const members = ring.members.map(({ nodeId, ordinal, address, peerAddress, zone, capacity, leaving }) => {
    const member = { nodeId, ordinal, address, peerAddress, zone, capacity };
    return isFirst ? member : { ...member, leaving };
  });
  const first = { version, cluster, clusterId, partitionCount, replicaCount, members, owners };
  if (isFirst) return Buffer.from(JSON.stringify({ format: FORMAT_FIRST, ...first }));
  const { voters, ordinalNext, change, changedAtMs } = ring;
  const moves = ring.moves.map(({ partition, from, to, phase, since }) => [partition, from, to, phase, since]);
  const more = { moves, voters, ordinalNext, change, changedAtMs };
  const leveled = { format: FORMAT_WITH_LEVEL, level, release: releaseOfLevel(level) };
  const kind = level === FIRST_LEVEL ? { format: FORMAT_CHANGED } : leveled;
  return Buffer.from(JSON.stringify({ ...kind, ...first, ...more }));
}

/** The ring in these bytes, or why they are none that `build` could live by. */
export function decodeRing(bytes: Uint8Array, build: Build = BUILD): RingDocument | { readonly fault: string } {
  let raw: unknown;
  try {
    raw = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch {
    return { fault: 'the ring document is not JSON' };
  }
  const document = shape(raw, build);
  if (typeof document === 'string') return { fault: document };
  const fault = ringFault(document);
  return fault === null ? document : { fault };
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function shape(raw: unknown, build: Build): RingDocument | string {
  if (!isFields(raw)) return 'the ring document is not an object';
  const level = levelOf(raw, build);
  if (typeof level === 'string') return level;
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
  const first = { version, level, cluster, clusterId, partitionCount, replicaCount, members: read, owners };
  return raw['format'] === FORMAT_FIRST ? unchanged(first) : changedShape(first, raw);
}

/** Asked before anything else: what a newer release has written may mean something else by any field. */
function levelOf({ format, level, release }: Fields, build: Build): number | string {
  const needed = typeof release === 'string' ? release.slice(0, RELEASE_CHARACTERS_MAX) : '';
  switch (format) {
    case FORMAT_FIRST:
    case FORMAT_CHANGED:
      return FIRST_LEVEL;
    case FORMAT_WITH_LEVEL: {
      if (typeof level !== 'number' || level <= FIRST_LEVEL) return 'level must be a number above 1';
      const fault = levelFault(level, needed, build);
      return fault === null ? level : `the ring ${fault}`;
    }
    default: {
      const what = needed === '' ? 'a newer release of Partita' : `Partita ${needed} or later`;
      return `ring format ${String(format)} is not one that this release reads (up to ${FORMAT_WITH_LEVEL}): install ${what} on this node`;
    }
  }
}

function changedShape(first: RingHead & Pick<RingDocument, 'owners'>, raw: Fields): RingDocument | string {
  const { ordinalNext, change, changedAtMs } = raw;
  if (typeof ordinalNext !== 'number' || typeof changedAtMs !== 'number' || typeof change !== 'string')
    return 'ordinalNext and changedAtMs must be numbers, and change text';
  if (!Array.isArray(raw['moves']) || !Array.isArray(raw['voters'])) return 'moves and voters must be lists';
  const moves: RingMove[] = [];
  for (const each of raw['moves'] as readonly unknown[]) {
    const [partition, from, to, phase, since] = Array.isArray(each) ? (each as readonly unknown[]) : [];
    const numbers = [partition, from, to, since].every((each) => typeof each === 'number');
    if (!numbers || (phase !== 'copy' && phase !== 'settle'))
      return 'a move is not [partition, from, to, "copy" or "settle", since]';
    moves.push({ partition, from, to, phase, since } as RingMove);
  }
  const voters: RingVoter[] = [];
  for (const each of raw['voters'] as readonly unknown[]) {
    const { ordinal, acceptorId } = isFields(each) ? each : {};
    if (typeof ordinal !== 'number' || typeof acceptorId !== 'string') return 'a voter lacks ordinal or acceptorId';
    voters.push({ ordinal, acceptorId });
  }
  return { ...first, moves, voters, ordinalNext, change, changedAtMs };
}

function memberShape(raw: unknown): RingMember | string {
  if (!isFields(raw)) return 'a member is not an object';
  const { nodeId, ordinal, address, zone } = raw;
  const { capacity, peerAddress, leaving } = { ...MEMBER_DEFAULTS, ...raw } as Fields;
  if (
    typeof nodeId !== 'string' ||
    typeof ordinal !== 'number' ||
    typeof address !== 'string' ||
    typeof zone !== 'string'
  ) {
    return 'a member lacks nodeId, ordinal, address or zone';
  }
  if (typeof capacity !== 'number' || typeof peerAddress !== 'string' || typeof leaving !== 'boolean') {
    return `member ${ordinal}: capacity must be a number, peerAddress text and leaving true or false`;
  }
  return { nodeId: nodeId as NodeId, ordinal, address, peerAddress, zone, capacity, leaving };
}

/** The ring as clients are told of it. */
export function ringMessage(ring: RingDocument): RingMessage {
  const { version, clusterId, partitionCount, replicaCount, owners } = ring;
  const members = ring.members.map(({ nodeId, ordinal, address, zone }) => ({ nodeId, ordinal, address, zone }));
  return { version, clusterId, partitionCount, replicaCount, members, owners };
}
