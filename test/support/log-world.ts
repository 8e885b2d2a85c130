/** A commit log on the simulated disk, for tests: everything that it said and was told is written down. */
import xxhash from 'xxhash-wasm';
import type { Disk } from '../../src/env/disk.js';
import { type Flow, run } from '../../src/lib/flow.js';
import { Prng } from '../../src/lib/prng.js';
import { type Hash64, hash64From } from '../../src/model/hash.js';
import { Arena } from '../../src/storage/arena.js';
import { EMPTY_LOG, type LogStart, type SegmentLogOptions } from '../../src/storage/log-options.js';
import { SegmentLog } from '../../src/storage/log.js';
import { recoverLog, type RecoverLogOptions, type RecoveredLog } from '../../src/storage/recovery.js';
import { LOG_KINDS } from '../../src/storage/log-types.js';
import type { SimulatedDisk } from './simulated-disk.js';
import type { SimulatedTime, TimeScope } from './simulated-time.js';

export const HASH: Hash64 = hash64From(await xxhash());
export const NODE_ID = '00112233445566778899aabbccddeeff';
export const SALT = { hi: 0x01234567, lo: 0x89abcdef };
export const SMALL_SEGMENT = 16_384;

export class LogWorld {
  readonly log: SegmentLog;
  readonly disk: SimulatedDisk;
  readonly time: SimulatedTime;
  /** The log's timers and ends of turns; the disk has its own. */
  readonly scope: TimeScope;
  readonly arena: Arena = new Arena(16 * 1_048_576);
  writtenLsn = 0;
  durableLsn = 0;
  failures: Error[] = [];
  /** True, false, true, …: what `onDiskFull` said. */
  readonly full: boolean[] = [];

  constructor(
    time: SimulatedTime,
    disk: SimulatedDisk,
    options: Partial<SegmentLogOptions> & { start?: LogStart } = {},
  ) {
    this.time = time;
    this.disk = disk;
    this.scope = time.scope();
    this.log = new SegmentLog(
      {
        disk,
        timers: this.scope,
        clock: time,
        hash: HASH,
        arena: this.arena,
        nodeId: NODE_ID,
        opening: 1,
        salt: SALT,
        durability: { kind: 'always' },
        segmentBytes: SMALL_SEGMENT,
        start: EMPTY_LOG,
        ...options,
      },
      {
        onWritten: (lsn) => {
          this.#alive();
          if (lsn <= this.writtenLsn) throw new Error('onWritten went back');
          this.writtenLsn = lsn;
        },
        onDurable: (lsn) => {
          this.#alive();
          if (lsn <= this.durableLsn) throw new Error('onDurable went back');
          this.durableLsn = lsn;
        },
        onFailed: (error) => {
          this.failures.push(error);
          if (this.failures.length > 1) throw new Error('onFailed twice');
        },
        onDiskFull: (full) => this.full.push(full),
      },
    );
  }

  #alive(): void {
    if (this.failures.length > 0) throw new Error('A success after a failure');
  }

  /** Appends `body` and returns its LSN. */
  append(body: Uint8Array, partition = 0, kind: 1 | 2 | 3 = LOG_KINDS.record): number {
    const place = this.log.append(kind, partition, body.length);
    place.chunk.bytes.set(body, place.at);
    return place.lsn;
  }

  close(): Error | null {
    let result: Error | null | undefined;
    this.log.close((error) => {
      result = error;
    });
    this.time.runUntil(() => result !== undefined);
    return result ?? null;
  }
}

export interface Replayed {
  readonly kind: number;
  readonly partition: number;
  readonly lsn: number;
  readonly body: Uint8Array;
}

export interface Recovered extends RecoveredLog {
  readonly replayed: readonly Replayed[];
}

/** Runs recovery to its end; throws what it throws. */
export function recover(time: SimulatedTime, disk: Disk, options: Partial<RecoverLogOptions> = {}): Recovered {
  const replayed: Replayed[] = [];
  const settings = {
    disk,
    hash: HASH,
    nodeId: NODE_ID,
    opening: 99,
    salt: SALT,
    durableLsn: 0,
    clean: false,
    ...options,
  };
  const recovered = finish(
    time,
    recoverLog(settings, (kind, partition, lsn, body) => {
      replayed.push({ kind, partition, lsn, body: Uint8Array.from(body) });
    }),
  );
  return { ...recovered, replayed };
}

/** Runs a flow on the virtual clock. */
export function finish<T>(time: SimulatedTime, flow: Flow<T>): T {
  let answer: { error: Error | null; value: T | undefined } | null = null as {
    error: Error | null;
    value: T | undefined;
  } | null;
  run(flow, (error, value) => {
    answer = { error, value };
  });
  time.runUntil(() => answer !== null);
  if (answer?.error != null) throw answer.error;
  return answer?.value as T;
}

/** A body that says which entry it is, so that nobody can take it for another. */
export function bodyOf(lsn: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  new Prng(lsn).fill(bytes);
  return bytes;
}
