/*
 * The origin of a reply: which nodes it stands on. There are few combinations, and each is encoded once: the ordinals of
 * up to three nodes make a number of 48 bits, how they count one of six, and by the two the bytes are found again.
 */
import type { ReplicatedGet } from '../../coordinator/replicated-get.js';
import type { ReplicatedPut } from '../../coordinator/replicated-put.js';
import { encodeOrigin } from '../../wire/write-replies.js';

/** With more nodes than that nothing is kept. */
const PACKED_MAX = 3;
const KEPT_MAX = 4_096;
const BUFFERED = 0;
const DURABLE = 1;
/** Durable or not, who was fastest, which of three are owners. */
const WAYS = 2 * (PACKED_MAX + 1) * 2 ** PACKED_MAX;

export class Origins {
  readonly #nodeId: string;
  #ringVersion: number;
  readonly #kept: readonly Map<number, Uint8Array>[] = Array.from(
    { length: WAYS },
    () => new Map<number, Uint8Array>(),
  );
  readonly #nodes: number[] = [];
  readonly #areOwners: boolean[] = [];
  #count = 0;

  constructor(nodeId: string, ringVersion: number) {
    this.#nodeId = nodeId;
    this.#ringVersion = ringVersion;
  }

  setRing(ringVersion: number): void {
    this.#ringVersion = ringVersion;
    for (const kept of this.#kept) kept.clear();
    this.#count = 0;
  }

  ofPut(put: ReplicatedPut): Uint8Array {
    this.#count = 0;
    for (let row = 0; row < put.copyCount; row++) {
      const state = put.copyState(row);
      if ((state === 'durable' || state === 'buffered') && !put.copyIsExtra(row))
        this.#add(put.copyNode(row), put.copyHintFor(row) < 0);
    }
    return this.#find(put.durable ? DURABLE : BUFFERED, 0);
  }

  ofGet(get: ReplicatedGet): Uint8Array {
    this.#count = 0;
    for (let row = 0; row < get.askedCount; row++) {
      const state = get.askedState(row);
      if (state === 'found' || state === 'absent') this.#add(get.askedNode(row), get.askedIsOwner(row));
    }
    return this.#find(DURABLE, Math.max(0, get.fastest));
  }

  #add(node: number, isOwner: boolean): void {
    this.#nodes[this.#count] = node;
    this.#areOwners[this.#count] = isOwner;
    this.#count += 1;
  }

  #find(kind: number, fastest: number): Uint8Array {
    if (this.#count > PACKED_MAX) return this.#encode(kind, fastest);
    let nodes = 0;
    let owners = 0;
    let fastestAt = PACKED_MAX;
    for (let i = 0; i < this.#count; i++) {
      const node = this.#nodes[i] as number;
      nodes = nodes * 65_536 + node; // ordinals begin at 1: how many there are is told by them
      if (this.#areOwners[i] === true) owners += 1 << i;
      if (node === fastest) fastestAt = i;
    }
    const kept = this.#kept[(kind * (PACKED_MAX + 1) + fastestAt) * 2 ** PACKED_MAX + owners] as Map<
      number,
      Uint8Array
    >;
    const known = kept.get(nodes);
    if (known !== undefined) return known;
    const made = this.#encode(kind, fastest);
    if (kept.size < KEPT_MAX) kept.set(nodes, made);
    return made;
  }

  #encode(kind: number, fastest: number): Uint8Array {
    const nodes = this.#nodes.slice(0, this.#count);
    const fallbacks = nodes.filter((_, i) => this.#areOwners[i] === false);
    return encodeOrigin({
      nodeId: this.#nodeId,
      ringVersion: this.#ringVersion,
      acked: nodes.length,
      durable: kind === DURABLE,
      sloppy: fallbacks.length > 0,
      owners: nodes.filter((_, i) => this.#areOwners[i] === true),
      fallbacks,
      fastest,
    });
  }
}
