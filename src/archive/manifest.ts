/*
 * What an archive says of itself: manifest.json, one line of JSON.
 *
 *   {"sha256": of the text of what follows, "archive": {…}}
 *
 * It is written when the archive begins, and says `complete: false`; partitions are then noted in progress.ndjson, each
 * when its file is there for good, one line with the like checksum; and with the last of them the manifest is written anew.
 * So whatever a crash leaves is a complete archive or one that says that it is not, and how far it has come.
 *
 * An unchanged partition is not copied again: `file.archive` is the name of the archive that has the file. That is always
 * the one that has it itself, so no reference leads to a reference.
 */
import type { Digest } from '../env/digest.js';
import { toHex } from '../lib/bytes.js';
import { PARTITIONS_MAX } from '../model/limits.js';
import { Fields, FieldFault } from './fields.js';
import { isArchiveName } from './names.js';

export const ARCHIVE_FORMAT = 1;
/** Larger is no manifest: that of 4,096 full partitions takes a third of it. */
export const MANIFEST_BYTES_MAX = 268_435_456;
const CHUNK_DIGITS = 16;

export interface ArchivedFile {
  /** Which archive of the same target has it; empty: this one. */
  readonly archive: string;
  readonly bytes: number;
  readonly sha256: string;
  /** XXH64 of each chunk, 16 digits each: they say where a file is damaged. */
  readonly chunkBytes: number;
  readonly chunks: string;
}

export interface ArchivedPartition {
  readonly partition: number;
  /** It holds every put that was acknowledged before the archive began, as far as a majority of the owners has it. */
  readonly complete: boolean;
  /** Why not; empty otherwise. */
  readonly note: string;
  readonly records: number;
  /** Versions that are values, and that are deletes. */
  readonly values: number;
  readonly tombstones: number;
  /** Records with more than one version. */
  readonly conflicts: number;
  /** Of the Merkle leaves. */
  readonly root: string;
  readonly fence: number;
  /** null: it was empty. */
  readonly file: ArchivedFile | null;
  /** Ordinal of the owner that it was taken from; 0: from nobody. */
  readonly donor: number;
  /** Ordinals of the other owners that it had met, and of those that it could not. */
  readonly met: readonly number[];
  readonly missed: readonly number[];
  readonly takenAt: string;
}

export interface ArchivedMember {
  readonly ordinal: number;
  readonly nodeId: string;
  readonly address: string;
}

export interface Manifest {
  readonly format: number;
  readonly name: string;
  /** It refers to files of archives that this one referred to, or had; empty: it was made in full. */
  readonly since: string;
  readonly complete: boolean;
  readonly begunAt: string;
  /** Empty: it is being made, or its making was broken off. */
  readonly endedAt: string;
  readonly cluster: string;
  readonly clusterId: string;
  readonly ringVersion: number;
  readonly partitionCount: number;
  readonly replicaCount: number;
  readonly members: readonly ArchivedMember[];
  /** Which partitions were wanted, in order. */
  readonly wanted: readonly number[];
  /** Those that are there. */
  readonly partitions: readonly ArchivedPartition[];
}

export function encodeManifest(manifest: Manifest, digest: Digest): string {
  return sealed('archive', manifest, digest);
}

export function decodeManifest(text: string, digest: Digest): Manifest | { readonly fault: string } {
  return unsealed('archive', text, digest, manifestOf);
}

/** One line of progress.ndjson, without its end. */
export function encodePartition(partition: ArchivedPartition, digest: Digest): string {
  return sealed('partition', partition, digest);
}

export function decodePartition(text: string, digest: Digest): ArchivedPartition | { readonly fault: string } {
  return unsealed('partition', text, digest, partitionOf);
}

function sealed(what: string, value: object, digest: Digest): string {
  const text = JSON.stringify(value);
  return `{"sha256":"${toHex(digest.sha256(Buffer.from(text)))}","${what}":${text}}`;
}

