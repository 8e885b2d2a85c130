/*
 * What a copy of a partition's file is, for whoever receives it: digests by which a chunk, and the whole, are known to have
 * arrived as they were sent, and what the file says of itself.
 */
import type { FileSnapshot } from '../env/partition-file.js';
import type { FileManifest } from '../env/workers.js';
import { writeU32 } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { CHUNK_BYTES_MIN, CHUNKS_MAX } from '../model/transfer-messages.js';
import { LEAVES_PER_GROUP, LeafTree } from '../repair/merkle.js';
import { storedGroups } from '../storage/engine-leaves.js';
import { decodeFence, FENCE_KEY, unsealed } from '../storage/reap-format.js';

const DIGEST_BYTES = 8;

/** As disk/'s FileBytes. */
interface CopiedFile {
  readonly bytes: number;
  read(offset: number, length: number): Uint8Array;
}

export function describe(file: CopiedFile, snapshot: FileSnapshot, leafCount: number, hash: Hash64): FileManifest {
  const chunkBytes = chunkBytesOf(file.bytes);
  const chunks = Math.ceil(file.bytes / chunkBytes);
  const digests = new Uint8Array(DIGEST_BYTES * chunks);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const offset = chunk * chunkBytes;
    const length = Math.min(chunkBytes, file.bytes - offset);
    digestInto(file.read(offset, length), digests, DIGEST_BYTES * chunk, hash);
  }
  const digest = new Uint8Array(DIGEST_BYTES);
  digestInto(digests, digest, 0, hash);
  const tree = new LeafTree(leafCount, storedGroups(snapshot, 0, leafCount / LEAVES_PER_GROUP));
  const [rootHi = 0, rootLo = 0, records = 0] = tree.root(hash);
  return { bytes: file.bytes, chunkBytes, digests, digest, fence: fenceOf(snapshot, hash), rootHi, rootLo, records };
}

/** So large that there are not more chunks than one message can name. */
function chunkBytesOf(bytes: number): number {
  let chunkBytes = CHUNK_BYTES_MIN;
  while (bytes / chunkBytes > CHUNKS_MAX) chunkBytes *= 2;
  return chunkBytes;
}

function digestInto(bytes: Uint8Array, target: Uint8Array, at: number, hash: Hash64): void {
  hash.hash(bytes, 0, bytes.length);
  writeU32(target, at, hash.hi);
  writeU32(target, at + 4, hash.lo);
}

function fenceOf(snapshot: FileSnapshot, hash: Hash64): number {
  const value = snapshot.get(FENCE_KEY);
  if (value === null) return 0;
  const body = unsealed(value, hash);
  const state = body === null ? null : decodeFence(body);
  if (state === null) throw new Error('The reap fence of the file fails its check');
  return state.fence;
}
