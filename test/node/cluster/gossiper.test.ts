/* Members that gossip on the wire: over real links and sessions, with a clock of the test. */
import test from 'ava';
import { Gossiper } from '../../../src/node/cluster/gossiper.js';
import type { GossipRing } from '../../../src/membership/gossip.js';
import type { Log } from '../../../src/env/meter.js';
import { encodeGossip } from '../../../src/wire/codec-gossip.js';
import { GOSSIP } from '../../../src/wire/kinds.js';
import { silentMeter } from '../../support/silent.js';
import { addressOf, idOf, PeerCluster, ringOf } from '../peers/cluster.js';

const NODES = 4;
const HASH = 'ab'.repeat(8);

const gossipRing = (version: number, hash: string = HASH): GossipRing => ({ ...ringOf(NODES, 3, version), hash });

class Bench {
  readonly cluster: PeerCluster = PeerCluster.connected(NODES, 5);
  readonly gossipers: Map<number, Gossiper> = new Map();
  readonly newer: string[] = [];
  readonly seeds: string[] = [];
  readonly errors: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];

  constructor() {
    for (let ordinal = 1; ordinal <= NODES; ordinal++) this.add(ordinal, 1).start();
  }

  add(ordinal: number, opening: number): Gossiper {
    const { time, random } = this.cluster;
    const node = this.cluster.node(ordinal);
    const nothing = (): void => undefined;
    const log: Log = {
      debug: nothing,
      info: nothing,
      warn: nothing,
      error: (event, fields = {}) => {
        this.errors.push({ event, fields });
      },
    };
    const gossiper = new Gossiper({
      self: { ordinal, nodeId: idOf(ordinal), opening, peerAddress: '' },
      ring: gossipRing(1),
      seeds: ['seed:1'],
      clock: time,
      timers: node.host,
      random: random.fork(),
      links: node.links,
      log,
      meter: silentMeter,
      onNewer: (holder, version) => {
        this.newer.push(`${ordinal}: ring ${version} from ${holder}`);
      },
      meetSeed: (address) => {
        this.seeds.push(`${ordinal}: ${address}`);
      },
    });
    node.servesToo = (session, frame) => gossiper.serve(session, frame);
    this.gossipers.get(ordinal)?.stop();
    this.gossipers.set(ordinal, gossiper);
    return gossiper;
  }

  of(ordinal: number): Gossiper {
    return this.gossipers.get(ordinal) as Gossiper;
  }

  /** It loses its connections, and nobody gets a new one. */
  isolate(ordinal: number): void {
    const { network, nodes } = this.cluster;
    for (const { host } of nodes.values()) {
      network.unreachable.add(host.address);
      network.cut(host.address, addressOf(ordinal));
      network.cut(addressOf(ordinal), host.address);
    }
  }
}

test('members hear of each other, and count what it took', (t) => {
  const bench = new Bench();
  bench.cluster.time.runFor(10_000);
  for (const gossiper of bench.gossipers.values()) {
    const { members, own, newestVersion, holders, exchanges, unanswered, bytesIn, bytesOut, alarms } =
      gossiper.status();
    t.is(members.length, NODES - 1);
    for (const { entry, isSilent } of members) t.true(entry !== null && entry.beat >= 5 && !isSilent);
    t.true(own.beat >= 9 && own.beat <= 11);
    t.like({ newestVersion, unanswered, alarms }, { newestVersion: 1, unanswered: 0, alarms: [] });
    t.is(holders.length, NODES);
    t.true(exchanges >= 8 && exchanges <= own.beat && bytesIn > 500 && bytesOut > 500);
  }
  t.deepEqual([bench.newer, bench.seeds, bench.errors], [[], [], []]);
});

