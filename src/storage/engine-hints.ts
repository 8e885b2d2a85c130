/*
 * Hints while the engine runs: an entry in the log, which is what acknowledgements wait for, and a while later the same
 * in hints.mdb, so that the log may forget it.
 *
 * What waits for the file is a map by hint id, the oldest entry first; a hint that is kept anew, or dropped, moves to the
 * end, and what it was before need not be written. For a flush the map is swapped for an empty one, as a partition's is:
 *
 *   keep, drop ─▶ log ─▶ active ─ about a second ─▶ frozen ─ durable in the log ─▶ batch, batch, …, last batch ─▶ gone
 *                                                                                               └ applied LSN
 *
 * The rules are the flusher's: nothing is written that is not durable in the log; the applied LSN moves with the last
 * batch only; one batch at a time in the node (file-turn.ts); no space is waited out, and any other failure stops the
 * process. Until a frozen map is written whole, its oldest entry keeps the log from being released.
 */
import type { Clock, TimerHandle, Timers } from '../env/clock.js';
import type { PartitionFileOperation, PartitionFiles } from '../env/partition-file.js';
import type { Random } from '../env/random.js';
import type { Hint } from '../coordinator/hint-book.js';
import type { Hash64 } from '../model/hash.js';
import type { NodeId } from '../model/ids.js';
import type { Acks } from './engine-acks.js';
import type { Pressure } from './engine-pressure.js';
import { isNoSpace } from './engine-space.js';
import type { FileTurn } from './file-turn.js';
import { dutyShare, type FlushOptions } from './flusher.js';
import type { HintFile } from './hint-file.js';
import { encodeHint, HINT_REMOVED_BYTES, hintKey, logBodyOf, sealHint, writeHintRemoved } from './hint-format.js';
import type { PendingHint, RecoveredHints } from './hint-recovery.js';
import type { Ack, HintStorage } from './hint-storage.js';
import { LOG_KINDS, type CommitLog } from './log-types.js';
import { HOME_KEY } from './partition-home.js';

/** How long a hint rests before it is written: many are delivered, or kept anew, within a moment. */
const REST_MS = 1_000;
const REST_MS_IN_NEED = 20;

export interface HintParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly files: PartitionFiles;
  readonly random: Random;
  readonly hash: Hash64;
  readonly nodeId: NodeId;
  readonly partitionCount: number;
  readonly flush: Pick<FlushOptions, 'batchOperationsMax' | 'batchBytesMax' | 'retryMs'>;
  readonly turn: FileTurn;
  readonly acks: Acks;
  readonly pressure: Pressure;
  /** False: nothing more is appended. */
  isOpen(): boolean;
  /** The file has come further. */
  onFlushed(appliedLsn: number): void;
  /** No space for the time being; `null`: there is again. */
  onNoSpace(error: Error | null): void;
  /** The process must stop. */
  onFailed(error: Error): void;
}

interface Frozen {
  readonly hints: readonly PendingHint[];
  readonly firstLsn: number;
  readonly lastLsn: number;
  written: number;
}

export class EngineHints implements HintStorage {
  readonly file: HintFile;
  readonly #parts: HintParts;
  readonly #log: CommitLog;
  readonly #restored: readonly Hint[];
  #active: Map<number, PendingHint>;
  #frozen: Frozen | null = null;
  /** `busy`: opening, waiting for its turn, or writing. */
  #state: 'idle' | 'resting' | 'syncing' | 'busy' | 'stopped' = 'idle';
  #timer: TimerHandle | null = null;
  #hurried = false;
  #hasSpace = true;
  #onStopped: (() => void) | null = null;

  constructor(parts: HintParts, log: CommitLog, recovered: RecoveredHints) {
    this.#parts = parts;
    this.#log = log;
    this.file = recovered.file;
    this.#restored = recovered.restored;
    this.#active = recovered.pending;
  }

  restored(): readonly Hint[] {
    return this.#restored;
  }

