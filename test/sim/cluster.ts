/*
 * The nodes of a simulation put together, and which of them a client asks for a key. This is the one place that knows
 * how many copies there are: today every node is a cluster of its own, and a fixed map says whose a key is.
 *
 * With replication it is one ring over all nodes: `ringFor` answers that ring, `seedsOf` all addresses, `view` the
 * owners' records and the hints, and `doubtMs` the time at which the last of W copies was destroyed.
 */
import { partitionBits, partitionOf } from '../../src/ring/partition.js';
import { type RingDocument, firstRing } from '../../src/ring/document.js';
import { nodeId, type PartitionId } from '../../src/model/ids.js';
import type { ReadRequest, Stored } from '../../src/storage/storage.js';
import { toHex } from '../../src/lib/bytes.js';
import type { Prng } from '../../src/lib/prng.js';
import type { Doubts } from './doubts.js';
import type { ClusterView, LeftoverView, ReplicaView } from './evidence.js';
import type { SimNode } from './sim-node.js';
import { HASH } from './tools.js';

export interface SimCluster {
  readonly nodes: readonly SimNode[];
  /** Groups of nodes that a client needs a connection core for; the keys of one group never move to another. */
  readonly groups: number;
  groupOf(key: string): number;
  seedsOf(group: number): readonly string[];
  ringFor(node: SimNode, nodeId: string): RingDocument;
  /** `pump` lets time pass until it is told that it may stop. */
  view(pump: (done: () => boolean) => void): ClusterView;
  doubtMs(doubts: Doubts, key: string, isDurable: boolean): number;
}

/** Every node alone: N = 1. */
export class SingleNodes implements SimCluster {
  readonly nodes: readonly SimNode[];
  readonly #random: Prng;
  readonly #partitionCount: number;

  constructor(nodes: readonly SimNode[], partitionCount: number, random: Prng) {
    this.nodes = nodes;
    this.#partitionCount = partitionCount;
    this.#random = random;
  }

  get groups(): number {
    return this.nodes.length;
  }

  groupOf(key: string): number {
    const bytes = Buffer.from(key, 'latin1');
    HASH.hash(bytes, 0, bytes.length);
    return HASH.lo % this.nodes.length; // the upper bits choose the partition
  }

  seedsOf(group: number): readonly string[] {
    return [(this.nodes[group] as SimNode).address];
  }

  ringFor(node: SimNode, id: string): RingDocument {
    const clusterId = new Uint8Array(16);
    this.#random.fill(clusterId);
    const member = { nodeId: nodeId(id), ordinal: node.ordinal, address: node.address, zone: '' };
    return firstRing('simulated', toHex(clusterId), member, this.#partitionCount);
  }

  doubtMs(doubts: Doubts, key: string, isDurable: boolean): number {
    return doubts.since(this.groupOf(key), key, isDurable);
  }

  view(pump: (done: () => boolean) => void): ClusterView {
    return {
      isSingleCopy: true,
      writeQuorum: 1,
      replicas: (key) => [replicaOf(this.nodes[this.groupOf(key)] as SimNode, key, this.#partitionCount, pump)],
      hints: () => [],
      leftovers: () => leftoversOf(this.nodes),
    };
  }
}

/** What a node's store has under a key, read as the node itself would. */
function replicaOf(
  node: SimNode,
  key: string,
  partitionCount: number,
  pump: (done: () => boolean) => void,
): ReplicaView {
  const { engine } = node;
  if (engine === null) return { node: node.node, state: 'unknown', record: new Uint8Array(0) };
  const read = new StoreRead(key, partitionCount);
  engine.read(read);
  pump(() => read.state !== null);
  return { node: node.node, state: read.state ?? 'unknown', record: read.record };
}

class StoreRead implements ReadRequest {
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly partition: PartitionId;
  state: ReplicaView['state'] | null = null;
  record: Uint8Array = new Uint8Array(0);

  constructor(key: string, partitionCount: number) {
    this.key = Buffer.from(key, 'latin1');
    HASH.hash(this.key, 0, this.key.length);
    this.hashHi = HASH.hi;
    this.hashLo = HASH.lo;
    this.partition = partitionOf(HASH.hi, partitionBits(partitionCount)) as PartitionId;
  }

  onRead(stored: Stored): void {
    this.state = stored.state;
    if (stored.state === 'ok') this.record = stored.bytes.slice(stored.start, stored.end);
  }
}

export function leftoversOf(nodes: readonly SimNode[]): readonly LeftoverView[] {
  return nodes.flatMap(({ node, server, host, world }) =>
    server === null
      ? []
      : [
          {
            node,
            budgetBytes: server.budget.used,
            sessions: server.sessions,
            connections: world.network.open.filter((end) => end.link.from === host && end.isAccepted).length,
          },
        ],
  );
}
