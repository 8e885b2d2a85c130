/*
 * What a copy of a partition's file is, for whoever receives it: what it says of itself, and digests by which a chunk is
 * known to have arrived as it was sent. Those are made some at a time, since cold reads wait for the threads, too.
 */
import type { FileSnapshot } from '../env/partition-file.js';
import type { CopiedFile, DigestTask } from '../env/workers.js';
import { writeU32 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { CHUNK_BYTES_MIN, CHUNKS_MAX } from '../model/transfer-messages.js';
import { LEAVES_PER_GROUP, LeafTree } from '../repair/merkle.js';
import { storedGroups } from '../storage/engine-leaves.js';
import { decodeFence, FENCE_KEY, unsealed } from '../storage/reap-format.js';

const DIGEST_BYTES = 8;

/** As disk/ opens one. */
interface FileBytes {
  /** Exactly so many bytes; good until the next call. */
  read(offset: number, length: number): Uint8Array;
}

export function describe(bytes: number, snapshot: FileSnapshot, leafCount: number, hash: Hash64): CopiedFile {
  const tree = new LeafTree(leafCount, storedGroups(snapshot, 0, leafCount / LEAVES_PER_GROUP));
  const [rootHi = 0, rootLo = 0, records = 0] = tree.root(hash);
  return { bytes, chunkBytes: chunkBytesOf(bytes), fence: fenceOf(snapshot, hash), rootHi, rootLo, records };
}

export function digestChunks(file: FileBytes, { chunkBytes, from, until }: DigestTask, hash: Hash64): Uint8Array {
  const digests = new Uint8Array(DIGEST_BYTES * Math.ceil((until - from) / chunkBytes));
  for (let at = from, i = 0; at < until; at += chunkBytes, i += DIGEST_BYTES) {
    const length = Math.min(chunkBytes, until - at);
    hash.hash(file.read(at, length), 0, length);
    writeU32(digests, i, hash.hi);
    writeU32(digests, i + 4, hash.lo);
  }
  return digests;
}

/** So large that there are not more chunks than one message can name. */
function chunkBytesOf(bytes: number): number {
  let chunkBytes = CHUNK_BYTES_MIN;
  while (bytes / chunkBytes > CHUNKS_MAX) chunkBytes *= 2;
  return chunkBytes;
}

function fenceOf(snapshot: FileSnapshot, hash: Hash64): number {
  const value = snapshot.get(FENCE_KEY);
  if (value === null) return 0;
  const body = unsealed(value, hash);
  const state = body === null ? null : decodeFence(body);
  if (state === null) throw new Error('The reap fence of the file fails its check');
  return state.fence;
}
