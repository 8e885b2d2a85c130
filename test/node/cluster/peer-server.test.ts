/* What members of a ring ask each other on the wire: what is refused, with which words, and that the connection goes on. */
import test from 'ava';
import { PeerLinks } from '../../../src/node/peers/links.js';
import { PeerCredentials } from '../../../src/node/peers/credentials.js';
import { PeerTable } from '../../../src/coordinator/peer-table.js';
import type { PeerLink } from '../../../src/node/peers/link.js';
import type { ReadAsker, StoreAsker } from '../../../src/node/peers/request.js';
import type { StoreHead } from '../../../src/model/peer-messages.js';
import { PoisonPool } from '../../support/poison-pool.js';
import { silentLog } from '../../support/silent.js';
import { text } from '../../support/test-client.js';
import { idOf, keyedDigest, SECRET } from '../peers/cluster.js';
import { ClusterBench } from './bench.js';

const HEAD: StoreHead = {
  partition: 0,
  ringVersion: 1,
  budgetMs: 1_000,
  hintFor: 0,
  fence: 0,
  durable: false,
  reason: 'put',
};

/** Member 3 of the ring, played by the test. */
class Player implements StoreAsker, ReadAsker {
  readonly link: PeerLink;
  readonly said: string[] = [];
  readonly #bench: ClusterBench;

  constructor(bench: ClusterBench) {
    this.#bench = bench;
    const host = bench.network.host('10.9.9.9:1');
    const credentials = new PeerCredentials({
      nodeId: idOf(3),
      secret: SECRET,
      digest: keyedDigest,
      random: bench.random.fork(),
      ring: bench.ring,
    });
    const links = new PeerLinks({
      clock: bench.time,
      timers: host,
      random: bench.random.fork(),
      dialer: bench.network.dialerOf(host),
      log: silentLog,
      pool: new PoisonPool(),
      credentials,
      table: new PeerTable(3),
    });
    links.start();
    bench.time.runFor(500);
    this.link = links.get(1) as PeerLink;
  }

  onStored(_from: number, _tag: number, reply: { readonly durable: boolean; readonly hinted: boolean }): void {
    this.said.push(`stored${reply.durable ? ' durable' : ''}${reply.hinted ? ' hinted' : ''}`);
  }

  onRead(_from: number, _tag: number, reply: { readonly state: string; readonly reason: string }): void {
    this.said.push(`${reply.state}${reply.reason}`);
  }

  onRefused(_from: number, _tag: number, refusal: { readonly code: string; readonly text: string }): void {
    this.said.push(`${refusal.code}: ${refusal.text}`);
  }

  onUnanswered(_from: number, _tag: number, why: string): void {
    this.said.push(why);
  }

  store(head: Partial<StoreHead>, record: Uint8Array): string {
    this.link.store({ ...HEAD, ...head }, record, false, 1_000, this, 0);
    this.#bench.time.runFor(100);
    return this.said.pop() ?? 'nothing';
  }

  read(key: string, partition: number): string {
    this.link.read({ key: text(key), partition, ringVersion: 1, budgetMs: 1_000 }, 1_000, this, 0);
    this.#bench.time.runFor(100);
    return this.said.pop() ?? 'nothing';
  }
}

function scene(): { bench: ClusterBench; player: Player; key: string; record: Uint8Array; partition: number } {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(1);
  bench.node(1).put(key, 'apple', { w: 3 });
  const record = Uint8Array.from(bench.node(1).storage.record(text(key)) as Uint8Array);
  return { bench, player: new Player(bench), key, record, partition: bench.partitionOf(key) };
}

test('a record that is stored already is acknowledged again', (t) => {
  const { player, record, partition } = scene();
  t.is(player.store({ partition }, record), 'stored durable');
});

test('a record that was damaged on its way is refused, whatever bit it is', (t) => {
  const { player, record, partition } = scene();
  for (let i = 0; i < record.length; i += 5) {
    const damaged = Uint8Array.from(record);
    damaged[i] = (damaged[i] as number) ^ 16;
    t.regex(player.store({ partition }, damaged), /^INVALID_ARGUMENT: The record failed its check/);
  }
  t.is(player.store({ partition }, record), 'stored durable', 'the connection goes on');
});

test('a record of another partition is refused', (t) => {
  const { player, record, partition } = scene();
  t.is(
    player.store({ partition: (partition + 1) % 16 }, record),
    `INVALID_ARGUMENT: The record's key is not of partition ${(partition + 1) % 16}`,
  );
});

test('what is to be kept for a node that this ring does not name is kept by an owner for itself', (t) => {
  const { player, record, partition, bench } = scene();
  t.is(
    player.store({ partition, hintFor: 77 }, record),
    'stored durable',
    'the sender has an older ring, or a newer one',
  );
  t.is(bench.node(1).hints(), '');
});

test('a hint for this very node is a record of its own', (t) => {
  const { player, record, partition, bench } = scene();
  t.is(player.store({ partition, hintFor: 1 }, record), 'stored durable');
  t.is(bench.node(1).hints(), '');
});

test('what comes to a node that owns no copy is kept for all owners', (t) => {
  const bench = new ClusterBench(5);
  const key = bench.keyOf(2); // of 2, 3 and 4
  bench.node(2).put(key, 'apple', { w: 3 });
  const record = Uint8Array.from(bench.node(2).storage.record(text(key)) as Uint8Array);
  for (const owner of [2, 3, 4]) bench.isolate(owner);
  const player = new Player(bench);
  bench.time.runFor(4_000);
  t.is(player.store({ partition: bench.partitionOf(key) }, record), 'stored durable hinted');
  t.is(bench.node(1).hints(), '2:1 3:1 4:1');
});

test('a read says what is there, and refuses a key that is not of the partition', (t) => {
  const { player, key, partition, bench } = scene();
  t.is(player.read(key, partition), 'found');
  t.is(player.read(bench.keyOf(1, 'other'), bench.partitionOf(bench.keyOf(1, 'other'))), 'absent');
  t.regex(player.read(key, (partition + 1) % 16), /^INVALID_ARGUMENT: A key of/);
  bench.node(1).storage.unknownReason = 'damaged';
  t.is(player.read(key, partition), 'unknowndamaged');
});
