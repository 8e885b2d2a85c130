/*
 * Builds the real world for a node and puts the node into it: directory, storage, listeners. The one place that knows all
 * the parts.
 */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import xxhash from 'xxhash-wasm';
import type { Disk } from '../env/disk.js';
import type { Random } from '../env/random.js';
import type { Acceptor, Dialer } from '../env/transport.js';
import { CLOCK_SKEW_MAX_MS, COMPACT_ACTORS_MIN, RETRY_WINDOW_S } from '../model/limits.js';
import { type Hash64, hash64From } from '../model/hash.js';
import type { ListenerGroup } from '../model/messages.js';
import { formatTcp } from '../net/address.js';
import { BufferPool } from '../lib/buffer-pool.js';
import { TcpDialer } from '../net/dialer.js';
import { FlushQueue } from '../net/flush-queue.js';
import { listen, type Listener } from '../net/listener.js';
import type { BackgroundOptions } from '../node/background.js';
import type { ClusterOptions, ReapingOptions } from '../node/cluster/options.js';
import { PartitaNode } from '../node/node.js';
import { type AcceptorFile, openAcceptor } from '../storage/acceptor-file.js';
import { RingNotesFile } from '../storage/ring-notes-file.js';
import { readKernelLimits } from './check-limits.js';
import { readSecret, unsharedSecret } from './cluster-secret.js';
import type { Address, Config } from './config-types.js';
import { answered, promised } from './flows.js';
import type { ProcessLog } from './logging.js';
import { type NodeDirectory, openDirectory } from './node-directory.js';
import { type LoopDelayMonitor, monitorLoopDelay } from './loop-delay.js';
import { nodeSettings } from './node-settings.js';
import { statusFigures, statusLine } from './node-status.js';
import { kernelRandom, realClock, realDigest, realTimers } from './real-world.js';
import { type NodeStart, type RunningNode, type StartNode, StartRefusedError } from './running-node.js';
import { watchServedWell } from './served-well.js';
import { openStorage, type StorageWorld } from './storage-world.js';

/** How long a drain waits for answers under way; systemd's TimeoutStopSec must be longer. */
const DRAIN_GRACE_MS = 20_000;
/** A sync that has not come back for this long: the watchdog is not fed any more. */
const STUCK_MS = 30_000;
const ADMIN_CONNECTIONS_MAX = 64;
/** How long a start waits for the other nodes, and how often it looks. */
const REACH_PEERS_MS = 1_000;
const REACH_LOOK_MS = 10;
const HEALED_BY_NOBODY =
  'They answer UNKNOWN_STATE to reads. Restore the directory from a copy, or start once with --accept-loss to serve what is there';
const NEW_STORE =
  'This store is new, so it answers no reads before it has met all other owners of its partitions. In a new cluster that is when all its nodes have been up; where a lost store is replaced, everything is fetched first (partita repair status tells how far it is). With --accept-loss it serves reads at once, from what it has';
const HEALED_BY_OTHERS =
  'Reads count this replica as unknown and ask the others, until it has compared everything with every other owner: that begins by itself as soon as they are reached (partita repair status tells how far it is). --accept-loss would have reads believe what is here, and is only for when other owners are lost for good';

export const startNode: StartNode = async (start) => {
  const { config, init, initFrom, log, meter, fatal } = start;
  const hash = hash64From(await xxhash());
  const random = kernelRandom();
  const timers = realTimers();
  const settings = await nodeSettings(config, process.env);
  const secret = await readSecret(config.peer.secretFile, log);
  const clientAddress = addressText(config.client.advertise ?? config.client.listen);
  const directory = await openDirectory({
    config,
    init,
    initFrom,
    hash,
    random,
    clientAddress,
    peerAddress: secret === null ? '' : peerAddressOf(config),
    env: process.env,
    limits: readKernelLimits(),
    hasSecret: secret !== null,
  });
  if ('waiting' in directory) return waitingNode(directory.waiting, directory.lock);
  const { ring, member, lock } = directory;
  logOpening(log, directory, config);
  const storage = await openStorage({ config, directory, hash, clock: realClock, timers, random, meter, log, fatal });
  await settleSuspects(start, storage, directory);
  const loopDelay = monitorLoopDelay();
  const pool = new BufferPool(config.memory.connectionBufferBytes / 2);
  const queue = new FlushQueue();
  const dialer = new TcpDialer(pool, queue);
  const cluster = await clusterOptions(start, { directory, secret, hash, random, dialer, storage });
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
    background: backgroundOptions(config, directory, storage, loopDelay),
    cluster,
  });
  const served = watchServedWell(timers, directory.meta, () => isVerifying(node), fatal);
  const listeners = await openListeners(start, node.acceptor, pool, queue, () => othersReached(node));
  const [client, peer, admin] = listeners.map(({ address }) => address) as [string, string, string];
  return {
    ready: { client, peer, admin, nodeId: member.nodeId },
    waiting: null,
    status: () => statusLine(storage.engine.status(), node),
    figures: () => statusFigures(node),
    healthy: syncsComeBack(storage),
    drain: async () => {
      await closed(listeners);
      await new Promise<void>((done) => {
        node.drain('The node is being stopped', DRAIN_GRACE_MS, done);
      });
      node.stop();
      served.cancel();
      loopDelay.stop();
      await storage.close();
      lock.release();
    },
  };
};

