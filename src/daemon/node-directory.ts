/*
 * A node's directory before the engine opens it: whose it is, which ring it is in. Nothing is made unless `--init` or
 * `--init-from` asks for it, and an empty directory is never taken for a cluster of its own.
 */
import { mkdir, readdir, realpath } from 'node:fs/promises';
import type { Disk } from '../env/disk.js';
import type { Random } from '../env/random.js';
import { toHex } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { RealDisk } from '../disk/real-disk.js';
import { withUnsyncedLog } from '../disk/unsynced-log.js';
import { BUILD } from '../model/build.js';
import { encodeRing, firstRing, type RingDocument, type RingMember } from '../ring/document.js';
import { NodeMetaFile } from '../storage/node-meta.js';
import type { RingSlots } from '../storage/ring-slots.js';
import { SlotsDamagedError, SlotsTooNewError } from '../storage/slots.js';
import type { Config } from './config-types.js';
import { type DirectoryLock, DirectoryLockedError, lockDirectory } from '../disk/directory-lock.js';
import { promised } from './flows.js';
import { type KernelLimits, limitFaults } from './check-limits.js';
import { checkSeat, readSeat, type Seat } from './init-from.js';
import { createRing, openRing } from './ring-store.js';
import { type InitFrom, StartRefusedError } from './running-node.js';

export interface NodeDirectory {
  /** The real path: one string for every file that LMDB ever opens here. */
  readonly path: string;
  readonly disk: Disk;
  readonly lock: DirectoryLock;
  readonly meta: NodeMetaFile;
  readonly ring: RingDocument;
  /** Where newer ones are kept. */
  readonly rings: RingSlots;
  readonly member: RingMember;
  /** This start made the ring. */
  readonly isNew: boolean;
}

export interface EmptyDirectory {
  readonly path: string;
  readonly lock: DirectoryLock;
  readonly waiting: string;
}

export interface DirectoryOptions {
  readonly config: Config;
  readonly init: boolean;
  readonly initFrom?: InitFrom | undefined;
  readonly hash: Hash64;
  readonly random: Random;
  /** What clients are told to dial, for the first ring. */
  readonly clientAddress: string;
  /** The same for other nodes; empty: nobody is to join. */
  readonly peerAddress: string;
  readonly env: NodeJS.ProcessEnv;
  readonly limits: KernelLimits;
  /** This node has been told the secret of its cluster. */
  readonly hasSecret: boolean;
}

const FIRST_ORDINAL = 1;

/** Locks the directory and reads, or with `init` or `initFrom` makes, what identifies the node. */
export async function openDirectory(options: DirectoryOptions): Promise<NodeDirectory | EmptyDirectory> {
  const { initFrom, hash } = options;
  const seat = initFrom === undefined ? null : await readSeat(initFrom, hash); // before anything is made
  await makeDirectory(options.config.dataDir);
  const path = await realpath(options.config.dataDir);
  const lock = lockOrRefuse(path);
  try {
    return await identify(path, lock, options, seat);
  } catch (error) {
    lock.release();
    if (error instanceof SlotsDamagedError || error instanceof SlotsTooNewError) {
      throw new StartRefusedError(error.message, { cause: error });
    }
    throw error;
  }
}

