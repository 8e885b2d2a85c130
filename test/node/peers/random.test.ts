/*
 * Nodes that ask each other for a while, with everything going wrong that can: connections cut, nodes stopped, answers
 * late, refused or missing, links full. Whatever happens, each request ends exactly once, with its own answer if with
 * any; what waits is bounded; and when all is well again, everything is answered again.
 */
import test from 'ava';
import { addressOf, PeerCluster, type PeerNode } from './cluster.js';
import { Recorder } from './recorder.js';

const NODES = 4;
const STEPS = 400;
const QUEUED_BYTES_MAX = 200_000;
const IN_FLIGHT_MAX = 64;
/** Heartbeats are sent all the same. */
const PINGS_BYTES = 100;
const TIMEOUT_MS_MAX = 400;
const RECORD_BYTES_MAX = 60_000;

class Run {
  readonly cluster: PeerCluster;
  readonly asked: Recorder;
  queuedBytesMax = 0;
  inFlightMax = 0;
  #asking = false;
  /** Records of the requests under way. */
  readonly #guards: Map<number, Buffer> = new Map();

  constructor(seed: number) {
    this.cluster = PeerCluster.connected(NODES, seed, {
      links: { queuedBytesMax: QUEUED_BYTES_MAX, inFlightMax: IN_FLIGHT_MAX },
    });
    this.asked = new Recorder(() => this.cluster.time.monotonicMs());
    // Half of those that end badly are asked again from inside the call that tells of it, as a coordinator would.
    this.asked.onEnded = (_tag, ending) => {
      if (this.#asking || ending === 'unsent' || ending === 'answered') return;
      if (this.cluster.random.chance(0.5)) this.ask();
    };
    for (const node of this.cluster.nodes.values()) {
      Object.assign(node.manners, { delayMsMax: 1 + this.cluster.random.int(200), refused: 0.1, ignored: 0.02 });
    }
  }

  ask(): void {
    const { random } = this.cluster;
    const from = 1 + random.int(NODES);
    const to = 1 + ((from + random.int(NODES - 1)) % NODES);
    const link = this.cluster.node(from).links.get(to);
    if (link === undefined || this.cluster.node(from).host.stopped) return;
    const timeoutMs = 1 + random.int(TIMEOUT_MS_MAX);
    this.#asking = true;
    const luck = random.int(10);
    if (luck < 5) {
      const record = Buffer.alloc(random.chance(0.2) ? random.int(RECORD_BYTES_MAX) : random.int(100), random.int(256));
      const tag = this.asked.store(link, record, timeoutMs, true);
      if (record.length > 0) this.#guards.set(tag, record);
    } else if (luck < 8) this.asked.read(link, `key ${random.u32()}`, timeoutMs);
    else this.asked.forward(link, `body ${random.u32()}`, timeoutMs);
    this.#asking = false;
  }

  step(): void {
    const { random, network, time } = this.cluster;
    for (let n = random.int(20); n > 0; n--) this.ask();
    if (random.chance(0.03)) network.cut(addressOf(1 + random.int(NODES)), addressOf(1 + random.int(NODES)));
    if (random.chance(0.02)) this.#stop(this.cluster.node(1 + random.int(NODES)), random.int(3_000));
    if (random.chance(0.02)) network.delayMsMax = 1 + random.int(30);
    time.runFor(random.int(20));
    // The bytes of what has ended are the caller's again.
    for (const [tag, record] of [...this.#guards]) {
      if (this.asked.endingOf(tag) === '') continue;
      record.fill(0xee);
      this.#guards.delete(tag);
    }
    for (const node of this.cluster.nodes.values()) {
      for (const { queuedBytes, inFlight } of node.links.status()) {
        this.queuedBytesMax = Math.max(this.queuedBytesMax, queuedBytes);
        this.inFlightMax = Math.max(this.inFlightMax, inFlight);
      }
    }
  }

  #stop(node: PeerNode, forMs: number): void {
    if (node.host.stopped) return;
    node.host.stop();
    this.cluster.time.after(forMs, () => {
      node.host.resume();
    });
  }

  heal(): void {
    for (const node of this.cluster.nodes.values()) {
      Object.assign(node.manners, { delayMsMax: 0, refused: 0, ignored: 0 });
    }
    this.cluster.network.delayMsMax = 2;
    this.cluster.time.runFor(20_000);
  }
}

test('every request ends exactly once, with its own answer if with any', (t) => {
  const total: Record<string, number> = {};
  for (let seed = 1; seed <= 12; seed++) {
    const run = new Run(seed);
    for (let step = 0; step < STEPS; step++) run.step();
    t.true(run.queuedBytesMax <= QUEUED_BYTES_MAX + PINGS_BYTES, `seed ${seed}: ${run.queuedBytesMax} bytes waited`);
    t.true(run.inFlightMax <= IN_FLIGHT_MAX, `seed ${seed}: ${run.inFlightMax} requests waited`);
    run.heal();
    const counts = run.asked.counts();
    for (const [ending, count] of Object.entries(counts)) {
      t.true(['answered', 'refused', 'timeout', 'lost', 'unsent'].includes(ending), `seed ${seed}: ${count} ${ending}`);
      total[ending] = (total[ending] ?? 0) + count;
    }
    const last = new Recorder(() => run.cluster.time.monotonicMs());
    for (const node of run.cluster.nodes.values()) {
      for (const { ordinal, state, inFlight, reason } of node.links.status()) {
        t.is(state, 'ready', `seed ${seed}: ${reason}`);
        t.is(inFlight, 0, `seed ${seed}`);
        const link = node.links.get(ordinal);
        if (link !== undefined) last.read(link, `last ${seed}`, 500);
        t.true(node.table.isHealthy(ordinal, run.cluster.time.monotonicMs()));
      }
    }
    run.cluster.time.runFor(100);
    t.deepEqual(last.counts(), { answered: NODES * (NODES - 1) }, `seed ${seed}`);
  }
  t.log(JSON.stringify(total));
  for (const ending of ['answered', 'refused', 'timeout', 'lost', 'unsent']) {
    t.true((total[ending] ?? 0) > 100, `${ending}: ${JSON.stringify(total)}`);
  }
});

test('the same seed is the same run', (t) => {
  const trace = (): string => {
    const run = new Run(99);
    for (let step = 0; step < 100; step++) run.step();
    return JSON.stringify([run.asked.counts(), run.cluster.time.fired]);
  };
  t.is(trace(), trace());
});
