/* Why a delete is still remembered, for whoever asks `partita explain`. */
import type { Objection } from './reap-round.js';
import type { ReapVerdict } from './reap-verdict.js';

const WHY: Readonly<Record<ReapVerdict | 'silent', string>> = {
  yes: 'agrees',
  silent: 'does not answer',
  fence:
    'takes part in no round yet: it has just started and asks the owners what was reaped, or another round came between',
  ring: 'has another ring',
  differs: 'holds another version of it',
  absent: 'owns it and holds nothing: a repair is due',
  reaped: 'has reaped it already, and says so',
  copy: 'keeps a copy for its owners',
  hint: 'keeps a hint with it for an owner',
  unknown: 'cannot say what it holds',
  young: 'has a clock by which it is too young',
};

export interface ReapFacts {
  readonly isOwner: boolean;
  readonly isFirstOwner: boolean;
  /** Infinity: it holds a value that does not expire. */
  readonly newestMs: number;
  readonly nowMs: number;
  readonly reapAfterMs: number;
  readonly lookEveryMs: number;
  /** Of the last round that was about it; undefined: there was none. */
  readonly objections: readonly Objection[] | undefined;
  /** Owners that this node has not heard of since it started. */
  readonly unheard: readonly number[];
}

/** Empty: there is nothing to be reaped. */
export function reapText(facts: ReapFacts, nameOf: (node: number) => string): string {
  const { isOwner, isFirstOwner, newestMs, nowMs, reapAfterMs, lookEveryMs, objections, unheard } = facts;
  if (newestMs === Number.POSITIVE_INFINITY) return '';
  if (!isOwner) return 'This node owns no copy, and proposes nothing: ask an owner';
  const leftMs = newestMs + reapAfterMs - nowMs;
  if (leftMs > 0)
    return `It is proposed in ${seconds(leftMs)} at the earliest: repair.reapAfter is ${seconds(reapAfterMs)}`;
  if (unheard.length > 0)
    return `This node waits for ${names(unheard, nameOf)}, to hear what was reaped while it was away`;
  if (objections !== undefined && objections.length > 0) return `It waits for ${objectionsText(objections, nameOf)}`;
  const by = isFirstOwner ? 'this node' : 'the first owner';
  return `It is proposed by ${by} at its next look, within ${seconds(lookEveryMs)}`;
}

function objectionsText(objections: readonly Objection[], nameOf: (node: number) => string): string {
  return objections.map(({ member, why }) => `${nameOf(member)}, which ${WHY[why]}`).join('; ');
}

function names(nodes: readonly number[], nameOf: (node: number) => string): string {
  return nodes.map(nameOf).join(', ');
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)} s`;
}
