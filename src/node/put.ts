/*
 * One put or delete at this node (§4.5 with N = 1): judge it, find what is stored, mint the new version on top, answer when
 * it is as safe as asked for.
 *
 * The storage calls `decide` at the one moment at which nothing can come between the old record and the new. Until then the
 * request is read in place, in the frame; only if that moment does not come at once, because the old record has to be
 * fetched from a cold disk or puts are slowed, is it copied aside.
 */
import { assertNever } from '../lib/assert.js';
import { judgeBudget, judgeKey, judgeQuorum, judgeValue } from '../coordinator/judge.js';
import { failure, type Failure } from '../model/errors.js';
import type { KeyHash } from '../model/hash.js';
import { CONTEXT_ENTRIES_MAX, SIBLINGS_MAX } from '../model/limits.js';
import type { PartitionId } from '../model/ids.js';
import type { PutRequest, SiblingMessage } from '../model/messages.js';
import { partitionOf } from '../ring/partition.js';
import { type Stored, WAIT_FOR_EARLIER, WRITE_NOTHING, type WriteRequest } from '../storage/storage.js';
import { judgePutId, putIdFailure } from '../versioning/put-id.js';
import type { PutCommand, PutRefusal } from '../versioning/put.js';
import { contextCount, PUT_ID_BYTES } from '../versioning/record.js';
import type { ContextToken } from '../versioning/token.js';
import type { ReplyParts } from '../wire/write-replies.js';
import { budgetSpent, type Services } from './services.js';
import type { PutTarget, PutWork } from './work.js';

/** Hears of the record while it is made: in a cluster it goes on to other nodes. */
export interface RecordKeeper {
  /** A record of so many bytes is to be written, or is acknowledged again. A failure: it is refused instead. */
  onDecided(bytes: number): Failure | null;
  /** As it will lie in the store; to be read during the call only. */
  onRecord(bytes: Uint8Array, start: number, end: number): void;
}

const NOTHING = new Uint8Array(0);
const BLOCK_BYTES_MIN = 512;
const BLOCK_BYTES_KEPT_MAX = 16_384;
const NO_SIBLINGS: readonly SiblingMessage[] = [];
/** Beyond any calendar: absolute expiry must stay below 2^48 ms. */
const TTL_MS_MAX = 100 * 365 * 86_400_000;

export class PutOperation implements PutWork, WriteRequest, PutCommand, KeyHash {
  // WriteRequest
  partition: PartitionId = 0 as PartitionId;
  key: Uint8Array = NOTHING;
  hashHi: number = 0;
  hashLo: number = 0;
  durable: boolean = false;
  // KeyHash
  get hi(): number {
    return this.hashHi;
  }
  get lo(): number {
    return this.hashLo;
  }
  get bytesHint(): number {
    return this.key.length + (this.value?.length ?? 0);
  }
  // PutCommand
  value: Uint8Array | undefined = undefined;
  putId: Uint8Array = NOTHING;
  retry: boolean = false;
  token: ContextToken | null = null;
  wallMs: number = 0;
  logical: number = 0;
  expiresMs: number = 0;
  // what the target reads
  requestId: number = 0;
  bodyBytes: number = 0;
  index: number = 0;
  startedMs: number = 0;
  isDelete: boolean = false;
  siblingCount: number = 0;
  /** The context to hand out: `contextBytes` of it; none unless all that it covers goes with it. */
  context: Uint8Array = new Uint8Array(128);
  contextBytes: number = 0;
  siblings: readonly SiblingMessage[] = NO_SIBLINGS;
  origin: Uint8Array = NOTHING;
  /** Inside `onStored`. */
  isDurable: boolean = false;

  readonly #services: Services;
  readonly #keeper: RecordKeeper | null;
  #target: PutTarget | null = null;
  /** Where a request is kept that has to wait. */
  #block: Uint8Array = NOTHING;
  #budgetMs = 0;
  #ttlMs = 0;
  #returnSiblings = false;
  #clientContext: Uint8Array = NOTHING;
  #decided = true;
  /** It was not decided at once (cold disk, slowed puts): only then can the time have run out. */
  #wasCold = false;

  constructor(services: Services, keeper: RecordKeeper | null = null) {
    this.#services = services;
    this.#keeper = keeper;
  }

  get markActorHi(): number {
    return this.#services.plan.markActorHi;
  }
  get markActorLo(): number {
    return this.#services.plan.markActorLo;
  }
  get markCounter(): number {
    return this.#services.plan.markCounter;
  }

