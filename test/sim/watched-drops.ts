/*
 * A partition that a node drops as a whole goes past no write: what it holds is read before, and told to the observer and
 * to strangers.ts as if each record had been dropped by itself. What comes between has a hint, or it is not dropped.
 */
import { copyBytes } from '../../src/lib/bytes.js';
import type { PartitionId } from '../../src/model/ids.js';
import type { Engine } from '../../src/storage/engine.js';
import type { PartitionDrops } from '../../src/storage/move-storage.js';
import { HASH_END_HI } from '../../src/storage/scan.js';
import type { Observer } from './observer.js';
import { putIdsOf, type Strangers } from './strangers.js';
import { textOf } from './tools.js';

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
          strangers.wentFrom(node, key, owners, putIds);
          observer.wasDropped(node, textOf(key));
        }
        return true;
      };
      scan(engine, partition, held, () => {
        engine.moves.dropPartition(partition, told, done);
      });
    },
  };
}

/** However much it is: partitions of the simulator are small. */
function scan(engine: Engine, partition: number, held: Held[], done: () => void): void {
  engine.scan({
    partition: partition as PartitionId,
    fromHi: 0,
    fromLo: 0,
    untilHi: HASH_END_HI,
    untilLo: 0,
    recordsMax: Number.POSITIVE_INFINITY,
    bytesMax: Number.POSITIVE_INFINITY,
    onRecord: ({ bytes, start, end }, key) => {
      if (end > start) held.push({ key: copyBytes(key), putIds: putIdsOf(bytes, start) });
    },
    onEnd: () => {
      done(); // of what cannot be read there is nothing to be told
    },
  });
}
