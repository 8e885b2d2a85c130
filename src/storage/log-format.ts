/*
 * The commit log's bytes. Integers are big-endian; eight-byte ones stay below 2^53.
 *
 *   log/SSSSSSSSSSSSSSSS.seg     one segment; S: its sequence in hexadecimal, never used twice
 *
 *   segment   0        512      1024    …    4096                                                      size
 *             ├ header ┼──────── zeros ───────┼ batch ┼ batch ┼ … ┼ batch ┼ zeros, or an earlier life ──┤
 *                                             every batch starts on a multiple of 512
 *
 *   segment header: one sector, so that a torn write leaves the old header or the new one
 *   offset  size  field
 *        0     8  'partilog'
 *        8     4  format, 1; the first sector keeps this shape in every format to come
 *       12     1  state: 1 prepared (nothing was ever written under this sequence), 2 used
 *       13     1  1: everything behind the header was zeros when it was prepared; 0: it had an earlier life
 *       14     2  zero
 *       16    16  node id
 *       32     8  opening number of the store that prepared it
 *       40     8  segment sequence
 *       48     8  sequence of the first segment of that opening: from there on sequences have no gap
 *       56     8  LSN at which the log before this segment ends; 0 while prepared
 *       64     8  first LSN of this segment; 0 while prepared
 *       72     8  size of the segment in bytes
 *       80   424  zero
 *      504     8  XXH64 of bytes 0..503
 *
 *   batch: what one turn of the loop appended (or nothing: then it only says what is durable)
 *   offset  size  field
 *        0     4  'PBAT'
 *        4     4  length of the batch, padding included: a multiple of 512
 *        8     8  segment sequence
 *       16     8  LSN of the first entry; of the next one to come when there is none
 *       24     4  number of entries
 *       28     4  how many segments before this one were still needed at the time of writing
 *       32     8  highest LSN that was known to be durable at the time of writing
 *       40     8  opening number
 *       48     8  XXH64 of bytes 64..length-1   ┐ both seeded with (sequence, offset in the segment) and the
 *       56     8  XXH64 of bytes 0..55          ┘ node's log salt
 *       64     n  entries, each on a multiple of 8, then zeros up to the length
 *
 *   entry; its LSN is the batch's first LSN plus its index
 *   offset  size  field
 *        0     4  length of the body
 *        4     1  kind
 *        5     1  zero
 *        6     2  partition
 *        8     8  bytes 0..7 inverted, both halves xor the low half of the LSN
 *       16     n  body, then zeros up to a multiple of 8
 *
 * Why two checksums: a torn batch whose first sector arrived still says, provably, what was durable before it, and
 * which LSNs it held. Why the mirror in each entry: when a batch is damaged, it tells which partitions lost something;
 * a sector from an earlier life of the segment does not pass, as its LSNs are others.
 * Why the salt (64 random bits, in node.meta): after damage recovery searches every sector for a batch, and a client
 * that knows the format could otherwise plant one in a value.
 */
import { readU16, readU32, readU53, writeU16, writeU32, writeU53 } from '../lib/bytes.js';
import { fromHex, toHex } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';

export const LOG_FORMAT = 1;
export const SECTOR_BYTES = 512;
export const SEGMENT_HEADER_BYTES = 4_096;
export const BATCH_HEADER_BYTES = 64;
export const ENTRY_HEADER_BYTES = 16;

const SEGMENT_MAGIC = [0x70, 0x61, 0x72, 0x74, 0x69, 0x6c, 0x6f, 0x67];
export const BATCH_MAGIC = 0x50424154;
const CHECKSUM_AT = 504;

export type SegmentState = 'prepared' | 'used';

export interface SegmentHeader {
  readonly format: number;
  readonly state: SegmentState;
  readonly zeroed: boolean;
  readonly nodeId: string;
  readonly opening: number;
  readonly sequence: number;
  readonly openingSequence: number;
  readonly previousLsn: number;
  readonly firstLsn: number;
  readonly segmentBytes: number;
}

export interface LogSalt {
  readonly hi: number;
  readonly lo: number;
}

/** Fields of a batch header; the log and its reader each keep one and fill it again and again. */
export interface BatchHeader {
  length: number;
  sequence: number;
  firstLsn: number;
  count: number;
  neededBefore: number;
  durableLsn: number;
  opening: number;
}

export function emptyBatchHeader(): BatchHeader {
  return { length: 0, sequence: 0, firstLsn: 0, count: 0, neededBefore: 0, durableLsn: 0, opening: 0 };
}

export function alignSector(size: number): number {
  return Math.ceil(size / SECTOR_BYTES) * SECTOR_BYTES;
}

/** What an entry takes in a batch. */
export function entryBytes(size: number): number {
  return ENTRY_HEADER_BYTES + Math.ceil(size / 8) * 8;
}

export function encodeSegmentHeader(hash: Hash64, header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(SEGMENT_HEADER_BYTES);
  bytes.set(SEGMENT_MAGIC, 0);
  writeU32(bytes, 8, header.format);
  bytes[12] = header.state === 'used' ? 2 : 1;
  bytes[13] = header.zeroed ? 1 : 0;
  bytes.set(fromHex(header.nodeId), 16);
  writeU53(bytes, 32, header.opening);
  writeU53(bytes, 40, header.sequence);
  writeU53(bytes, 48, header.openingSequence);
  writeU53(bytes, 56, header.previousLsn);
  writeU53(bytes, 64, header.firstLsn);
  writeU53(bytes, 72, header.segmentBytes);
  hash.hash(bytes, 0, CHECKSUM_AT);
  writeU32(bytes, CHECKSUM_AT, hash.hi);
  writeU32(bytes, CHECKSUM_AT + 4, hash.lo);
  return bytes;
}

