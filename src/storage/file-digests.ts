/* The digests of a file that nobody writes to, chunk by chunk, made by the pool a stretch at a time. */
import type { Workers } from '../env/workers.js';
import { type Flow, wait } from '../lib/flow.js';

/** A task of the pool reads so much at once: some 20 ms. */
const DIGEST_TASK_BYTES = 16_777_216;

/** `path`: as tasks name it. Eight bytes of XXH64 each. */
export function* digestsOf(
  workers: Workers,
  path: string,
  { bytes, chunkBytes }: { readonly bytes: number; readonly chunkBytes: number },
): Flow<Uint8Array> {
  const digests: Uint8Array[] = [];
  const step = Math.max(chunkBytes, DIGEST_TASK_BYTES);
  for (let from = 0; from < bytes; from += step) {
    const task = { path, chunkBytes, from, until: Math.min(bytes, from + step) };
    const some = yield* wait<Uint8Array>((done) => {
      workers.digestChunks(task, done);
    });
    digests.push(some);
  }
  return new Uint8Array(Buffer.concat(digests));
}
