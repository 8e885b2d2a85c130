/*
 * Hints at the start: what the file has, and over it what the log has beyond the file's applied LSN. Doing it twice
 * changes nothing.
 *
 * A hint that is lost costs time, not data: the copy that it was for comes home by anti-entropy instead. So nothing here
 * stops a start. But nobody shall wonder either: what is missing, foreign, older than the partition table knows, or
 * damaged is an error in the log (`hints_lost`), counted, and what cannot be used goes to quarantine/. An older file is
 * used all the same: a hint that was delivered since then is delivered again, which changes nothing.
 */
import type { Disk } from '../env/disk.js';
import type { Log } from '../env/meter.js';
import type { PartitionFile, PartitionFiles } from '../env/partition-file.js';
import type { Hint } from '../coordinator/hint-book.js';
import { type Flow, wait } from '../lib/flow.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';
import { eachStoredHint, HintFile, HINTS_MAP_BYTES } from './hint-file.js';
import { decodeHint, encodedOfLogBody, hintKey, removedHintId } from './hint-format.js';
import { LOG_KINDS, type LogRecovery } from './log-types.js';
import type { HintRow, LoadedTable } from './partition-table.js';

/** As hint-book.ts gives them out: no hint of an earlier opening has a greater version than this one's number of them. */
const VERSIONS_PER_OPENING = 2 ** 32;

export interface HintRecoveryParts {
  readonly disk: Disk;
  readonly files: PartitionFiles;
  readonly hash: Hash64;
  readonly log: Log;
  readonly nodeId: NodeId;
  readonly opening: number;
  readonly partitionCount: number;
}

/** What is to be written to the file: under `key`, a hint that is sealed when it is written, or null: it goes. */
export interface PendingHint {
  readonly key: Uint8Array;
  readonly encoded: Uint8Array | null;
  /** Of its entry in the log, which must stay until the file has it. */
  readonly lsn: number;
}

export interface RecoveredHints {
  readonly file: HintFile;
  /** Oldest first. */
  readonly restored: readonly Hint[];
  /** By hint id, or by a negative number for what never was one; ordered by LSN. */
  readonly pending: Map<number, PendingHint>;
  /** How many things were found wrong. */
  readonly lost: number;
}

export class HintRecovery {
  readonly file: HintFile = new HintFile();
  readonly #parts: HintRecoveryParts;
  readonly #kept: Map<number, Hint> = new Map();
  #pending: Map<number, PendingHint> = new Map();
  /** The directory has, or had, or the log speaks of hints. */
  #everKept = false;
  #damaged = 0;
  #lost = 0;

  constructor(parts: HintRecoveryParts) {
    this.#parts = parts;
  }

  /** Is there a file? */
  *present(): Flow<boolean> {
    const names = yield* wait<readonly string[]>((done) => {
      this.#parts.disk.list('', done);
    });
    return names.includes('hints.mdb');
  }

  /** The file is not to be used. Answers where it went. */
  *setAside(text: string): Flow<string> {
    this.#everKept = true;
    this.file.file?.close();
    this.file.file = null;
    this.file.installation = 0;
    this.file.appliedLsn = 0;
    const to = yield* wait<string>((done) => {
      this.#parts.files.quarantine('hints', done);
    });
    this.#loses('set_aside', `${text}; now ${to}`);
    return to;
  }

  /** Opens and reads what is there; answers where it went if it had to be set aside, else null. */
  *open(present: boolean, table: LoadedTable): Flow<string | null> {
    const row = table.kind === 'rows' ? table.hints : null;
    this.#everKept ||= present || row !== null;
    if (!present) {
      if (row !== null && row.appliedLsn > 0 && this.#lost === 0)
        this.#loses('missing', `had applied up to ${row.appliedLsn}`);
      return null;
    }
    const { file, error } = yield* this.#tryOpen();
    if (error !== null) {
      if ((error as { code?: unknown }).code !== 'DAMAGED') throw error;
      return yield* this.setAside(error.message);
    }
    this.file.file = file;
    const { nodeId, partitionCount, hash } = this.#parts;
    const verdict = this.file.judge(nodeId, partitionCount, row?.installation ?? 0, hash);
    if (verdict !== null) return yield* this.setAside(verdict);
    if (table.kind !== 'rows') this.#loses('table_lost', 'nothing tells whether the file is the newest');
    this.#read(file as PartitionFile, row);
    return null;
  }

  *#tryOpen(): Flow<{ readonly file: PartitionFile | null; readonly error: Error | null }> {
    try {
      const file = yield* wait<PartitionFile>((done) => {
        this.#parts.files.open('hints', HINTS_MAP_BYTES, done);
      });
      return { file, error: null };
    } catch (error) {
      return { file: null, error: error as Error };
    }
  }