  start(target: PutTarget, request: PutRequest, nowMs: number): void {
    const refusal = this.prepare(target, request, nowMs);
    if (refusal !== null) {
      this.onRefused(refusal);
      return;
    }
    this.store();
    if (!this.#decided) this.detach();
  }

  /** Takes the request in and says where its key belongs; not null: why it is not to be had. `store` goes on. */
  prepare(target: PutTarget, request: PutRequest, nowMs: number): Failure | null {
    this.#target = target;
    this.#decided = false;
    this.#wasCold = false;
    this.startedMs = nowMs;
    this.#budgetMs = request.budgetMs;
    this.#ttlMs = request.ttlMs;
    this.#returnSiblings = request.returnSiblings;
    this.#clientContext = request.context;
    this.key = request.key;
    this.value = request.value;
    this.isDelete = request.value === undefined;
    this.putId = request.putId;
    this.retry = request.retry;
    this.durable = request.durable;
    this.contextBytes = 0;
    this.siblings = NO_SIBLINGS;
    const refusal = this.#judge(request);
    if (refusal !== null) return refusal;
    const { hash, partitionBits } = this.#services;
    hash.hash(this.key, 0, this.key.length);
    this.hashHi = hash.hi;
    this.hashLo = hash.lo;
    this.partition = partitionOf(hash.hi, partitionBits) as PartitionId;
    return null;
  }

  store(): void {
    const { loads, storage } = this.#services;
    loads.requested(this.partition, this.hashHi, this.hashLo, this.key);
    storage.write(this);
    if (!this.#decided) this.#wasCold = true;
  }

  /** It has found what was stored before, or has been refused: the request's own bytes are needed no more. */
  get decided(): boolean {
    return this.#decided;
  }

  #judge(request: PutRequest): Failure | null {
    const { settings, ring, clock } = this.#services;
    const refusal =
      judgeKey(this.key, request.namespace) ??
      judgeBudget(request.budgetMs) ??
      judgeQuorum('w', request.w, ring.replicaCount);
    if (refusal !== null) return refusal;
    if (this.value !== undefined && this.value.length > settings.valueBytesMax)
      return judgeValue(this.value, settings.valueBytesMax);
    if (request.ttlMs > TTL_MS_MAX) {
      return failure(
        'INVALID_ARGUMENT',
        `A time to live of ${request.ttlMs} ms is more than ${TTL_MS_MAX} (100 years)`,
      );
    }
    if (this.putId.length !== PUT_ID_BYTES) {
      return failure(
        'INVALID_ARGUMENT',
        `The put id has ${this.putId.length} bytes: it must be ${PUT_ID_BYTES}, seconds and 64 random bits`,
      );
    }
    return this.#judgeId(clock.wallMs());
  }

  #judgeId(wallMs: number): Failure | null {
    const nowS = Math.floor(wallMs / 1_000);
    const verdict = judgePutId(this.putId, nowS, this.#services.settings.retryWindowS);
    return verdict === 'ok' ? null : putIdFailure(verdict, this.putId, nowS);
  }

  /** The frame's bytes are the transport's again: what is still needed is copied, into one block that is used again. */
  detach(): void {
    const { key, value, putId } = this;
    const size = key.length + (value?.length ?? 0) + putId.length + this.#clientContext.length;
    let block = this.#block;
    if (block.length < size) {
      block = new Uint8Array(Math.max(size <= BLOCK_BYTES_KEPT_MAX ? 2 * size : size, BLOCK_BYTES_MIN));
      if (size <= BLOCK_BYTES_KEPT_MAX) this.#block = block;
    }
    let end = 0;
    const kept = (bytes: Uint8Array): Uint8Array => {
      block.set(bytes, end);
      end += bytes.length;
      return block.subarray(end - bytes.length, end);
    };
    this.key = kept(key);
    this.value = value && kept(value);
    this.putId = kept(putId);
    this.#clientContext = kept(this.#clientContext);
  }

  /** The request once more, for another node: after `detach`, and before it is decided. */
  requestAgain(w: number, strict: boolean): PutRequest {
    return {
      key: this.key,
      value: this.value,
      context: this.#clientContext,
      putId: this.putId,
      retry: this.retry,
      durable: this.durable,
      ttlMs: this.#ttlMs,
      returnSiblings: this.#returnSiblings,
      budgetMs: this.#budgetMs,
      namespace: '',
      ringVersion: 0,
      w,
      strict,
    };
  }

  decide(stored: Stored): number {
    this.#decided = true;
    const { clock, hlc, plan } = this.#services;
    if (this.#wasCold && clock.monotonicMs() - this.startedMs > this.#budgetMs)
      return this.#refuse(budgetSpent(this.#budgetMs));
    // While it waited its id may have grown too old: what was known of it may be forgotten by now.
    const late = this.#wasCold ? this.#judgeId(clock.wallMs()) : null;
    if (late !== null) return this.#refuse(late);
    const fault = this.#readContext();
    if (fault !== null) return this.#refuse(fault);
    const wallMs = clock.wallMs();
    hlc.tick(wallMs);
    this.wallMs = hlc.wallMs;
    this.logical = hlc.logical;
    this.expiresMs = this.#ttlMs === 0 || this.isDelete ? 0 : this.wallMs + this.#ttlMs;
    const outcome = plan.decide(stored, this);
    if (outcome !== 'write' && outcome !== 'known' && outcome !== 'known-in-part')
      return this.#refuse(this.#refusal(outcome));
    const isNew = outcome !== 'known';
    const bytes = isNew ? plan.size : stored.end - stored.start;
    const objection = this.#keeper?.onDecided(bytes) ?? null;
    if (objection !== null) return this.#refuse(objection);
    this.#services.loads.wrote(this.partition, bytes);
    if (isNew) return bytes;
    this.#describe(stored.bytes, stored.start, stored.end);
    this.#keeper?.onRecord(stored.bytes, stored.start, stored.end);
    return WAIT_FOR_EARLIER;
  }

  #readContext(): Failure | null {
    const { token, hash, clock } = this.#services;
    const context = this.#clientContext;
    this.token = null;
    if (context.length === 0) return null;
    const fault = token.decode(context, 0, context.length, hash, this);
    if (fault !== '') return failure('INVALID_CONTEXT', fault);
    if (token.isFromTheFuture(Math.floor(clock.wallMs() / 1_000))) {
      return failure(
        'INVALID_CONTEXT',
        'The context carries put ids from the future: check the clocks, read the key again',
      );
    }
    if (token.carries(this.putId)) {
      return failure(
        'INVALID_ARGUMENT',
        'The put id is that of a put which its own context has read: a new put needs a new id',
      );
    }
    this.token = token;
    return null;
  }

  encode(target: Uint8Array, at: number): void {
    const { plan, hash } = this.#services;
    const size = plan.size;
    plan.encode(target, at, hash);
    this.#services.sizeWarnings.note(plan.siblings, contextCount(target, at), this, this.startedMs);
    this.#describe(target, at, at + size);
    this.#keeper?.onRecord(target, at, at + size);
  }

  /** What the answer will say of the record, taken while its bytes are at hand. */
  #describe(bytes: Uint8Array, start: number, end: number): void {
    const { plan, view, hash } = this.#services;
    if (start === end) {
      this.siblingCount = 0;
      return;
    }
    view.show(bytes, start, this.#services.viewMs());
    this.siblingCount = view.shownCount;
    if (!plan.soleSibling && !this.#returnSiblings) return;
    this.contextBytes = view.tokenBytes;
    if (this.contextBytes > this.context.length) this.context = new Uint8Array(2 * this.contextBytes);
    view.encodeToken(this.context, 0, hash, this);
    if (this.#returnSiblings) this.siblings = this.#copySiblings(bytes);
  }

  /** All values in one block: many small ones would be left to malloc in pieces. */
  #copySiblings(bytes: Uint8Array): readonly SiblingMessage[] {
    const { view } = this.#services;
    let total = 0;
    for (let i = 0; i < view.shownCount; i++) total += view.valueBytes(i);
    const block = Buffer.allocUnsafeSlow(total);
    this.#target?.onHeld(this, total);
    let end = 0;
    return Array.from({ length: view.shownCount }, (_, i) => {
      const from = view.valueStart(i);
      const start = end;
      end += view.valueBytes(i);
      block.set(bytes.subarray(from, from + view.valueBytes(i)), start);
      return { value: block.subarray(start, end), writtenMs: view.writtenMs(i), expiresMs: view.expiresMs(i) };
    });
  }

  onWritten(durable: boolean): void {
    const { durableOrigin, bufferedOrigin } = this.#services;
    this.origin = durable ? durableOrigin : bufferedOrigin;
    this.isDurable = durable;
    const target = this.#end();
    target.onStored(this);
    target.onOver(this);
  }

  onRefused(refusal: Failure): void {
    this.#decided = true;
    const target = this.#end();
    target.onFailure(this, refusal);
    target.onOver(this);
  }

  fillReply(parts: ReplyParts): void {
    parts.clear();
    for (const { value, writtenMs, expiresMs } of this.siblings) {
      parts.addSibling(value, 0, value.length, writtenMs, expiresMs);
    }
    parts.setContext(this.context, 0, this.contextBytes);
  }

  #refuse(refusal: Failure): number {
    this.onRefused(refusal);
    return WRITE_NOTHING;
  }

  #refusal(outcome: PutRefusal): Failure {
    switch (outcome) {
      case 'too-late':
        return failure(
          'RETRY_TOO_LATE',
          'This retry is older than what the record remembers: whether the first attempt was stored and overwritten is unknown; read the key',
          {
            outcomeUnknown: true,
          },
        );
      case 'siblings-limit':
        return failure(
          'SIBLINGS_LIMIT',
          `The key has ${SIBLINGS_MAX} conflicting versions: get it, merge them, and put with the context of that read`,
        );
      case 'record-too-large':
        return failure(
          'SIBLINGS_LIMIT',
          `The conflicting versions of this key would exceed ${this.#services.settings.recordBytesMax} bytes: get it, merge them, and put with the context of that read`,
        );
      case 'context-too-large':
        return failure('TOO_LARGE', `The key's context would exceed ${CONTEXT_ENTRIES_MAX} actors`);
      default:
        return assertNever(outcome);
    }
  }

  #end(): PutTarget {
    const target = this.#target as PutTarget;
    this.#target = null;
    return target;
  }
}
