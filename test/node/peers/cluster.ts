/*
 * Nodes that talk to each other: the real node and its sessions at one end, real links at the other, a simulated network
 * between. What they serve to each other is made up here: each answer tells the request that it belongs to.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import xxhash from 'xxhash-wasm';
import { PeerTable } from '../../../src/coordinator/peer-table.js';
import type { KeyedDigest } from '../../../src/env/digest.js';
import { Prng } from '../../../src/lib/prng.js';
import { BUILD, type Build } from '../../../src/model/build.js';
import { failure } from '../../../src/model/errors.js';
import { hash64From } from '../../../src/model/hash.js';
import { nodeId } from '../../../src/model/ids.js';
import type { Incoming } from '../../../src/node/incoming.js';
import { PartitaNode } from '../../../src/node/node.js';
import { PeerCredentials } from '../../../src/node/peers/credentials.js';
import { PeerLinks } from '../../../src/node/peers/links.js';
import { PEER_SETTINGS, type PeerSettings } from '../../../src/node/peers/settings.js';
import { replyError } from '../../../src/node/replies.js';
import type { Session } from '../../../src/node/session.js';
import { type RingDocument, unchanged } from '../../../src/ring/document.js';
import { Hlc } from '../../../src/versioning/hlc.js';
import { GET_REPLY, READ, STORE } from '../../../src/wire/kinds.js';
import {
  decodeForwardInto,
  decodeReadInto,
  decodeStoreInto,
  ForwardView,
  ReadView,
  StoreView,
} from '../../../src/wire/read-peer.js';
import * as write from '../../../src/wire/write-peer.js';
import { MemoryStorage } from '../../support/memory-storage.js';
import { TEST_SETTINGS } from '../../support/node-bench.js';
import { PoisonPool } from '../../support/poison-pool.js';
import { silentMeter } from '../../support/silent.js';
import { SimulatedTime } from '../../support/simulated-time.js';
import { PeerNetwork, type Host } from './network.js';

const api = await xxhash();

export const SECRET: Uint8Array = Buffer.from('a secret of the cluster');
export const CLUSTER_ID: string = 'c'.repeat(32);
export const keyedDigest: KeyedDigest = {
  hmac: (key, bytes) => createHmac('sha256', key).update(bytes).digest(),
  equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};

export const idOf = (ordinal: number): string => ordinal.toString(16).padStart(32, '0');
export const addressOf = (ordinal: number): string => `10.0.0.${ordinal}:7702`;

/** Members 1..count; partition p is owned by members p, p + 1, …, round. */
export function ringOf(
  count: number,
  replicaCount: number = Math.min(3, count),
  version: number = 1,
  level: number = BUILD.levelMax,
): RingDocument {
  const partitionCount = 16;
  const members = Array.from({ length: count }, (_, i) => ({
    nodeId: nodeId(idOf(i + 1)),
    ordinal: i + 1,
    address: `10.0.0.${i + 1}:7700`,
    peerAddress: addressOf(i + 1),
    zone: '',
    capacity: 1,
    leaving: false,
  }));
  const owners = Array.from(
    { length: partitionCount * replicaCount },
    (_, i) => ((Math.floor(i / replicaCount) + (i % replicaCount)) % count) + 1,
  );
  const head = { version, level, cluster: 'test', clusterId: CLUSTER_ID, partitionCount, replicaCount };
  return unchanged({ ...head, members, owners });
}

/** How a node treats what it is asked. */
export interface Manners {
  /** Until the answer, drawn up to this. */
  delayMsMax: number;
  /** Shares of requests refused, and never answered. */
  refused: number;
  ignored: number;
}

export class PeerNode {
  readonly ordinal: number;
  readonly host: Host;
  readonly node: PartitaNode;
  readonly links: PeerLinks;
  readonly table: PeerTable;
  readonly credentials: PeerCredentials;
  readonly logged: {
    readonly level: string;
    readonly event: string;
    readonly fields: Readonly<Record<string, unknown>>;
  }[] = [];
  readonly manners: Manners = { delayMsMax: 0, refused: 0, ignored: 0 };
  /** Requests that it has taken on. */
  served = 0;
  /** Ordinals of the peers whose requests it has served. */
  readonly askers: Set<number> = new Set();
  clockOffsetMs = 0;
  /** Serves first; false: the frame is none of its. */
  servesToo: ((session: Session, frame: Incoming) => boolean) | null = null;
  readonly #random: Prng;
  readonly #storeView: StoreView = new StoreView();
  readonly #readView: ReadView = new ReadView();
  readonly #forwardView: ForwardView = new ForwardView();

