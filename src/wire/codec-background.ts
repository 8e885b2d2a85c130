/* What tools ask a node about its background work, on the unix socket: rare messages, by protobufjs both ways. */
import type { BackgroundReply, BackgroundTask, ScrubReply } from '../model/messages.js';
import { countAt } from './cursor.js';
import { count53, decodeBy } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
const TASKS_MAX = 256;

export interface BackgroundRequest {
  readonly budgetMs: number;
}

export interface ScrubRequest {
  readonly budgetMs: number;
  readonly begins: boolean;
  /** What is to be scrubbed: a partition, or null for all of them. */
  readonly partition: number | null;
}

export function encodeBackground(request: BackgroundRequest): Uint8Array {
  return v1.Background.encode(request).finish();
}

export function decodeBackground(bytes: Uint8Array, start: number, end: number): BackgroundRequest | DecodeFault {
  return decodeBy(v1.Background, bytes, start, end, ({ budgetMs }) => ({ budgetMs }));
}

export function encodeBackgroundReply(reply: BackgroundReply): Uint8Array {
  return v1.BackgroundReply.encode({ ...reply, tasks: [...reply.tasks] }).finish();
}

export function decodeBackgroundReply(bytes: Uint8Array, start: number, end: number): BackgroundReply | DecodeFault {
  if (countAt(bytes, start, end, [12], TASKS_MAX) > TASKS_MAX) return `More than ${TASKS_MAX} tasks`;
  return decodeBy(v1.BackgroundReply, bytes, start, end, (reply) => ({
    bytesPerSecond: count53(reply.bytesPerSecond),
    bytesPerSecondMin: count53(reply.bytesPerSecondMin),
    bytesPerSecondMax: count53(reply.bytesPerSecondMax),
    cause: reply.cause,
    getsUs: count53(reply.getsUs),
    putsUs: count53(reply.putsUs),
    loopDelayUs: count53(reply.loopDelayUs),
    syncUs: count53(reply.syncUs),
    requestTargetUs: count53(reply.requestTargetUs),
    loopDelayTargetUs: count53(reply.loopDelayTargetUs),
    syncTargetUs: count53(reply.syncTargetUs),
    tasks: reply.tasks.map(takeTask),
  }));
}

function takeTask(task: partita.v1.BackgroundReply.Task.$Properties): BackgroundTask {
  return {
    name: task.name ?? '',
    waiting: task.waiting ?? 0,
    slices: count53(task.slices ?? 0),
    bytes: count53(task.bytes ?? 0),
  };
}

export function encodeScrub({ budgetMs, begins, partition }: ScrubRequest): Uint8Array {
  return v1.Scrub.encode({
    budgetMs,
    action: begins ? 1 : 0,
    partition: partition === null ? 0 : partition + 1,
  }).finish();
}

export function decodeScrub(bytes: Uint8Array, start: number, end: number): ScrubRequest | DecodeFault {
  const plain = decodeBy(v1.Scrub, bytes, start, end, ({ budgetMs, action, partition }) => ({
    budgetMs,
    action,
    partition: partition === 0 ? null : partition - 1,
  }));
  if (typeof plain === 'string') return plain;
  const { budgetMs, action, partition } = plain;
  if (action > 1) return `Action ${action} is none of 0 (tell) and 1 (begin)`;
  return { budgetMs, begins: action === 1, partition };
}

export function encodeScrubReply(reply: ScrubReply): Uint8Array {
  return v1.ScrubReply.encode(reply).finish();
}

export function decodeScrubReply(bytes: Uint8Array, start: number, end: number): ScrubReply | DecodeFault {
  return decodeBy(v1.ScrubReply, bytes, start, end, (reply) => ({
    periodMs: count53(reply.periodMs),
    partition: reply.partition,
    leaf: reply.leaf,
    leafCount: reply.leafCount,
    waiting: reply.waiting,
    partitions: count53(reply.partitions),
    records: count53(reply.records),
    bytes: count53(reply.bytes),
    damaged: count53(reply.damaged),
    wrongLeaves: count53(reply.wrongLeaves),
    broken: count53(reply.broken),
    repaired: count53(reply.repaired),
    repairsWaiting: count53(reply.repairsWaiting),
    givenUp: count53(reply.givenUp),
  }));
}
