/*
 * One partition into an archive: an owner is chosen, meets the others, writes its buffer to its file, and gives a copy of it.
 * What has not changed since the archive before is not copied. Each wait is a question asked again; nobody but this keeps
 * anything of it, and a copy that is not fetched goes by itself.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import type { ArchivedFile, ArchivedPartition } from '../../archive/manifest.js';
import { partitionFileName, unfinishedFileName } from '../../archive/names.js';
import { type Candidate, inOrderOfLoad, isMajority, isUnchanged, rootText } from '../../archive/plan.js';
import { syncFolder } from '../../disk/lmdb-file-moves.js';
import { readU32, toHex } from '../../lib/bytes.js';
import type { ArchiveStateReply } from '../../model/archive-messages.js';
import type { Hash64 } from '../../model/hash.js';
import { PIECE_BYTES_MAX, type TransferOpenReply } from '../../model/transfer-messages.js';
import { isPassing, type Members } from './asking.js';
import { inspectFile } from './inspect.js';
import { createFile } from './target.js';

const LOOK_MS = 250;

export interface TakingWorld {
  readonly members: Members;
  readonly folder: string;
  readonly hash: Hash64;
  /** When the archive began, by performance.now(). */
  readonly begunMs: number;
  /** How long the other owners are waited for. */
  readonly patienceMs: number;
  /** Copies of this archive are called so; no move is. */
  readonly copyId: number;
  /** What the archive before has of a partition, with the name of the archive that has its file. */
  before(partition: number): ArchivedPartition | undefined;
  /** So many bytes more have come. */
  onBytes(bytes: number): void;
}

/** Partitions that each owner has given so far. */
export type Taken = Map<number, number>;

/** Not this owner; perhaps another one. */
class DonorFault extends Error {}

export async function takePartition(world: TakingWorld, partition: number, taken: Taken): Promise<ArchivedPartition> {
  for (;;) {
    const faults: string[] = [];
    const candidates = await candidatesFor(world, partition, faults);
    for (const donor of inOrderOfLoad(candidates, taken)) {
      taken.set(donor, (taken.get(donor) ?? 0) + 1);
      try {
        return await takeFrom(world, partition, donor);
      } catch (error) {
        if (!(error instanceof DonorFault) && !isPassing(error)) throw error;
        faults.push(faultText(donor, error));
      }
    }
    if (await world.members.learnRing()) continue; // it may have other owners by now
    const note = `No owner could give it: ${faults.join('; ')}`;
    return { ...NOTHING, partition, note, takenAt: new Date().toISOString() };
  }
}

async function candidatesFor(
  { members }: TakingWorld,
  partition: number,
  faults: string[],
): Promise<readonly Candidate[]> {
  const candidates: Candidate[] = [];
  for (const owner of members.ownersOf(partition)) {
    try {
      const { latencyUs, isOwner, isSuspect } = await members.state(owner, { partition, meets: false, begunMsAgo: 0 });
      if (!isOwner) faults.push(`node ${owner} does not own it any more`);
      else if (isSuspect) faults.push(`node ${owner} may lack something of it`);
      else candidates.push({ owner, latencyUs });
    } catch (error) {
      if (!isPassing(error)) throw error;
      faults.push(faultText(owner, error));
    }
  }
  return candidates;
}

const NOTHING: Omit<ArchivedPartition, 'partition' | 'note' | 'takenAt'> = {
  complete: false,
  ...{ records: 0, values: 0, tombstones: 0, conflicts: 0, fence: 0, donor: 0 },
  root: '0'.repeat(16),
  file: null,
  met: [],
  missed: [],
};

function faultText(owner: number, error: unknown): string {
  return error instanceof DonorFault
    ? `node ${owner} ${error.message}`
    : `node ${owner}: ${error instanceof Error ? error.message : String(error)}`;
}

async function takeFrom(world: TakingWorld, partition: number, donor: number): Promise<ArchivedPartition> {
  const state = await metOthers(world, partition, donor);
  const { replicaCount } = world.members.ring;
  const missed = world.members.ownersOf(partition).filter((owner) => owner !== donor && !state.met.includes(owner));
  const complete = isMajority(state.met.length, replicaCount);
  const note = complete ? '' : `Node ${donor} has met ${state.met.length} of ${replicaCount - 1} other owners only`;
  const told = { partition, complete, note, donor, met: state.met, missed, takenAt: new Date().toISOString() };
  const before = world.before(partition);
  if (isUnchanged(state, before)) return { ...(before as ArchivedPartition), ...told };
  const last = await flushed(world, partition, donor, state);
  if (last.records === 0) return { ...NOTHING, ...told, root: rootText(last), fence: last.fence };
  return { ...told, ...(await copy(world, partition, donor)) };
}