  #read(file: PartitionFile, row: HintRow | null): void {
    const { appliedLsn } = this.file;
    if (row !== null && appliedLsn < row.appliedLsn) {
      this.#loses('older', `has applied up to ${appliedLsn}, once up to ${row.appliedLsn}`);
    }
    const junk: Uint8Array[] = [];
    const onDamaged = (key: Uint8Array): void => {
      junk.push(key);
    };
    eachStoredHint(
      file,
      this.#parts.hash,
      (hint) => {
        if (this.#holds(hint)) this.#kept.set(hint.id, hint);
        else onDamaged(hintKey(hint.id));
      },
      onDamaged,
    );
    for (const [i, key] of junk.entries()) this.#pending.set(-1 - i, { key, encoded: null, lsn: this.#anyLsn });
    this.#damaged += junk.length;
  }

  /** An entry of the log of kind `hint` or `hintRemoved`. */
  replay(kind: number, partition: number, lsn: number, body: Uint8Array): void {
    this.#everKept = true;
    if (lsn <= this.file.appliedLsn) return;
    if (kind === LOG_KINDS.hintRemoved) {
      const id = removedHintId(body);
      if (id === null) this.#damaged += 1;
      else this.#remove(id, lsn);
      return;
    }
    const hint = decodeHint(body);
    if (hint === null || hint.partition !== partition || !this.#holds(hint)) {
      this.#damaged += 1;
      return;
    }
    this.#kept.set(hint.id, hint);
    this.#waits(hint.id, encodedOfLogBody(body), lsn);
  }

  finish(recovery: LogRecovery): RecoveredHints {
    const { damage, lastLsn } = recovery;
    if (this.#damaged > 0) this.#loses('damaged', `${this.#damaged} hints fail their checks`);
    if (damage.length > 0 && this.#everKept) {
      this.#loses('log_damaged', 'hints may have been among the entries of the commit log that are damaged');
    }
    if (this.file.appliedLsn > lastLsn) {
      this.#loses('log_behind', `the file has applied up to ${this.file.appliedLsn}, the log ends at ${lastLsn}`);
    }
    this.#settleRivals();
    const pending = new Map([...this.#pending].sort(([, a], [, b]) => a.lsn - b.lsn));
    const restored = [...this.#kept.values()].sort((a, b) => a.sinceMs - b.sinceMs || a.id - b.id);
    return { file: this.file, restored, pending, lost: this.#lost };
  }

  /** After damage two hints may speak of one key and owner; there is one at a time, so the younger is right. */
  #settleRivals(): void {
    const byKey = new Map<string, Hint>();
    for (const hint of [...this.#kept.values()]) {
      const name = `${hint.owner} ${hint.key}`;
      const rival = byKey.get(name);
      const older = rival !== undefined && rival.version > hint.version ? hint : rival;
      if (older !== hint) byKey.set(name, hint);
      if (older !== undefined) this.#remove(older.id, this.#anyLsn);
    }
  }

  /** For what stands in no log: what the file has applied does not grow by it. */
  get #anyLsn(): number {
    return Math.max(1, this.file.appliedLsn);
  }

  /** Can it have been kept by this node, in an opening before this one? */
  #holds(hint: Hint): boolean {
    const { opening, partitionCount } = this.#parts;
    return hint.partition < partitionCount && hint.version <= opening * VERSIONS_PER_OPENING;
  }

  #remove(id: number, lsn: number): void {
    this.#kept.delete(id);
    this.#waits(id, null, lsn);
  }

  #waits(id: number, encoded: Uint8Array | null, lsn: number): void {
    this.#pending.set(id, { key: hintKey(id), encoded, lsn });
  }

  #loses(why: string, text: string): void {
    this.#lost += 1;
    this.#parts.log.error('hints_lost', { why, text });
  }
}
