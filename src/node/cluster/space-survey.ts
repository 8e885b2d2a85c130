/*
 * Asks every member how much room it has and how large the partitions are that it holds; and answers that question. For
 * whoever plans a change of the ring: asked when a plan is made, so that no node has to tell all others all the time.
 * A member that does not answer in time is left out, and the plan says so.
 */
import type { Timers } from '../../env/clock.js';
import type { Log } from '../../env/meter.js';
import { copyBytes } from '../../lib/bytes.js';
import { buildText, canBeAsked } from '../../model/build.js';
import { failure } from '../../model/errors.js';
import type { SpaceReply } from '../../model/space-messages.js';
import type { MoveStorage } from '../../storage/move-storage.js';
import { decodeSpace, decodeSpaceReply, encodeSpace, encodeSpaceReply } from '../../wire/codec-space.js';
import { nameOfKind, SPACE, SPACE_REPLY } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { Incoming } from '../incoming.js';
import type { PeerLink } from '../peers/link.js';
import type { BodyAsker } from '../peers/request.js';
import { replyBody, replyError } from '../replies.js';
import type { Session } from '../session.js';

/** Whoever plans waits for the slowest member at most so long. */
export const SURVEY_MS = 2_000;

export interface SurveyWorld {
  readonly self: number;
  readonly timers: Timers;
  readonly log: Log;
  readonly links: { get(ordinal: number): Pick<PeerLink, 'ask' | 'build'> | undefined };
  /** Null: this node knows nothing of its own files. */
  readonly moves: Pick<MoveStorage, 'room'> | null;
  /** That background work gets at most; 0: as much as it wants. */
  bytesPerSecond(): number;
}

/** By ordinal; who is not in it could not be asked, or did not answer. */
export type Survey = ReadonlyMap<number, SpaceReply>;

export class SpaceSurvey {
  readonly #world: SurveyWorld;

  constructor(world: SurveyWorld) {
    this.#world = world;
  }

  /** `done` once, not in this call. */
  ask(ordinals: readonly number[], done: (survey: Survey) => void): void {
    const found = new Map<number, SpaceReply>();
    let left = ordinals.length;
    const heard = (ordinal: number, reply: SpaceReply | null): void => {
      if (reply !== null) found.set(ordinal, reply);
      left -= 1;
      if (left === 0) done(found);
    };
    if (left === 0)
      this.#world.timers.endOfTurn(() => {
        done(found);
      });
    for (const ordinal of ordinals) {
      const told = (reply: SpaceReply | null): void => {
        heard(ordinal, reply);
      };
      if (ordinal === this.#world.self) this.#own(told);
      else this.#askOne(ordinal, told);
    }
  }

  /** False: the frame asks for something else. */
  serve(session: Session, frame: Incoming): boolean {
    if (frame.kind !== SPACE) return false;
    const { bytes, start, end, requestId, bodyBytes } = frame;
    const asked = decodeSpace(bytes, start, end);
    if (isFault(asked)) {
      session.finish(bodyBytes);
      session.refuse(requestId, failure('PROTOCOL', `${nameOfKind(SPACE)} cannot be read: ${asked}`));
      return true;
    }
    this.#own((reply) => {
      if (reply !== null) replyBody(session, SPACE_REPLY, requestId, encodeSpaceReply(reply));
      else replyError(session, requestId, failure('UNAVAILABLE', 'This node does not know its own disk now'));
      session.finish(bodyBytes);
    });
    return true;
  }

  #own(told: (reply: SpaceReply | null) => void): void {
    const { moves, timers, log } = this.#world;
    if (moves === null) {
      timers.endOfTurn(() => {
        told(null);
      });
      return;
    }
    moves.room((error, room) => {
      if (error !== null) log.warn('space_unknown', { error: error.message });
      told(room === undefined ? null : { ...room, bytesPerSecond: this.#world.bytesPerSecond() });
    });
  }

  #askOne(ordinal: number, told: (reply: SpaceReply | null) => void): void {
    const { links, timers, log } = this.#world;
    const failed = (why: string): void => {
      log.info('space_not_told', { node: ordinal, why });
      told(null);
    };
    const asker: BodyAsker = {
      onAnswered: (_from, _tag, bytes, start, end) => {
        const reply = decodeSpaceReply(copyBytes(bytes, start, end), 0, end - start);
        if (isFault(reply)) failed(`its answer cannot be read: ${reply}`);
        else told(reply);
      },
      onRefused: (_from, _tag, { text }) => {
        failed(text);
      },
      onUnanswered: (_from, _tag, why) => {
        failed(why);
      },
    };
    const body = encodeSpace({ budgetMs: SURVEY_MS });
    const link = links.get(ordinal);
    const tooOld = link?.build != null && !canBeAsked(link.build, 'surveys') ? link.build : null;
    if (tooOld === null && (link?.ask(SPACE, body, SURVEY_MS, asker, 0) ?? null) !== null) return;
    timers.endOfTurn(() => {
      failed(tooOld === null ? 'not connected' : `it has ${buildText(tooOld)}`);
    });
  }
}