/** Everybody who can be reached has been met since the archive began, as far as patience goes. */
async function metOthers(world: TakingWorld, partition: number, donor: number): Promise<ArchiveStateReply> {
  const untilMs = performance.now() + world.patienceMs;
  for (;;) {
    const begunMsAgo = Math.ceil(performance.now() - world.begunMs);
    const state = await world.members.state(donor, { partition, meets: true, begunMsAgo });
    if (!state.isOwner || state.isSuspect) throw new DonorFault('cannot be believed about it any more');
    if (state.unmet.length === 0 || performance.now() > untilMs) return state;
    await rest(LOOK_MS);
  }
}

/** All that was written until then is in the file. */
async function flushed(
  { members, patienceMs }: TakingWorld,
  partition: number,
  donor: number,
  met: ArchiveStateReply,
): Promise<ArchiveStateReply> {
  let state = met;
  for (const untilMs = performance.now() + patienceMs; state.flushedLsn < met.writtenLsn;) {
    if (performance.now() > untilMs) throw new DonorFault('does not come to write its buffer to its file');
    await rest(LOOK_MS);
    state = await members.state(donor, { partition, meets: false, begunMsAgo: 0 });
    if (state.opening !== met.opening) throw new DonorFault('was started again meanwhile');
  }
  return state;
}

type Copied = Pick<ArchivedPartition, 'records' | 'values' | 'tombstones' | 'conflicts' | 'root' | 'fence' | 'file'>;

async function copy(world: TakingWorld, partition: number, donor: number): Promise<Copied> {
  const { members, folder, hash, copyId } = world;
  const offer = await offered(world, partition, donor);
  const part = join(folder, unfinishedFileName(partition));
  await rm(part, { force: true });
  await rm(`${part}-lock`, { force: true });
  const file = await createFile(part);
  let sha256: string;
  try {
    sha256 = await fetch(world, partition, donor, offer, file);
    await file.sync();
  } finally {
    await file.close();
  }
  await members.close(donor, partition, copyId).catch(() => undefined); // it goes by itself
  const contents = inspectFile(part, partition, members.ring.partitionCount, hash);
  if ('fault' in contents) throw new DonorFault(`gave a file that is not sound: ${contents.fault}`);
  if (contents.root !== rootText(offer) || contents.records !== offer.records)
    throw new DonorFault('gave a file that is not the one that it had described');
  await rename(part, join(folder, partitionFileName(partition)));
  await syncFolder(folder);
  const kept: ArchivedFile = {
    ...{ archive: '', sha256, bytes: offer.bytes, chunkBytes: offer.chunkBytes },
    chunks: toHex(offer.digests),
  };
  return { ...contents, fence: offer.fence, file: kept };
}

async function offered(world: TakingWorld, partition: number, donor: number): Promise<TransferOpenReply> {
  const { members, patienceMs, copyId } = world;
  for (const untilMs = performance.now() + patienceMs; ;) {
    const offer = await members.open(donor, { partition, moveId: copyId, fence: 0 });
    if (offer.ready) return { ...offer, digests: new Uint8Array(offer.digests) };
    if (performance.now() > untilMs) throw new DonorFault('does not come to copy its file');
    await rest(LOOK_MS);
  }
}

/** Answers the SHA-256 of the whole. */
async function fetch(
  world: TakingWorld,
  partition: number,
  donor: number,
  { bytes, chunkBytes, digests, opening }: TransferOpenReply,
  file: FileHandle,
): Promise<string> {
  const { members, hash, copyId } = world;
  const sha256 = createHash('sha256');
  for (let from = 0, index = 0; from < bytes; from += chunkBytes, index++) {
    const chunk = new Uint8Array(Math.min(chunkBytes, bytes - from));
    for (let at = 0; at < chunk.length; at += PIECE_BYTES_MAX) {
      const length = Math.min(PIECE_BYTES_MAX, chunk.length - at);
      const piece = await members.chunk(donor, { partition, moveId: copyId, opening, offset: from + at, length });
      if (piece.length !== length) throw new DonorFault(`gave ${piece.length} bytes instead of ${length}`);
      chunk.set(piece, at);
      world.onBytes(length);
    }
    hash.hash(chunk, 0, chunk.length);
    if (hash.hi !== readU32(digests, 8 * index) || hash.lo !== readU32(digests, 8 * index + 4))
      throw new DonorFault(`gave chunk ${index} otherwise than it had said`);
    sha256.update(chunk);
    await file.writeFile(chunk);
  }
  return sha256.digest('hex');
}