/** The checksum is of the very text, so nothing depends on how some JSON would be written again. */
function unsealed<T>(
  what: string,
  text: string,
  digest: Digest,
  read: (fields: Fields) => T,
): T | { readonly fault: string } {
  const head = /^\{"sha256":"([0-9a-f]{64})","([a-z]+)":/.exec(text);
  const line = text.trimEnd();
  if (head === null || head[2] !== what || !line.endsWith('}')) return { fault: 'It does not begin as one' };
  const inner = line.slice(head[0].length, -1);
  if (toHex(digest.sha256(Buffer.from(inner))) !== head[1]) return { fault: 'Its checksum does not hold' };
  try {
    return read(Fields.of(JSON.parse(inner), what));
  } catch (error) {
    if (error instanceof FieldFault || error instanceof SyntaxError) return { fault: error.message };
    throw error;
  }
}

function manifestOf(fields: Fields): Manifest {
  const format = fields.count('format');
  if (format !== ARCHIVE_FORMAT) throw new FieldFault(`Format ${format}; this release reads format ${ARCHIVE_FORMAT}`);
  const name = fields.text('name');
  const since = fields.text('since');
  if (!isArchiveName(name) || (since !== '' && !isArchiveName(since))) throw new FieldFault('A name that is none');
  const partitionCount = fields.count('partitionCount');
  if (partitionCount === 0 || partitionCount > PARTITIONS_MAX) throw new FieldFault(`${partitionCount} partitions`);
  const manifest = {
    ...{ format, name, since, partitionCount },
    complete: fields.truth('complete'),
    begunAt: fields.text('begunAt'),
    endedAt: fields.text('endedAt'),
    cluster: fields.text('cluster'),
    clusterId: fields.text('clusterId'),
    ringVersion: fields.count('ringVersion'),
    replicaCount: fields.count('replicaCount'),
    members: fields.list('members', (member) => ({
      ordinal: member.count('ordinal'),
      nodeId: member.text('nodeId'),
      address: member.text('address'),
    })),
    wanted: fields.counts('wanted'),
    partitions: fields.list('partitions', partitionOf),
  };
  for (const list of [manifest.wanted, manifest.partitions.map(({ partition }) => partition)]) {
    if (!list.every((partition, i) => partition < partitionCount && partition > (list[i - 1] ?? -1)))
      throw new FieldFault('Partitions that do not ascend, or that there are not');
  }
  return manifest;
}

function partitionOf(fields: Fields): ArchivedPartition {
  const partition = fields.count('partition');
  if (partition >= PARTITIONS_MAX) throw new FieldFault(`Partition ${partition}`);
  return {
    partition,
    complete: fields.truth('complete'),
    note: fields.text('note'),
    records: fields.count('records'),
    values: fields.count('values'),
    tombstones: fields.count('tombstones'),
    conflicts: fields.count('conflicts'),
    root: fields.hex('root', CHUNK_DIGITS),
    fence: fields.count('fence'),
    file: fields.maybe('file', fileOf),
    donor: fields.count('donor'),
    met: fields.counts('met'),
    missed: fields.counts('missed'),
    takenAt: fields.text('takenAt'),
  };
}

function fileOf(fields: Fields): ArchivedFile {
  const archive = fields.text('archive');
  if (archive !== '' && !isArchiveName(archive)) throw new FieldFault('A reference to what is no archive');
  const bytes = fields.count('bytes');
  const chunkBytes = fields.count('chunkBytes');
  const count = chunkBytes === 0 ? 0 : Math.ceil(bytes / chunkBytes);
  if (count === 0) throw new FieldFault(`${bytes} bytes in chunks of ${chunkBytes}`);
  const chunks = fields.hex('chunks', CHUNK_DIGITS * count);
  return { archive, bytes, sha256: fields.hex('sha256', 64), chunkBytes, chunks };
}
