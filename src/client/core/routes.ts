/*
 * Which node a call goes to. With a ring: the owners of the key in order, then its fallbacks in the order in which the
 * servers take them (§4.3); without one, or with `routing: 'any'`, the nodes in turn. A put begins at the owner that
 * answered the read of its context first (§5). A node that is connected is preferred to one that may soon be, that to
 * one that is silent or stuck, and that to one that is down or has the call under way; and an attempt begins one place behind the node that the one before went to.
 *
 * Nodes are known by address (seeds, members) and by id (once connected). A seed given as `localhost:7700` and a member
 * that advertises `10.0.0.5:7700` may be one node: then its connection serves both.
 */
import type { Hash64 } from '../../model/hash.js';
import type { RingMessage } from '../../model/messages.js';
import { OwnerTable } from '../../ring/owner-table.js';
import type { Call } from './call.js';
import { Peer } from './peer.js';
import type { PeerEvents, PeerOptions, PeerWorld } from './peer.js';

export interface RouteOptions extends PeerOptions {
  readonly seeds: readonly string[];
  readonly routing: 'ring' | 'any';
}

export class Routes {
  readonly #world: PeerWorld;
  #hash: Hash64 | null = null;
  readonly #options: RouteOptions;
  readonly #events: PeerEvents;
  #peers: Peer[];
  #ring: OwnerTable | null = null;
  /** Partition → peers, filled in as partitions are used. */
  #rows: (readonly Peer[] | undefined)[] = [];
  /** Ordinal → node id, of the ring. */
  #nodeIds: ReadonlyMap<number, string> = new Map();
  #turn: number;

  constructor(world: PeerWorld, options: RouteOptions, events: PeerEvents) {
    this.#world = world;
    this.#options = options;
    this.#events = events;
    this.#peers = [...new Set(options.seeds)].map((address) => this.#newPeer(address));
    this.#turn = world.random.u32() % this.#peers.length; // clients that start together spread over the seeds
  }

  get peers(): readonly Peer[] {
    return this.#peers;
  }

  get ring(): OwnerTable | null {
    return this.#ring;
  }

  get ringVersion(): number {
    return this.#ring === null ? 0 : this.#ring.version;
  }

  /** From now on keys can be placed. */
  useHash(hash: Hash64): void {
    this.#hash = hash;
  }

