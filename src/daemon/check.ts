/*
 * `partita check DIR`: reads everything in the directory of a node that is not running, and changes nothing.
 *
 * The log is recovered in memory only. The partition files are read by a child process, since a damaged one may kill its
 * reader; the file of hints likewise. What is in the log and not yet in the files is counted with the log.
 */
import { readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import xxhash from 'xxhash-wasm';
import type { Disk } from '../env/disk.js';
import type { FileName } from '../env/partition-file.js';
import { DirectoryLockedError, lockDirectory } from '../disk/directory-lock.js';
import { RealDisk } from '../disk/real-disk.js';
import { type Hash64, hash64From } from '../model/hash.js';
import type { RingDocument } from '../ring/document.js';
import { MARK_BYTES } from '../storage/engine-mark.js';
import { decodeHint, removedHintId } from '../storage/hint-format.js';
import { LOG_KINDS } from '../storage/log-types.js';
import { type NodeMeta, NodeMetaFile } from '../storage/node-meta.js';
import { SUSPICIONS, suspicionText } from '../storage/partition.js';
import { type LoadedTable, PartitionTable } from '../storage/partition-table.js';
import { recoverLog } from '../storage/recovery.js';
import { checkRecord } from '../versioning/record.js';
import { readFiles } from './inspect-files.js';
import { promised } from './flows.js';
import { loadRing } from './ring-store.js';

export interface CheckFinding {
  /** `damage`: acknowledged data may be gone or unreadable. `warning`: worth knowing, nothing is lost. */
  readonly severity: 'damage' | 'warning';
  readonly where: string;
  readonly text: string;
}

export interface CheckReport {
  readonly ok: boolean;
  readonly counts: Readonly<Record<string, number>>;
  readonly findings: readonly CheckFinding[];
}

export async function checkDirectory(directory: string): Promise<CheckReport> {
  const path = await realpath(directory);
  const hash = hash64From(await xxhash());
  let lock;
  try {
    lock = lockDirectory(path);
  } catch (error) {
    if (!(error instanceof DirectoryLockedError)) throw error;
    throw new Error(`${error.message}. A running node checks itself; check a copy, or stop it first`, { cause: error });
  }
  try {
    return await new DirectoryCheck(path, hash).run();
  } finally {
    lock.release();
  }
}

class DirectoryCheck {
  readonly #path: string;
  readonly #hash: Hash64;
  readonly #disk: Disk;
  readonly #findings: CheckFinding[] = [];
  readonly #counts: Record<string, number> = {};
  /** Partition → where the log says last that it was dropped. */
  readonly #dropped: Map<number, number> = new Map();

  constructor(path: string, hash: Hash64) {
    this.#path = path;
    this.#hash = hash;
    this.#disk = new RealDisk(path);
  }

  async run(): Promise<CheckReport> {
    const meta = await this.#guarded('node.meta', () => promised(NodeMetaFile.read(this.#disk, this.#hash)));
    const ring = await this.#guarded('ring/document', () => promised(loadRing(this.#disk, this.#hash)));
    if (meta === null)
      this.#found('damage', 'node.meta', 'There is none: this is no directory of a node, or its identity is lost');
    if (ring === null) this.#found('damage', 'ring/document', 'There is no ring document');
    if (meta != null && ring != null) {
      if (!meta.clean)
        this.#found('warning', 'node.meta', 'The node was not stopped cleanly; the next start replays the log');
      await this.#log(meta);
      await this.#files(meta, ring);
    }
    return {
      ok: !this.#findings.some(({ severity }) => severity === 'damage'),
      counts: this.#counts,
      findings: this.#findings,
    };
  }

  /** undefined: it could not be read, and that has been said. */
  async #guarded<T>(where: string, read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      this.#found('damage', where, (error as Error).message);
      return undefined;
    }
  }

  async #log(meta: NodeMeta): Promise<void> {
    let damagedRecords = 0;
    let hints = 0;
    let damagedHints = 0;
    const { nodeId, opening, logSalt, lastLsn, clean } = meta;
    const options = {
      disk: this.#disk,
      hash: this.#hash,
      nodeId,
      opening,
      salt: logSalt,
      durableLsn: lastLsn,
      clean,
      readOnly: true,
    };
    const recovery = await this.#guarded('log', () =>
      promised(
        recoverLog(options, (kind, partition, lsn, body) => {
          if (kind === LOG_KINDS.partitionDropped) this.#dropped.set(partition, lsn);
          if (kind === LOG_KINDS.record && checkRecord(body, 0, body.length - MARK_BYTES, this.#hash, null) !== null)
            damagedRecords += 1;
          if (kind !== LOG_KINDS.hint && kind !== LOG_KINDS.hintRemoved) return;
          hints += 1;
          if ((kind === LOG_KINDS.hint ? decodeHint(body) : removedHintId(body)) === null) damagedHints += 1;
        }),
      ),
    );
    if (recovery === undefined) return;
    this.#counts['log entries'] = recovery.entries;
    this.#counts['log bytes'] = recovery.bytes;
    if (hints > 0) this.#counts['hint entries in the log'] = hints;
    if (damagedHints > 0) this.#found('damage', 'log', `${damagedHints} entries about hints make no sense`);
    if (damagedRecords > 0) this.#found('damage', 'log', `${damagedRecords} records do not hold their checksums`);
    for (const { segment, offset, text } of recovery.damage)
      this.#found('damage', `log segment ${segment}, offset ${offset}`, text);
    if (recovery.cut === null) return;
    const { segment, offset, bytes } = recovery.cut;
    this.#found(
      'warning',
      `log segment ${segment}, offset ${offset}`,
      `A torn tail of ${bytes} bytes, never acknowledged as durable; the next start cuts it`,
    );
  }

  async #files(meta: NodeMeta, ring: RingDocument): Promise<void> {
    const { partitionCount } = ring;
    const present = await this.#presentFiles(partitionCount);
    const table = await this.#guarded('partitions/table', () =>
      promised(new PartitionTable(this.#disk, this.#hash, meta.nodeId, partitionCount).load()),
    );
    if (table?.kind === 'lost') this.#found('damage', 'partitions/table', 'Neither of its copies can be read');
    for (let id = 0; id < partitionCount; id++) {
      const row = table?.kind === 'rows' ? table.rows[id] : undefined;
      if (row === undefined) break;
      if (row.suspicion !== SUSPICIONS.none)
        this.#found('damage', nameOf(id), `Suspect: ${suspicionText(row.suspicion)}`);
      // Between the log's entry that drops a partition and the table that says so the file goes.
      const isDropped = (this.#dropped.get(id) ?? 0) > row.appliedLsn;
      const isMissed = row.installation !== 0 && !present.includes(id) && !isDropped;
      if (isMissed) this.#found('damage', nameOf(id), 'The file is gone');
    }
    const pathOf = (name: FileName): string => join(this.#path, nameOf(name));
    const hints = await this.#presentHints(table);
    const { fine, bad } = await readFiles({ partitionCount, pathOf }, [...present, ...hints]);
    let records = 0;
    for (const [id, count] of fine) {
      if (id === 'hints') this.#counts['hints in hints.mdb'] = count.records;
      else records += count.records;
      if (count.damaged > 0)
        this.#found(
          'damage',
          nameOf(id),
          `${count.damaged} ${id === 'hints' ? 'hints' : 'records'} do not hold their checksums, or lie under a key that is not theirs`,
        );
      if (count.damaged === 0 && count.differingLeaves > 0)
        this.#found('damage', nameOf(id), `${count.differingLeaves} Merkle leaves differ from their records`);
    }
    for (const [id, text] of bad) this.#found('damage', nameOf(id), text);
    this.#counts['partition files'] = present.length;
    this.#counts['records in files'] = records;
  }

  async #presentFiles(partitionCount: number): Promise<readonly number[]> {
    const names = await readdir(join(this.#path, 'partitions')).catch(() => []);
    const ids = names.filter((name) => /^[0-9a-f]{4}\.mdb$/.test(name)).map((name) => Number.parseInt(name, 16));
    for (const id of ids)
      if (id >= partitionCount)
        this.#found('warning', nameOf(id), `There are ${partitionCount} partitions; nobody reads this file`);
    return ids.filter((id) => id < partitionCount).sort((a, b) => a - b);
  }

  async #presentHints(table: LoadedTable | undefined): Promise<readonly FileName[]> {
    if ((await readdir(this.#path)).includes(nameOf('hints'))) return ['hints'];
    if (table?.kind === 'rows' && table.hints !== null && table.hints.appliedLsn > 0)
      this.#found('damage', nameOf('hints'), 'The file is gone');
    return [];
  }

  #found(severity: CheckFinding['severity'], where: string, text: string): void {
    this.#findings.push({ severity, where, text });
  }
}

function nameOf(name: FileName): string {
  return name === 'hints' ? 'hints.mdb' : `partitions/${name.toString(16).padStart(4, '0')}.mdb`;
}
