/*
 * A flow of least cost within bounds, repaired from one that is nearly right.
 *
 * A plan for a changed ring differs little from the ring: so the solver starts from the flow that changes nothing. Where
 * that breaks conservation (a node left, a share shrank) some nodes have too much and others too little. Flow is pushed
 * from the former to the latter along the cheapest paths, which keeps the cost least for what has been pushed so far
 * (primal-dual method: Ahuja, Magnanti, Orlin, Network Flows, 1993, §9.8): distances of one round become potentials, and
 * everything that fits on arcs of reduced cost 0 is pushed at once, in layers as Dinic does. A round settles all paths
 * of one length, and with costs of 0 and 1 there are few lengths.
 *
 * It needs a start of least cost for what it carries: arcs that cost something begin at their lower bound. Arcs are tried
 * in the reverse order of their adding, so whoever adds them in random order gets a random one of the cheapest flows.
 */
import { assert } from '../lib/assert.js';

const NONE = -1;
const FAR = 0x7fff_ffff;

export class MinCostFlow {
  readonly #source: number;
  readonly #sink: number;
  /** Arc 2k runs forward, 2k + 1 back: their residual capacities always sum up to upper − lower. */
  #arcs: number = 0;
  readonly #to: Int32Array;
  readonly #residual: Int32Array;
  readonly #cost: Int32Array;
  readonly #next: Int32Array;
  readonly #lower: Int32Array;
  readonly #head: Int32Array;
  /** What a node has too much of (above 0) or lacks. */
  readonly #excess: Int32Array;
  readonly #potential: Int32Array;
  readonly #distance: Int32Array;
  readonly #level: Int32Array;
  readonly #current: Int32Array;
  readonly #queue: Int32Array;

  constructor(nodeCount: number, arcsMax: number) {
    const nodes = nodeCount + 2;
    const arcs = arcsMax + nodeCount;
    this.#source = nodeCount;
    this.#sink = nodeCount + 1;
    this.#to = new Int32Array(arcs * 2);
    this.#residual = new Int32Array(arcs * 2);
    this.#cost = new Int32Array(arcs * 2);
    this.#next = new Int32Array(arcs * 2);
    this.#lower = new Int32Array(arcs);
    this.#head = new Int32Array(nodes).fill(NONE);
    this.#excess = new Int32Array(nodeCount);
    this.#potential = new Int32Array(nodes);
    this.#distance = new Int32Array(nodes);
    this.#level = new Int32Array(nodes);
    this.#current = new Int32Array(nodes);
    this.#queue = new Int32Array(nodes);
  }

  /** This much comes in (above 0) or goes out at the node. */
  supply(node: number, amount: number): void {
    this.#excess[node] = at(this.#excess, node) + amount;
  }

  /** An arc that already carries `flow`; the answer is what `flowOf` asks for. */
  arc(from: number, to: number, lower: number, upper: number, cost: number, flow: number): number {
    assert(lower <= flow && flow <= upper, 'the flow to start from keeps the bounds of the arc');
    assert(cost >= 0 && (cost === 0 || flow === lower), 'the flow to start from is of least cost');
    this.supply(from, -flow);
    this.supply(to, flow);
    return this.#add(from, to, lower, upper, cost, flow);
  }