test('who has an older ring is told of a newer one, and from whom to fetch it, until it has it', (t) => {
  const bench = new Bench();
  bench.cluster.time.runFor(3_000);
  bench.of(2).setRing(gossipRing(2, 'cd'.repeat(8)));
  bench.cluster.time.runFor(8_000);
  t.deepEqual([...new Set(bench.newer)].sort(), ['1: ring 2 from 2', '3: ring 2 from 2', '4: ring 2 from 2']);
  for (const ordinal of [1, 3, 4]) bench.of(ordinal).setRing(gossipRing(2, 'cd'.repeat(8)));
  bench.newer.length = 0;
  bench.cluster.time.runFor(8_000);
  t.deepEqual(bench.newer, []);
  t.is(bench.of(1).status().holders.length, NODES);
  t.deepEqual(bench.errors, []);
});

test('two rings with one version are an error in the log, and in the status', (t) => {
  const bench = new Bench();
  bench.of(2).setRing(gossipRing(2, 'cd'.repeat(8)));
  bench.of(3).setRing(gossipRing(2, 'ef'.repeat(8)));
  bench.cluster.time.runFor(10_000);
  t.is(bench.errors.length, NODES);
  for (const { event, fields } of bench.errors) {
    t.is(event, 'two-rings');
    t.like(fields, { version: 2 });
    t.regex(fields['text'] as string, /Stop changing the ring/);
  }
  t.like(bench.of(4).status().alarms[0], { kind: 'two-rings', version: 2 });
});

test('a member that cannot be reached is silent for the others, and tries its seeds', (t) => {
  const bench = new Bench();
  bench.cluster.time.runFor(10_000);
  bench.isolate(4);
  bench.cluster.time.runFor(60_000);
  const silent = (ordinal: number): readonly number[] =>
    bench
      .of(ordinal)
      .status()
      .members.filter(({ isSilent }) => isSilent)
      .map((member) => member.ordinal);
  t.deepEqual([1, 2, 3, 4].map(silent), [[4], [4], [4], [1, 2, 3]]);
  t.true(bench.seeds.length > 30);
  t.deepEqual([...new Set(bench.seeds)], ['4: seed:1']);
  t.deepEqual(bench.errors, []);
});

test('a node that was started again is known by its new opening at once', (t) => {
  const bench = new Bench();
  bench.cluster.time.runFor(10_000);
  bench.add(3, 2).start();
  bench.cluster.time.runFor(5_000);
  for (const ordinal of [1, 2, 4]) {
    const member = bench
      .of(ordinal)
      .status()
      .members.find((one) => one.ordinal === 3);
    t.like(member, { entry: { opening: 2 }, isSilent: false });
  }
});

test('after a stop it neither asks nor says that there is a newer ring', (t) => {
  const bench = new Bench();
  bench.cluster.time.runFor(3_000);
  const { exchanges } = bench.of(1).status();
  bench.of(1).stop();
  bench.of(2).setRing(gossipRing(2, 'cd'.repeat(8)));
  bench.cluster.time.runFor(10_000);
  t.is(bench.of(1).status().exchanges, exchanges);
  t.false(bench.newer.some((line) => line.startsWith('1:')));
});

test('what cannot be read ends the connection, with a reason; other kinds are for others', (t) => {
  const bench = new Bench();
  bench.cluster.time.runFor(2_000);
  const said: string[] = [];
  const asker = {
    onAnswered: () => said.push('answered'),
    onRefused: (_from: number, _tag: number, { code, text }: { readonly code: string; readonly text: string }) =>
      said.push(`${code}: ${text}`),
    onUnanswered: (_from: number, _tag: number, why: string) => said.push(why),
  };
  const { links } = bench.cluster.node(1);
  links.get(2)?.ask(GOSSIP, encodeGossip({ beats: [], entries: [], closing: true }), 1_000, asker, 0);
  bench.cluster.time.runFor(200);
  links.get(2)?.ask(GOSSIP, Uint8Array.of(0x08, 1), 1_000, asker, 0);
  bench.cluster.time.runFor(200);
  t.deepEqual(said, ['answered', 'PROTOCOL: GOSSIP cannot be read: Columns of 1, 0, 0 and 0 values']);
});
