/*
 * Which node a call goes to. With a ring: the owners of the key in order, then the others (§4.3); without one, or with
 * `routing: 'any'`, the nodes in turn. A node that is connected is preferred to one that may soon be, and that to one
 * that is down; and an attempt begins one place further down the list than the one before.
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

  /** Hashes the key once for all attempts of the call. */
  place(call: Call, key: Uint8Array): void {
    if (this.#ring === null || this.#hash === null || this.#options.routing === 'any') return;
    if (this.#ring.members.length === 1) {
      call.partition = 0; // all partitions have the same row
      return;
    }
    this.#hash.hash(key, 0, key.length);
    call.partition = this.#ring.partition(this.#hash);
  }

  pick(call: Call): Peer {
    const pinned = call.pinned === undefined ? undefined : this.#peers.find((peer) => peer.address === call.pinned);
    if (pinned !== undefined) return pinned;
    if (call.partition < 0) {
      if (call.attempts === 0) this.#turn = (this.#turn + 1) % this.#peers.length;
      return best(this.#peers, this.#turn + call.attempts);
    }
    const row = this.#row(call.partition);
    return best(row, call.attempts);
  }

  any(attempt: number): Peer {
    return best(this.#peers, this.#turn + attempt);
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

/**
 * The first of the lowest rank, looking from `start` round. One that would have been better, were it connected, is
 * dialled in passing: this call does not wait for it, the next ones find it.
 */
function best(peers: readonly Peer[], start: number): Peer {
  let chosen = peers[start % peers.length] as Peer;
  if (chosen.rank === 1) chosen.dial();
  for (let i = 1; i < peers.length && chosen.rank > 0; i++) {
    const peer = peers[(start + i) % peers.length] as Peer;
    if (peer.rank < chosen.rank) chosen = peer;
  }
  return chosen;
}

function retire(peer: Peer): void {
  peer.drain();
  peer.giveBack();
}
