/*
 * Partition → preference list (§4.3): its N owners, then every other member as a fallback, best first. Made from what a
 * ring says to clients and servers alike, so both know who stands in for whom.
 *
 * The first fallback takes what a dead owner would have got, so it is chosen for the whole ring at once: partition by
 * partition, the member that stands in least often so far for these owners. A hash of partition and node would spread it
 * too, but as balls fall into boxes: with S = 30, Q = 256 one node would get three to five partitions of a dead one,
 * where now it gets two at most. The price is that a changed ring may change first fallbacks; hints go home by the id of
 * their owner, so that is no loss.
 * Later fallbacks, needed when several nodes are dead, follow by such a hash (rendezvous: Thaler, Ravishankar, 1998).
 *
 * Zones come before both: the next in the list is of a zone with the fewest nodes in the list so far. So with an owner
 * dead, the copies stay apart where zones are as many as copies. A zone of few nodes pays for that: it stands in for all
 * the others more often than its size would say.
 */
import { zonesOf } from './shares.js';

/** Both a RingDocument and a RingMessage are one; whoever made it has checked it. */
export interface PreferenceSource {
  readonly partitionCount: number;
  readonly replicaCount: number;
  readonly members: readonly { readonly ordinal: number; readonly zone: string }[];
  readonly owners: readonly number[];
}

const NOBODY = -1;
/** The first choices are made knowing little: so all are made twice. */
const ROUNDS = 2;

/** Look-ups give ordinals in arrays that are made once: do not write to them. */
export class PreferenceTable {
  readonly partitionCount: number;
  readonly replicaCount: number;
  readonly #ordinals: Uint16Array;
  readonly #zoneOf: Int32Array;
  /** Partition × N + place → index of the member. */
  readonly #owners: Int32Array;
  /** Partition → index of the first fallback. */
  readonly #standIns: Int32Array;
  /** Partition → its list and the two parts of it, filled in as partitions are used. */
  readonly #lists: (Uint16Array | undefined)[];
  readonly #ownerLists: Uint16Array[] = [];
  readonly #fallbackLists: Uint16Array[] = [];
  /** Of the list being filled in. */
  readonly #scores: Uint32Array;
  readonly #inZone: Int32Array;
  readonly #listed: Uint8Array;

  constructor(ring: PreferenceSource) {
    this.partitionCount = ring.partitionCount;
    this.replicaCount = ring.replicaCount;
    const members = [...ring.members].sort((a, b) => a.ordinal - b.ordinal);
    const indexOf = new Map(members.map(({ ordinal }, index) => [ordinal, index]));
    const { zoneOf, zoneCount } = zonesOf(members);
    this.#ordinals = Uint16Array.from(members, ({ ordinal }) => ordinal);
    this.#zoneOf = zoneOf;
    this.#owners = Int32Array.from(ring.owners, (ordinal) => indexOf.get(ordinal) ?? NOBODY);
    this.#lists = new Array<undefined>(ring.partitionCount).fill(undefined);
    this.#scores = new Uint32Array(members.length);
    this.#inZone = new Int32Array(zoneCount);
    this.#listed = new Uint8Array(members.length);
    this.#standIns = this.#chooseStandIns();
  }

  ownersOf(partition: number): Uint16Array {
    this.preferenceList(partition);
    return this.#ownerLists[partition] as Uint16Array;
  }

  fallbacksOf(partition: number): Uint16Array {
    this.preferenceList(partition);
    return this.#fallbackLists[partition] as Uint16Array;
  }

  /** Owners, then fallbacks: every member once. */
  preferenceList(partition: number): Uint16Array {
    return this.#lists[partition] ?? this.#fillIn(partition);
  }

