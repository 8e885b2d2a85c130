import type { Counter, Meter } from '../env/meter.js';

/** What the engine counts; bound once, so that counting is an addition. */
export interface EngineCounters {
  readonly reads: Counter;
  readonly coldReads: Counter;
  readonly writes: Counter;
  readonly dropped: Counter;
  readonly refused: Counter;
  readonly damaged: Counter;
  readonly hintsLost: Counter;
  readonly flushedRecords: Counter;
  readonly flushedBytes: Counter;
}

export function countersOf(meter: Meter): EngineCounters {
  return {
    reads: meter.counter('partita_storage_reads_total', 'Reads of the engine'),
    coldReads: meter.counter('partita_storage_cold_reads_total', 'Reads that went to the pool'),
    writes: meter.counter('partita_storage_writes_total', 'Records written'),
    dropped: meter.counter('partita_storage_dropped_records_total', 'Records dropped that had been kept for others'),
    refused: meter.counter('partita_storage_refused_total', 'Writes refused: disk full, overloaded, stopping'),
    damaged: meter.counter('partita_storage_damaged_records_total', 'Records of files that failed their check'),
    hintsLost: meter.counter(
      'partita_storage_hints_lost_total',
      'Faults found at starts by which kept hints were lost',
    ),
    flushedRecords: meter.counter('partita_storage_flushed_entries_total', 'Entries written to partition files'),
    flushedBytes: meter.counter('partita_storage_flushed_bytes_total', 'Record bytes written to partition files'),
  };
}