/** For the ring of a cluster of one; empty: it is not known before it is bound. */
function peerAddressOf({ peer }: Config): string {
  const address = peer.advertise ?? peer.listen;
  return address.port === 0 ? '' : addressText(address);
}

function backgroundOptions(
  { background, scrub, storage }: Config,
  { meta }: NodeDirectory,
  { engine }: StorageWorld,
  loopDelay: LoopDelayMonitor,
): BackgroundOptions {
  const { requestTargetMs, loopDelayTargetMs, bytesPerSecondMin, bytesPerSecondMax } = background;
  return {
    targets: { requestMs: requestTargetMs, loopDelayMs: loopDelayTargetMs, syncMs: storage.syncTargetMs },
    bounds: { min: bytesPerSecondMin, max: bytesPerSecondMax },
    loopDelayMs: () => {
      const { p99Ms } = loopDelay.read();
      loopDelay.reset();
      return p99Ms;
    },
    scrub: { store: engine.scrub, verifySoon: !meta.lastStop.clean && meta.meta.opening > 1, ...scrub },
  };
}

function isVerifying(node: PartitaNode): boolean {
  return node.background.scrubStatus()?.isVerifying === true;
}

/** True as long as what is written becomes durable, sooner or later. */
function syncsComeBack(storage: StorageWorld): () => boolean {
  let lastDurableMs = realClock.monotonicMs();
  let lastDurableLsn = 0;
  return () => {
    const { lastLsn, durableLsn } = storage.engine.status();
    if (durableLsn > lastDurableLsn || lastLsn === durableLsn) lastDurableMs = realClock.monotonicMs();
    lastDurableLsn = durableLsn;
    return realClock.monotonicMs() - lastDurableMs < STUCK_MS;
  };
}

async function closed(listeners: readonly Listener[]): Promise<void> {
  await Promise.all(
    listeners.map(
      (listener) =>
        new Promise<void>((done) => {
          listener.close(done);
        }),
    ),
  );
}

interface MemberParts {
  readonly directory: NodeDirectory;
  /** null: it may be joined by others once it has one to share with them. */
  readonly secret: Uint8Array | null;
  readonly hash: Hash64;
  readonly random: Random;
  readonly dialer: Dialer;
  readonly storage: StorageWorld;
}

async function clusterOptions(
  { config, log, fatal, removed }: NodeStart,
  { directory, secret, hash, random, dialer, storage: { engine } }: MemberParts,
): Promise<ClusterOptions> {
  const { periodMs: repairPeriodMs, reapAfterMs, reapLogRetentionMs } = config.repair;
  const reaping: ReapingOptions = {
    retryWindowMs: 1_000 * RETRY_WINDOW_S,
    skewMs: CLOCK_SKEW_MAX_MS,
    reapAfterMs,
    lookEveryMs: reapAfterMs,
    compactActorsMin: COMPACT_ACTORS_MIN,
    logRetentionMs: reapLogRetentionMs,
  };
  const { hints, reaps } = engine;
  const { disk, rings } = directory;
  return {
    secret: secret ?? unsharedSecret(),
    isLone: secret === null,
    digest: realDigest,
    dialer,
    seeds: config.peer.seeds.map(addressText),
    hints,
    replicas: engine,
    drops: engine.moves,
    repairPeriodMs,
    reaps,
    reaping,
    files: { moves: engine.moves, disk },
    acceptor: await acceptorOf(disk, hash, random, log),
    rings: {
      kept: rings.document,
      save: (document, done) => {
        rings.save(document, (error) => {
          if (error === null) done(null);
          else fatal(error); // a slot that may be half written must not be written again
        });
      },
    },
    ...(await openNotes(disk, hash, log)),
    onRemoved: removed,
  };
}

/** A node without them forgets what is staged when it is stopped, and is no worse. */
async function openNotes(disk: Disk, hash: Hash64, log: ProcessLog): Promise<Pick<ClusterOptions, 'notes'>> {
  try {
    return { notes: await promised(RingNotesFile.open(disk, hash)) };
  } catch (error) {
    log.warn('ring-notes-unusable', { error: (error as Error).message });
    return {};
  }
}