function lockOrRefuse(path: string): DirectoryLock {
  try {
    return lockDirectory(path);
  } catch (error) {
    if (error instanceof DirectoryLockedError) throw new StartRefusedError(error.message, { cause: error });
    throw error;
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o750 });
  } catch (error) {
    throw new StartRefusedError(`The data directory ${path} cannot be made: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

async function identify(
  path: string,
  lock: DirectoryLock,
  options: DirectoryOptions,
  seat: Seat | null,
): Promise<NodeDirectory | EmptyDirectory> {
  const { hash, init, random, env } = options;
  const real = new RealDisk(path);
  const disk = env['NODE_ENV'] === 'test' && env['PARTITA_TEST_SYNC'] === 'off' ? withUnsyncedLog(real) : real;
  let kept = await promised(openRing(disk, hash));
  const known = kept?.ring ?? null;
  if (seat !== null) checkSeat(seat, path, known, await promised(NodeMetaFile.read(disk, hash)));
  refuseUnservable(path, known ?? seat?.ring ?? null, options);
  let meta = await promised(NodeMetaFile.open(disk, hash)); // what refuses without looking at it comes before: it counts an opening
  const isNew = kept === null;
  if (kept === null) {
    await refuseStrangeFiles(path, meta !== null);
    if (!init && seat === null) {
      const waiting = `${path} is empty: this node belongs to no cluster yet. Start once with --init to make a cluster of this one node, or with --init-from RING-FILE --node NAME to make it a member of a larger one`;
      return { path, lock, waiting };
    }
    meta ??= await promised(NodeMetaFile.create(disk, hash, random, seat?.member.nodeId));
    const ring = seat?.ring ?? newRing(options, meta);
    kept = await promised(createRing(disk, hash, ring, seat?.document ?? encodeRing(ring)));
  }
  if (meta === null) {
    throw new StartRefusedError(
      `${path} has a ring document but no node.meta: without it this node has lost its identity. Restore it from a copy of this directory; or, if the other nodes of its cluster have what it held, move everything in it away and start with --init-from RING-FILE --node NAME: it is then filled from them`,
    );
  }
  const { nodeId } = meta.meta;
  const { ring, slots: rings } = kept;
  const member = ring.members.find((one) => one.nodeId === nodeId);
  if (member === undefined)
    throw new StartRefusedError(
      `Node ${nodeId} is no member of ring version ${ring.version} of cluster ${ring.cluster}, which ${path} has: it has left, or was removed (or the directory was put together from two nodes). What it holds is not needed any more. To have this machine in the cluster again, let a new member join (partita cluster join), and start it in an empty directory`,
    );
  if (!isNew) await promised(rings.renew(disk));
  return { path, disk, lock, meta, ring, rings, member, isNew };
}

/** What this node cannot serve it does not begin. `ring`: null where it is made from the configuration, or not at all yet. */
function refuseUnservable(path: string, ring: RingDocument | null, options: DirectoryOptions): void {
  const { config, init, limits, hasSecret } = options;
  if (ring !== null && ring.members.length > 1 && !hasSecret)
    throw new StartRefusedError(
      `${path} belongs to cluster ${ring.cluster} of ${ring.members.length} nodes, which prove to each other that they know its secret, and this node has been told none: name the file with peer.secretFile (--peer-secret-file FILE). partita cluster init writes one; it must be the same on all nodes`,
    );
  if (ring === null && !init) return;
  const partitions = ring?.partitionCount ?? config.partitions;
  const faults = limitFaults(limits, partitions, config.limits.connectionsMax);
  if (faults.length > 0) throw new StartRefusedError(faults.join('\n'));
}

async function refuseStrangeFiles(path: string, hasMeta: boolean): Promise<void> {
  const strange = await strangeFiles(path, hasMeta);
  if (strange.length === 0) return;
  throw new StartRefusedError(
    `${path} has no ring document but holds ${strange.join(', ')}: this is no empty directory. Restore ring/, or choose an empty directory`,
  );
}

/** What an interrupted `--init` may leave is not strange. */
async function strangeFiles(path: string, hasMeta: boolean): Promise<string[]> {
  const expected = new Set([
    'lock',
    'node.meta.new',
    'ring',
    'lost+found',
    'admin.sock',
    ...(hasMeta ? ['node.meta'] : []),
  ]);
  return (await readdir(path)).filter(
    (name) => !expected.has(name) && !name.startsWith('.') && !name.startsWith('lock'),
  );
}

function newRing(options: DirectoryOptions, meta: NodeMetaFile): RingDocument {
  const clusterId = new Uint8Array(16);
  options.random.fill(clusterId);
  const { clientAddress: address, peerAddress } = options;
  const member = { nodeId: meta.meta.nodeId, ordinal: FIRST_ORDINAL, address, peerAddress, zone: '' };
  return firstRing(options.config.cluster, toHex(clusterId), member, options.config.partitions, BUILD.levelMax);
}
