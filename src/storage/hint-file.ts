/*
 * hints.mdb, where hints outlive the log's segments: metadata only, since the records themselves lie where every record
 * of their key lies. It is made when the first hint is flushed; a node that never keeps one has no such file.
 */
import type { PartitionFile, PartitionFiles } from '../env/partition-file.js';
import type { Random } from '../env/random.js';
import type { Hint } from '../coordinator/hint-book.js';
import { newerFormatText } from '../model/build.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';
import { drawInstallation } from './engine-files.js';
import { HINTS_HOME_PARTITION, isHintKey, openHint } from './hint-format.js';
import { decodeHome, encodeHome, HOME_FORMAT, HOME_KEY } from './partition-home.js';
import { equalBytes } from '../lib/bytes.js';

/** Of addresses, not of memory: hints of 64 MiB of records take a hundredth of it. */
export const HINTS_MAP_BYTES: number = 2 ** 33;
const SCAN_ENTRIES = 256;

/** What the node knows of its file. */
export class HintFile {
  /** null: there is none, or not yet. */
  file: PartitionFile | null = null;
  /** Drawn when the file was made here; 0: no file. */
  installation: number = 0;
  /** Every hint entry of the log up to here is in the file. */
  appliedLsn: number = 0;

  home(appliedLsn: number, nodeId: NodeId, partitionCount: number, hash: Hash64): Uint8Array {
    const { installation } = this;
    return encodeHome({ nodeId, installation, appliedLsn, partition: HINTS_HOME_PARTITION, partitionCount }, hash);
  }

  /** Opens the file, or makes it, where none is open. */
  make(files: PartitionFiles, random: Random, done: (error: Error | null) => void): void {
    files.open('hints', HINTS_MAP_BYTES, (error, file) => {
      if (error !== null || file === undefined) {
        done(error ?? new Error('The file of hints was not opened'));
        return;
      }
      this.file = file;
      this.installation = drawInstallation(random);
      done(null);
    });
  }

  /** Takes over what the open file says of itself; a text if it is not to be used. Throws if a newer release wrote it. */
  judge(nodeId: NodeId, partitionCount: number, knownInstallation: number, hash: Hash64): string | null {
    const file = this.file as PartitionFile;
    const bytes = file.get(HOME_KEY);
    if (bytes === null) return file.stats().entries === 0 ? null : 'It does not say whose it is';
    const home = decodeHome(bytes, hash);
    if (home === null) return 'Its home entry fails its check';
    if ('newerFormat' in home) {
      throw new Error(newerFormatText('hints.mdb, the file of hints,', home.newerFormat, HOME_FORMAT));
    }
    if (home.nodeId !== nodeId) return `It belongs to node ${home.nodeId}`;
    if (home.partition !== HINTS_HOME_PARTITION || home.partitionCount !== partitionCount) {
      return `It is not the file of hints of a node with ${partitionCount} partitions`;
    }
    if (knownInstallation !== 0 && home.installation !== knownInstallation) {
      return `It is installation ${home.installation}, not ${knownInstallation}`;
    }
    this.installation = home.installation;
    this.appliedLsn = home.appliedLsn;
    return null;
  }
}

/** Goes through the hints of a file; `onDamaged` gets the keys of what is no hint. */
export function eachStoredHint(
  file: Pick<PartitionFile, 'scan'>,
  hash: Hash64,
  onHint: (hint: Hint) => void,
  onDamaged: (key: Uint8Array) => void,
): void {
  let after: Uint8Array | null = null;
  for (;;) {
    const entries: ReturnType<PartitionFile['scan']> = file.scan(after, SCAN_ENTRIES);
    for (const { key, value } of entries) {
      if (equalBytes(key, HOME_KEY)) continue;
      const hint = isHintKey(key) ? openHint(key, value, hash) : null;
      if (hint === null) onDamaged(key);
      else onHint(hint);
    }
    if (entries.length < SCAN_ENTRIES) return;
    after = entries[entries.length - 1]?.key ?? null;
  }
}
