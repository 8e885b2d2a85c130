/*
 * `partita keys`: which keys are stored in the partitions that this node owns, a page at a time.
 *
 * A page is one batch of a scan, so it costs what a batch costs however few of its keys have the prefix, and the node
 * keeps nothing between two pages. The cursor says where to go on:
 *
 *   offset  size  field (big-endian)
 *        0     1  format, 1
 *        1     4  partition
 *        5     8  hash of the first key
 *
 * It stays good across restarts, and across rings too: a partition that the node has lost meanwhile is passed over.
 */
import { copyBytes, readU32, writeU32 } from '../lib/bytes.js';
import { failure, type Failure } from '../model/errors.js';
import type { PartitionId } from '../model/ids.js';
import { LISTED_KEYS_MAX } from '../model/limits.js';
import type { KeysReply, KeysRequest, ListedKey } from '../model/messages.js';
import type { RingDocument } from '../ring/document.js';
import { HASH_END_HI, type HashPlace, type ScanRequest } from '../storage/scan.js';
import type { Stored } from '../storage/storage.js';
import { isTombstone, siblingCount, SIBLING_HEADER_BYTES, siblingsStart, siblingWallMs } from '../versioning/record.js';
import { RecordView } from '../versioning/view.js';
import type { Services } from './services.js';

const CURSOR_FORMAT = 1;
const CURSOR_BYTES = 13;
/** Of records that are read for a page, whether they are listed or not. */
const PAGE_BYTES_MAX = 4_194_304;

type Source = Pick<Services, 'storage' | 'ring' | 'nodeId' | 'ordinal' | 'viewMs'>;

/** Begins a listing; a text says what is wrong with the request. `done` is called once, later. */
export function listKeys(
  source: Source,
  request: KeysRequest,
  done: (reply: KeysReply | Failure) => void,
): Failure | null {
  const refusal = judgeKeys(source, request);
  if (refusal !== null) return refusal;
  const page = new KeysPage(source, request, done);
  page.begin();
  return null;
}

function judgeKeys({ ring, ordinal }: Source, { partition, limit, cursor }: KeysRequest): Failure | null {
  if (limit < 1 || limit > LISTED_KEYS_MAX)
    return failure('INVALID_ARGUMENT', `A limit of ${limit} keys is not between 1 and ${LISTED_KEYS_MAX}`);
  if (cursor.length > 0 && (cursor.length !== CURSOR_BYTES || cursor[0] !== CURSOR_FORMAT))
    return failure('INVALID_ARGUMENT', 'That is no cursor of a listing of keys: begin without one');
  if (partition === null) return null;
  if (partition >= ring.partitionCount) {
    const last = ring.partitionCount - 1;
    return failure('INVALID_ARGUMENT', `There is no partition ${partition}: this cluster has 0 to ${last}`);
  }
  const owners = ownersOf(ring, partition);
  if (owners.includes(ordinal)) return null;
  const names = owners.map((owner) => {
    const member = ring.members.find((each) => each.ordinal === owner);
    return member === undefined ? `#${owner}` : `${member.nodeId.slice(0, 8)} (${member.address})`;
  });
  return failure(
    'INVALID_ARGUMENT',
    `Partition ${partition} is not kept by this node; its owners are ${names.join(', ')}: ask one of them`,
  );
}

function ownersOf(ring: RingDocument, partition: number): readonly number[] {
  return ring.owners.slice(partition * ring.replicaCount, (partition + 1) * ring.replicaCount);
}

class KeysPage implements ScanRequest {
  partition: PartitionId = 0 as PartitionId;
  fromHi: number = 0;
  fromLo: number = 0;
  readonly untilHi: number = HASH_END_HI;
  readonly untilLo: number = 0;
  recordsMax: number;
  bytesMax: number = PAGE_BYTES_MAX;

  readonly #source: Source;
  readonly #request: KeysRequest;
  readonly #done: (reply: KeysReply | Failure) => void;
  readonly #nowMs: number;
  readonly #view: RecordView = new RecordView();
  /** What is listed, in ascending order. */
  readonly #selected: readonly number[];
  readonly #keys: ListedKey[] = [];
  #records = 0;
  #bytes = 0;

  constructor(source: Source, request: KeysRequest, done: (reply: KeysReply | Failure) => void) {
    this.#source = source;
    this.#request = request;
    this.#done = done;
    this.#nowMs = source.viewMs();
    this.recordsMax = request.limit;
    this.#selected = request.partition === null ? this.#owned() : [request.partition];
  }