  flowOf(arc: number): number {
    return at(this.#lower, arc) + at(this.#residual, arc * 2 + 1);
  }

  /** Once. False: no flow keeps all bounds. */
  solve(): boolean {
    let toPush = 0;
    let toTake = 0;
    for (let node = 0; node < this.#excess.length; node++) {
      const excess = at(this.#excess, node);
      if (excess > 0) this.#add(this.#source, node, 0, excess, 0, 0);
      if (excess < 0) this.#add(node, this.#sink, 0, -excess, 0, 0);
      toPush += Math.max(excess, 0);
      toTake += Math.max(-excess, 0);
    }
    if (toPush !== toTake) return false;
    while (toPush > 0 && this.#findDistances()) {
      while (this.#findLevels()) toPush -= this.#pushAll();
    }
    return toPush === 0;
  }

  #add(from: number, to: number, lower: number, upper: number, cost: number, flow: number): number {
    const arc = this.#arcs++;
    this.#lower[arc] = lower;
    this.#half(arc * 2, from, to, upper - flow, cost);
    this.#half(arc * 2 + 1, to, from, flow - lower, -cost);
    return arc;
  }

  #half(half: number, from: number, to: number, residual: number, cost: number): void {
    this.#to[half] = to;
    this.#residual[half] = residual;
    this.#cost[half] = cost;
    this.#next[half] = at(this.#head, from);
    this.#head[from] = half;
  }

  #reducedCost(half: number, from: number): number {
    return at(this.#cost, half) + at(this.#potential, from) - at(this.#potential, at(this.#to, half));
  }

  /** Dijkstra with a bucket for each distance; afterwards all shortest paths to the sink have reduced cost 0. */
  #findDistances(): boolean {
    const distance = this.#distance.fill(FAR);
    distance[this.#source] = 0;
    const buckets: (number[] | undefined)[] = [[this.#source]];
    for (let far = 0; far < buckets.length; far++) {
      const bucket = buckets[far] ?? [];
      for (let i = 0; i < bucket.length; i++) {
        const from = bucket[i] ?? 0;
        if (distance[from] !== far) continue; // reached on a shorter way meanwhile
        for (let half = at(this.#head, from); half !== NONE; half = at(this.#next, half)) {
          if (at(this.#residual, half) === 0) continue;
          const to = at(this.#to, half);
          const length = far + this.#reducedCost(half, from);
          if (length >= at(distance, to)) continue;
          distance[to] = length;
          (buckets[length] ??= []).push(to);
        }
      }
    }
    const toSink = at(distance, this.#sink);
    if (toSink === FAR) return false;
    for (let node = 0; node < distance.length; node++) {
      this.#potential[node] = at(this.#potential, node) + Math.min(at(distance, node), toSink);
    }
    return true;
  }

  /** Hops from the source along arcs of reduced cost 0; false: the sink is out of reach. */
  #findLevels(): boolean {
    const level = this.#level.fill(NONE);
    const queue = this.#queue;
    level[this.#source] = 0;
    queue[0] = this.#source;
    let filled = 1;
    for (let i = 0; i < filled; i++) {
      const from = at(queue, i);
      for (let half = at(this.#head, from); half !== NONE; half = at(this.#next, half)) {
        const to = at(this.#to, half);
        if (level[to] !== NONE || at(this.#residual, half) === 0 || this.#reducedCost(half, from) !== 0) continue;
        level[to] = at(level, from) + 1;
        queue[filled++] = to;
      }
    }
    return level[this.#sink] !== NONE;
  }

  /** Pushes along the levels until every way is blocked; the amount. */
  #pushAll(): number {
    this.#current.set(this.#head);
    const path: number[] = [];
    let pushed = 0;
    let node = this.#source;
    for (;;) {
      if (node === this.#sink) {
        pushed += this.#pushAlong(path);
        path.length = 0;
        node = this.#source;
        continue;
      }
      const half = this.#step(node);
      if (half !== NONE) {
        path.push(half);
        node = at(this.#to, half);
        continue;
      }
      this.#level[node] = NONE; // a dead end
      const back = path.pop();
      if (back === undefined) return pushed;
      node = at(this.#to, back ^ 1);
    }
  }

  #step(from: number): number {
    let half = at(this.#current, from);
    const wanted = at(this.#level, from) + 1;
    for (; half !== NONE; half = at(this.#next, half)) {
      if (at(this.#level, at(this.#to, half)) !== wanted) continue;
      if (at(this.#residual, half) > 0 && this.#reducedCost(half, from) === 0) break;
    }
    this.#current[from] = half;
    return half;
  }

  #pushAlong(path: readonly number[]): number {
    let amount = FAR;
    for (const half of path) amount = Math.min(amount, at(this.#residual, half));
    for (const half of path) {
      this.#residual[half] = at(this.#residual, half) - amount;
      this.#residual[half ^ 1] = at(this.#residual, half ^ 1) + amount;
    }
    return amount;
  }
}

/** An element that is there: every index comes from ourselves. */
function at(array: Int32Array, index: number): number {
  return array[index] as number;
}
