/*
 * Members of one ring on a bench: whole nodes on storages in memory, joined by a simulated network, each with a client's
 * connection that the test speaks on. Partition p is owned by p + 1, p + 2 …, round; a key that is wanted for an owner is
 * looked for.
 */
import xxhash from 'xxhash-wasm';
import { PeerTable } from '../../../src/coordinator/peer-table.js';
import { Prng } from '../../../src/lib/prng.js';
import { hash64From } from '../../../src/model/hash.js';
import type { GetReply, GetRequest, PutReply, PutRequest } from '../../../src/model/messages.js';
import { PartitaNode } from '../../../src/node/node.js';
import { PeerCredentials } from '../../../src/node/peers/credentials.js';
import { PeerLinks } from '../../../src/node/peers/links.js';
import type { BodyAsker } from '../../../src/node/peers/request.js';
import { leafCountOf } from '../../../src/repair/merkle.js';
import { partitionBits, partitionOf } from '../../../src/ring/partition.js';
import { PreferenceTable } from '../../../src/ring/preference-table.js';
import { encodeRing, type RingDocument } from '../../../src/ring/document.js';
import { ringBytes } from '../../../src/ring/ring-bytes.js';
import { Hlc } from '../../../src/versioning/hlc.js';
import { encodeRingLearn } from '../../../src/wire/codec-ring-log.js';
import { HELLO, RING_LEARN } from '../../../src/wire/kinds.js';
import { sizeOfGetFrame, sizeOfPutFrame, writeGetFrame, writePutFrame } from '../../../src/wire/write-requests.js';
import { errorOf, helloBody, TEST_SETTINGS, TestConnection, type Frame } from '../../support/node-bench.js';
import { PoisonPool } from '../../support/poison-pool.js';
import { silentLog, silentMeter } from '../../support/silent.js';
import { SimulatedTime } from '../../support/simulated-time.js';
import { getReplyOf, putReplyOf, text } from '../../support/test-client.js';
import { addressOf, idOf, keyedDigest, ringOf, SECRET } from '../peers/cluster.js';
import { PeerNetwork, type Host } from '../peers/network.js';
import { TestStorage } from './test-storage.js';

const HASH = hash64From(await xxhash());
const NONE = new Uint8Array(0);
const nothing = (): void => undefined;
const NOBODY_LISTENS: BodyAsker = { onAnswered: nothing, onRefused: nothing, onUnanswered: nothing };
const SETTLE_STEP_MS = 5;

const REAPING = {
  reaping: {
    retryWindowMs: 60_000,
    skewMs: 60_000,
    reapAfterMs: 120_000,
    lookEveryMs: 60_000,
    compactActorsMin: 1,
    logRetentionMs: 86_400_000,
  },
};

export class Member {
  readonly ordinal: number;
  readonly host: Host;
  readonly storage: TestStorage;
  readonly node: PartitaNode;
  readonly client: TestConnection = new TestConnection('client');
  /** Names of what it has logged as errors. */
  readonly errors: string[] = [];
  readonly warnings: string[] = [];
  isRemoved: boolean = false;
  readonly #bench: ClusterBench;
  #requestId = 100;

  constructor(bench: ClusterBench, ordinal: number, storage: TestStorage) {
    this.#bench = bench;
    this.ordinal = ordinal;
    this.storage = storage;
    storage.leafCount = leafCountOf(bench.ring.partitionCount);
    const { network, time, ring } = bench;
    this.host = network.hosts.get(addressOf(ordinal)) as Host;
    const random = bench.random.fork();
    this.node = new PartitaNode({
      settings: { ...TEST_SETTINGS, valueBytesMax: 1_048_576, recordBytesMax: 4_194_304, frameBodyBytesMax: 6_000_000 },
      storage,
      hash: HASH,
      clock: time,
      timers: this.host,
      random,
      hlc: new Hlc(0, 0),
      ring,
      nodeId: idOf(ordinal),
      ordinal,
      meter: silentMeter,
      log: {
        ...silentLog,
        warn: (event) => {
          this.warnings.push(event);
        },
        error: (event) => {
          this.errors.push(event);
        },
      },
      pool: new PoisonPool(),
      cluster: {
        secret: SECRET,
        digest: keyedDigest,
        dialer: network.dialerOf(this.host),
        seeds: bench.seeds,
        hints: storage.hints,
        replicas: storage,
        drops: storage,
        repairPeriodMs: 3_600_000,
        ...REAPING,
        reaps: storage.reaps,
        acceptor: 'has no memory in this test',
        rings: {
          kept: encodeRing(ring),
          save: (_document, done) => {
            done(null);
          },
        },
        onRemoved: () => {
          this.isRemoved = true;
        },
      },
    });
    this.host.acceptor = this.node.acceptor;
    this.client.events = this.node.acceptor(this.client);
    this.client.send(HELLO, 1, helloBody('client'));
    this.client.take();
  }

