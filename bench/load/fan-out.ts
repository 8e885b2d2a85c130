/*
 * The connections of one thread, over the nodes that its routes name (routes.ts): how many requests each may have under
 * way, and which one an operation takes.
 */
import { IN_FLIGHT_MAX, RawConnection } from './connection.js';
import type { ConnectionOwner } from './connection.js';
import type { Plan } from './plan.js';
import type { OwnerRoutes, Routes } from './routes.js';

/** So much is loaded with more requests under way than the run will have: it is not what is measured. */
const PRELOAD_IN_FLIGHT = 16;

export class FanOut {
  readonly connections: Set<RawConnection> = new Set();
  readonly #plan: Plan;
  readonly #routes: Routes;
  /** How many there ought to be. */
  readonly #wanted: number;
  /** By the place of their node. */
  readonly #byPlace: RawConnection[][];
  #turn: number = 0;
  #underWay: number = 0;

  constructor(plan: Plan, routes: Routes, wanted: number) {
    this.#plan = plan;
    this.#routes = routes;
    this.#wanted = wanted;
    this.#byPlace = routes.addresses.map(() => []);
  }

  addressOf(place: number): string {
    return this.#routes.addresses[place] as string;
  }

  /** Connects as often as is missing, where it is missed most. */
  complete(owner: ConnectionOwner): void {
    while (this.connections.size < this.#wanted) {
      const counts = this.#byPlace.map(({ length }) => length);
      this.connect(owner, counts.indexOf(Math.min(...counts)));
    }
  }

  connect(owner: ConnectionOwner, place: number): void {
    const connection = new RawConnection(owner, this.addressOf(place), this.#slots, place);
    this.connections.add(connection);
    this.#byPlace[place]?.push(connection);
  }

  remove(connection: RawConnection): void {
    this.connections.delete(connection);
    this.#underWay -= connection.taken;
    const { place } = connection;
    this.#byPlace[place] = (this.#byPlace[place] ?? []).filter((other) => other !== connection);
  }

  /** The operation that the source holds; whoever calls it flushes. */
  begin(connection: RawConnection, intendedMs: number, nowMs: number): void {
    this.#underWay++;
    connection.begin(intendedMs, nowMs);
  }

  ended(): void {
    this.#underWay--;
  }

  /** Free slots that the plan lets us use: a connection has more when it preloaded, or when requests look for owners. */
  usable(connection: RawConnection): number {
    if (this.#routes.owners !== undefined) return connection.freeSlots > 0 ? this.#inFlightMax - this.#underWay : 0;
    return connection.freeSlots - Math.max(0, connection.slots - this.#plan.inFlight);
  }

  /** After operations that `here` had room for. */
  flush(here: RawConnection, nowMs: number): void {
    if (this.#routes.owners === undefined) here.flush(nowMs);
    else this.flushAll(nowMs);
  }

  flushAll(nowMs: number): void {
    for (const connection of this.connections) connection.flush(nowMs);
  }

  /** A connection for this key. A closed loop stays `here` if that is an owner's; so does what no owner has room for. */
  connectionFor(key: number, here: RawConnection): RawConnection {
    const { owners } = this.#routes;
    if (owners === undefined) return here;
    const partition = owners.partition(key);
    return this.#plan.rate === 0 && owners.owns(partition, here.place)
      ? here
      : (this.#inTurn(owners, partition) ?? here);
  }

  #inTurn(owners: OwnerRoutes, partition: number): RawConnection | undefined {
    const turn = this.#turn++;
    for (let i = 0; i < owners.replicaCount; i++) {
      const connections = this.#byPlace[owners.owner(partition, turn + i)] ?? [];
      for (let j = 0; j < connections.length; j++) {
        const connection = connections[(turn + j) % connections.length] as RawConnection;
        if (connection.freeSlots > 0) return connection;
      }
    }
    return undefined;
  }

  /** Requests that may be under way on all connections together. */
  get #inFlightMax(): number {
    return this.#wanted * this.#plan.inFlight;
  }

  get #slots(): number {
    const { preload, inFlight } = this.#plan;
    const slots = preload ? Math.max(PRELOAD_IN_FLIGHT, inFlight) : inFlight;
    if (this.#routes.owners === undefined) return slots;
    // All that is under way may be one node's business.
    const ofANode = Math.max(1, Math.floor(this.#wanted / this.#byPlace.length));
    return Math.min(IN_FLIGHT_MAX, Math.max(slots, Math.ceil(this.#inFlightMax / ofANode)));
  }
}
