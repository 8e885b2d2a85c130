/*
 * A ring as a file: how the first ring of a cluster comes from where it was made to every node of it. People read it,
 * copy it by hand, and will be tempted to correct an address in it; two nodes with different ideas of version 1 would
 * be two clusters. So one changed byte, blanks included, and the file is refused.
 *
 *   {
 *     "kind": "partita-ring-file",
 *     "format": 1,
 *     "checksum": "0123456789abcdef",      XXH64 of the whole file with sixteen zeros in this place
 *     "ring": {                            the ring document (document.ts)
 *       …
 *       "members": [
 *         {"name":"a","nodeId":…},         one a line; the name is the file's, and no part of the ring
 *         …
 *       ],
 *       "owners": [
 *         3,1,2,                           one partition a line
 *         …
 *       ]
 *     }
 *   }
 *
 * Names serve to say which node is which when the directories are made. A ring knows nodes by id and ordinal.
 */
import { toHex, writeU32 } from '../lib/bytes.js';
import { newerFormatText } from '../model/build.js';
import type { Hash64 } from '../model/hash.js';
import { decodeRing, encodeRing, type RingDocument, type RingMember } from './document.js';

/** What the slots in a node's directory take: a larger ring could be made, and not be kept. */
export const RING_DOCUMENT_BYTES_MAX = 1_048_544;

const RING_FILE_FORMAT = 1;
const NO_CHECKSUM = '0'.repeat(16);
const HEAD = `{\n  "kind": "partita-ring-file",\n  "format": ${RING_FILE_FORMAT},\n  "checksum": "`;
const HEAD_OF_ANY_FORMAT = /^\{\n {2}"kind": "partita-ring-file",\n {2}"format": ([0-9]+),\n/;

export interface RingFile {
  readonly ring: RingDocument;
  /** The bytes that were agreed on, which another release may have made. */
  readonly document: Uint8Array;
  /** By index of the member. */
  readonly names: readonly string[];
}

/** Fit for a directory's name and a word on a command line. */
export function isNodeName(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]{0,62}$/.test(text);
}

export function encodeRingFile({ ring, document, names }: RingFile, hash: Hash64): Uint8Array {
  const raw = JSON.parse(bufferOf(document).toString()) as Record<string, unknown>;
  const fields = Object.entries(raw).map(([field, value]) => {
    if (field === 'members') return list(field, membersNamed(value as readonly object[], names));
    if (field === 'owners') return list(field, rowsOf(ring));
    return `    "${field}": ${JSON.stringify(value)}`;
  });
  const bytes = Buffer.from(`${HEAD}${NO_CHECKSUM}",\n  "ring": {\n${fields.join(',\n')}\n  }\n}\n`);
  bytes.write(checksum(bytes, hash), HEAD.length, 'latin1');
  return bytes;
}

/** The ring in these bytes, or why they are none: a sentence without its beginning, "the checksum does not hold …". */
export function decodeRingFile(bytes: Uint8Array, hash: Hash64): RingFile | { readonly fault: string } {
  const fault = envelopeFault(bytes, hash);
  if (fault !== null) return { fault };
  let raw: { readonly ring?: unknown };
  try {
    raw = JSON.parse(bufferOf(bytes).toString('utf8')) as typeof raw;
  } catch {
    return { fault: 'it is not JSON, though its checksum holds' };
  }
  const ring = decodeRing(Buffer.from(JSON.stringify(raw.ring ?? null)));
  if ('fault' in ring) return ring;
  const document = unnamed(raw.ring as NamedRing);
  const size = document.length;
  if (size > RING_DOCUMENT_BYTES_MAX) return { fault: sizeFault(size) };
  const names = (raw.ring as { members: readonly { name?: unknown }[] }).members.map(({ name }) => name);
  if (!names.every((name) => typeof name === 'string' && isNodeName(name))) {
    return { fault: 'a member has no name, or one that is none' };
  }
  if (new Set(names).size < names.length) return { fault: 'two members have the same name' };
  return { ring, document, names: names as string[] };
}

type NamedRing = Readonly<Record<string, unknown>> & { readonly members: readonly object[] };

/** As it was before the file put names to its members: rings are JSON without blanks, whoever makes them. */
function unnamed(ring: NamedRing): Uint8Array {
  const members = ring.members.map((member) =>
    Object.fromEntries(Object.entries(member).filter(([field]) => field !== 'name')),
  );
  return Buffer.from(JSON.stringify({ ...ring, members }));
}

/** Why a ring cannot be kept by a node, or null. */
export function ringSizeFault(ring: RingDocument): string | null {
  const size = encodeRing(ring).length;
  return size > RING_DOCUMENT_BYTES_MAX ? sizeFault(size) : null;
}

export function memberNamed({ ring, names }: RingFile, name: string): RingMember | null {
  return ring.members[names.indexOf(name)] ?? null;
}

function envelopeFault(bytes: Uint8Array, hash: Hash64): string | null {
  const text = bufferOf(bytes).toString('latin1', 0, HEAD.length + NO_CHECKSUM.length);
  const format = HEAD_OF_ANY_FORMAT.exec(text)?.[1];
  if (format === undefined) return 'it does not begin as a ring file does; partita cluster init makes one';
  if (Number(format) !== RING_FILE_FORMAT) {
    return newerFormatText('it', Number(format), RING_FILE_FORMAT);
  }
  const isWhole = text.startsWith(HEAD) && text.length === HEAD.length + NO_CHECKSUM.length;
  if (isWhole && text.slice(HEAD.length) === checksum(bytes, hash)) return null;
  return 'its checksum does not hold: it was edited, or damaged on its way. Copy it again; a ring that is to be different is made with partita cluster init';
}

/** Of the bytes with zeros where the checksum stands. */
function checksum(bytes: Uint8Array, hash: Hash64): string {
  const covered = Buffer.from(bytes);
  covered.fill(NO_CHECKSUM, HEAD.length, HEAD.length + NO_CHECKSUM.length, 'latin1');
  hash.hash(covered, 0, covered.length);
  const digest = new Uint8Array(8);
  writeU32(digest, 0, hash.hi);
  writeU32(digest, 4, hash.lo);
  return toHex(digest);
}

function sizeFault(size: number): string {
  return `the ring document has ${size} bytes, and a node keeps at most ${RING_DOCUMENT_BYTES_MAX}: fewer partitions, replicas or nodes make it smaller`;
}

function membersNamed(members: readonly object[], names: readonly string[]): readonly string[] {
  return members.map((member, index) => JSON.stringify({ name: names[index], ...member }));
}

function rowsOf({ partitionCount, replicaCount: n, owners }: RingDocument): readonly string[] {
  return Array.from({ length: partitionCount }, (_, partition) => {
    return owners.slice(partition * n, partition * n + n).join(',');
  });
}

function list(field: string, lines: readonly string[]): string {
  return `    "${field}": [\n      ${lines.join(',\n      ')}\n    ]`;
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
