/*
 * A partition that a node drops as a whole goes past no write: what it holds is read before, and told to the observer and
 * to strangers.ts as if each record had been dropped by itself. What comes between has a hint, or it is not dropped.
 */
import { copyBytes } from '../../src/lib/bytes.js';
import type { PartitionId } from '../../src/model/ids.js';
import type { Engine } from '../../src/storage/engine.js';
import type { PartitionDrops } from '../../src/storage/move-storage.js';
import { HASH_END_HI, type HashPlace } from '../../src/storage/scan.js';
import type { Observer } from './observer.js';
import { putIdsOf, type Strangers } from './strangers.js';
import { textOf } from './tools.js';

const SCANNED_MAX = 256;
const SCANNED_BYTES_MAX = 1_048_576;

interface Held {
  readonly key: Uint8Array;
  readonly putIds: readonly string[];
}

export interface DropsWorld {
  readonly observer: Observer;
  readonly strangers: Strangers;
}

export function watchedDrops(engine: Engine, node: number, { observer, strangers }: DropsWorld): PartitionDrops {
  return {
    dropPartition: (partition, mayGo, done) => {
      const held: Held[] = [];
      const told = (): boolean => {
        if (!mayGo()) return false;
        const owners = strangers.ownersBeside(node, partition) ?? [];
        for (const { key, putIds } of held) {
          strangers.wentFrom(node, { partition, key }, owners, putIds);
          observer.wasDropped(node, textOf(key));
        }
        return true;
      };
      scan(engine, partition, { hi: 0, lo: 0 }, held, () => {
        engine.moves.dropPartition(partition, told, done);
      });
    },
  };
}

/** Of what cannot be read there is nothing to be told. */
function scan(engine: Engine, partition: number, from: HashPlace, held: Held[], done: () => void): void {
  engine.scan({
    partition: partition as PartitionId,
    fromHi: from.hi,
    fromLo: from.lo,
    untilHi: HASH_END_HI,
    untilLo: 0,
    recordsMax: SCANNED_MAX,
    bytesMax: SCANNED_BYTES_MAX,
    onRecord: ({ bytes, start, end }, key) => {
      if (end > start) held.push({ key: copyBytes(key), putIds: putIdsOf(bytes, start) });
    },
    onEnd: (next) => {
      if (next === null) done();
      else scan(engine, partition, next, held, done);
    },
  });
}
