/* Answers for people about the background work of this node. */
import { failure, type Failure } from '../model/errors.js';
import type { BackgroundReply, ScrubReply } from '../model/messages.js';
import { decodeBackground, decodeScrub, encodeBackgroundReply, encodeScrubReply } from '../wire/codec-background.js';
import { BACKGROUND, BACKGROUND_REPLY, SCRUB_REPLY } from '../wire/kinds.js';
import { isFault } from '../wire/plain.js';
import type { Incoming } from './incoming.js';
import type { BackgroundView, OperationName, Services } from './services.js';

/** A reply, a refusal, or (a text) why the request is no request. */
export type AdminAnswer =
  | string
  | { readonly op: OperationName; readonly kind: number; readonly body: Uint8Array }
  | { readonly op: OperationName; readonly body: null; readonly refusal: Failure };

export function answerBackground({ background, ring }: Services, frame: Incoming): AdminAnswer {
  if (frame.kind === BACKGROUND) {
    const asked = decodeBackground(frame.bytes, frame.start, frame.end);
    if (isFault(asked)) return `BACKGROUND cannot be read: ${asked}`;
    return { op: 'background', kind: BACKGROUND_REPLY, body: encodeBackgroundReply(backgroundReply(background)) };
  }
  const asked = decodeScrub(frame.bytes, frame.start, frame.end);
  if (isFault(asked)) return `SCRUB cannot be read: ${asked}`;
  const { begins, partition } = asked;
  if (partition !== null && partition >= ring.partitionCount) {
    const text = `There is no partition ${partition}: they are 0 to ${ring.partitionCount - 1}`;
    return { op: 'scrub', body: null, refusal: failure('INVALID_ARGUMENT', text) };
  }
  if (begins) background.scrub(partition);
  return { op: 'scrub', kind: SCRUB_REPLY, body: encodeScrubReply(scrubReply(background)) };
}

const us = (ms: number): number => Math.round(1_000 * ms);

function backgroundReply(view: BackgroundView): BackgroundReply {
  const status = view.status();
  const { foreground, targets, bounds } = status ?? {};
  return {
    bytesPerSecond: Math.round(status?.bytesPerSecond ?? 0),
    bytesPerSecondMin: bounds?.min ?? 0,
    bytesPerSecondMax: bounds?.max ?? 0,
    cause: status?.cause ?? '',
    getsUs: us(foreground?.gets.minuteMs ?? 0),
    putsUs: us(foreground?.puts.minuteMs ?? 0),
    loopDelayUs: us(foreground?.loopDelayMs ?? 0),
    syncUs: us(foreground?.syncMs ?? 0),
    requestTargetUs: us(targets?.requestMs ?? 0),
    loopDelayTargetUs: us(targets?.loopDelayMs ?? 0),
    syncTargetUs: us(targets?.syncMs ?? 0),
    tasks: (status?.tasks ?? []).map(({ task, waiting, slices, bytes }) => ({ name: task, waiting, slices, bytes })),
  };
}

function scrubReply(view: BackgroundView): ScrubReply {
  const status = view.scrubStatus();
  if (status === null) return NOTHING_SCRUBBED;
  return { ...status, partition: status.partition + 1 };
}

const NOTHING_SCRUBBED: ScrubReply = {
  periodMs: 0,
  partition: 0,
  leaf: 0,
  leafCount: 0,
  waiting: 0,
  partitions: 0,
  records: 0,
  bytes: 0,
  damaged: 0,
  wrongLeaves: 0,
  broken: 0,
  repaired: 0,
  repairsWaiting: 0,
  givenUp: 0,
};