  askPut(key: string, value: string | undefined, more: Partial<PutRequest> = {}): void {
    const put: PutRequest = {
      key: text(key),
      value: value === undefined ? undefined : text(value),
      context: NONE,
      putId: this.#bench.putId(),
      retry: false,
      budgetMs: 2_000,
      namespace: '',
      ringVersion: 1,
      w: 0,
      strict: false,
      durable: false,
      ttlMs: 0,
      returnSiblings: false,
      ...more,
    };
    const frame = Buffer.alloc(sizeOfPutFrame(put));
    writePutFrame(frame, 0, ++this.#requestId, put);
    this.send(frame);
  }

  askGet(key: string, more: Partial<GetRequest> = {}): void {
    const get: GetRequest = {
      key: text(key),
      budgetMs: 2_000,
      namespace: '',
      ringVersion: 1,
      r: 0,
      strict: false,
      ...more,
    };
    const frame = Buffer.alloc(sizeOfGetFrame(get));
    writeGetFrame(frame, 0, ++this.#requestId, get);
    this.send(frame);
  }

  /** As a socket does: the chunk's memory is used again at once. */
  send(frame: Uint8Array): void {
    this.client.bytes(frame);
    if (this.client.reading) frame.fill(0xee);
  }

  /** Lets time pass until the client has an answer. */
  answer(): Frame {
    let frame: Frame | undefined;
    this.#bench.time.runUntil(() => {
      frame ??= this.client.take()[0];
      return frame !== undefined;
    }, 10_000);
    return frame as Frame;
  }

  put(key: string, value: string | undefined, more: Partial<PutRequest> = {}): PutReply {
    this.askPut(key, value, more);
    return putReplyOf(this.answer());
  }

  putError(key: string, value: string | undefined, more: Partial<PutRequest> = {}): ReturnType<typeof errorOf> {
    this.askPut(key, value, more);
    return errorOf(this.answer());
  }

  get(key: string, more: Partial<GetRequest> = {}): GetReply {
    this.askGet(key, more);
    return getReplyOf(this.answer());
  }

  getError(key: string, more: Partial<GetRequest> = {}): ReturnType<typeof errorOf> {
    this.askGet(key, more);
    return errorOf(this.answer());
  }

  values(key: string, more: Partial<GetRequest> = {}): string[] {
    return this.get(key, more)
      .siblings.map(({ value }) => Buffer.from(value).toString())
      .sort();
  }

  holds(key: string): boolean {
    return this.storage.record(text(key)) !== undefined;
  }

  /** Owners for whom hints are kept here, each with how many. */
  hints(): string {
    return (this.node.clusterStatus()?.hints ?? []).map(({ owner, count }) => `${owner}:${count}`).join(' ');
  }
}

export class ClusterBench {
  readonly time: SimulatedTime;
  readonly random: Prng;
  readonly network: PeerNetwork;
  /** The newest that has been installed. */
  ring: RingDocument;
  readonly members: Member[];
  #table: PreferenceTable;
  /** Of members that are started from now on. */
  seeds: readonly string[] = [];
  #heralds: readonly PeerLinks[] = [];
  #putIds = 0;

  /** `nodes` members, connected; N = `replicas`. `beside`: another cluster, at the same time. */
  constructor(
    nodes: number,
    replicas: number = 3,
    storageOf: (ordinal: number) => TestStorage = () => new TestStorage(),
    beside: { readonly network: PeerNetwork; readonly time: SimulatedTime; readonly clusterId: string } | null = null,
    ring: RingDocument = ringOf(nodes, replicas),
  ) {
    this.random = new Prng(7);
    this.time = beside?.time ?? new SimulatedTime();
    this.network = beside?.network ?? new PeerNetwork(this.time, this.random.fork());
    this.ring = beside === null ? ring : { ...ring, clusterId: beside.clusterId };
    this.#table = new PreferenceTable(this.ring);
    for (let ordinal = 1; ordinal <= nodes; ordinal++) this.network.host(addressOf(ordinal));
    this.members = Array.from({ length: nodes }, (_, i) => new Member(this, i + 1, storageOf(i + 1)));
    this.time.runFor(500);
  }

  node(ordinal: number): Member {
    return this.members[ordinal - 1] as Member;
  }

