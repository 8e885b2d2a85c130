/* How urgently the files must take over what the log and the buffer hold. */
import type { EngineOptions } from './engine-deps.js';
import { SLOW_FROM_FILL } from './engine-throttle.js';
import type { CommitLog } from './log-types.js';
import type { Partition } from './partition.js';
import type { WriteBuffer } from './write-buffer.js';

export class Pressure {
  readonly #buffer: WriteBuffer<Partition>;
  readonly #log: CommitLog;
  readonly #options: EngineOptions;

  constructor(buffer: WriteBuffer<Partition>, log: CommitLog, options: EngineOptions) {
    this.#buffer = buffer;
    this.#log = log;
    this.#options = options;
  }

  /** How urgent flushing is: of memory, of what memory is heading for, of the log (whose first and last segment are partly used). */
  fill(): number {
    return Math.max(this.#buffer.fill, this.level());
  }

  /** What decides how fast puts are let in: `fill` without the memory that only waits for the end of a flusher's round. */
  level(): number {
    const logBytes = (this.#log.segments - 2) * this.#options.logSegmentBytes;
    return Math.max(this.#buffer.trend, logBytes / this.#options.logBytesMax);
  }

  /** Puts are slowed. */
  isUrgent(): boolean {
    return this.level() >= SLOW_FROM_FILL;
  }
}
