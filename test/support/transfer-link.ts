/*
 * Two ends of a real connection between members, for the proof of transfers: node 1, which serves what it is told to, and
 * the way of node 2 to it. Sockets, handshake, sessions and frames are the daemon's.
 */
import xxhash from 'xxhash-wasm';
import { PeerTable } from '../../src/coordinator/peer-table.js';
import type { Clock } from '../../src/env/clock.js';
import { BufferPool } from '../../src/lib/buffer-pool.js';
import { Prng } from '../../src/lib/prng.js';
import { hash64From } from '../../src/model/hash.js';
import { TcpDialer } from '../../src/net/dialer.js';
import { FlushQueue } from '../../src/net/flush-queue.js';
import { listen, type Listener } from '../../src/net/listener.js';
import { PartitaNode, type PeerService } from '../../src/node/node.js';
import { PeerCredentials } from '../../src/node/peers/credentials.js';
import { PeerLinks } from '../../src/node/peers/links.js';
import type { RingDocument } from '../../src/ring/document.js';
import { Hlc } from '../../src/versioning/hlc.js';
import { idOf, keyedDigest, ringOf, SECRET } from '../node/peers/cluster.js';
import { TIMERS } from '../storage/engine-real-world.js';
import { MemoryStorage } from './memory-storage.js';
import { TEST_SETTINGS } from './node-bench.js';
import { silentLog, silentMeter } from './silent.js';

export const DONOR = 1;
const RECEIVER = 2;
const CLOCK: Clock = { wallMs: () => Date.now(), monotonicMs: () => performance.now() };
const NOTHING = { add: (): void => undefined };

function ringAt(peerAddress: string): RingDocument {
  const ring = ringOf(2);
  return { ...ring, members: ring.members.map((member) => ({ ...member, peerAddress })) };
}

function credentialsOf(ordinal: number, ring: RingDocument, random: Prng): PeerCredentials {
  return new PeerCredentials({ nodeId: idOf(ordinal), secret: SECRET, digest: keyedDigest, random, ring });
}

/** Node 1 on a free port of loopback. */
export async function serveDonor(serve: PeerService['serve']): Promise<{ address: string; stop(): void }> {
  const random = new Prng(1);
  const ring = ringAt('127.0.0.1:1'); // nobody asks the donor where it is
  const pool = new BufferPool();
  const node = new PartitaNode({
    settings: TEST_SETTINGS,
    storage: new MemoryStorage(),
    hash: hash64From(await xxhash()),
    clock: CLOCK,
    timers: TIMERS,
    random,
    hlc: new Hlc(0, 0),
    ring,
    nodeId: idOf(DONOR),
    ordinal: DONOR,
    meter: silentMeter,
    log: silentLog,
    pool,
    peers: { credentials: credentialsOf(DONOR, ring, random), serve },
  });
  const listener = await new Promise<Listener>((resolve, reject) => {
    const options = { address: '127.0.0.1:0', group: 'peer', connectionsMax: 100, accept: node.acceptor } as const;
    const rest = { pool, queue: new FlushQueue(), log: silentLog, refused: NOTHING, acceptErrors: NOTHING };
    listen({ ...options, ...rest }, (error, opened) => {
      if (error !== null || opened === undefined) reject(error ?? new Error('No listener'));
      else resolve(opened);
    });
  });
  return {
    address: listener.address,
    stop: () => {
      node.stop();
      listener.close(() => undefined);
    },
  };
}

/** Node 2, as far as it asks node 1 at that address. */
export function linksTo(address: string): PeerLinks {
  const random = new Prng(process.pid);
  const ring = ringAt(address);
  const pool = new BufferPool();
  const links = new PeerLinks({
    clock: CLOCK,
    timers: TIMERS,
    random,
    dialer: new TcpDialer(pool, new FlushQueue()),
    log: silentLog,
    pool,
    credentials: credentialsOf(RECEIVER, ring, random),
    table: new PeerTable(RECEIVER),
  });
  links.start();
  return links;
}
