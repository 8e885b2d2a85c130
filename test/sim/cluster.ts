/*
 * The nodes of a simulation put together, and which of them a client asks for a key. This is the one place that knows
 * how many copies there are: either every node is a cluster of its own, and a fixed map says whose a key is, or there is
 * one ring over all of them.
 */
import { partitionBits, partitionOf } from '../../src/ring/partition.js';
import { type RingDocument, firstRing } from '../../src/ring/document.js';
import { BUILD } from '../../src/model/build.js';
import { nodeId, type NodeId, type PartitionId } from '../../src/model/ids.js';
import type { ReadRequest, Stored } from '../../src/storage/storage.js';
import { copyBytes, toHex } from '../../src/lib/bytes.js';
import type { Prng } from '../../src/lib/prng.js';
import { newRing } from '../../src/ring/change.js';
import { PreferenceTable } from '../../src/ring/preference-table.js';
import { lookAtRest } from './at-rest.js';
import type { Doubts } from './doubts.js';
import type { ClusterView, HintView, LeftoverView, ReplicaView } from './evidence.js';
import type { WriteOp } from './history.js';
import type { Observer } from './observer.js';
import type { ClusterShape } from './options.js';
import { RingHistory } from './ring-history.js';
import type { SimNode } from './sim-node.js';
import { HASH, hexOf } from './tools.js';

export interface SimCluster {
  /** Machines in service: those of the first ring, and those that have joined, but not those that have left. */
  readonly nodes: readonly SimNode[];
  /** The machine whose node has this ordinal, whether it is in service or not. */
  machine(ordinal: number): SimNode | undefined;
  /** N. */
  readonly replicaCount: number;
  /** Groups of nodes that a client needs a connection core for; the keys of one group never move to another. */
  readonly groups: number;
  groupOf(key: string): number;
  seedsOf(group: number): readonly string[];
  /** Nodes whose the key is. */
  ownersOf(key: string): readonly number[];
  /** Null: the node draws its own. */
  nodeIdFor(node: SimNode): string | null;
  ringFor(node: SimNode, nodeId: string): RingDocument;
  /** The node lives by this ring from now on. */
  onRing(node: SimNode, ring: RingDocument, nowMs: number): void;
  /** All that ever were. */
  ownersEver(key: string): readonly number[];
  /** `pump` lets time pass until it is told that it may stop. */
  view(pump: (done: () => boolean) => void): ClusterView;
  /** As many disks were destroyed since the write was first sent as its W, whatever is left elsewhere. */
  isPromiseVoid(doubts: Doubts, write: WriteOp): boolean;
  /** What was destroyed excuses the absence of this acknowledged write (doubts.ts says by which rule). */
  mayBeGone(doubts: Doubts, observer: Observer, write: WriteOp): boolean;
  /** What was destroyed excuses that nobody can say what is under the key. */
  mayBeUnknown(doubts: Doubts, key: string): boolean;
}

/** R or W of a request that names none. */
export const majorityOf = (replicaCount: number): number => Math.floor(replicaCount / 2) + 1;

/** Every node alone: N = 1. */
export class SingleNodes implements SimCluster {
  readonly nodes: readonly SimNode[];
  readonly replicaCount: number = 1;
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

  machine(ordinal: number): SimNode | undefined {
    return this.nodes[ordinal - 1];
  }

  onRing(): void {}

  ownersEver(key: string): readonly number[] {
    return this.ownersOf(key);
  }

  groupOf(key: string): number {
    const bytes = Buffer.from(key, 'latin1');
    HASH.hash(bytes, 0, bytes.length);
    return HASH.lo % this.nodes.length; // the upper bits choose the partition
  }

  seedsOf(group: number): readonly string[] {
    return [(this.nodes[group] as SimNode).address];
  }

  ownersOf(key: string): readonly number[] {
    return [this.groupOf(key)];
  }

  nodeIdFor(): null {
    return null;
  }

