/*
 * One put or delete of a client in a cluster: the hands of coordinator/replicated-put.ts, and the way to an owner where
 * this node is none.
 *
 * The version is minted by a PutOperation, on top of what is stored here. Its record is taken over as it is laid down,
 * and goes to the other replicas in those very bytes; it is kept until the last of them has answered, since a fallback
 * may yet need it.
 */
import { chooseCoordinator, type Circumstances, HERE } from '../../coordinator/choose-coordinator.js';
import { ASKED_MAX, type Fault } from '../../coordinator/asked.js';
import { putFailure } from '../../coordinator/failures.js';
import type { Preference } from '../../coordinator/preference.js';
import type { PutTerms } from '../../coordinator/put-terms.js';
import { type PutPort, ReplicatedPut } from '../../coordinator/replicated-put.js';
import type { Timed } from '../../lib/deadline-wheel.js';
import { failure, type Failure } from '../../model/errors.js';
import type { PutRequest } from '../../model/messages.js';
import type { StoreHead } from '../../model/peer-messages.js';
import { keyName } from '../../storage/storage-key.js';
import { copyBytes as copyOf } from '../../lib/bytes.js';
import { recordKeyEnd, recordKeyStart } from '../../versioning/record.js';
import { copyBytes } from '../../versioning/write.js';
import { decodeError } from '../../wire/codec-connection.js';
import { ERROR } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { ReplyParts } from '../../wire/write-replies.js';
import { PutOperation } from '../put.js';
import type { PutTarget, PutWork } from '../work.js';
import { CopyAcks, type CopyReply } from './copy-acks.js';
import { sendExtras } from './extras.js';
import { Forwarding } from './forwarding.js';
import { LocalPart } from './local-part.js';
import { Resend } from './resend.js';
import { type RecordTarget, RecordWrite } from './record-write.js';
import { blockOf, KEPT_BYTES_MAX } from './blocks.js';
import { type ClusterParts, peerTimeoutMs, quorumOf } from './parts.js';

const NOTHING = new Uint8Array(0);
const NOWHERE: Preference = { nodes: [], ownerCount: 0, ringVersion: 0, handovers: [] };

export class ClusterPut implements PutWork, PutPort, Timed {
  // PutWork
  requestId: number = 0;
  bodyBytes: number = 0;
  index: number = 0;
  startedMs: number = 0;
  origin: Uint8Array = NOTHING;
  get isDelete(): boolean {
    return this.#local.isDelete;
  }
  get siblingCount(): number {
    return this.#local.siblingCount;
  }
  // Timed
  deadlineMs: number = 0;
  wheelBucket: number = -1;
  wheelNext: Timed | null = null;
  wheelPrevious: Timed | null = null;
  /** Another node has handed it on to this one: it is coordinated here, whoever owns the key. Set before `start`. */
  isForwarded: boolean = false;