  constructor(cluster: PeerCluster, ordinal: number, ring: RingDocument, options: NodeOptions) {
    this.ordinal = ordinal;
    this.host = cluster.network.host(addressOf(ordinal));
    this.#random = cluster.random.fork();
    const random = this.#random.fork();
    const id = options.nodeId ?? idOf(ordinal);
    const clock = {
      wallMs: () => cluster.time.wallMs() + this.clockOffsetMs,
      monotonicMs: () => cluster.time.monotonicMs(),
    };
    const log =
      (level: string) =>
      (event: string, fields: Readonly<Record<string, unknown>> = {}) => {
        this.logged.push({ level, event, fields });
      };
    const logs = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
    this.credentials = new PeerCredentials({
      nodeId: id,
      secret: options.secret ?? SECRET,
      digest: keyedDigest,
      random,
      ring,
      build: options.build ?? BUILD,
    });
    this.node = new PartitaNode({
      settings: { ...TEST_SETTINGS, inFlightMax: 256, frameBodyBytesMax: 20_000_000, ...options.node },
      storage: new MemoryStorage(),
      hash: hash64From(api),
      clock,
      timers: this.host,
      random,
      hlc: new Hlc(0, 0),
      ring,
      nodeId: id,
      ordinal,
      build: options.build ?? BUILD,
      meter: silentMeter,
      log: logs,
      pool: new PoisonPool(),
      peers: {
        credentials: this.credentials,
        serve: (session, frame) => {
          if (this.servesToo?.(session, frame) !== true) this.#serve(session, frame);
        },
      },
    });
    this.host.acceptor = this.node.acceptor;
    this.table = new PeerTable(ordinal);
    this.links = new PeerLinks({
      clock,
      timers: this.host,
      random,
      dialer: cluster.network.dialerOf(this.host),
      log: logs,
      pool: new PoisonPool(),
      credentials: this.credentials,
      table: this.table,
      settings: { ...PEER_SETTINGS, ...options.links },
    });
  }

  warnings(event: string): number {
    return this.logged.filter((entry) => entry.level === 'warn' && entry.event === event).length;
  }

  reasons(): string {
    return this.logged.map(({ fields }) => (typeof fields['reason'] === 'string' ? fields['reason'] : '')).join('\n');
  }

  #serve(session: Session, frame: Incoming): void {
    this.served += 1;
    this.askers.add(session.acceptance?.member?.ordinal ?? -1);
    const { requestId, bodyBytes } = frame;
    const answer = this.#answerTo(frame);
    const { delayMsMax, refused, ignored } = this.manners;
    const luck = this.#random.float();
    if (luck < ignored) {
      this.host.after(3_000, () => {
        session.finish(bodyBytes);
      });
      return;
    }
    const reply = (): void => {
      if (luck < ignored + refused) replyError(session, requestId, failure('OVERLOADED', 'Not now'));
      else if (!session.closed) answer(session, requestId);
      session.finish(bodyBytes);
    };
    if (delayMsMax === 0) reply();
    else this.host.after(this.#random.float() * delayMsMax, reply);
  }

  /** The fence of a StoreReply is the record's checksum; a read finds its key, reversed; a forward comes back. */
  #answerTo(frame: Incoming): (session: Session, requestId: number) => void {
    if (frame.kind === STORE) {
      const view = this.#storeView;
      check(decodeStoreInto(view, frame.bytes, frame.start, frame.end));
      const sum = checksum(view.bytes.subarray(view.record.start, view.record.end));
      const reply = { ringVersion: view.ringVersion, fence: sum, durable: view.durable, hinted: view.hintFor > 0 };
      return ({ connection }, requestId) => {
        const at = connection.claim(write.sizeOfStoreReplyFrame(reply));
        write.writeStoreReplyFrame(connection.output, at, requestId, reply);
      };
    }
    if (frame.kind === READ) {
      const view = this.#readView;
      check(decodeReadInto(view, frame.bytes, frame.start, frame.end));
      const record = Uint8Array.from(view.bytes.subarray(view.key.start, view.key.end)).reverse();
      const head = { state: 'found', ringVersion: view.ringVersion, fence: view.partition, reason: '' } as const;
      return ({ connection }, requestId) => {
        const at = connection.claim(write.sizeOfReadReplyFrame(head, record.length));
        write.writeReadReplyFrame(connection.output, at, requestId, head, record, 0, record.length);
      };
    }
    const view = this.#forwardView;
    check(decodeForwardInto(view, frame.bytes, frame.start, frame.end));
    const body = Uint8Array.from(view.bytes.subarray(view.body.start, view.body.end));
    return ({ connection }, requestId) => {
      const at = connection.claim(write.sizeOfForwardReplyFrame(GET_REPLY, body.length));
      write.writeForwardReplyFrame(connection.output, at, requestId, GET_REPLY, body, 0, body.length);
    };
  }
}

interface NodeOptions {
  readonly nodeId?: string;
  readonly secret?: Uint8Array;
  readonly node?: Partial<typeof TEST_SETTINGS>;
  readonly links?: Partial<PeerSettings>;
  /** Default: this one. */
  readonly build?: Build;
}

export class PeerCluster {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly random: Prng;
  readonly network: PeerNetwork;
  readonly nodes: Map<number, PeerNode> = new Map();

  constructor(seed: number) {
    this.random = new Prng(seed);
    this.network = new PeerNetwork(this.time, this.random.fork());
  }

  add(ordinal: number, ring: RingDocument, options: NodeOptions = {}): PeerNode {
    const node = new PeerNode(this, ordinal, ring, options);
    this.nodes.set(ordinal, node);
    return node;
  }

  /** All members of a ring, connected to each other. */
  static connected(count: number, seed: number, options: NodeOptions = {}): PeerCluster {
    const cluster = new PeerCluster(seed);
    const ring = ringOf(count);
    for (let ordinal = 1; ordinal <= count; ordinal++) cluster.add(ordinal, ring, options);
    for (const node of cluster.nodes.values()) node.links.start();
    cluster.time.runFor(500);
    return cluster;
  }

  node(ordinal: number): PeerNode {
    const node = this.nodes.get(ordinal);
    if (node === undefined) throw new Error(`There is no node ${ordinal}`);
    return node;
  }
}

export function checksum(bytes: Uint8Array): number {
  let sum = bytes.length;
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) >>> 0;
  return sum;
}

function check(fault: string): void {
  if (fault !== '') throw new Error(fault);
}
