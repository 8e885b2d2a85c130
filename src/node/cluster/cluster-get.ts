/*
 * One get of a client, answered by R nodes: the hands of coordinator/replicated-get.ts. It reads the store here and asks
 * peers there, merges what comes, shows the client what came of it, and sends stale owners the merged record.
 *
 * What was found first is copied, into a block that is used again while it is small: the store's own bytes may be moved
 * before the next answer is in, a peer's are gone when its frame is. Further records are mostly equal and then only
 * compared.
 */
import { getFailure } from '../../coordinator/failures.js';
import { judgeBudget, judgeKey, judgeQuorum } from '../../coordinator/judge.js';
import { type GetPort, type GetTerms, ReplicatedGet } from '../../coordinator/replicated-get.js';
import { copyBytes as copyOf, readU32 } from '../../lib/bytes.js';
import type { Timed } from '../../lib/deadline-wheel.js';
import type { Failure } from '../../model/errors.js';
import type { KeyHash } from '../../model/hash.js';
import type { PartitionId } from '../../model/ids.js';
import type { GetRequest } from '../../model/messages.js';
import type { Fault } from '../../coordinator/asked.js';
import type { ReadRequest as PeerRead } from '../../model/peer-messages.js';
import { partitionOf } from '../../ring/partition.js';
import type { ReadRequest, Stored } from '../../storage/storage.js';
import { CHECKSUM_BYTES, checkRecord } from '../../versioning/record.js';
import { copyBytes } from '../../versioning/write.js';
import type { ReadReplyView } from '../../wire/read-peer.js';
import type { ReadAsker } from '../peers/request.js';
import type { GetTarget, GetWork } from '../work.js';
import { blockOf, KEPT_BYTES_MAX } from './blocks.js';
import { type ClusterParts, peerTimeoutMs, quorumOf } from './parts.js';

const NOTHING = new Uint8Array(0);
/** Those that are late may still say what they hold before stale owners are repaired. */
const GRACE_MS = 20;
const KEY_BYTES_KEPT = 256;

/** Answers of peers, as the asker of a link hears them. */
class Answers implements ReadAsker {
  readonly #get: ClusterGet;

  constructor(get: ClusterGet) {
    this.#get = get;
  }

  onRead(from: number, tag: number, reply: ReadReplyView): void {
    this.#get.onPeerRead(from, tag, reply);
  }

  onRefused(_from: number, tag: number, refusal: Failure): void {
    this.#get.onPeerFailed(tag, refusal.code);
  }

  onUnanswered(_from: number, tag: number): void {
    this.#get.onPeerFailed(tag, 'lost');
  }
}

export class ClusterGet implements GetWork, GetPort, ReadRequest, KeyHash, Timed {
  // GetWork
  requestId: number = 0;
  bodyBytes: number = 0;
  index: number = 0;
  startedMs: number = 0;
  origin: Uint8Array = NOTHING;
  // ReadRequest, KeyHash
  partition: PartitionId = 0 as PartitionId;
  key: Uint8Array = NOTHING;
  hashHi: number = 0;
  hashLo: number = 0;
  get hi(): number {
    return this.hashHi;
  }
  get lo(): number {
    return this.hashLo;
  }
  // Timed
  deadlineMs: number = 0;
  wheelBucket: number = -1;
  wheelNext: Timed | null = null;
  wheelPrevious: Timed | null = null;