  readonly #parts: ClusterParts;
  readonly #machine: ReplicatedPut;
  readonly #local: PutOperation;
  readonly #localPart: LocalPart;
  readonly #acks: CopyAcks = new CopyAcks(this);
  readonly #terms: { -readonly [K in keyof PutTerms]: PutTerms[K] } = {
    w: 1,
    strict: false,
    durable: false,
    deadlineMs: 0,
  };
  readonly #head: { -readonly [K in keyof StoreHead]: StoreHead[K] };
  readonly #flushRecord: () => void;
  #target: PutTarget | null = null;
  /** The same, once it has its answer. */
  #told: PutTarget | null = null;
  #preference: Preference = NOWHERE;
  #budgetMs = 0;
  #localTicket = 0;
  #hintFor = -1;
  #refusal: Failure | null = null;
  /** The store is being asked: what it says at once is passed on when the call is back. */
  #isAsking = false;
  #isMade = false;
  /** Asked to store here as an owner, and none any more when that was decided. */
  #keepsForOthers = false;
  #underWay = 0;
  #isEnded = true;
  #forwarding: Forwarding | null = null;
  /** A node that it was forwarded to, and that has not answered, may have done it. */
  #mayHaveHappened = false;
  #goesElsewhere = false;
  #record: Uint8Array = NOTHING;
  /** Row of a ticket → for whom the node keeps the copy; 0: for itself. */
  readonly #sentFor: number[] = [];
  #block: Uint8Array = NOTHING;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.#machine = new ReplicatedPut(parts.self, parts.table, this);
    const local = new LocalPart(this);
    this.#localPart = local;
    this.#local = new PutOperation(parts.services, local);
    this.#head = { partition: 0, ringVersion: 0, budgetMs: 0, hintFor: 0, fence: 0, durable: false, reason: 'put' };
    this.#flushRecord = () => {
      this.#tellMade();
    };
  }

  start(target: PutTarget, request: PutRequest, nowMs: number): void {
    const { preferences, self, table } = this.#parts;
    this.#target = target;
    this.startedMs = nowMs;
    this.#refusal = null;
    this.#forwarding = null;
    this.#mayHaveHappened = false;
    this.#goesElsewhere = false;
    this.#isEnded = true;
    const refusal = this.#local.prepare(this.#localPart, request, nowMs);
    if (refusal !== null) {
      this.#fail(refusal);
      return;
    }
    const { partition } = this.#local;
    this.#preference = preferences.of(partition);
    this.#budgetMs = request.budgetMs;
    this.#head.partition = partition;
    this.#head.ringVersion = this.#preference.ringVersion;
    const terms = this.#terms;
    terms.w = quorumOf(request.w, preferences.replicaCount);
    terms.strict = request.strict;
    terms.durable = request.durable;
    terms.deadlineMs = nowMs + request.budgetMs;
    const first = chooseCoordinator(self, this.#preference, table, this.isForwarded ? FORWARDED : FRESH, nowMs);
    if (first === HERE) this.#coordinate(nowMs);
    else this.#forward(first, false);
    if (this.#target !== null && !this.#local.decided) this.#local.detach();
  }

  fillReply(parts: ReplyParts): void {
    this.#local.fillReply(parts);
  }

  // ── forwarding ──────────────────────────────────────────────────────────────────────────────────────────────────

  #forward(node: number, cannotStore: boolean): void {
    this.#local.detach();
    const { w, strict, deadlineMs } = this.#terms;
    const request = this.#local.requestAgain(w, strict);
    const forwarding = new Forwarding(this.#parts, this, request, this.#preference, deadlineMs, cannotStore);
    forwarding.mayHaveHappened = this.#mayHaveHappened;
    this.#forwarding = forwarding;
    forwarding.to(node);
  }

  /** The owner has answered the client's request. */
  onForwarded(kind: number, bytes: Uint8Array, start: number, end: number): void {
    if (kind === ERROR && this.#forwarding?.mayHaveHappened === true) {
      // It tells the truth of itself, and knows nothing of the owner that was asked before and has not answered.
      const error = decodeError(bytes, start, end);
      this.#mayHaveHappened = true;
      this.#fail(isFault(error) ? failure('UNAVAILABLE', `An owner's answer cannot be read: ${error}`) : error);
      return;
    }
    const target = this.#target as PutTarget;
    this.#target = null;
    target.onForwarded(this, kind, bytes, start, end);
    target.onOver(this);
  }

  /** No owner could be reached: this node does it, as a fallback; `isRetry`: one of them may have done it as well. */
  onNobody(isRetry: boolean): void {
    this.#forwarding = null;
    this.#mayHaveHappened = isRetry;
    if (this.#refusal !== null) {
      this.#fail(this.#refusal);
      return;
    }
    if (isRetry) this.#local.retry = true;
    this.#coordinate(this.#parts.nowMs());
  }

  // ── coordinating ────────────────────────────────────────────────────────────────────────────────────────────────

  #coordinate(nowMs: number): void {
    this.#isEnded = false;
    this.#isMade = false;
    this.#keepsForOthers = false;
    this.#machine.start(this.#terms, this.#preference, nowMs);
  }

  storeHere(_put: ReplicatedPut, ticket: number, hintFor: number): void {
    this.#localTicket = ticket;
    this.#hintFor = hintFor;
    if (hintFor >= 0) this.#local.durable = true;
    this.#isAsking = true;
    this.#local.store();
    this.#isAsking = false;
    if (this.#isMade) this.#tellMade();
  }

  onDecided(bytes: number): Failure | null {
    const { hints, preferences, self } = this.#parts;
    const { key, partition } = this.#local;
    const name = keyName(key, 0, key.length);
    if (this.#hintFor >= 0) return hints.add(partition, name, this.#hintFor, bytes) ? null : NO_ROOM;
    if (this.#preference.ringVersion === preferences.ringVersion || preferences.isHolder(partition, self)) return null;
    // The ring has taken the partition away meanwhile.
    this.#keepsForOthers = true;
    this.#local.durable = true;
    return hints.addForOwners(partition, name, bytes) ? null : NO_ROOM;
  }

  onRecord(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    let block = this.#block;
    if (block.length < size) {
      block = blockOf(size);
      if (size <= KEPT_BYTES_MAX) this.#block = block;
    }
    copyBytes(bytes, start, size, block, 0);
    this.#record = block.length === size ? block : block.subarray(0, size);
    this.#head.fence = this.#parts.reaps.stampOf(this.#local.partition);
    this.#target?.onHeld(this, size);
    if (this.#preference.handovers.length > 0 && !this.#terms.strict)
      sendExtras(this.#parts, this.#preference, this.#head, this.#record, this.#budgetMs);
    this.#isMade = true;
    // The store is in the middle of laying the record down: what others answer at once must not come between.
    if (!this.#isAsking) this.#parts.timers.endOfTurn(this.#flushRecord);
  }

  #tellMade(): void {
    this.#machine.encoded(this.#localTicket, this.#parts.nowMs());
  }

  onStoredHere(): void {
    if (this.#keepsForOthers) this.#machine.keptForOthers(this.#localTicket, true, this.#parts.nowMs());
    else this.#machine.acked(this.#localTicket, this.#local.isDurable, this.#parts.nowMs());
  }

  onRefusedHere(refusal: Failure): void {
    this.#refusal = refusal;
    this.#machine.failed(this.#localTicket, refusal.code, this.#parts.nowMs());
  }

  onHeldHere(bytes: number): void {
    this.#target?.onHeld(this, bytes);
  }

  sendCopy(_put: ReplicatedPut, ticket: number, node: number, hintFor: number): void {
    const { links } = this.#parts;
    const head = this.#head;
    head.budgetMs = this.#budgetMs;
    head.hintFor = hintFor < 0 ? 0 : hintFor;
    this.#sentFor[ticket % ASKED_MAX] = head.hintFor;
    head.durable = this.#terms.durable || hintFor >= 0;
    this.#underWay += 1;
    const link = links.get(node);
    const request = link?.store(head, this.#record, true, peerTimeoutMs(this.#budgetMs), this.#acks, ticket) ?? null;
    if (request === null) this.onFailed(ticket, 'unsent');
  }

  /** The node's reap fence is above our stamp: the record is read again, and sent again, once ours is as high. */
  onBehind(node: number, ticket: number, fence: number): void {
    const { partition, hashHi, hashLo } = this.#local;
    const key = copyOf(this.#record, recordKeyStart(0), recordKeyEnd(this.#record, 0)); // the request's own is gone
    const hintFor = this.#sentFor[ticket % ASKED_MAX] ?? 0;
    const head: StoreHead = { ...this.#head, hintFor, durable: this.#terms.durable || hintFor > 0 };
    const place = { partition, key, hashHi, hashLo };
    new Resend(this.#parts, this, { node, ticket, head, place, timeoutMs: peerTimeoutMs(this.#budgetMs) }).start(fence);
  }

  onAcked(ticket: number, { durable, hinted, ringVersion }: CopyReply): void {
    this.#underWay -= 1;
    const nowMs = this.#parts.nowMs();
    if (hinted && durable && this.#sentFor[ticket % ASKED_MAX] === 0) this.#machine.keptForOthers(ticket, true, nowMs);
    else if (this.#terms.strict && ringVersion > this.#preference.ringVersion)
      this.#machine.keptForOthers(ticket, durable, nowMs);
    else this.#machine.acked(ticket, durable, nowMs);
    this.#overIfSo();
  }

  onFailed(ticket: number, fault: Fault): void {
    this.#underWay -= 1;
    this.#machine.failed(ticket, fault, this.#parts.nowMs());
    this.#overIfSo();
  }

  /** With the record: where this node owns no copy, its own may have gone home for another owner, and been dropped. */
  keepHint(_put: ReplicatedPut, owner: number): void {
    const { partition, hashHi, hashLo } = this.#local;
    const write = new RecordWrite(this.#parts);
    write.partition = partition;
    write.hashHi = hashHi;
    write.hashLo = hashLo;
    write.durable = true;
    write.fence = this.#head.fence;
    write.hintFor = [owner];
    write.start(UNTOLD, this.#record, 0, this.#record.length);
  }

  reply(put: ReplicatedPut): void {
    if (put.outcome === 'refused' && this.#mayGoElsewhere()) {
      this.#goesElsewhere = true; // when the machine has ended
      return;
    }
    const target = this.#target as PutTarget;
    this.#target = null;
    this.#told = target;
    if (put.outcome === 'stored') {
      this.origin = this.#parts.origins.ofPut(put);
      target.onStored(this);
    } else {
      const refusal = put.outcome === 'refused' ? this.#refusal : null;
      target.onFailure(this, this.#honest(refusal ?? putFailure(put, this.#parts.nameOf)));
    }
  }

  wakeAt(_put: ReplicatedPut, atMs: number): void {
    const { wheel } = this.#parts;
    wheel.remove(this);
    this.deadlineMs = atMs;
    wheel.add(this);
  }

  expire(): void {
    this.#machine.tick(this.#parts.nowMs());
  }

  ended(): void {
    this.#parts.wheel.remove(this);
    this.#isEnded = true;
    if (this.#goesElsewhere) this.#goElsewhere();
    this.#overIfSo();
  }

  /** The disk here is full, or too much is under way: another node may take it. */
  #mayGoElsewhere(): boolean {
    const code = this.#refusal?.code;
    return !this.isForwarded && this.#forwarding === null && (code === 'DISK_FULL' || code === 'OVERLOADED');
  }

  #goElsewhere(): void {
    this.#goesElsewhere = false;
    const nowMs = this.#parts.nowMs();
    const node = chooseCoordinator(this.#parts.self, this.#preference, this.#parts.table, CANNOT_STORE, nowMs);
    if (node === HERE) this.#fail(this.#refusal as Failure);
    else this.#forward(node, true);
  }

  #fail(refusal: Failure): void {
    const target = this.#target as PutTarget;
    this.#target = null;
    target.onFailure(this, this.#honest(refusal));
    target.onOver(this);
  }

  /** Whoever refused it did nothing; somebody else may have. */
  #honest(refusal: Failure): Failure {
    return this.#mayHaveHappened ? { ...refusal, outcomeUnknown: true } : refusal;
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

const FRESH: Circumstances = { forwarded: false, cannotStore: false, excluded: [] };
/** What becomes of a hint is nobody's business any more. */
const UNTOLD: RecordTarget = { onMerged: () => undefined, onRefused: () => undefined };
const NO_ROOM = failure('OVERLOADED', 'There is no room for more hints on this node');
const FORWARDED: Circumstances = { forwarded: true, cannotStore: false, excluded: [] };
const CANNOT_STORE: Circumstances = { forwarded: false, cannotStore: true, excluded: [] };
