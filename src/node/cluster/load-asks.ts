/* LOADS: what other members have counted of gets and puts, and what this one tells them of its own. */
import { buildText, canBeAsked } from '../../model/build.js';
import { failure, type Failure } from '../../model/errors.js';
import type { LoadReport, NodeLoad } from '../../model/load-messages.js';
import { decodeLoads, decodeLoadsReply, encodeLoads, encodeLoadsReply } from '../../wire/codec-loads.js';
import { LOADS, LOADS_REPLY } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import { copyBytes } from '../../lib/bytes.js';
import type { RingDocument } from '../../ring/document.js';
import type { Timers } from '../../env/clock.js';
import type { Incoming } from '../incoming.js';
import type { PeerLink } from '../peers/link.js';
import type { BodyAsker, Unanswered } from '../peers/request.js';
import { replyBody } from '../replies.js';
import type { Services } from '../services.js';
import type { Session } from '../session.js';

export interface LoadAsksWorld {
  readonly self: number;
  readonly timers: Timers;
  readonly services: { readonly ring: Pick<RingDocument, 'members'> };
  readonly links: { get(ordinal: number): Pick<PeerLink, 'ask' | 'build' | 'reason'> | undefined };
}

/** Asks all other members at once; `done` once, never inside the call: who does not tell is named, with the reason. */
export function gatherLoads(
  { services, links, timers, self }: LoadAsksWorld,
  windows: number,
  timeoutMs: number,
  done: (nodes: readonly NodeLoad[]) => void,
): void {
  const others = services.ring.members.map(({ ordinal }) => ordinal).filter((ordinal) => ordinal !== self);
  const heard: NodeLoad[] = [];
  const hear = (ordinal: number, silence: string, report: LoadReport | null): void => {
    heard.push({ ordinal, silence, report });
    if (heard.length === others.length) done(heard);
  };
  const asker: BodyAsker = {
    onAnswered: (_from, ordinal, bytes, start, end) => {
      const report = decodeLoadsReply(copyBytes(bytes, start, end), 0, end - start);
      if (isFault(report)) hear(ordinal, `answered what cannot be read: ${report}`, null);
      else hear(ordinal, '', report);
    },
    onRefused: (_from: number, ordinal: number, { code, text }: Failure) => {
      hear(ordinal, `refused: ${text} (${code})`, null);
    },
    onUnanswered: (_from: number, ordinal: number, why: Unanswered) => {
      hear(ordinal, why === 'lost' ? 'was lost before it answered' : `did not answer within ${timeoutMs} ms`, null);
    },
  };
  const body = encodeLoads({ budgetMs: timeoutMs, windows });
  const unreached: (() => void)[] = [];
  for (const ordinal of others) {
    const link = links.get(ordinal);
    const tooOld = link?.build != null && !canBeAsked(link.build, 'surveys') ? link.build : null;
    if (tooOld === null && (link?.ask(LOADS, body, timeoutMs, asker, ordinal) ?? null) !== null) continue;
    const reason = link === undefined || link.reason === '' ? '' : `: ${link.reason}`;
    unreached.push(() => {
      hear(ordinal, tooOld === null ? `is not connected${reason}` : `cannot tell: it has ${buildText(tooOld)}`, null);
    });
  }
  timers.endOfTurn(() => {
    for (const tell of unreached) tell();
    if (others.length === 0) done(heard);
  });
}

/** Of a member. */
export function serveLoads({ loads, clock }: Services, session: Session, frame: Incoming): void {
  const { requestId, bodyBytes } = frame;
  const request = decodeLoads(frame.bytes, frame.start, frame.end);
  if (!isFault(request))
    replyBody(session, LOADS_REPLY, requestId, encodeLoadsReply(loads.report(request.windows, clock.wallMs())));
  session.finish(bodyBytes);
  if (isFault(request)) session.refuse(requestId, failure('PROTOCOL', `LOADS cannot be read: ${request}`));
}
