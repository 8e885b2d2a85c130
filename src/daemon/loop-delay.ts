/*
 * How long the event loop keeps its visitors waiting. libuv's timer fires every RESOLUTION_MS, and perf_hooks records
 * the whole distance between two firings, so an idle loop "delays" by the resolution itself: it is taken off here.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export const RESOLUTION_MS = 5;

export interface LoopDelays {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export interface LoopDelayMonitor {
  read(): LoopDelays;
  /** The next `read` tells of what comes from now on. */
  reset(): void;
  stop(): void;
}

export function monitorLoopDelay(): LoopDelayMonitor {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const delayMs = (ns: number): number => Math.max(0, Math.round((ns / 1e6 - RESOLUTION_MS) * 1_000) / 1_000);
  return {
    read: () => ({
      p50Ms: delayMs(histogram.percentile(50)),
      p99Ms: delayMs(histogram.percentile(99)),
      p999Ms: delayMs(histogram.percentile(99.9)),
      maxMs: delayMs(histogram.max),
    }),
    reset: () => {
      histogram.reset();
    },
    stop: () => {
      histogram.disable();
    },
  };
}
