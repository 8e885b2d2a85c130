import { copyBytes } from '../../lib/bytes.js';
import type { PartitionId } from '../../model/ids.js';
import type { ReapEntry } from '../../storage/reap-storage.js';
import type { Services } from '../services.js';

/** The keys that are stored here under the hash of a reap entry; a damaged record's key is not known. */
export function keysOfHash(
  { storage }: Pick<Services, 'storage'>,
  partition: PartitionId,
  { hashHi, hashLo }: Pick<ReapEntry, 'hashHi' | 'hashLo'>,
  done: (error: Error | null, keys?: readonly Uint8Array[]) => void,
): void {
  const keys: Uint8Array[] = [];
  storage.scan({
    partition,
    fromHi: hashHi,
    fromLo: hashLo,
    untilHi: hashLo === 0xffff_ffff ? hashHi + 1 : hashHi,
    untilLo: (hashLo + 1) >>> 0,
    recordsMax: 64,
    bytesMax: 1_048_576,
    onRecord: (_stored, key) => {
      if (key.length > 0) keys.push(copyBytes(key));
    },
    onEnd: (_next, fault) => {
      if (fault === null) done(null, keys);
      else done(new Error(fault.text));
    },
  });
}