  ringFor(node: SimNode, id: string): RingDocument {
    const clusterId = new Uint8Array(16);
    this.#random.fill(clusterId);
    const member = { nodeId: nodeId(id), ordinal: node.ordinal, address: node.address, zone: '' };
    return firstRing('simulated', toHex(clusterId), member, this.#partitionCount, BUILD.levelMax);
  }

  isPromiseVoid(doubts: Doubts, { key, isDurable, startMs }: WriteOp): boolean {
    return startMs <= doubts.since(this.groupOf(key), key, isDurable);
  }

  mayBeGone(doubts: Doubts, _observer: Observer, write: WriteOp): boolean {
    return this.isPromiseVoid(doubts, write);
  }

  mayBeUnknown(doubts: Doubts, key: string): boolean {
    return doubts.since(this.groupOf(key), key, true) > Number.NEGATIVE_INFINITY;
  }

  view(pump: (done: () => boolean) => void): ClusterView {
    return {
      isSingleCopy: true,
      replicaCount: 1,
      owners: (key) => this.ownersOf(key),
      replicas: (key) => [replicaOf(this.nodes[this.groupOf(key)] as SimNode, key, this.#partitionCount, pump)],
      hints: () => [],
      leftovers: () => leftoversOf(this.nodes),
    };
  }
}

/** One ring over all nodes. */
export class RingCluster implements SimCluster {
  readonly nodes: SimNode[];
  readonly groups: number = 1;
  readonly replicaCount: number;
  readonly history: RingHistory;
  readonly #machines: SimNode[];
  readonly #drawn: () => string;
  readonly #nodeIds: Map<number, NodeId> = new Map();
  #newest: RingDocument;
  #table: PreferenceTable;

  constructor(nodes: readonly SimNode[], partitionCount: number, level: number, shape: ClusterShape, random: Prng) {
    this.nodes = [...nodes];
    this.#machines = [...nodes];
    this.replicaCount = shape.replicaCount;
    const drawn = (): string => {
      const bytes = new Uint8Array(16);
      random.fill(bytes);
      return toHex(bytes);
    };
    this.#drawn = drawn;
    const members = nodes.map(({ node, ordinal, address, peerAddress }) => ({
      nodeId: this.nodeIdOf(ordinal),
      ordinal,
      address,
      peerAddress,
      zone: shape.zones === 1 ? '' : `zone ${node % shape.zones}`,
      capacity: 1,
      leaving: false,
    }));
    const head = {
      cluster: 'simulated',
      clusterId: drawn(),
      partitionCount,
      level,
      replicaCount: shape.replicaCount,
      members,
    };
    const ring = newRing(head, random.u32());
    if ('fault' in ring) throw new Error(ring.fault);
    this.#newest = ring;
    this.#table = new PreferenceTable(ring);
    this.history = new RingHistory(ring);
  }

  /** The newest that any node lives by. */
  get ring(): RingDocument {
    return this.#newest;
  }

  machine(ordinal: number): SimNode | undefined {
    return this.#machines[ordinal - 1];
  }

  /** A machine that is to be a node: it has the next ordinal. */
  add(machine: SimNode): void {
    this.#machines[machine.ordinal - 1] = machine;
    if (!this.nodes.includes(machine)) this.nodes.push(machine);
  }

  onRing(node: SimNode, ring: RingDocument, atMs: number): void {
    this.history.note(node, ring, atMs);
    if (ring.version <= this.#newest.version) return;
    this.#newest = ring;
    this.#table = new PreferenceTable(ring);
  }

  /** See RingHistory. */
  mayForget(node: SimNode, nowMs: number): boolean {
    return this.history.mayForget(this.#newest, node, nowMs);
  }

  /** See RingHistory. */
  isRingKeptWithout(node: SimNode): boolean {
    return this.history.isKeptWithout(this.#newest, node);
  }

  /** What it has voted for is gone, and with it the id by which the ring may name it. */
  forgets(node: SimNode, nowMs: number): void {
    this.history.forgets(node, nowMs);
  }

  /** It is no member any more, and will not start again. */
  hasLeft(node: SimNode): void {
    const at = this.nodes.indexOf(node);
    if (at >= 0) this.nodes.splice(at, 1);
  }

  ownersEver(key: string): readonly number[] {
    return this.history.ownersEver(this.partitionOf(key));
  }

  groupOf(): number {
    return 0;
  }

  seedsOf(): readonly string[] {
    return this.nodes.map(({ address }) => address);
  }

  ownersOf(key: string): readonly number[] {
    return [...this.#table.ownersOf(partitionOfKey(key, this.ring.partitionCount))].map((ordinal) => ordinal - 1);
  }

  /** Owners first. */
  preferenceList(key: string): readonly number[] {
    return [...this.#table.preferenceList(partitionOfKey(key, this.ring.partitionCount))].map((ordinal) => ordinal - 1);
  }

  nodeIdFor(node: SimNode): string {
    return this.nodeIdOf(node.ordinal);
  }

  /** Drawn once for each machine. */
  nodeIdOf(ordinal: number): NodeId {
    let id = this.#nodeIds.get(ordinal);
    if (id === undefined) {
      id = nodeId(this.#drawn());
      this.#nodeIds.set(ordinal, id);
    }
    return id;
  }

  /** The file that it was started with: the first ring, or the one by which it joined. */
  ringFor(node: SimNode): RingDocument {
    return this.history.firstWith(node.ordinal);
  }

  isPromiseVoid(doubts: Doubts, { key, isDurable, startMs, w }: WriteOp): boolean {
    return doubts.nodesSince(key, isDurable, startMs, Number.POSITIVE_INFINITY).size >= w;
  }

  mayBeGone(doubts: Doubts, observer: Observer, write: WriteOp): boolean {
    return this.isPromiseVoid(doubts, write) && !this.#isHeld(observer, write);
  }

  /** By an owner; or by a stand-in, as long as no owner ever had it from there. */
  #isHeld({ held, durable }: Observer, { key, putId }: WriteOp): boolean {
    const owners = this.ownersOf(key);
    const holders = held.get(putId);
    if (holders === undefined || holders.size === 0) return false;
    return (
      owners.some((owner) => holders.has(owner)) || !owners.some((owner) => durable.get(putId)?.has(owner) === true)
    );
  }

  /** A damaged copy is repaired by whoever reads it together with a sound one: only where there is none it stays. */
  mayBeUnknown(doubts: Doubts, key: string): boolean {
    const destroyed = doubts.nodesSince(key, true, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
    return this.ownersOf(key).every((owner) => destroyed.has(owner));
  }

  partitionOf(key: string): PartitionId {
    return partitionOfKey(key, this.ring.partitionCount);
  }

  view(pump: (done: () => boolean) => void): ClusterView {
    const { partitionCount } = this.ring;
    return {
      isSingleCopy: false,
      replicaCount: this.replicaCount,
      owners: (key) => this.ownersOf(key),
      replicas: (key) => {
        const owners = this.ownersOf(key).map((owner) => this.machine(owner + 1) as SimNode);
        return atRest(owners, pump, () => owners.map((owner) => replicaOf(owner, key, partitionCount, pump)));
      },
      hints: () => hintsOf(this.nodes),
      leftovers: () => leftoversOf(this.nodes),
    };
  }
}

function atRest(
  owners: readonly SimNode[],
  pump: (done: () => boolean) => void,
  look: () => readonly ReplicaView[],
): readonly ReplicaView[] {
  const clock = owners.find(({ process }) => process !== null)?.process ?? null;
  const nowMs = (): number => clock?.monotonicMs() ?? Number.POSITIVE_INFINITY;
  const isSame = (replicas: readonly ReplicaView[]): boolean =>
    new Set(replicas.map(({ record }) => hexOf(record, 0, record.length))).size <= 1;
  return lookAtRest(look, isSame, (ms) => {
    const untilMs = nowMs() + ms;
    pump(() => nowMs() >= untilMs);
  });
}

export function hintsOf(nodes: readonly SimNode[]): readonly HintView[] {
  return nodes.flatMap(({ node, server }) =>
    (server?.clusterStatus()?.hints ?? []).map(({ owner, count }) => ({ node, owner: owner - 1, count })),
  );
}

function partitionOfKey(key: string, partitionCount: number): PartitionId {
  const bytes = Buffer.from(key, 'latin1');
  HASH.hash(bytes, 0, bytes.length);
  return partitionOf(HASH.hi, partitionBits(partitionCount)) as PartitionId;
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
    if (stored.state === 'ok') this.record = copyBytes(stored.bytes, stored.start, stored.end);
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
            askingPeers: (server.clusterStatus()?.peers ?? []).reduce((sum, { inFlight }) => sum + inFlight, 0),
            connections: world.network.open.filter((end) => end.link.from === host && end.isAccepted).length,
          },
        ],
  );
}
