/*
 * To which member of a cluster each operation goes. `seed`: all connections are with the node that was named. `any`: they
 * are spread over all members, and a request takes whichever comes, as behind a load balancer. `ring`: they are spread
 * too, and a request takes one with an owner of its key, as a client that knows the ring does (§6.4).
 *
 * The owners of a key take turns, so that a popular key is not one node's alone. By `ring` a connection may be asked by
 * requests that others had room for: the bound is the sum of what all may have under way, not what one may.
 */
import xxhash from 'xxhash-wasm';
import { hash64From } from '../../src/model/hash.js';
import type { Hash64 } from '../../src/model/hash.js';
import { partitionBits, partitionOf } from '../../src/ring/partition.js';
import { KEY_BYTES, writeKey } from './dialect.js';
import type { Plan } from './plan.js';

const RING_TIMEOUT_MS = 10_000;

/** What a client is told of a ring; src/client has more. */
export interface RingShape {
  readonly partitionCount: number;
  readonly replicaCount: number;
  readonly members: readonly { readonly ordinal: number; readonly address: string }[];
  /** Q × N ordinals, partition by partition. */
  readonly owners: readonly number[];
}

/** Key → places of its owners among `addresses`. */
export class OwnerRoutes {
  readonly replicaCount: number;
  readonly #hash: Hash64;
  readonly #bits: number;
  readonly #owners: Uint16Array;
  readonly #key: Uint8Array = new Uint8Array(KEY_BYTES);

  constructor(ring: RingShape, hash: Hash64) {
    const placeOf = new Map(ring.members.map(({ ordinal }, place) => [ordinal, place]));
    this.replicaCount = ring.replicaCount;
    this.#hash = hash;
    this.#bits = partitionBits(ring.partitionCount);
    this.#owners = Uint16Array.from(ring.owners, (ordinal) => placeOf.get(ordinal) ?? 0);
  }

  partition(key: number): number {
    writeKey(this.#key, 0, key);
    this.#hash.hash(this.#key, 0, KEY_BYTES);
    return partitionOf(this.#hash.hi, this.#bits);
  }

  /** Place of the `turn`-th owner, modulo N. */
  owner(partition: number, turn: number): number {
    return this.#owners[partition * this.replicaCount + (turn % this.replicaCount)] as number;
  }

  owns(partition: number, place: number): boolean {
    for (let i = 0; i < this.replicaCount; i++) if (this.owner(partition, i) === place) return true;
    return false;
  }
}

export interface Routes {
  /** Connections are spread over these, in turn. */
  readonly addresses: readonly string[];
  /** By which each operation finds its connection; undefined: any connection will do. */
  readonly owners: OwnerRoutes | undefined;
}

/** Asks the plan's server for the ring, if the plan needs it. */
export async function routesOf(plan: Plan): Promise<Routes> {
  if (plan.routing === 'seed') return { addresses: [plan.server], owners: undefined };
  const { Client } = await import('../../src/client/index.js');
  const client = await Client.connect({
    seeds: [plan.server],
    timeoutMs: RING_TIMEOUT_MS,
    clientName: 'partita bench',
  });
  const ring = client.ring();
  await client.close();
  if (ring === undefined) throw new Error(`${plan.server} did not say what its ring is: leave --routing away`);
  const addresses = ring.members.map(({ address }) => address);
  if (plan.connections < addresses.length * plan.threads) {
    throw new Error(
      `${plan.connections} connections of ${plan.threads} threads cannot reach ${addresses.length} nodes: give more with -c`,
    );
  }
  return {
    addresses,
    owners: plan.routing === 'ring' ? new OwnerRoutes(ring, hash64From(await xxhash())) : undefined,
  };
}