  pick(call: Call): Peer {
    const pinned = call.pinned === undefined ? undefined : this.#peers.find((peer) => peer.address === call.pinned);
    if (pinned !== undefined) return pinned;
    if (call.partition < 0 && call.operation.key !== undefined) this.#place(call, call.operation.key);
    if (call.partition >= 0) {
      const row = this.#row(call.partition);
      call.turn = bestTurn(row, call.first, call.turn + 1, call);
      return peerAt(row, call.first, call.turn);
    }
    if (call.turn < 0) this.#turn = (this.#turn + 1) % this.#peers.length;
    call.turn = bestTurn(this.#peers, 0, call.turn < 0 ? this.#turn : call.turn + 1, call);
    return peerAt(this.#peers, 0, call.turn);
  }

  /** Where a call for the key would begin now; to put calls together by node. */
  firstPeer(key: Uint8Array, fastest: number): Peer {
    const partition = this.#partitionOf(key);
    const peers = partition < 0 ? this.#peers : this.#row(partition);
    const first = partition < 0 ? 0 : this.#placeOf(fastest, partition);
    return peerAt(peers, first, bestTurn(peers, first, partition < 0 ? this.#turn : 0, null));
  }

  /** Somebody else is there to take the call's next attempt. */
  hasAnother(call: Call): boolean {
    return call.pinned === undefined && this.#peers.some((peer) => peer !== call.peer && peer.rank === 0);
  }

  /** Somebody who does not have the call yet may answer it before those who do. */
  hasFresh(call: Call): boolean {
    return this.#peers.some((peer) => peer !== call.peer && peer.rank <= 1 && !call.isAt(peer));
  }

  nodeIdsOf(ordinals: readonly number[]): readonly string[] {
    if (ordinals.length === 0) return NOBODY;
    return ordinals.map((ordinal) => this.#nodeIds.get(ordinal) ?? `#${ordinal}`);
  }

  preferenceList(key: Uint8Array): readonly Peer[] {
    if (this.#ring === null || this.#hash === null) return [];
    this.#hash.hash(key, 0, key.length);
    return this.#row(this.#ring.partition(this.#hash));
  }

  /** A connection told whose it is: if the ring knows that node by another address, this peer serves from now on. */
  identify(peer: Peer, nodeId: string): void {
    const other = this.#peers.find((candidate) => candidate !== peer && candidate.nodeId === nodeId);
    if (other === undefined || other.rank <= peer.rank) return;
    this.#peers = this.#peers.filter((candidate) => candidate !== other);
    peer.zone = other.zone;
    this.#rows = [];
    retire(other);
  }

  /** Routes by this ring from now on, unless ours is as new; answers why it cannot be one, or null. */
  adopt(message: RingMessage): string | null {
    if (message.version <= this.ringVersion) return null;
    const ring = OwnerTable.from(message);
    if (typeof ring === 'string') return ring;
    this.#ring = ring;
    this.#rows = [];
    this.#nodeIds = new Map(ring.members.map(({ ordinal, nodeId }) => [ordinal, nodeId]));
    const members = new Set(
      ring.members.map((member) => this.#peerOfMember(member.nodeId, member.address, member.zone)),
    );
    const kept: Peer[] = [...members];
    for (const peer of this.#peers) {
      if (members.has(peer)) continue;
      peer.wanted = false;
      // Seeds are kept for the day when all members have moved; others have left the ring.
      if (this.#options.seeds.includes(peer.address) && peer.nodeId === '') kept.push(peer);
      else retire(peer);
    }
    this.#peers = kept;
    return null;
  }

  /** Once for all attempts of the call, as soon as there is a ring. */
  #place(call: Call, key: Uint8Array): void {
    call.partition = this.#partitionOf(key);
    if (call.partition < 0) return;
    call.turn = -1; // that was in another list
    call.first = this.#placeOf(call.operation.fastest, call.partition);
  }

  /** -1: keys cannot be placed, or shall not be. */
  #partitionOf(key: Uint8Array): number {
    if (this.#ring === null || this.#hash === null || this.#options.routing === 'any') return -1;
    if (this.#ring.members.length === 1) return 0; // all partitions have the same row
    this.#hash.hash(key, 0, key.length);
    return this.#ring.partition(this.#hash);
  }

  /** Where the node with that ordinal stands among the owners; 0 if it is none. */
  #placeOf(ordinal: number, partition: number): number {
    const ring = this.#ring;
    if (ordinal === 0 || ring === null) return 0;
    const members = ring.preferenceList(partition);
    for (let place = 0; place < ring.replicaCount; place++) {
      if (members[place]?.ordinal === ordinal) return place;
    }
    return 0;
  }

  #row(partition: number): readonly Peer[] {
    const known = this.#rows[partition];
    if (known !== undefined) return known;
    const members = this.#ring?.preferenceList(partition) ?? [];
    const row = members.map((member) => this.#peerOfMember(member.nodeId, member.address, member.zone));
    this.#rows[partition] = row;
    return row;
  }

  #peerOfMember(nodeId: string, address: string, zone: string): Peer {
    const byId = this.#peers.find((peer) => peer.nodeId === nodeId);
    const peer = byId ?? this.#peers.find((candidate) => candidate.address === address) ?? this.#newPeer(address);
    if (!this.#peers.includes(peer)) this.#peers.push(peer);
    peer.nodeId = nodeId;
    peer.zone = zone;
    peer.wanted = true;
    return peer;
  }

  #newPeer(address: string): Peer {
    return new Peer(address, this.#world, this.#options, this.#events);
  }
}

const NOBODY: readonly string[] = [];

/** The list as a call goes through it: from the owner that it begins at, then from the head without that one. */
function peerAt(peers: readonly Peer[], first: number, turn: number): Peer {
  if (turn > first) return peers[turn] as Peer;
  return peers[turn === 0 ? first : turn - 1] as Peer;
}

/** Behind all others: a node that has the call already. */
const RANK_TAKEN = 4;

/**
 * The turn of the first peer of the lowest rank, looking from `start` round. One that would have been better, were it
 * connected, is dialled in passing: this call does not wait for it, the next ones find it.
 */
function bestTurn(peers: readonly Peer[], first: number, start: number, call: Call | null): number {
  const isSpread = call !== null && call.earlier.length > 0;
  let best = start % peers.length;
  let bestRank = Number.POSITIVE_INFINITY;
  let dialled = false;
  for (let i = 0; i < peers.length; i++) {
    const turn = (start + i) % peers.length;
    const peer = peerAt(peers, first, turn);
    const rank = isSpread && call.isAt(peer) ? RANK_TAKEN : peer.rank;
    if (rank === 1 && !dialled) {
      peer.dial();
      dialled = true;
    }
    if (rank < bestRank) {
      best = turn;
      bestRank = rank;
    }
    if (rank === 0) break;
  }
  return best;
}

function retire(peer: Peer): void {
  peer.drain();
  peer.giveBack();
}
