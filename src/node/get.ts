/*
 * One get at this node: find the record, show what a reader is to see of it. Pooled; in the common case it is answered
 * before `start` returns, straight from the buffer or the file's map, and nothing is allocated but the key's view.
 */
import { copyBytes } from '../lib/bytes.js';
import { judgeBudget, judgeKey, judgeQuorum } from '../coordinator/judge.js';
import type { Failure } from '../model/errors.js';
import type { KeyHash } from '../model/hash.js';
import type { PartitionId } from '../model/ids.js';
import type { GetRequest } from '../model/messages.js';
import { partitionOf } from '../ring/partition.js';
import type { ReadRequest, Stored } from '../storage/storage.js';
import type { GetTarget, GetWork } from './work.js';
import { budgetSpent, type Services, unknownState } from './services.js';

const NOTHING = new Uint8Array(0);

export class GetOperation implements GetWork, ReadRequest, KeyHash {
  partition: PartitionId = 0 as PartitionId;
  key: Uint8Array = NOTHING;
  hashHi: number = 0;
  hashLo: number = 0;

  // KeyHash
  get hi(): number {
    return this.hashHi;
  }
  get lo(): number {
    return this.hashLo;
  }

  requestId: number = 0;
  bodyBytes: number = 0;
  index: number = 0;
  startedMs: number = 0;

  get origin(): Uint8Array {
    return this.#services.readOrigin;
  }

  readonly #services: Services;
  #target: GetTarget | null = null;
  #budgetMs = 0;
  #answered = true;
  /** The answer did not come at once: only then can the time have run out. */
  #wasCold = false;

  constructor(services: Services) {
    this.#services = services;
  }

  start(target: GetTarget, request: GetRequest, nowMs: number): void {
    this.#target = target;
    this.#answered = false;
    this.#wasCold = false;
    this.startedMs = nowMs;
    this.#budgetMs = request.budgetMs;
    this.key = request.key;
    const { hash, ring, partitionBits, storage, loads } = this.#services;
    const refusal =
      judgeKey(this.key, request.namespace) ??
      judgeBudget(request.budgetMs) ??
      judgeQuorum('r', request.r, ring.replicaCount);
    if (refusal !== null) {
      this.#fail(refusal);
      return;
    }
    hash.hash(this.key, 0, this.key.length);
    this.hashHi = hash.hi;
    this.hashLo = hash.lo;
    this.partition = partitionOf(hash.hi, partitionBits) as PartitionId;
    loads.requested(this.partition, this.hashHi, this.hashLo, this.key);
    storage.read(this);
    if (this.#answered) return;
    this.#wasCold = true;
    this.key = copyBytes(this.key); // the frame goes, the question stays
  }

  get waits(): boolean {
    return !this.#answered;
  }

  onRead(stored: Stored): void {
    this.#services.loads.read(this.partition, stored.end - stored.start);
    if (stored.state === 'unknown') {
      this.#fail(unknownState(stored.reason));
      return;
    }
    const services = this.#services;
    if (this.#wasCold && services.clock.monotonicMs() - this.startedMs > this.#budgetMs) {
      this.#fail(budgetSpent(this.#budgetMs));
      return;
    }
    const { parts, view } = services;
    parts.clear();
    const target = this.#end();
    if (stored.state === 'absent') {
      target.onFound(this, parts, false);
      target.onOver(this);
      return;
    }
    view.show(stored.bytes, stored.start, services.viewMs());
    for (let i = 0; i < view.shownCount; i++) {
      const start = view.valueStart(i);
      parts.addSibling(stored.bytes, start, start + view.valueBytes(i), view.writtenMs(i), view.expiresMs(i));
    }
    parts.reserveContext(view.tokenBytes);
    target.onFound(this, parts, stored.owned);
    target.onOver(this);
  }

  encodeContext(target: Uint8Array, at: number): void {
    this.#services.view.encodeToken(target, at, this.#services.hash, this);
  }

  #fail(failure: Failure): void {
    const target = this.#end();
    target.onFailure(this, failure);
    target.onOver(this);
  }

  #end(): GetTarget {
    const target = this.#target as GetTarget;
    this.#target = null;
    this.#answered = true;
    return target;
  }
}