/** A node without a memory for votes serves like the others: it only has no say in what the next ring is. */
async function acceptorOf(disk: Disk, hash: Hash64, random: Random, log: ProcessLog): Promise<AcceptorFile | string> {
  const file = await promised(openAcceptor(disk, hash, random));
  if (typeof file === 'string') log.error('acceptor-unusable', { text: `This node ${file}` });
  else if (file.found === 'damaged') {
    const text =
      'ring/acceptor could not be read, and was made anew: this node votes again when a ring names the new one';
    log.warn('acceptor-damaged', { text });
  }
  return file;
}

function logOpening(log: ProcessLog, { isNew, path, ring, member, meta }: NodeDirectory, config: Config): void {
  const { nodeId, address, peerAddress } = member;
  const { opening } = meta.meta;
  log.info(isNew ? 'initialised' : 'opening', { dataDir: path, nodeId, opening, clean: meta.lastStop.clean });
  const warnOf = (whom: string, inRing: string, table: 'client' | 'peer'): void => {
    const ours = addressText(config[table].advertise ?? config[table].listen);
    if (inRing === ours) return;
    log.warn('address', {
      text: `The ring tells ${whom} to dial ${inRing}, and this node is to be dialled at ${ours}: set ${table}.listen or ${table}.advertise`,
    });
  };
  warnOf('clients', address, 'client');
  if (ring.members.length > 1) warnOf('the other nodes', peerAddress, 'peer');
}

/** An empty directory: the process is up, says what it waits for, and serves nobody. */
function waitingNode(text: string, lock: { release(): void }): RunningNode {
  return {
    ready: { client: '', peer: '', admin: '', nodeId: '' },
    waiting: text,
    status: () => text,
    figures: () => ({}),
    healthy: () => true,
    drain: () => {
      lock.release();
      return Promise.resolve();
    },
  };
}

/**
 * With one replica nobody can heal a suspect partition: whoever runs the node decides, in so many words. With more, the
 * others have what may be missing here, and what is left is trusted only by whoever knows that they have not.
 */
async function settleSuspects(
  start: NodeStart,
  storage: StorageWorld,
  { isNew, ring: { replicaCount } }: NodeDirectory,
): Promise<void> {
  const suspects = storage.engine.status().suspectPartitions;
  if (suspects.length === 0) return;
  if (isNew && !start.acceptLoss) {
    start.log.info('store-new', { text: NEW_STORE });
    return;
  }
  if (!start.acceptLoss) {
    const text = `${suspects.length} partitions may have lost acknowledged writes. ${replicaCount > 1 ? HEALED_BY_OTHERS : HEALED_BY_NOBODY}`;
    start.log.error('suspect', { partitions: suspects, text });
    return;
  }
  await Promise.all(
    suspects.map((partition) =>
      answered((done) => {
        storage.engine.trust(partition, done);
      }),
    ),
  );
  start.log.warn('loss-accepted', {
    partitions: suspects,
    text: 'Suspect partitions are served as they are: acknowledged writes may be lost',
  });
}

async function openListeners(
  start: NodeStart,
  accept: Acceptor,
  pool: BufferPool,
  queue: FlushQueue,
  beforeClients: () => Promise<void>,
): Promise<Listener[]> {
  const { config, log, meter } = start;
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
    listeners.push(await open('peer', addressText(config.peer.listen), config.limits.connectionsMax));
    listeners.push(await open('admin', `unix:${config.admin.socket}`, ADMIN_CONNECTIONS_MAX));
    await beforeClients();
    listeners.unshift(await open('client', addressText(config.client.listen), config.limits.connectionsMax));
    return listeners;
  } catch (error) {
    for (const listener of listeners) listener.close(() => {});
    throw new StartRefusedError((error as Error).message, { cause: error });
  }
}

/**
 * A node that has just started reaches nobody yet, and would refuse what needs a quorum. Clients have the other nodes
 * meanwhile, so it lets them in when it reaches its peers too; not later than in a moment, since some may be down for long.
 */
async function othersReached(node: PartitaNode): Promise<void> {
  const startedMs = realClock.monotonicMs();
  const isMissing = (): boolean => node.clusterStatus()?.peers.some(({ state }) => state !== 'ready') ?? false;
  while (isMissing() && realClock.monotonicMs() - startedMs < REACH_PEERS_MS) await rest(REACH_LOOK_MS);
}

function addressText({ host, port }: Address): string {
  return formatTcp(host, port);
}
