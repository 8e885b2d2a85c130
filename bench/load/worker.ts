/* A load thread: prepares, says so, runs when told, hands over its histograms once. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Plan } from './plan.js';
import type { ShareResult } from './recorder.js';
import { makeShare } from './senders.js';
import type { Progress } from './share.js';

export interface WorkerInput {
  readonly plan: Plan;
  readonly thread: number;
  readonly threads: number;
}

export type WorkerOrder = { readonly kind: 'run' } | { readonly kind: 'stop'; readonly reason: string };

export type WorkerReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'progress'; readonly progress: Progress }
  | { readonly kind: 'result'; readonly result: ShareResult }
  | { readonly kind: 'failed'; readonly text: string };

const PROGRESS_INTERVAL_MS = 250;

const port = parentPort;
if (port === null) throw new Error('This file is started by run.ts as a worker thread');
const { plan, thread, threads } = workerData as WorkerInput;
const report = (what: WorkerReport): void => {
  port.postMessage(what);
};
const fail = (error: unknown): void => {
  report({ kind: 'failed', text: error instanceof Error ? error.message : String(error) });
};

const share = await makeShare(plan, thread, threads);
const timer = setInterval(() => {
  report({ kind: 'progress', progress: share.progress() });
}, PROGRESS_INTERVAL_MS);

port.on('message', (order: WorkerOrder) => {
  if (order.kind === 'stop') {
    share.stop(order.reason);
    return;
  }
  share
    .run()
    .then((result) => {
      report({ kind: 'result', result });
    }, fail)
    .finally(() => {
      clearInterval(timer);
      port.close();
    });
});

share.prepare().then(() => {
  report({ kind: 'ready' });
}, fail);
