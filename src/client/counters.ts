import { LatencyHistogram } from './latency.js';
import type { ClientStats } from './results.js';

/** What stats() tells, counted where it happens. */
export class Counters {
  sent: number = 0;
  received: number = 0;
  retries: number = 0;
  hedges: number = 0;
  retriesDenied: number = 0;
  timeouts: number = 0;
  lateReplies: number = 0;
  readonly latency: LatencyHistogram = new LatencyHistogram();

  stats(inFlight: number, waiting: number): ClientStats {
    const { sent, received, retries, hedges, retriesDenied, timeouts, lateReplies, latency } = this;
    const latencyMs = { p50: latency.percentile(0.5), p99: latency.percentile(0.99), max: latency.max };
    return { inFlight, waiting, sent, received, retries, hedges, retriesDenied, timeouts, lateReplies, latencyMs };
  }
}