  /** Once the engine is being closed nothing is kept any more, and nobody is told. */
  keep(hint: Hint, ack: Ack): void {
    if (!this.#parts.isOpen()) return;
    const encoded = encodeHint(hint);
    const body = logBodyOf(encoded);
    const { chunk, at, lsn } = this.#log.append(LOG_KINDS.hint, hint.partition, body.length);
    chunk.bytes.set(body, at);
    this.#waits(hint.id, encoded, lsn);
    this.#parts.acks.push(ack, lsn);
  }

  drop(hint: Hint, ack: Ack): void {
    if (!this.#parts.isOpen()) return;
    const { chunk, at, lsn } = this.#log.append(LOG_KINDS.hintRemoved, hint.partition, HINT_REMOVED_BYTES);
    writeHintRemoved(chunk.bytes, at, hint);
    this.#waits(hint.id, null, lsn);
    this.#parts.acks.pushDurable(ack, lsn);
  }

  /** The oldest LSN that is not in the file; 0: none. */
  get oldestLsn(): number {
    if (this.#frozen !== null) return this.#frozen.firstLsn;
    for (const { lsn } of this.#active.values()) return lsn;
    return 0;
  }

  /** What recovery has left to be written is written at once: the log waits for it. */
  start(): void {
    if (this.oldestLsn !== 0) this.hurry();
  }

  /** More of the log is durable. */
  onDurable(): void {
    if (this.#state === 'syncing') this.#flush();
  }

  /** Without rests, until nothing waits. */
  hurry(): void {
    if (this.oldestLsn === 0) return;
    this.#hurried = true;
    if (this.#state === 'resting') this.#timer?.cancel();
    if (this.#state === 'resting' || this.#state === 'idle') this.#flush();
  }

  /** No further batch; answers when the one under way is done. */
  stop(done: () => void): void {
    this.#timer?.cancel();
    if (this.#state === 'busy') {
      this.#onStopped = done;
      return;
    }
    this.#state = 'stopped';
    done();
  }

  #waits(id: number, encoded: Uint8Array | null, lsn: number): void {
    this.#active.delete(id); // to the end
    this.#active.set(id, { key: hintKey(id), encoded, lsn });
    if (this.#state === 'idle') this.#rest(this.#restMs());
  }

  #restMs(): number {
    return this.#parts.pressure.isUrgent() ? REST_MS_IN_NEED : REST_MS;
  }

  #rest(ms: number): void {
    this.#state = 'resting';
    this.#timer = this.#parts.timers.after(ms, () => {
      this.#flush();
    });
  }

  #flush(): void {
    this.#frozen ??= this.#freeze();
    if (this.#log.durableLsn < this.#frozen.lastLsn) {
      this.#state = 'syncing';
      this.#log.demandSync();
      return;
    }
    this.#state = 'busy';
    if (this.file.file !== null) {
      this.#take(this.#frozen);
      return;
    }
    const frozen = this.#frozen;
    this.file.make(this.#parts.files, this.#parts.random, (error) => {
      if (error !== null) this.#failed(error);
      else if (!this.#stoppedMeanwhile()) this.#take(frozen);
    });
  }

  #freeze(): Frozen {
    const hints = [...this.#active.values()];
    this.#active = new Map();
    return { hints, firstLsn: hints[0]?.lsn ?? 0, lastLsn: hints[hints.length - 1]?.lsn ?? 0, written: 0 };
  }

  #take(frozen: Frozen): void {
    const { turn } = this.#parts;
    turn.take(() => {
      if (this.#stoppedMeanwhile()) turn.give();
      else this.#write(frozen);
    });
  }

  #write(frozen: Frozen): void {
    const { clock, turn } = this.#parts;
    const { operations, until } = this.#batchOf(frozen);
    const startedMs = clock.monotonicMs();
    this.file.file?.write(operations, (error) => {
      if (error !== null) this.#failed(error);
      else this.#written(frozen, until, clock.monotonicMs() - startedMs);
      turn.give();
    });
  }

  #batchOf(frozen: Frozen): { operations: PartitionFileOperation[]; until: number } {
    const { flush, hash, nodeId, partitionCount } = this.#parts;
    const operations: PartitionFileOperation[] = [];
    let until = frozen.written;
    let bytes = 0;
    while (until < frozen.hints.length && operations.length < flush.batchOperationsMax) {
      const { key, encoded } = frozen.hints[until] as PendingHint;
      bytes += key.length + (encoded?.length ?? 0);
      if (bytes > flush.batchBytesMax && operations.length > 0) break;
      operations.push({ key, value: encoded === null ? null : sealHint(encoded, hash) });
      until += 1;
    }
    const last = until === frozen.hints.length;
    const appliedLsn = last ? frozen.lastLsn : this.file.appliedLsn;
    operations.push({ key: HOME_KEY, value: this.file.home(appliedLsn, nodeId, partitionCount, hash) });
    return { operations, until };
  }

  #written(frozen: Frozen, until: number, tookMs: number): void {
    if (!this.#hasSpace) {
      this.#hasSpace = true;
      this.#parts.onNoSpace(null);
    }
    frozen.written = until;
    if (until === frozen.hints.length) {
      this.file.appliedLsn = frozen.lastLsn;
      this.#frozen = null;
      this.#hurried = false;
    }
    if (this.#stoppedMeanwhile()) return;
    if (this.oldestLsn === 0) this.#state = 'idle';
    else this.#restAfter(tookMs);
    if (this.#frozen === null) this.#parts.onFlushed(this.file.appliedLsn);
  }

  #restAfter(tookMs: number): void {
    if (this.#frozen === null && !this.#hurried) this.#rest(this.#restMs());
    else this.#rest(this.#hurried ? 0 : tookMs * (1 / dutyShare(this.#parts.pressure.fill()) - 1));
  }

  #failed(error: Error): void {
    if (this.#stoppedMeanwhile()) return;
    if (!isNoSpace(error)) {
      this.#state = 'stopped';
      this.#parts.onFailed(error);
      return;
    }
    if (this.#hasSpace) {
      this.#hasSpace = false;
      this.#parts.onNoSpace(error);
    }
    this.#rest(this.#parts.flush.retryMs);
  }

  #stoppedMeanwhile(): boolean {
    if (this.#onStopped === null) return false;
    this.#state = 'stopped';
    this.#onStopped();
    this.#onStopped = null;
    return true;
  }
}
