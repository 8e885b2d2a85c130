/*
 * What a thread saw, in whole microseconds. Two clocks for each operation: service time, from the moment its bytes went
 * to the socket; response time, from the moment it ought to have been sent. In a closed loop they are the same.
 *
 * An operation is an operation only when its answer came: a failed one is counted under its code and leaves no time
 * in the histograms, except a timeout, which took as long as we waited.
 */
import { createHistogram } from 'node:perf_hooks';
import type { RecordableHistogram } from 'node:perf_hooks';
import type { Operation } from './plan.js';
import { OPERATIONS } from './plan.js';
import { operationName } from './source.js';

export const OK = 'ok';

export interface OperationShare {
  readonly operation: Operation;
  readonly codes: Record<string, number>;
  readonly response: RecordableHistogram;
  readonly service: RecordableHistogram;
}

/** All that one thread hands over, once, when its run is over. perf_hooks histograms survive postMessage. */
export interface ShareResult {
  readonly operations: readonly OperationShare[];
  /** Whole seconds of the run. */
  readonly requestsPerSecond: readonly number[];
  readonly bytesPerSecond: readonly number[];
  /** Operations that were answered inside the run's time; what throughput is computed from. */
  readonly doneInTime: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly elapsedMs: number;
  /** Open loop: due when the run ended, and never sent. */
  readonly unsent: number;
  /** Reads before writes that were needed to learn a context; not operations. */
  readonly contextReads: number;
  readonly mismatches: readonly string[];
  readonly mismatchCount: number;
  /** Share of a core that this thread used while the run went on, of what it could get. */
  readonly busy: number;
  readonly cpuUs: number;
  readonly stoppedBy: string;
}

const MISMATCHES_SHOWN = 5;
const LATENCY_US_MAX = 3_600_000_000;

function histogram(): RecordableHistogram {
  return createHistogram({ lowest: 1, highest: LATENCY_US_MAX, figures: 3 });
}

class OperationRecord {
  readonly codes: Map<string, number> = new Map();
  readonly response: RecordableHistogram = histogram();
  readonly service: RecordableHistogram = histogram();
  ok: number = 0;
}

export class Recorder {
  recording: boolean = false;
  /** Since the run began; the progress line reads them. */
  done: number = 0;
  failed: number = 0;
  bytesRead: number = 0;
  bytesWritten: number = 0;
  contextReads: number = 0;
  mismatchCount: number = 0;
  doneInTime: number = 0;

  readonly #openLoop: boolean;
  readonly #records: readonly OperationRecord[] = OPERATIONS.map(() => new OperationRecord());
  readonly #requestsPerSecond: number[] = [];
  readonly #bytesPerSecond: number[] = [];
  readonly #mismatches: string[] = [];
  #startMs: number = 0;
  #endMs: number = 0;

  constructor(openLoop: boolean) {
    this.#openLoop = openLoop;
  }

  begin(startMs: number, endMs: number): void {
    this.recording = true;
    this.#startMs = startMs;
    this.#endMs = endMs;
    this.done = this.failed = this.bytesRead = this.bytesWritten = this.contextReads = 0;
  }

  /** Counts `bytes` of the socket, whichever way they went. */
  moved(bytes: number, nowMs: number): void {
    if (!this.recording || nowMs >= this.#endMs) return;
    const second = Math.floor((nowMs - this.#startMs) / 1000);
    this.#bytesPerSecond[second] = (this.#bytesPerSecond[second] ?? 0) + bytes;
  }

  answered(operation: number, code: string, intendedMs: number, sentMs: number, nowMs: number): void {
    if (!this.recording) return;
    const record = this.#records[operation] as OperationRecord;
    if (code === OK) record.ok++;
    else this.#count(record, code);
    if (nowMs < this.#endMs) {
      this.doneInTime++;
      const second = Math.floor((nowMs - this.#startMs) / 1000);
      this.#requestsPerSecond[second] = (this.#requestsPerSecond[second] ?? 0) + 1;
    }
    this.done++;
    record.service.record(micros(nowMs - sentMs));
    if (this.#openLoop) record.response.record(micros(nowMs - intendedMs));
  }

  /** No useful answer: refused, broken, timed out. `timedOutMs` is when we gave up waiting; 0: the time is not to be counted. */
  failedWith(operation: number, code: string, intendedMs: number, sentMs: number, timedOutMs: number): void {
    if (!this.recording) return;
    const record = this.#records[operation] as OperationRecord;
    this.#count(record, code);
    this.failed++;
    if (timedOutMs === 0) return;
    record.service.record(micros(timedOutMs - sentMs));
    if (this.#openLoop) record.response.record(micros(timedOutMs - intendedMs));
  }

  mismatch(text: string): void {
    this.mismatchCount++;
    if (this.#mismatches.length < MISMATCHES_SHOWN) this.#mismatches.push(text);
  }

  result(rest: Pick<ShareResult, 'elapsedMs' | 'unsent' | 'busy' | 'cpuUs' | 'stoppedBy'>): ShareResult {
    const operations: OperationShare[] = [];
    this.#records.forEach((record, index) => {
      if (record.ok > 0) record.codes.set(OK, record.ok);
      if (record.codes.size === 0) return;
      const response = this.#openLoop ? record.response : record.service;
      operations.push({
        operation: operationName(index),
        codes: Object.fromEntries(record.codes),
        response,
        service: record.service,
      });
    });
    const seconds = Math.floor(rest.elapsedMs / 1000);
    return {
      ...rest,
      operations,
      requestsPerSecond: Array.from({ length: seconds }, (_, second) => this.#requestsPerSecond[second] ?? 0),
      bytesPerSecond: Array.from({ length: seconds }, (_, second) => this.#bytesPerSecond[second] ?? 0),
      doneInTime: this.doneInTime,
      bytesRead: this.bytesRead,
      bytesWritten: this.bytesWritten,
      contextReads: this.contextReads,
      mismatches: this.#mismatches,
      mismatchCount: this.mismatchCount,
    };
  }

  #count(record: OperationRecord, code: string): void {
    record.codes.set(code, (record.codes.get(code) ?? 0) + 1);
  }
}

function micros(ms: number): number {
  return Math.max(1, Math.round(ms * 1000));
}
