/* What a node tells of the load that it has had (balance/load-counters.ts). */

/** Counted since the beginning of what is told of. */
export interface LoadCounts {
  /** Gets and puts of clients that were coordinated here. */
  readonly requests: number;
  /** Reads and writes that the store here has done for gets and puts, whoever coordinated them. */
  readonly reads: number;
  readonly writes: number;
  /** Of the records read and written. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** One window of half an hour, by the wall clock; the first and the last may be parts of one. */
export interface WindowLoad extends LoadCounts {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface PartitionLoad extends LoadCounts {
  readonly partition: number;
}

/** A key that many requests of clients were about, as far as a sketch can tell. */
export interface KeyLoad {
  /** Its first bytes; `keyBytes` is how many it has. */
  readonly key: Uint8Array;
  readonly keyBytes: number;
  readonly hashHi: number;
  readonly hashLo: number;
  /** At most; and at least this less `overcount`. In sampled requests: times `LoadReport.sampling` for all. */
  readonly samples: number;
  readonly overcount: number;
}

export interface LoadReport {
  /** The oldest first; the last one is under way. */
  readonly windows: readonly WindowLoad[];
  /** Of the windows that were asked for, added up; only partitions that had any load. */
  readonly partitions: readonly PartitionLoad[];
  /** Of the same windows; the most popular first. */
  readonly keys: readonly KeyLoad[];
  /** The sketch has looked at one request in so many. */
  readonly sampling: number;
}

/** One node's part in an answer about the whole cluster. */
export interface NodeLoad {
  readonly ordinal: number;
  /** Why there is no report; empty: there is one. */
  readonly silence: string;
  readonly report: LoadReport | null;
}
