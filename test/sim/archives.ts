/*
 * An operator who archives, and restores from the archive later: of each key the record that one owner has at some moment,
 * sent to all of its owners at another, by the request that the command sends. What was deleted in between must stay so.
 */
import type { Prng } from '../../src/lib/prng.js';
import { encodeArchiveRecords } from '../../src/wire/codec-archive.js';
import { ARCHIVE_RECORDS } from '../../src/wire/kinds.js';
import { RingCluster, type SimCluster } from './cluster.js';
import type { SimNode } from './sim-node.js';
import { HASH } from './tools.js';

const RESTORE_CHANCE = 0.6;
const BUDGET_MS = 2_000;

export interface ArchivesWorld {
  readonly cluster: SimCluster;
  readonly workload: { readonly keys: readonly string[] };
  say(text: string): void;
}

export class Archives {
  readonly #world: ArchivesWorld;
  readonly #random: Prng;
  /** Never thrown away, only taken anew: the older it is, the more has been deleted since. */
  readonly #archive: Map<string, { readonly record: Uint8Array; readonly fence: number }> = new Map();

  constructor(world: ArchivesWorld, random: Prng) {
    this.#world = world;
    this.#random = random;
  }

  /** One of the two; the first is always an archive. */
  act(): void {
    const { cluster } = this.#world;
    if (!(cluster instanceof RingCluster)) return;
    if (this.#archive.size > 0 && this.#random.chance(RESTORE_CHANCE)) this.#restore(cluster);
    else this.#take(cluster);
  }

  #take(cluster: RingCluster): void {
    this.#world.say('an archive is made');
    for (const key of this.#world.workload.keys) {
      const owner = cluster.machine(this.#random.pick(cluster.ownersOf(key)) + 1);
      if (owner?.state === 'up') this.#read(owner, cluster, key);
    }
  }

  #read({ engine }: SimNode, cluster: RingCluster, key: string): void {
    const bytes = Buffer.from(key);
    HASH.hash(bytes, 0, bytes.length);
    const { hi: hashHi, lo: hashLo } = HASH;
    const partition = cluster.partitionOf(key);
    const fence = engine?.reaps.stampOf(partition) ?? 0;
    engine?.read({
      partition,
      ...{ key: bytes, hashHi, hashLo },
      onRead: ({ state, bytes: stored, start, end }) => {
        if (state !== 'ok' || end === start) return;
        this.#archive.set(key, { record: new Uint8Array(stored.subarray(start, end)), fence });
      },
    });
  }

  #restore(cluster: RingCluster): void {
    const through = cluster.nodes.filter(({ state, server }) => state === 'up' && server !== null);
    if (through.length === 0) return;
    const { node, server } = this.#random.pick(through);
    this.#world.say(`${this.#archive.size} keys are restored through node ${node}`);
    for (const [key, { record, fence }] of this.#archive) {
      const partition = cluster.partitionOf(key);
      const body = encodeArchiveRecords({ partition, budgetMs: BUDGET_MS, compares: false, fence, records: [record] });
      for (const owner of cluster.ownersOf(key)) {
        const ask = { budgetMs: BUDGET_MS, member: owner + 1, kind: ARCHIVE_RECORDS, body };
        server?.archives?.passOn(ask, () => undefined);
      }
    }
  }
}
