/*
 * The copies that a donor keeps for those who fetch them: how many there may be, and when one is given up. A receiver that
 * went away would else keep as much of the disk as its partition takes, for ever.
 */
import type { TransferOpenReply } from '../model/transfer-messages.js';

export type CopyOffer = Omit<TransferOpenReply, 'ready' | 'opening'>;

export interface Slot {
  /** In the donor's folder. */
  readonly name: string;
  readonly partition: number;
  readonly moveId: number;
  /** null: it is being copied. */
  offer: CopyOffer | null;
  askedMs: number;
  /** Who fetches it: two nodes that come to own a partition by one change of the ring share a copy. */
  readonly askers: Set<number>;
  /** Of pieces; who goes on after a break begins further on in the file. */
  bytesGiven: number;
  bytesReached: number;
  /** -1: none was given yet. */
  firstGivenMs: number;
}

export type Opened =
  /** To be copied, and then told by `copied`. */
  | { readonly kind: 'new'; readonly slot: Slot }
  | { readonly kind: 'copying' }
  | { readonly kind: 'ready'; readonly offer: CopyOffer }
  | { readonly kind: 'full'; readonly slots: number };

export interface SlotLimits {
  readonly slotsMax: number;
  /** A copy that nobody asks for so long goes. */
  readonly silenceMs: number;
}

export class DonorSlots {
  readonly #limits: SlotLimits;
  readonly #slots: Map<string, Slot> = new Map();
  /** No two copies are ever called the same: the one before may still be being deleted. */
  #made = 0;

  constructor(limits: SlotLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#slots.size;
  }

  open(partition: number, moveId: number, asker: number, nowMs: number): Opened {
    const kept = this.#slots.get(keyOf(partition, moveId));
    if (kept !== undefined) {
      kept.askedMs = nowMs;
      kept.askers.add(asker);
      return kept.offer === null ? { kind: 'copying' } : { kind: 'ready', offer: kept.offer };
    }
    if (this.#slots.size >= this.#limits.slotsMax) return { kind: 'full', slots: this.#slots.size };
    this.#made += 1;
    const slot: Slot = {
      name: `${keyOf(partition, moveId)}-${this.#made}`,
      partition,
      moveId,
      offer: null,
      askedMs: nowMs,
      askers: new Set([asker]),
      bytesGiven: 0,
      bytesReached: 0,
      firstGivenMs: -1,
    };
    this.#slots.set(keyOf(partition, moveId), slot);
    return { kind: 'new', slot };
  }

  /** False: it is wanted no more, and goes. */
  copied(slot: Slot, offer: CopyOffer, nowMs: number): boolean {
    if (!this.#holds(slot)) return false;
    slot.offer = offer;
    slot.askedMs = nowMs;
    return true;
  }

  /** The copy that a piece is asked of; null: there is none, or none that is ready. */
  find(partition: number, moveId: number, nowMs: number): Slot | null {
    const slot = this.#slots.get(keyOf(partition, moveId));
    if (slot?.offer == null) return null;
    slot.askedMs = nowMs;
    return slot;
  }

  get all(): readonly Slot[] {
    return [...this.#slots.values()];
  }

  given(slot: Slot, offset: number, length: number, nowMs: number): void {
    if (slot.firstGivenMs < 0) slot.firstGivenMs = nowMs;
    slot.bytesGiven += length;
    slot.bytesReached = Math.max(slot.bytesReached, offset + length);
  }

  /** The asker wants no more of it. Answers the copy if it is to be deleted; null: there is none, or others fetch it. */
  close(partition: number, moveId: number, asker: number): Slot | null {
    const slot = this.#slots.get(keyOf(partition, moveId));
    slot?.askers.delete(asker);
    if (slot === undefined || slot.askers.size > 0) return null;
    this.#slots.delete(keyOf(partition, moveId));
    return slot;
  }

  /** It could not be copied, or cannot be read. False: it was forgotten before. */
  drop(slot: Slot): boolean {
    return this.#holds(slot) && this.#slots.delete(keyOf(slot.partition, slot.moveId));
  }

  /** Takes out what nobody has asked for lately: to be deleted. What is still being copied is not forgotten for that. */
  expire(nowMs: number): readonly Slot[] {
    const silent = [...this.#slots.values()].filter(
      ({ offer, askedMs }) => offer !== null && nowMs - askedMs >= this.#limits.silenceMs,
    );
    for (const { partition, moveId } of silent) this.#slots.delete(keyOf(partition, moveId));
    return silent;
  }

  #holds(slot: Slot): boolean {
    return this.#slots.get(keyOf(slot.partition, slot.moveId)) === slot;
  }
}

function keyOf(partition: number, moveId: number): string {
  return `${partition.toString(16).padStart(4, '0')}-${moveId.toString(16)}`;
}
