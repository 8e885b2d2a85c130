/*
 * One archived value as a new put: for what was deleted by mistake. A restore leaves deleted what was deleted; this does
 * not bring the old version back either, it writes its value anew, over the delete that it has read.
 */
import { PartitaError } from '../../client/index.js';
import type { ArchivedPartition, Manifest } from '../../archive/manifest.js';
import { withCopiedFile } from '../../disk/lmdb-copied-file.js';
import type { Hash64 } from '../../model/hash.js';
import { MARK_BYTES } from '../../storage/engine-mark.js';
import { storageKey } from '../../storage/storage-key.js';
import { RecordView } from '../../versioning/view.js';
import { parseWhole } from '../durations.js';
import { EXIT_CONFLICT, EXIT_DONE, EXIT_NOT_FOUND } from '../exit-codes.js';
import type { Io } from '../io.js';
import { timeOf } from '../output.js';
import { type CommonOptions, withClient } from '../session.js';
import { DIGEST } from './target.js';
import { filePathOf } from './verifying.js';

export interface Undeleting {
  readonly target: string;
  readonly manifest: Manifest;
  readonly partition: ArchivedPartition | undefined;
  readonly hash: Hash64;
}

interface ArchivedValue {
  readonly value: Uint8Array;
  readonly writtenMs: number;
  readonly expiresMs: number;
}

export type UndeleteOptions = CommonOptions & { readonly key?: string; readonly sibling?: string };

export async function runUndelete(io: Io, world: Undeleting, options: UndeleteOptions): Promise<number> {
  const key = Buffer.from(options.key ?? '');
  const { name } = world.manifest;
  const values = archivedValues(world, key, Date.now());
  if (values.length === 0) {
    io.err(
      `error: ${name} has no value under this key, or only ones that have expired. Older archives may: --archive NAME\n`,
    );
    return EXIT_NOT_FOUND;
  }
  const chosen = options.sibling === undefined ? 1 : parseWhole(options.sibling, '--sibling', 1, values.length);
  if (values.length > 1 && options.sibling === undefined) {
    values.forEach(({ value, writtenMs }, i) => {
      io.err(`${i + 1}: ${value.length} bytes, written ${timeOf(writtenMs)}\n`);
    });
    io.err(`error: ${name} has ${values.length} versions of this key: say which by --sibling\n`);
    return EXIT_CONFLICT;
  }
  const { value, expiresMs } = values[chosen - 1] as ArchivedValue;
  return withClient(io, options, async (client) => {
    const now = await client.get(key);
    if (now.found)
      throw new PartitaError(
        'INVALID_ARGUMENT',
        'there is a value under this key, and nothing to undelete. To replace it, put',
      );
    const ttlMs = expiresMs === 0 ? undefined : Math.max(1, expiresMs - Date.now());
    await client.put(key, value, { context: now.context, ttlMs });
    io.err(`${value.length} bytes of ${name} are stored again\n`);
    return EXIT_DONE;
  });
}

/** As a reader would have been shown them. */
function archivedValues(
  { target, manifest, partition, hash }: Undeleting,
  key: Uint8Array,
  nowMs: number,
): readonly ArchivedValue[] {
  if (partition?.file == null) return [];
  const path = filePathOf(target, manifest.name, partition.partition, partition.file);
  hash.hash(key, 0, key.length);
  const place = storageKey(hash.hi, hash.lo, key, DIGEST);
  return withCopiedFile(path, (_bytes, snapshot) => {
    const stored = snapshot.get(place);
    if (stored === null) return [];
    const record = new Uint8Array(stored.subarray(0, stored.length - MARK_BYTES));
    const view = new RecordView();
    view.show(record, 0, nowMs);
    return Array.from({ length: view.shownCount }, (_, i) => ({
      value: record.slice(view.valueStart(i), view.valueStart(i) + view.valueBytes(i)),
      writtenMs: view.writtenMs(i),
      expiresMs: view.expiresMs(i),
    }));
  });
}
