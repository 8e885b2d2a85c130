/*
 * The client of a chaos run: a process of its own, because it lives in another network than whoever applies the faults.
 * Told by IPC what to do, one thing at a time.
 */
import { Workload } from './chaos/workload.js';
import type { WorkloadOptions } from './chaos/workload.js';
import type { FinalState, Operation } from './chaos/operation.js';

export type ClientTask =
  | { readonly task: 'start'; readonly options: WorkloadOptions }
  | { readonly task: 'stop' }
  | { readonly task: 'read'; readonly replicas: number }
  | { readonly task: 'end' };

export type ClientReply =
  | { readonly reply: 'started' }
  | { readonly reply: 'stopped'; readonly operations: readonly Operation[]; readonly skipped: number }
  | { readonly reply: 'read'; readonly states: readonly FinalState[] }
  | { readonly reply: 'failed'; readonly text: string };

let workload: Workload | null = null;

async function perform(task: ClientTask): Promise<ClientReply | null> {
  if (task.task === 'start') {
    workload = new Workload(task.options);
    await workload.connect();
    workload.start();
    return { reply: 'started' };
  }
  if (workload === null) throw new Error('Nothing was started');
  if (task.task === 'read') return { reply: 'read', states: await workload.readAll(task.replicas) };
  if (task.task === 'end') {
    await workload.close();
    process.disconnect();
    return null;
  }
  await workload.stop();
  return { reply: 'stopped', operations: workload.operations, skipped: workload.skipped };
}

process.on('disconnect', () => process.exit(0)); // whoever started this is gone, or done
process.on('message', (task: ClientTask) => {
  void perform(task)
    .catch((error: unknown): ClientReply => {
      return { reply: 'failed', text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    })
    .then((reply) => {
      if (reply !== null) process.send?.(reply);
    });
});