  #fillIn(partition: number): Uint16Array {
    const list = new Uint16Array(this.#ordinals.length);
    this.#begin(partition);
    const n = this.replicaCount;
    for (let place = 0; place < n; place++) list[place] = at(this.#ordinals, this.#owner(partition, place));
    for (let place = n; place < list.length; place++) {
      const index = place === n ? at(this.#standIns, partition) : this.#highestScore();
      this.#list(index);
      list[place] = at(this.#ordinals, index);
    }
    this.#lists[partition] = list;
    this.#ownerLists[partition] = list.subarray(0, n);
    this.#fallbackLists[partition] = list.subarray(n);
    return list;
  }

  #chooseStandIns(): Int32Array {
    const memberCount = this.#ordinals.length;
    const standIns = new Int32Array(this.partitionCount).fill(NOBODY);
    /** Dead owner × S + stand-in → partitions, and stand-in → partitions. */
    const taken = new Int32Array(memberCount * memberCount);
    const takenInAll = new Int32Array(memberCount);
    if (memberCount === this.replicaCount) return standIns;
    const count = (partition: number, chosen: number, more: number): void => {
      takenInAll[chosen] = at(takenInAll, chosen) + more;
      for (let place = 0; place < this.replicaCount; place++) {
        const pair = this.#owner(partition, place) * memberCount + chosen;
        taken[pair] = at(taken, pair) + more;
      }
    };
    for (let round = 0; round < ROUNDS; round++) {
      for (let partition = 0; partition < this.partitionCount; partition++) {
        const before = at(standIns, partition);
        if (before !== NOBODY) count(partition, before, -1);
        this.#begin(partition);
        const chosen = this.#leastTaken(partition, taken, takenInAll);
        standIns[partition] = chosen;
        count(partition, chosen, 1);
      }
    }
    return standIns;
  }

  #leastTaken(partition: number, taken: Int32Array, takenInAll: Int32Array): number {
    const memberCount = this.#ordinals.length;
    const fewest = this.#fewestInZone();
    let best = NOBODY;
    let bestSum = 0;
    for (let index = 0; index < memberCount; index++) {
      if (at(this.#listed, index) === 1 || at(this.#inZone, at(this.#zoneOf, index)) !== fewest) continue;
      let sum = 0;
      for (let place = 0; place < this.replicaCount; place++) {
        sum += at(taken, this.#owner(partition, place) * memberCount + index);
      }
      const lead = best === NOBODY ? -1 : sum - bestSum || at(takenInAll, index) - at(takenInAll, best);
      if (lead > 0 || (lead === 0 && at(this.#scores, index) <= at(this.#scores, best))) continue;
      best = index;
      bestSum = sum;
    }
    return best;
  }

  /** Of those in the zones with the fewest nodes listed. Equal scores: the lower ordinal. */
  #highestScore(): number {
    const fewest = this.#fewestInZone();
    let best = NOBODY;
    for (let index = 0; index < this.#ordinals.length; index++) {
      if (at(this.#listed, index) === 1 || at(this.#inZone, at(this.#zoneOf, index)) !== fewest) continue;
      if (best === NOBODY || at(this.#scores, index) > at(this.#scores, best)) best = index;
    }
    return best;
  }

  #fewestInZone(): number {
    let fewest = Number.POSITIVE_INFINITY;
    for (let index = 0; index < this.#ordinals.length; index++) {
      if (at(this.#listed, index) === 0) fewest = Math.min(fewest, at(this.#inZone, at(this.#zoneOf, index)));
    }
    return fewest;
  }

  /** A new list, with the owners on it. */
  #begin(partition: number): void {
    this.#inZone.fill(0);
    this.#listed.fill(0);
    for (let index = 0; index < this.#ordinals.length; index++) {
      this.#scores[index] = score(partition, at(this.#ordinals, index));
    }
    for (let place = 0; place < this.replicaCount; place++) this.#list(this.#owner(partition, place));
  }

  #list(index: number): void {
    const zone = at(this.#zoneOf, index);
    this.#listed[index] = 1;
    this.#inZone[zone] = at(this.#inZone, zone) + 1;
  }

  #owner(partition: number, place: number): number {
    return at(this.#owners, partition * this.replicaCount + place);
  }
}

/** 32 well mixed bits (the finalizer of MurmurHash3); part of the contract between clients and servers. */
function score(partition: number, ordinal: number): number {
  let mixed = Math.imul(partition + 1, 0x9e3779b1) ^ Math.imul(ordinal + 1, 0x85ebca77);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** An element that is there: every index comes from ourselves. */
function at(array: Int32Array | Uint16Array | Uint32Array | Uint8Array, index: number): number {
  return array[index] as number;
}
