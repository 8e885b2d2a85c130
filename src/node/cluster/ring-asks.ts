/* The questions of the ring log to other members, each answered once, never inside the call. */
import type { Timers } from '../../env/clock.js';
import { copyBytes } from '../../lib/bytes.js';
import type { Failure } from '../../model/errors.js';
import type {
  RingAccept,
  RingLearn,
  RingLearnReply,
  RingLogAnswer,
  RingPrepare,
} from '../../model/ring-log-messages.js';
import {
  decodeRingAcceptReply,
  decodeRingLearnReply,
  decodeRingPrepareReply,
  encodeRingAccept,
  encodeRingLearn,
  encodeRingPrepare,
} from '../../wire/codec-ring-log.js';
import { RING_ACCEPT, RING_LEARN, RING_PREPARE } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { DecodeFault } from '../../wire/requests.js';
import type { PeerLink } from '../peers/link.js';
import type { PeerStatus } from '../peers/links.js';
import type { BodyAsker, Unanswered } from '../peers/request.js';

/** The links to other members, as far as they are needed here. */
export interface RingLinks {
  get(ordinal: number): Pick<PeerLink, 'ask'> | undefined;
  status(): readonly Pick<PeerStatus, 'ordinal'>[];
}

/** `why`: goes on after the node's name. */
export type Heard<T> = (answer: T | null, why: string) => void;

/** How long an answer is waited for. A document takes its time on the way, and a disk to be written. */
export const RING_ASK_MS = 2_000;

type Decode<T extends object> = (bytes: Uint8Array, start: number, end: number) => T | DecodeFault;

export class RingAsks {
  readonly #links: RingLinks;
  readonly #timers: Timers;

  constructor(links: RingLinks, timers: Timers) {
    this.#links = links;
    this.#timers = timers;
  }

  /** Ordinals of all that have a link. */
  others(): readonly number[] {
    return this.#links.status().map(({ ordinal }) => ordinal);
  }

  prepare(member: number, prepare: RingPrepare, heard: Heard<RingLogAnswer>): void {
    this.#ask(member, RING_PREPARE, encodeRingPrepare(prepare), decodeRingPrepareReply, heard);
  }

  accept(member: number, accept: RingAccept, heard: Heard<RingLogAnswer>): void {
    this.#ask(member, RING_ACCEPT, encodeRingAccept(accept), decodeRingAcceptReply, heard);
  }

  learn(member: number, learn: RingLearn, heard: Heard<RingLearnReply>): void {
    this.#ask(member, RING_LEARN, encodeRingLearn(learn), decodeRingLearnReply, heard);
  }

  #ask<T extends object>(member: number, kind: number, body: Uint8Array, decode: Decode<T>, heard: Heard<T>): void {
    const asker: BodyAsker = {
      onAnswered: (_from, _tag, bytes, start, end) => {
        const answer = decode(copyBytes(bytes, start, end), 0, end - start);
        if (isFault(answer)) heard(null, `answered what cannot be read: ${answer}`);
        else heard(answer, '');
      },
      onRefused: (_from: number, _tag: number, { code, text }: Failure) => {
        heard(null, `refused: ${text} (${code})`);
      },
      onUnanswered: (_from: number, _tag: number, why: Unanswered) => {
        heard(null, why === 'lost' ? 'was lost before it answered' : 'did not answer');
      },
    };
    if ((this.#links.get(member)?.ask(kind, body, RING_ASK_MS, asker, 0) ?? null) !== null) return;
    this.#timers.endOfTurn(() => {
      heard(null, 'is not connected');
    });
  }
}
