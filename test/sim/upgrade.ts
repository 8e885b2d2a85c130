/*
 * A cluster that begins with nodes of an older build, at the first feature level, and is upgraded while all else goes on: one
 * node after the other is stopped and started anew, now and then one is taken back, and when none is left that is old an
 * administrator finalizes, through whichever node, until that is done. The older build is this one that understands one
 * level only, so what it does with newer messages is not shown here; that nobody sends them too soon is (checkers/levels.ts).
 */
import type { Prng } from '../../src/lib/prng.js';
import { BUILD, type Build, FIRST_LEVEL } from '../../src/model/build.js';
import type { RingCluster } from './cluster.js';
import { exponential } from './tools.js';

export const OLDER_BUILD: Build = { release: '0.0.9', levelMin: FIRST_LEVEL, levelMax: FIRST_LEVEL };

const BACK_CHANCE = 0.15;

export interface UpgradeShape {
  readonly beginMs: number;
  /** Mean time between two steps. */
  readonly everyMs: number;
}

export interface UpgradedWorld {
  readonly cluster: RingCluster;
  say(text: string): void;
  after(delayMs: number, fire: () => void): void;
}

export class Upgrade {
  readonly #world: UpgradedWorld;
  readonly #random: Prng;
  readonly #shape: UpgradeShape;
  #begun = false;
  /** From now on nobody is taken back. */
  #isFinalizing = false;

  constructor(world: UpgradedWorld, random: Prng, shape: UpgradeShape) {
    this.#world = world;
    this.#random = random;
    this.#shape = shape;
    for (const node of world.cluster.nodes) node.build = OLDER_BUILD;
  }

  /** Of a machine that joins. */
  get buildOfNew(): Build {
    return this.#begun ? BUILD : OLDER_BUILD;
  }

  /** Every node lives by a ring of the newest level. */
  get isOver(): boolean {
    const { cluster } = this.#world;
    return cluster.nodes.every(({ node }) => cluster.history.ringOf(node)?.level === BUILD.levelMax);
  }

  start(): void {
    this.#world.after(this.#shape.beginMs, () => {
      this.#begun = true;
      this.#stepLater();
    });
  }

  #stepLater(): void {
    this.#world.after(exponential(this.#random, this.#shape.everyMs), () => {
      if (this.#world.cluster.ring.level === BUILD.levelMax) return;
      this.#step();
      this.#stepLater();
    });
  }

  #step(): void {
    const { nodes } = this.#world.cluster;
    const old = nodes.filter(({ build }) => build === OLDER_BUILD);
    const done = nodes.filter(({ build }) => build === BUILD);
    if (done.length > 0 && !this.#isFinalizing && this.#random.chance(BACK_CHANCE))
      this.#restart(this.#random.pick(done), OLDER_BUILD);
    else if (old.length > 0) this.#restart(this.#random.pick(old), BUILD);
    else this.#finalize();
  }

  #restart(node: RingCluster['nodes'][number], build: Build): void {
    this.#world.say(`node ${node.node} becomes release ${build.release}`);
    node.build = build;
    node.stop(); // one that is down has it when it starts
  }

  #finalize(): void {
    const up = this.#world.cluster.nodes.filter(({ state, server }) => state === 'up' && server !== null);
    if (up.length === 0) return;
    this.#isFinalizing = true;
    const node = this.#random.pick(up);
    node.process?.run(() => {
      node.server?.finalize(({ kind, text }) => {
        this.#world.say(`through node ${node.node}: finalize: ${kind} ${text}`);
      });
    });
  }
}