  readonly #parts: ClusterParts;
  readonly #machine: ReplicatedGet;
  readonly #answers: Answers = new Answers(this);
  readonly #terms: { -readonly [K in keyof GetTerms]: GetTerms[K] } = {
    r: 0,
    strict: false,
    deadlineMs: 0,
    graceMs: GRACE_MS,
  };
  /** By which its owners were chosen. */
  #ringVersion = 0;
  readonly #question: { -readonly [K in keyof PeerRead]: PeerRead[K] };
  #keyBlock: Uint8Array = new Uint8Array(KEY_BYTES_KEPT);
  #target: GetTarget | null = null;
  /** The same, once it has its answer. */
  #told: GetTarget | null = null;
  #budgetMs = 0;
  #localTicket = 0;
  /** Asked and not yet heard: they still name this object. */
  #underWay = 0;
  #isEnded = true;
  /** The merge of what was found, at the start of its block; 0: nothing was. */
  #record: Uint8Array = NOTHING;
  #recordBytes = 0;
  /** The lowest reap fence at which any of what is merged in it was read. */
  #fence = 0;
  #smallBlock: Uint8Array = NOTHING;
  #otherBlock: Uint8Array = NOTHING;
  /** What has just been found, during the machine's call. */
  #found: Uint8Array = NOTHING;
  #foundStart = 0;
  #foundEnd = 0;
  #foundFence = 0;
  /** Row → the checksum of its record: equal ones are equal records. */
  readonly #sumsHi: number[] = [];
  readonly #sumsLo: number[] = [];

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.#machine = new ReplicatedGet(parts.self, parts.table, this);
    this.#question = { key: NOTHING, partition: 0, ringVersion: 0, budgetMs: 0 };
  }

  start(target: GetTarget, request: GetRequest, nowMs: number): void {
    const { services, preferences } = this.#parts;
    this.#target = target;
    this.startedMs = nowMs;
    this.key = request.key;
    const refusal =
      judgeKey(this.key, request.namespace) ??
      judgeBudget(request.budgetMs) ??
      judgeQuorum('r', request.r, preferences.replicaCount);
    if (refusal !== null) {
      this.#target = null;
      target.onFailure(this, refusal);
      target.onOver(this);
      return;
    }
    const { hash, partitionBits } = services;
    hash.hash(this.key, 0, this.key.length);
    this.hashHi = hash.hi;
    this.hashLo = hash.lo;
    this.partition = partitionOf(hash.hi, partitionBits) as PartitionId;
    services.loads.requested(this.partition, this.hashHi, this.hashLo, this.key);
    this.#budgetMs = request.budgetMs;
    this.#recordBytes = 0;
    this.#isEnded = false;
    const terms = this.#terms;
    terms.r = quorumOf(request.r, preferences.replicaCount);
    terms.strict = request.strict;
    terms.deadlineMs = nowMs + request.budgetMs;
    this.#ringVersion = preferences.ringVersion;
    this.#machine.start(terms, preferences.of(this.partition), nowMs);
    // The frame goes, the question stays: also one whose answer nobody waits for any more.
    if (this.#underWay > 0) this.#keepKey();
  }

  get waits(): boolean {
    return this.#target !== null && this.#recordBytes === 0;
  }

  encodeContext(target: Uint8Array, at: number): void {
    const { view, hash } = this.#parts.services;
    view.encodeToken(target, at, hash, this);
  }

  // ── what the machine wants done ─────────────────────────────────────────────────────────────────────────────────

  readHere(_get: ReplicatedGet, ticket: number): void {
    this.#localTicket = ticket;
    this.#underWay += 1;
    this.#parts.services.storage.read(this);
  }

  ask(_get: ReplicatedGet, ticket: number, node: number): void {
    const question = this.#question;
    question.ringVersion = this.#ringVersion;
    question.key = this.key;
    question.partition = this.partition;
    question.budgetMs = this.#budgetMs;
    const link = this.#parts.links.get(node);
    this.#underWay += 1;
    const request = link?.read(question, peerTimeoutMs(this.#budgetMs), this.#answers, ticket) ?? null;
    if (request === null) this.onPeerFailed(ticket, 'unsent');
  }

  merge(_get: ReplicatedGet, row: number): void {
    const bytes = this.#found;
    const start = this.#foundStart;
    const end = this.#foundEnd;
    this.#sumsHi[row] = readU32(bytes, end - CHECKSUM_BYTES);
    this.#sumsLo[row] = readU32(bytes, end - CHECKSUM_BYTES + 4);
    if (this.#recordBytes === 0) {
      this.#fence = this.#foundFence;
      this.#copy(bytes, start, end);
      return;
    }
    if (this.#foundFence < this.#fence) this.#fence = this.#foundFence;
    const { merge, services, meters } = this.#parts;
    const outcome = merge.plan(this.#record, 0, bytes, start);
    if (merge.collisions > 0) meters.collisions.add(merge.collisions);
    if (outcome === 'same-as-b') {
      this.#copy(bytes, start, end);
    } else if (outcome === 'new') {
      const block = this.#blockFor(merge.size);
      merge.encode(block, 0, services.hash);
      this.#take(block, merge.size);
    }
  }

  reply(get: ReplicatedGet): void {
    const target = this.#target as GetTarget;
    this.#target = null;
    this.#told = target;
    const { services, origins, nameOf } = this.#parts;
    if (get.outcome === 'too-few') {
      target.onFailure(this, getFailure(get, nameOf));
      return;
    }
    this.origin = origins.ofGet(get);
    const { parts, view } = services;
    parts.clear();
    if (this.#recordBytes > 0) {
      const record = this.#record;
      view.show(record, 0, services.viewMs());
      for (let i = 0; i < view.shownCount; i++) {
        const start = view.valueStart(i);
        parts.addSibling(record, start, start + view.valueBytes(i), view.writtenMs(i), view.expiresMs(i));
      }
      parts.reserveContext(view.tokenBytes);
    }
    target.onFound(this, parts, this.#recordBytes > KEPT_BYTES_MAX);
  }

  isStale(_get: ReplicatedGet, row: number): boolean {
    const at = this.#recordBytes - CHECKSUM_BYTES;
    return this.#sumsHi[row] !== readU32(this.#record, at) || this.#sumsLo[row] !== readU32(this.#record, at + 4);
  }

  repair(_get: ReplicatedGet, node: number): void {
    this.#parts.repairs.send(this, copyOf(this.#record, 0, this.#recordBytes), node, this.#fence);
  }

  wakeAt(_get: ReplicatedGet, atMs: number): void {
    const { wheel } = this.#parts;
    if (this.wheelBucket >= 0) wheel.remove(this);
    this.deadlineMs = atMs;
    wheel.add(this);
  }

  ended(): void {
    if (this.wheelBucket >= 0) this.#parts.wheel.remove(this);
    this.#isEnded = true;
    this.#overIfSo();
  }

  // ── what it hears ───────────────────────────────────────────────────────────────────────────────────────────────

  onRead(stored: Stored): void {
    this.#underWay -= 1;
    const { start, end, state } = stored;
    const { reaps, fences, services } = this.#parts;
    services.loads.read(this.partition, end - start);
    this.#hold(stored.bytes, start, end, reaps.stampOf(this.partition));
    const nowMs = this.#parts.nowMs();
    const answer = fences.hides(this.partition, state === 'ok') ? 'unknown' : state === 'ok' ? 'found' : state;
    this.#machine.answered(this.#localTicket, answer, nowMs);
    this.#overIfSo();
  }

  onPeerRead(from: number, ticket: number, reply: ReadReplyView): void {
    this.#underWay -= 1;
    const { bytes, record } = reply;
    let answer = reply.state;
    if (answer === 'found' && this.#isDamaged(bytes, record.start, record.end)) answer = 'unknown';
    if (answer === 'found' && this.#isReaped(from, reply.fence)) answer = 'unknown';
    // By a newer ring a strict put may have gone to others, whom nobody asks here.
    if (this.#terms.strict && reply.ringVersion > this.#ringVersion) answer = 'unknown';
    this.#hold(bytes, record.start, record.end, reply.fence);
    this.#machine.answered(ticket, answer, this.#parts.nowMs());
    this.#found = NOTHING;
    this.#overIfSo();
  }

  onPeerFailed(ticket: number, fault: Fault): void {
    this.#underWay -= 1;
    this.#machine.failed(ticket, fault, this.#parts.nowMs());
    this.#overIfSo();
  }

  expire(): void {
    this.#machine.tick(this.#parts.nowMs());
  }

  #isDamaged(bytes: Uint8Array, start: number, end: number): boolean {
    const { services, meters } = this.#parts;
    if (checkRecord(bytes, start, end, services.hash, this.key) === null) return false;
    meters.damagedOnTheWay.add(1);
    return true;
  }

  /** May what a peer holds have been reaped? Only of one that was put back to an earlier day, and has not been told yet. */
  #isReaped(from: number, fence: number): boolean {
    const { reaps, fences } = this.#parts;
    if (fence < reaps.stampOf(this.partition)) fences.tell(from, this.partition);
    return fence < reaps.reapedAt(this.partition);
  }

  #hold(bytes: Uint8Array, start: number, end: number, fence: number): void {
    this.#foundFence = fence;
    this.#found = bytes;
    this.#foundStart = start;
    this.#foundEnd = end;
  }

  // ── what it keeps ───────────────────────────────────────────────────────────────────────────────────────────────

  #keepKey(): void {
    const { length } = this.key;
    if (this.#keyBlock.length < length) this.#keyBlock = new Uint8Array(length);
    copyBytes(this.key, 0, length, this.#keyBlock, 0);
    this.key = this.#keyBlock.subarray(0, length);
  }

  #copy(bytes: Uint8Array, start: number, end: number): void {
    const block = this.#blockFor(end - start);
    copyBytes(bytes, start, end - start, block, 0);
    this.#take(block, end - start);
  }

  #take(block: Uint8Array, size: number): void {
    if (block === this.#otherBlock) {
      this.#otherBlock = this.#smallBlock;
      this.#smallBlock = block;
    }
    this.#record = block;
    this.#recordBytes = size;
    this.#target?.onHeld(this, size);
  }

  /** One that does not hold the record of the moment. Large ones are made for one record, and leave with the answer. */
  #blockFor(size: number): Uint8Array {
    if (size > KEPT_BYTES_MAX) return blockOf(size);
    if (this.#otherBlock.length < size) this.#otherBlock = blockOf(size);
    return this.#otherBlock;
  }

  #overIfSo(): void {
    if (!this.#isEnded || this.#underWay > 0) return;
    const told = this.#told;
    if (told === null) return;
    this.#told = null;
    this.#record = NOTHING;
    told.onOver(this);
  }
}
