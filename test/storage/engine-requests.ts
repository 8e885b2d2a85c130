/** Requests to an engine and the records that they write, for tests. */
import { createHash } from 'node:crypto';
import xxhash from 'xxhash-wasm';
import type { Failure } from '../../src/model/errors.js';
import { type Hash64, hash64From } from '../../src/model/hash.js';
import { type NodeId, nodeId, partitionId, type PartitionId } from '../../src/model/ids.js';
import { DROP_RECORD, type ReadRequest, type Stored, type WriteRequest } from '../../src/storage/storage.js';
import { recordHeaderEnd } from '../../src/versioning/record.js';
import { seal, writeDot, writeRecordFixed } from '../../src/versioning/write.js';

export const HASH: Hash64 = hash64From(await xxhash());
export const NODE: NodeId = nodeId('00112233445566778899aabbccddeeff');
export const DIGEST = { sha256: (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest() };

const FIXED = 24;
const ACTOR_HI = 0x00010002;
const ACTOR_LO = 0x03040506;

/** A record with one actor and one sibling, whose value is `text` and as many more bytes as asked for. */
export function testRecordBytes(key: Uint8Array, valueBytes: number): number {
  return FIXED + key.length + 14 + 48 + valueBytes + 8;
}

export function writeTestRecord(
  target: Uint8Array,
  at: number,
  key: Uint8Array,
  counter: number,
  value: Uint8Array,
): void {
  const size = testRecordBytes(key, value.length);
  writeRecordFixed(target, at, key.length, size, 1, 1, 0, 0);
  target.set(key, at + FIXED);
  const entry = at + FIXED + key.length;
  writeDot(target, entry, ACTOR_HI, ACTOR_LO, counter);
  const sibling = entry + 14;
  target.fill(0, sibling, sibling + 48);
  writeDot(target, sibling, ACTOR_HI, ACTOR_LO, counter);
  Buffer.from(target.buffer, target.byteOffset, target.byteLength).writeUInt32BE(value.length, sibling + 44);
  target.set(value, sibling + 48);
  seal(target, at, size, HASH);
}

export function valueOf(stored: Stored): string {
  const end = stored.end - 8;
  return Buffer.from(stored.bytes.subarray(recordHeaderEnd(stored.bytes, stored.start), end)).toString('latin1');
}

export function place(
  key: Uint8Array,
  partitionCount: number,
): { partition: PartitionId; hashHi: number; hashLo: number } {
  HASH.hash(key, 0, key.length);
  const bits = Math.log2(partitionCount);
  const partition = bits === 0 ? 0 : HASH.hi >>> (32 - bits);
  return { partition: partitionId(partition, partitionCount), hashHi: HASH.hi, hashLo: HASH.lo };
}

export class TestRead implements ReadRequest {
  readonly partition: PartitionId;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly key: Uint8Array;
  state: 'waiting' | 'ok' | 'absent' | 'unknown' = 'waiting';
  value = '';
  reason = '';
  from = '';
  hasMark = false;
  markCounter = 0;
  moving = false;
  /** What the record adds to its Merkle leaf. */
  leafHi = 0;
  leafLo = 0;

  constructor(name: string, partitionCount: number) {
    this.key = Buffer.from(name, 'latin1');
    ({ partition: this.partition, hashHi: this.hashHi, hashLo: this.hashLo } = place(this.key, partitionCount));
  }

  onRead(stored: Stored): void {
    if (this.state !== 'waiting') throw new Error('A read was answered twice');
    this.state = stored.state;
    this.reason = stored.reason;
    this.from = stored.from;
    this.hasMark = stored.hasMark;
    this.markCounter = stored.markCounter;
    this.moving = stored.moving;
    if (stored.end === stored.start) return;
    this.value = valueOf(stored);
    HASH.hash(stored.bytes, stored.start, recordHeaderEnd(stored.bytes, stored.start));
    this.leafHi = HASH.hi;
    this.leafLo = HASH.lo;
  }
}

export class TestWrite implements WriteRequest {
  readonly partition: PartitionId;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly key: Uint8Array;
  readonly durable: boolean;
  readonly value: Uint8Array;
  readonly bytesHint: number;
  readonly markActorHi: number = ACTOR_HI;
  readonly markActorLo: number = ACTOR_LO;
  readonly markCounter: number;
  readonly #onPlaced: (stored: Stored, write: TestWrite) => void;
  readonly #drops: boolean;
  state: 'waiting' | 'placed' | 'acked' | 'refused' = 'waiting';
  ackedDurable = false;
  failure: Failure | null = null;

  /** `value` null: drops what is stored. */
  constructor(
    name: string,
    value: string | null,
    counter: number,
    partitionCount: number,
    durable: boolean,
    onPlaced: (stored: Stored, write: TestWrite) => void,
  ) {
    this.key = Buffer.from(name, 'latin1');
    this.value = Buffer.from(value ?? '', 'latin1');
    this.#drops = value === null;
    this.bytesHint = name.length + this.value.length;
    this.markCounter = counter;
    this.durable = durable;
    this.#onPlaced = onPlaced;
    ({ partition: this.partition, hashHi: this.hashHi, hashLo: this.hashLo } = place(this.key, partitionCount));
  }

  decide(stored: Stored): number {
    if (this.state !== 'waiting') throw new Error('A write was decided twice');
    this.state = 'placed';
    this.#onPlaced(stored, this);
    return this.#drops ? DROP_RECORD : testRecordBytes(this.key, this.value.length);
  }

  encode(target: Uint8Array, at: number): void {
    if (this.#drops) throw new Error('There is nothing to encode');
    writeTestRecord(target, at, this.key, this.markCounter, this.value);
  }

  onWritten(durable: boolean): void {
    if (this.state !== 'placed') throw new Error(`A write was acknowledged while ${this.state}`);
    this.state = 'acked';
    this.ackedDurable = durable;
  }

  onRefused(failure: Failure): void {
    if (this.state !== 'waiting') throw new Error(`A write was refused while ${this.state}`);
    this.state = 'refused';
    this.failure = failure;
  }
}
