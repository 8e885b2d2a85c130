/* What all nodes have counted of gets and puts, gathered by the one that is asked: what it means is found by who asks. */
import type { NodeLoad } from '../model/load-messages.js';
import { encodeRing } from '../ring/document.js';
import { decodeBalance, encodeBalanceReply } from '../wire/codec-loads.js';
import { BALANCE_REPLY } from '../wire/kinds.js';
import { isFault } from '../wire/plain.js';
import { judgeBudget } from '../coordinator/judge.js';
import type { AdminAnswer } from './background-reply.js';
import type { Incoming } from './incoming.js';
import type { Services } from './services.js';

/** Of the time that the asker has, others get this part: then there is an answer, also if one of them is silent. */
const PEERS_PART = 0.7;

/** `done` once, at once or when all have told or had their time. */
export function answerBalance(services: Services, frame: Incoming, done: (answer: AdminAnswer) => void): void {
  const request = decodeBalance(frame.bytes, frame.start, frame.end);
  if (isFault(request)) {
    done(`BALANCE cannot be read: ${request}`);
    return;
  }
  const { budgetMs, windows } = request;
  const refusal = judgeBudget(budgetMs);
  if (refusal !== null) {
    done({ op: 'balance', body: null, refusal });
    return;
  }
  const tell = (others: readonly NodeLoad[]): void => {
    const { ordinal, ring, loads, clock } = services;
    const own = { ordinal, silence: '', report: loads.report(windows, clock.wallMs()) };
    const nodes = [own, ...others].sort((a, b) => a.ordinal - b.ordinal);
    const body = encodeBalanceReply({ self: ordinal, ring: encodeRing(ring), nodes });
    done({ op: 'balance', kind: BALANCE_REPLY, body });
  };
  if (services.gatherLoads === null) tell([]);
  else services.gatherLoads(windows, Math.max(1, Math.floor(budgetMs * PEERS_PART)), tell);
}