/** null: not a header that we or a later version wrote, or no longer. */
export function decodeSegmentHeader(hash: Hash64, bytes: Uint8Array): SegmentHeader | null {
  if (bytes.length < SEGMENT_HEADER_BYTES) return null;
  for (let i = 0; i < SEGMENT_MAGIC.length; i++) if (bytes[i] !== SEGMENT_MAGIC[i]) return null;
  hash.hash(bytes, 0, CHECKSUM_AT);
  if (readU32(bytes, CHECKSUM_AT) !== hash.hi || readU32(bytes, CHECKSUM_AT + 4) !== hash.lo) return null;
  for (let i = SECTOR_BYTES; i < SEGMENT_HEADER_BYTES; i++) if (bytes[i] !== 0) return null;
  return {
    format: readU32(bytes, 8),
    state: bytes[12] === 2 ? 'used' : 'prepared',
    zeroed: bytes[13] === 1,
    nodeId: toHex(bytes.subarray(16, 32)),
    opening: readU53(bytes, 32),
    sequence: readU53(bytes, 40),
    openingSequence: readU53(bytes, 48),
    previousLsn: readU53(bytes, 56),
    firstLsn: readU53(bytes, 64),
    segmentBytes: readU53(bytes, 72),
  };
}

/** Writes header and checksums of the batch whose entries and padding are already at `bytes[at + 64, at + length)`. */
export function sealBatch(
  hash: Hash64,
  salt: LogSalt,
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
  offset: number,
): void {
  const seedHi = (salt.hi ^ header.sequence) >>> 0;
  const seedLo = (salt.lo ^ offset) >>> 0;
  writeU32(bytes, at, BATCH_MAGIC);
  writeU32(bytes, at + 4, header.length);
  writeU53(bytes, at + 8, header.sequence);
  writeU53(bytes, at + 16, header.firstLsn);
  writeU32(bytes, at + 24, header.count);
  writeU32(bytes, at + 28, header.neededBefore);
  writeU53(bytes, at + 32, header.durableLsn);
  writeU53(bytes, at + 40, header.opening);
  hash.hashSeeded(bytes, at + BATCH_HEADER_BYTES, at + header.length, seedHi, seedLo);
  writeU32(bytes, at + 48, hash.hi);
  writeU32(bytes, at + 52, hash.lo);
  hash.hashSeeded(bytes, at, at + 56, seedHi, seedLo);
  writeU32(bytes, at + 56, hash.hi);
  writeU32(bytes, at + 60, hash.lo);
}

/** True, and `into` filled, if a batch header of exactly this segment and offset is at `bytes[at, at + 64)`. */
export function openBatchHeader(
  hash: Hash64,
  salt: LogSalt,
  bytes: Uint8Array,
  at: number,
  sequence: number,
  offset: number,
  into: BatchHeader,
): boolean {
  if (readU32(bytes, at) !== BATCH_MAGIC || readU53(bytes, at + 8) !== sequence) return false;
  hash.hashSeeded(bytes, at, at + 56, (salt.hi ^ sequence) >>> 0, (salt.lo ^ offset) >>> 0);
  if (readU32(bytes, at + 56) !== hash.hi || readU32(bytes, at + 60) !== hash.lo) return false;
  into.length = readU32(bytes, at + 4);
  into.sequence = sequence;
  into.firstLsn = readU53(bytes, at + 16);
  into.count = readU32(bytes, at + 24);
  into.neededBefore = readU32(bytes, at + 28);
  into.durableLsn = readU53(bytes, at + 32);
  into.opening = readU53(bytes, at + 40);
  return into.length >= SECTOR_BYTES && into.length % SECTOR_BYTES === 0;
}

/** Whether the entries of a batch with a good header are what was written. */
export function entriesHold(
  hash: Hash64,
  salt: LogSalt,
  bytes: Uint8Array,
  at: number,
  header: BatchHeader,
  offset: number,
): boolean {
  const seedHi = (salt.hi ^ header.sequence) >>> 0;
  const seedLo = (salt.lo ^ offset) >>> 0;
  hash.hashSeeded(bytes, at + BATCH_HEADER_BYTES, at + header.length, seedHi, seedLo);
  return readU32(bytes, at + 48) === hash.hi && readU32(bytes, at + 52) === hash.lo;
}

export function writeEntryHeader(
  bytes: Uint8Array,
  at: number,
  size: number,
  kind: number,
  partition: number,
  lsn: number,
): void {
  const low = lsn >>> 0;
  const second = ((kind << 24) | partition) >>> 0;
  writeU32(bytes, at, size);
  bytes[at + 4] = kind;
  bytes[at + 5] = 0;
  writeU16(bytes, at + 6, partition);
  writeU32(bytes, at + 8, (~size ^ low) >>> 0);
  writeU32(bytes, at + 12, (~second ^ low) >>> 0);
}

/** Whether the entry header at `at` agrees with its mirror: good enough to name a partition when the batch is damaged. */
export function entryHeaderHolds(bytes: Uint8Array, at: number, lsn: number): boolean {
  const low = lsn >>> 0;
  return (
    readU32(bytes, at + 8) === (~readU32(bytes, at) ^ low) >>> 0 &&
    readU32(bytes, at + 12) === (~readU32(bytes, at + 4) ^ low) >>> 0
  );
}

export function entrySize(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at);
}

export function entryKind(bytes: Uint8Array, at: number): number {
  return bytes[at + 4] as number;
}

export function entryPartition(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at + 6);
}
