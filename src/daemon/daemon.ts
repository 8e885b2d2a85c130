/*
 * Builds the real world for a node and puts the node into it: directory, storage, listeners. The one place that knows all
 * the parts.
 */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import xxhash from 'xxhash-wasm';
import type { Acceptor } from '../env/transport.js';
import { hash64From } from '../model/hash.js';
import type { ListenerGroup } from '../model/messages.js';
import { formatTcp } from '../net/address.js';
import { BufferPool } from '../lib/buffer-pool.js';
import { FlushQueue } from '../net/flush-queue.js';
import { listen, type Listener } from '../net/listener.js';
import { PartitaNode } from '../node/node.js';
import type { Address } from './config-types.js';
import { answered, promised } from './flows.js';
import type { ProcessLog } from './logging.js';
import { type NodeDirectory, openDirectory } from './node-directory.js';
import { nodeSettings } from './node-settings.js';
import { kernelRandom, realClock, realTimers } from './real-world.js';
import { type NodeStart, type RunningNode, type StartNode, StartRefusedError } from './running-node.js';
import { openStorage, type StorageWorld } from './storage-world.js';

/** How long a drain waits for answers under way; systemd's TimeoutStopSec must be longer. */
const DRAIN_GRACE_MS = 20_000;
/** A sync that has not come back for this long: the watchdog is not fed any more. */
const STUCK_MS = 30_000;
const ADMIN_CONNECTIONS_MAX = 64;

export const startNode: StartNode = async (start) => {
  const { config, init, initFrom, log, meter, fatal } = start;
  const hash = hash64From(await xxhash());
  const random = kernelRandom();
  const timers = realTimers();
  const settings = await nodeSettings(config, process.env);
  const clientAddress = addressText(config.client.advertise ?? config.client.listen);
  const directory = await openDirectory({ config, init, initFrom, hash, random, clientAddress, env: process.env });
  if ('waiting' in directory)
    return waitingNode(directory.waiting, () => {
      directory.lock.release();
    });
  const { ring, member, lock } = directory;
  logOpening(log, directory, clientAddress);
  const storage = await openStorage({ config, directory, hash, clock: realClock, timers, random, meter, log, fatal });
  await settleSuspects(start, storage);
  const pool = new BufferPool(config.memory.connectionBufferBytes / 2);
  const node = new PartitaNode({
    settings,
    storage: storage.engine,
    hash,
    clock: realClock,
    timers,
    random,
    hlc: storage.hlc,
    ring,
    nodeId: member.nodeId,
    ordinal: member.ordinal,
    meter,
    log,
    pool,
  });
  const listeners = await openListeners(start, node.acceptor, pool);
  const [client, peer, admin] = listeners.map(({ address }) => address) as [string, string, string];
  let lastDurableMs = realClock.monotonicMs();
  let lastDurableLsn = 0;
  return {
    ready: { client, peer, admin, nodeId: member.nodeId },
    waiting: null,
    status: () => statusLine(storage, node),
    healthy: () => {
      const { lastLsn, durableLsn } = storage.engine.status();
      if (durableLsn > lastDurableLsn || lastLsn === durableLsn) lastDurableMs = realClock.monotonicMs();
      lastDurableLsn = durableLsn;
      return realClock.monotonicMs() - lastDurableMs < STUCK_MS;
    },
    drain: async () => {
      await Promise.all(
        listeners.map(
          (listener) =>
            new Promise<void>((done) => {
              listener.close(done);
            }),
        ),
      );
      await new Promise<void>((done) => {
        node.drain('The node is being stopped', DRAIN_GRACE_MS, done);
      });
      node.stop();
      await storage.close();
      lock.release();
    },
  };
};

function logOpening(log: ProcessLog, { isNew, path, member, meta }: NodeDirectory, clientAddress: string): void {
  const { nodeId, address } = member;
  const { opening } = meta.meta;
  log.info(isNew ? 'initialised' : 'opening', { dataDir: path, nodeId, opening, clean: meta.lastStop.clean });
  if (address === clientAddress) return;
  log.warn('address', {
    text: `The ring tells clients to dial ${address}, and this node is to be dialled at ${clientAddress}: set client.listen or client.advertise`,
  });
}

/** An empty directory: the process is up, says what it waits for, and serves nobody. */
function waitingNode(text: string, release: () => void): RunningNode {
  return {
    ready: { client: '', peer: '', admin: '', nodeId: '' },
    waiting: text,
    status: () => text,
    healthy: () => true,
    drain: () => {
      release();
      return Promise.resolve();
    },
  };
}

/** With one replica nobody can heal a suspect partition: whoever runs the node decides, in so many words. */
async function settleSuspects(start: NodeStart, storage: StorageWorld): Promise<void> {
  const suspects = storage.engine.status().suspectPartitions;
  if (suspects.length === 0) return;
  if (!start.acceptLoss) {
    start.log.error('suspect', {
      partitions: suspects,
      text: `${suspects.length} partitions may have lost acknowledged writes and answer UNKNOWN_STATE to reads. Restore the directory from a copy, or start once with --accept-loss to serve what is there`,
    });
    return;
  }
  for (const partition of suspects)
    await answered((done) => {
      storage.engine.trust(partition, done);
    });
  start.log.warn('loss-accepted', {
    partitions: suspects,
    text: 'Suspect partitions are served as they are: acknowledged writes may be lost',
  });
}

async function openListeners(start: NodeStart, accept: Acceptor, pool: BufferPool): Promise<Listener[]> {
  const { config, log, meter } = start;
  const queue = new FlushQueue();
  await mkdir(dirname(config.admin.socket), { recursive: true, mode: 0o750 });
  const open = (group: ListenerGroup, address: string, connectionsMax: number): Promise<Listener> =>
    promised(
      (function* () {
        return (yield (done: (error: Error | null, value?: unknown) => void) => {
          const refused = meter.counter('partita_connections_refused_total', 'Connections closed at the limit', {
            group,
          });
          const acceptErrors = meter.counter('partita_accept_errors_total', 'Failures of accept', { group });
          listen({ address, group, connectionsMax, accept, pool, queue, log, refused, acceptErrors }, done);
        }) as Listener;
      })(),
    );
  const listeners: Listener[] = [];
  try {
    listeners.push(await open('client', addressText(config.client.listen), config.limits.connectionsMax));
    listeners.push(await open('peer', addressText(config.peer.listen), config.limits.connectionsMax));
    listeners.push(await open('admin', `unix:${config.admin.socket}`, ADMIN_CONNECTIONS_MAX));
    return listeners;
  } catch (error) {
    for (const listener of listeners) listener.close(() => {});
    throw new StartRefusedError((error as Error).message, { cause: error });
  }
}

function statusLine(storage: StorageWorld, node: PartitaNode): string {
  const { bufferBytes, bufferBytesMax, suspectPartitions, diskFull } = storage.engine.status();
  const fill = Math.round((100 * bufferBytes) / bufferBytesMax);
  const trouble = [
    diskFull ? 'disk full' : '',
    suspectPartitions.length > 0 ? `${suspectPartitions.length} suspect partitions` : '',
  ];
  return [`${node.sessions} connections`, `write buffer ${fill} %`, ...trouble.filter((text) => text !== '')].join(
    ', ',
  );
}

function addressText({ host, port }: Address): string {
  return formatTcp(host, port);
}
