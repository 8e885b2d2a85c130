/*
 * Answers that need no operation of their own: a body or a refusal, counted, and what the request held is given back.
 */
import { failure, type Failure } from '../model/errors.js';
import type { Incoming } from './incoming.js';
import { replyBody, replyError } from './replies.js';
import type { OperationName, Services } from './services.js';
import type { Session } from './session.js';

/** What of a request must be kept until it is answered: the frame itself is used again. */
export type Asked = Pick<Incoming, 'requestId' | 'bodyBytes' | 'nowMs'>;

export function askedBy({ requestId, bodyBytes, nowMs }: Incoming): Asked {
  return { requestId, bodyBytes, nowMs };
}

export interface BodyAnswer {
  readonly op: OperationName;
  readonly kind: number;
  readonly body: Uint8Array;
}

export function countOk({ clock, meters }: Services, op: OperationName, startedMs: number): void {
  const nowMs = clock.monotonicMs();
  meters[op].ok(nowMs - startedMs, nowMs);
}

export function answerBody(services: Services, session: Session, asked: Asked, { op, kind, body }: BodyAnswer): void {
  replyBody(session, kind, asked.requestId, body);
  countOk(services, op, asked.nowMs);
  session.finish(asked.bodyBytes);
}

export function answerRefusal(
  { meters, ring }: Services,
  session: Session,
  asked: Asked,
  op: OperationName,
  refusal: Failure,
): void {
  replyError(session, asked.requestId, refusal, ring.version);
  meters[op].failed();
  session.finish(asked.bodyBytes);
}

/** Whoever sends what cannot be read is not spoken with any more. */
export function refuseMalformed(session: Session, asked: Asked, text: string): void {
  session.finish(asked.bodyBytes);
  session.refuse(asked.requestId, failure('PROTOCOL', text));
}