  begin(): void {
    const { cursor } = this.#request;
    const from = cursor.length === 0 ? 0 : readU32(cursor, 1);
    const first = this.#selected.find((partition) => partition >= from);
    if (first === undefined) {
      this.#end(this.#selected.length, null);
      return;
    }
    this.partition = first as PartitionId;
    if (cursor.length > 0 && first === from) {
      this.fromHi = readU32(cursor, 5);
      this.fromLo = readU32(cursor, 9);
    }
    this.#source.storage.scan(this);
  }

  onRecord(stored: Stored, key: Uint8Array, hashHi: number, hashLo: number): void {
    this.#records += 1;
    this.#bytes += stored.end - stored.start;
    const { prefix, all } = this.#request;
    if (key.length < prefix.length) return;
    for (let i = 0; i < prefix.length; i++) if (key[i] !== prefix[i]) return;
    const listed = this.#describe(stored, key, hashHi, hashLo);
    if (all || listed.damaged || listed.siblings > 0) this.#keys.push(listed);
  }

  onEnd(next: HashPlace | null, refusal: Failure | null): void {
    if (refusal !== null) {
      this.#done(refusal);
      return;
    }
    const index = this.#selected.indexOf(this.partition);
    if (next !== null) {
      this.#end(index, cursorOf(this.partition, next));
      return;
    }
    const following = this.#selected[index + 1];
    const isFull = this.#records >= this.#request.limit || this.#bytes >= PAGE_BYTES_MAX;
    if (following === undefined) {
      this.#end(index + 1, null);
    } else if (isFull) {
      this.#end(index + 1, cursorOf(following, { hi: 0, lo: 0 }));
    } else {
      this.#goOn(following);
    }
  }

  /** A partition that has few keys does not fill a page. */
  #goOn(partition: number): void {
    this.partition = partition as PartitionId;
    this.fromHi = 0;
    this.fromLo = 0;
    this.recordsMax = this.#request.limit - this.#records;
    this.bytesMax = PAGE_BYTES_MAX - this.#bytes;
    this.#source.storage.scan(this);
  }

  #end(done: number, cursor: Uint8Array | null): void {
    const { ring, nodeId, storage } = this.#source;
    const suspect = storage.status().suspectPartitions;
    this.#done({
      keys: this.#keys,
      cursor: cursor ?? new Uint8Array(0),
      nodeId,
      ringVersion: ring.version,
      partitionCount: ring.partitionCount,
      selected: this.#selected.length,
      done,
      suspect: this.#selected.filter((partition) => suspect.includes(partition)).length,
      records: this.#records,
    });
  }

  #describe(stored: Stored, key: Uint8Array, hashHi: number, hashLo: number): ListedKey {
    const { bytes, start, end } = stored;
    const damaged = stored.state !== 'ok';
    const hash = hashHi.toString(16).padStart(8, '0') + hashLo.toString(16).padStart(8, '0');
    const place = { key: copyBytes(key), hash, partition: this.partition, recordBytes: end - start, damaged };
    if (damaged) return { ...place, siblings: 0, tombstones: 0, expired: 0, writtenMs: 0 };
    this.#view.show(bytes, start, this.#nowMs);
    const headers = siblingsStart(bytes, start);
    let tombstones = 0;
    let expired = 0;
    let writtenMs = 0;
    for (let i = 0; i < siblingCount(bytes, start); i++) {
      const at = headers + SIBLING_HEADER_BYTES * i;
      if (isTombstone(bytes, at)) tombstones += 1;
      else if (this.#view.whyHidden(i) === 'expired') expired += 1;
      writtenMs = Math.max(writtenMs, siblingWallMs(bytes, at));
    }
    return { ...place, siblings: this.#view.shownCount, tombstones, expired, writtenMs };
  }

  #owned(): readonly number[] {
    const { ring, ordinal } = this.#source;
    return Array.from({ length: ring.partitionCount }, (_, partition) => partition).filter((partition) => {
      const owners = ownersOf(ring, partition);
      return this.#request.firstOwner ? owners[0] === ordinal : owners.includes(ordinal);
    });
  }
}

function cursorOf(partition: number, { hi, lo }: HashPlace): Uint8Array {
  const bytes = new Uint8Array(CURSOR_BYTES);
  bytes[0] = CURSOR_FORMAT;
  writeU32(bytes, 1, partition);
  writeU32(bytes, 5, hi);
  writeU32(bytes, 9, lo);
  return bytes;
}