  /** These members hear of a ring, and it is in force there when this returns; the others learn of it by and by. */
  install(ring: RingDocument, ordinals: readonly number[] = this.members.map(({ ordinal }) => ordinal)): void {
    if (this.#heralds.length === 0) {
      this.#heralds = [this.playing(1), this.playing(2)];
      this.time.runFor(100);
    }
    const document = ringBytes(encodeRing(ring), HASH);
    const learn = encodeRingLearn({ budgetMs: 1_000, version: ring.version, document });
    for (const ordinal of ordinals) {
      const herald = this.#heralds[ordinal === 1 ? 1 : 0] as PeerLinks;
      herald.get(ordinal)?.ask(RING_LEARN, learn, 1_000, NOBODY_LISTENS, 0);
    }
    this.time.runFor(10);
    this.ring = ring;
    this.#table = new PreferenceTable(ring);
  }

  /** Links as of this member, which the test speaks on. */
  playing(ordinal: number): PeerLinks {
    const host = this.network.host(`10.9.9.${ordinal}:1`);
    const { ring, random, time: clock } = this;
    const credentials = new PeerCredentials({
      nodeId: idOf(ordinal),
      secret: SECRET,
      digest: keyedDigest,
      random: random.fork(),
      ring,
    });
    const links = new PeerLinks({
      clock,
      timers: host,
      random: random.fork(),
      dialer: this.network.dialerOf(host),
      log: silentLog,
      pool: new PoisonPool(),
      credentials,
      table: new PeerTable(ordinal),
    });
    links.start();
    return links;
  }

  partitionOf(key: string): number {
    const bytes = text(key);
    HASH.hash(bytes, 0, bytes.length);
    return partitionOf(HASH.hi, partitionBits(this.ring.partitionCount));
  }

  ownersOf(partition: number): readonly number[] {
    return [...this.#table.ownersOf(partition)];
  }

  preferenceList(key: string): readonly number[] {
    return [...this.#table.preferenceList(this.partitionOf(key))];
  }

  /** A key whose first owner this is, another each time for another `salt`. */
  keyOf(ordinal: number, salt: string = ''): string {
    for (let i = 0; ; i++) {
      const key = `key-${salt}${i}`;
      if (this.preferenceList(key)[0] === ordinal) return key;
    }
  }

  /** The process ends, and another one opens what is on its disk. */
  restart(ordinal: number): void {
    const { node, storage } = this.node(ordinal);
    node.stop();
    const address = addressOf(ordinal);
    for (const host of this.network.hosts.values()) {
      this.network.cut(host.address, address);
      this.network.cut(address, host.address);
    }
    this.network.host(address);
    storage.opening += 1;
    storage.hints.restorable = [...storage.hints.kept.values()];
    this.members[ordinal - 1] = new Member(this, ordinal, storage);
    this.time.runFor(100);
  }

  keyIn(partition: number, salt: string = ''): string {
    for (let i = 0; ; i++) {
      const key = `key-${salt}${i}`;
      if (this.partitionOf(key) === partition) return key;
    }
  }

  /** Nobody reaches it, and it reaches nobody; its clients do. */
  isolate(ordinal: number): void {
    const address = addressOf(ordinal);
    this.network.unreachable.add(address);
    for (const { host } of this.members) {
      this.network.cut(host.address, address);
      this.network.cut(address, host.address);
    }
  }

  rejoin(ordinal: number): void {
    this.network.unreachable.delete(addressOf(ordinal));
  }

  /** A key of node 1 that was put as `first` and then as `second`, of which the member `missed` holds only the first. */
  overwritten(missed: number): string {
    const key = this.keyOf(1);
    const { storage } = this.node(missed);
    this.node(1).put(key, 'first');
    this.time.runFor(500);
    const before = Buffer.from(storage.record(text(key)) as Uint8Array);
    const { context } = this.node(1).get(key);
    this.node(1).put(key, 'second', { context });
    this.time.runFor(500);
    storage.replace(text(key), before);
    return key;
  }

  /** Lets time pass in steps: stores answer scans in a later turn of the real loop. */
  async settle(forMs: number = 2_000): Promise<void> {
    for (let ms = 0; ms < forMs; ms += SETTLE_STEP_MS) {
      this.time.runFor(SETTLE_STEP_MS);
      await new Promise((done) => setImmediate(done));
    }
  }

  /** Of this moment. */
  putId(): Uint8Array {
    const id = new Uint8Array(12);
    const view = new DataView(id.buffer);
    view.setUint32(0, Math.floor(this.time.wallMs() / 1_000));
    view.setUint32(8, ++this.#putIds);
    return id;
  }
}
