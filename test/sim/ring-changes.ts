/*
 * Administrators at work while everything else goes wrong: nodes join, leave, are replaced, are told to stay after all,
 * get another weight, are lost for good; and now and then two of them propose at once, through different nodes.
 */
import type { Prng } from '../../src/lib/prng.js';
import type { RingMember } from '../../src/ring/document.js';
import type { RingEdit } from '../../src/ring/edits.js';
import type { RingCluster } from './cluster.js';
import type { Doubts } from './doubts.js';
import { exponential, placeOf } from './tools.js';

/** Nodes that join in one run. */
const JOINS_MAX = 6;
const AT_ONCE_CHANCE = 0.2;
const REMOVE_AGAIN_MS = 3_000;

export interface ChangingWorld {
  readonly cluster: RingCluster;
  readonly doubts: Doubts;
  say(text: string): void;
  after(delayMs: number, fire: () => void): void;
  nowMs(): number;
}

export class RingChanges {
  readonly #world: ChangingWorld;
  readonly #random: Prng;
  readonly #everyMs: number;
  readonly #firstOrdinalNext: number;
  #over = false;
  /** Proposed, by kind of the edit. */
  readonly proposed: Map<string, number> = new Map();
  /** What became of them. */
  readonly outcomes: Map<string, number> = new Map();

  constructor(world: ChangingWorld, random: Prng, everyMs: number) {
    this.#world = world;
    this.#random = random;
    this.#everyMs = everyMs;
    this.#firstOrdinalNext = world.cluster.ring.ordinalNext;
  }

  start(): void {
    if (!Number.isFinite(this.#everyMs)) return;
    this.#removeLost();
    this.#changeLater();
  }

  /** Whoever has lost a node tells the others so until they have heard. */
  #removeLost(): void {
    this.#world.after(REMOVE_AGAIN_MS, () => {
      const lost = this.#lost();
      if (lost !== undefined) this.#propose(this.#without(lost));
      if (!this.#over || this.#lost() !== undefined) this.#removeLost();
    });
  }

  /** Others may have been told to leave meanwhile: as many stay, or join, as make N without it. */
  #without(lost: number): readonly RingEdit[] {
    const { ring, replicaCount } = this.#world.cluster;
    const others = ring.members.filter(({ ordinal }) => ordinal !== lost);
    const leaving = others.filter((member) => member.leaving);
    const missing = Math.max(0, replicaCount - (others.length - leaving.length));
    const back = leaving.slice(0, missing).map(({ ordinal }): RingEdit => ({ kind: 'stay', ordinal }));
    const joins = missing > back.length ? [this.#join()] : [];
    return [...back, ...joins, { kind: 'remove', ordinal: lost }];
  }

  /** A member whose machine has burnt. */
  #lost(): number | undefined {
    const { cluster } = this.#world;
    return cluster.ring.members.find(({ ordinal }) => cluster.machine(ordinal)?.state === 'left')?.ordinal;
  }

  #changeLater(): void {
    this.#world.after(exponential(this.#random, this.#everyMs), () => {
      if (this.#over) return;
      this.#change();
      if (this.#random.chance(AT_ONCE_CHANCE)) this.#change();
      this.#changeLater();
    });
  }

  stop(): void {
    this.#over = true;
  }

  #change(): void {
    const edits = this.#edits(this.#world.cluster.ring.members);
    if (edits.length > 0) this.#propose(edits);
  }

  #propose(edits: readonly RingEdit[]): void {
    const through = this.#world.cluster.nodes.filter(({ state, server }) => state === 'up' && server !== null);
    if (through.length === 0) return;
    const node = this.#random.pick(through);
    const text = edits.map((edit) => edit.kind).join(' and ');
    this.#count(this.proposed, text);
    this.#world.say(`through node ${node.node}: ${JSON.stringify(edits)}`);
    const seed = this.#random.u32();
    node.process?.run(() => {
      node.server?.changeRing(edits, { seed, change: text }, (outcome) => {
        this.#count(this.outcomes, outcome.kind);
        this.#world.say(`through node ${node.node}: ${text}: ${outcome.kind} ${outcome.text}`);
      });
    });
  }

  #edits(members: readonly RingMember[]): readonly RingEdit[] {
    const { cluster } = this.#world;
    const random = this.#random;
    const staying = members.filter(({ leaving }) => !leaving);
    const leaving = members.filter((member) => member.leaving);
    const mayShrink = staying.length > Math.max(cluster.replicaCount, 2);
    const mayGrow = cluster.ring.ordinalNext < this.#firstOrdinalNext + JOINS_MAX;
    const one = (): number => random.pick(staying).ordinal;
    switch (random.pick(['join', 'join', 'leave', 'leave', 'replace', 'stay', 'set', 'remove'])) {
      case 'join':
        return mayGrow ? [this.#join()] : [];
      case 'leave':
        return mayShrink ? [{ kind: 'leave', ordinal: one() }] : [];
      case 'replace':
        return mayGrow ? [this.#join(), { kind: 'leave', ordinal: one() }] : [];
      case 'stay':
        return leaving.length > 0 ? [{ kind: 'stay', ordinal: random.pick(leaving).ordinal }] : [];
      case 'set':
        return [{ kind: 'set', ordinal: one(), capacity: 1 + random.int(3) }];
      default:
        return mayShrink && random.chance(0.3) ? this.#remove(one()) : [];
    }
  }

  #join(): RingEdit {
    const { cluster } = this.#world;
    const ordinal = cluster.ring.ordinalNext;
    const { address, peerAddress } = placeOf(ordinal);
    const zones = [...new Set(cluster.ring.members.map(({ zone }) => zone))];
    const zone = this.#random.pick(zones);
    return { kind: 'join', nodeId: cluster.nodeIdOf(ordinal), address, peerAddress, zone, capacity: 1 };
  }

  /**
   * Its machine burns first: nobody removes a node by force that could still leave. One at a time, and not before voters
   * have names: until then all of them are needed.
   */
  #remove(ordinal: number): readonly RingEdit[] {
    const { cluster } = this.#world;
    const machine = cluster.machine(ordinal);
    if (machine === undefined || this.#lost() !== undefined) return [];
    if (
      cluster.ring.voters.some(({ acceptorId }) => acceptorId === '') ||
      !cluster.mayForget(machine, this.#world.nowMs())
    )
      return [];
    cluster.forgets(machine, this.#world.nowMs());
    this.#world.say(`node ${machine.node} burns`);
    this.#world.doubts.add({ node: machine.node, atMs: this.#world.nowMs(), kind: 'destroyed', key: null });
    machine.burn();
    this.#world.cluster.hasLeft(machine);
    return [{ kind: 'remove', ordinal }];
  }

  #count(counts: Map<string, number>, name: string): void {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
}
