/*
 * A copy of a put that was refused because it was stamped below the receiver's reap fence. The record that was sent may
 * hold what everybody has forgotten since; the one that is stored here now does not. So when this node's own fence is as
 * high, the record is read once more and sent as it is then: it knows all that the first one knew.
 */
import type { Fault } from '../../coordinator/asked.js';
import { copyBytes } from '../../lib/bytes.js';
import type { Failure } from '../../model/errors.js';
import type { PartitionId } from '../../model/ids.js';
import type { StoreHead } from '../../model/peer-messages.js';
import type { KeyPlace, ReadRequest, Stored } from '../../storage/storage.js';
import type { StoreReplyView } from '../../wire/read-peer.js';
import type { StoreAsker } from '../peers/request.js';
import type { CopyReply } from './copy-acks.js';
import type { ClusterParts } from './parts.js';

/** Fences rise rarely: more in a row is somebody's fault. */
const TIMES_MAX = 4;

export interface ResendTarget {
  onAcked(ticket: number, reply: CopyReply): void;
  onFailed(ticket: number, fault: Fault): void;
}

export interface ResendTerms {
  readonly node: number;
  readonly ticket: number;
  readonly head: StoreHead;
  readonly place: KeyPlace;
  readonly timeoutMs: number;
}

export class Resend implements ReadRequest, StoreAsker {
  readonly partition: PartitionId;
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly #parts: ClusterParts;
  readonly #target: ResendTarget;
  readonly #terms: ResendTerms;
  #times = 0;

  constructor(parts: ClusterParts, target: ResendTarget, terms: ResendTerms) {
    this.#parts = parts;
    this.#target = target;
    this.#terms = terms;
    const { partition, key, hashHi, hashLo } = terms.place;
    this.partition = partition;
    this.key = key;
    this.hashHi = hashHi;
    this.hashLo = hashLo;
  }

  start(fence: number): void {
    this.#times += 1;
    const { timeoutMs } = this.#terms;
    this.#parts.fences.reach(this.partition, fence, timeoutMs, (isReached) => {
      if (isReached) this.#parts.services.storage.read(this);
      else this.#failed('lost');
    });
  }

  onRead({ state, bytes, start, end }: Stored): void {
    if (state !== 'ok') {
      this.#failed('lost'); // it has gone home, or was reaped: there is nothing to be sent
      return;
    }
    const { node, head, timeoutMs } = this.#terms;
    const { links, reaps } = this.#parts;
    const stamped: StoreHead = { ...head, fence: reaps.stampOf(this.partition) };
    const record = copyBytes(bytes, start, end);
    if ((links.get(node)?.store(stamped, record, true, timeoutMs, this, 0) ?? null) === null) this.#failed('unsent');
  }

  onStored(_from: number, _tag: number, reply: StoreReplyView): void {
    this.#target.onAcked(this.#terms.ticket, reply);
  }

  onRefused(_from: number, _tag: number, { fence, code, outcomeUnknown }: Failure): void {
    if (fence !== undefined && this.#times < TIMES_MAX) this.start(fence);
    else this.#failed(outcomeUnknown ? 'lost' : code);
  }

  onUnanswered(): void {
    this.#failed('lost');
  }

  #failed(fault: Fault): void {
    this.#target.onFailed(this.#terms.ticket, fault);
  }
}
