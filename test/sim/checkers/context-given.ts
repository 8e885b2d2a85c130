/*
 * A context is given out only together with everything that it covers. For each reply that carried a context: a put
 * whose dot it covers was shown with it, or had been read by somebody who may have replaced it by then. Otherwise the
 * client who writes with that context overwrites what nobody has read.
 */
import { counterIn } from '../../../src/versioning/record.js';
import { ContextToken } from '../../../src/versioning/token.js';
import { readU32, readU48 } from '../../../src/lib/bytes.js';
import type { Evidence } from '../evidence.js';
import type { KeyHistory, ReadOp } from '../history.js';
import { HASH } from '../tools.js';
import type { Violation } from '../violation.js';
import { isOwed, mayBeReplaced } from './certain.js';
import { mayHaveExpired } from './expiry.js';

interface KnownDot {
  readonly hi: number;
  readonly lo: number;
  readonly counter: number;
  readonly id: number;
}

export function checkContextGiven(evidence: Evidence): Violation[] {
  const violations: Violation[] = [];
  const dots = dotsByKey(evidence);
  const token = new ContextToken();
  for (const history of evidence.history.keys.values()) {
    const key = Buffer.from(history.key, 'latin1');
    HASH.hash(key, 0, key.length);
    const keyHash = { hi: HASH.hi, lo: HASH.lo };
    for (const read of history.reads) {
      const fault = token.decode(read.context, 0, read.context.length, HASH, keyHash);
      if (fault !== '') violations.push({ checker: 'context-given', key: history.key, text: fault });
      else
        for (const id of unread(evidence, history, read, token, dots.get(history.key) ?? [])) {
          violations.push({
            checker: 'context-given',
            key: history.key,
            text: `the context of a ${read.from} at ${Math.round(read.endMs)} ms covers put ${id}, which was not shown with it`,
          });
        }
    }
  }
  return violations;
}

/** Puts that the context covers, still owed, neither shown nor replaced. */
function unread(
  evidence: Evidence,
  history: KeyHistory,
  read: ReadOp,
  token: ContextToken,
  dots: readonly KnownDot[],
): readonly number[] {
  const found: number[] = [];
  for (const { hi, lo, counter, id } of dots) {
    if (counterIn(token.bytes, token.entries, token.entryCount, hi, lo) < counter) continue;
    const write = history.writes.get(id);
    if (write === undefined || write.kind === 'delete' || read.ids.includes(id)) continue;
    if (mayHaveExpired(evidence, write, read.endMs)) continue; // hidden, and covered all the same
    if (!isOwed(evidence, write) || mayBeReplaced(history, id, read.endMs) || found.includes(id)) continue;
    found.push(id);
  }
  return found;
}

function dotsByKey(evidence: Evidence): ReadonlyMap<string, readonly KnownDot[]> {
  const dots: Map<string, KnownDot[]> = new Map();
  for (const { key, dot, putId } of evidence.minted) {
    const id = evidence.history.byPutId.get(putId)?.id;
    if (id === undefined) continue;
    const bytes = Buffer.from(dot, 'hex');
    const known = { hi: readU32(bytes, 0), lo: readU32(bytes, 4), counter: readU48(bytes, 8), id };
    const list = dots.get(key);
    if (list === undefined) dots.set(key, [known]);
    else list.push(known);
  }
  return dots;
}
