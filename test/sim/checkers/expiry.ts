/*
 * Versions expire when their stamp and their time to live say, by whichever clock: nothing is shown when every clock, as
 * far off as clocks may be, is past that; and (in the checkers that miss a put) nothing is gone while none is.
 *
 * The moment follows from the stamp that the version was minted with. A put that was sent again may have been minted
 * twice: it has expired for certain when both have, and may have when one has.
 */
import type { Evidence } from '../evidence.js';
import type { WriteOp } from '../history.js';
import type { Violation } from '../violation.js';

export type Clocks = Pick<Evidence, 'minted' | 'wallStartMs' | 'skewMaxMs'>;

export function checkExpiry(evidence: Clocks & Pick<Evidence, 'history'>): Violation[] {
  const violations: Violation[] = [];
  for (const { key, reads, writes } of evidence.history.keys.values()) {
    for (const { from, ids, startMs } of reads) {
      if (from !== 'get') continue;
      for (const id of ids) {
        const write = writes.get(id);
        if (write === undefined || !hasExpired(evidence, write, startMs)) continue;
        const text = `put ${id}, to live for ${write.ttlMs} ms from ${Math.round(write.startMs)} ms, was shown to a get begun at ${Math.round(startMs)} ms`;
        violations.push({ checker: 'expiry', key, text });
      }
    }
  }
  return violations;
}

/** Some clock may have been past its end at this moment. */
export function mayHaveExpired(evidence: Clocks, write: WriteOp, atMs: number): boolean {
  if (write.ttlMs === 0) return false;
  const latestMs = evidence.wallStartMs + atMs + evidence.skewMaxMs;
  return endsOf(evidence, write).some((endMs) => endMs <= latestMs);
}

/** Every clock was past every end that it may have. */
function hasExpired(evidence: Clocks, write: WriteOp, atMs: number): boolean {
  if (write.ttlMs === 0) return false;
  const earliestMs = evidence.wallStartMs + atMs - evidence.skewMaxMs;
  const ends = endsOf(evidence, write);
  return ends.length > 0 && ends.every((endMs) => endMs < earliestMs);
}

interface Stamps {
  readonly count: number;
  readonly byPutId: ReadonlyMap<string, readonly number[]>;
}

const STAMPS: WeakMap<Evidence['minted'], Stamps> = new WeakMap();

/** By the stamps that it was minted with. */
function endsOf({ minted }: Clocks, { putId, ttlMs }: WriteOp): readonly number[] {
  let stamps = STAMPS.get(minted);
  if (stamps?.count !== minted.length) {
    stamps = stampsOf(minted);
    STAMPS.set(minted, stamps);
  }
  return (stamps.byPutId.get(putId) ?? []).map((wallMs) => wallMs + ttlMs);
}

function stampsOf(minted: Evidence['minted']): Stamps {
  const byPutId: Map<string, number[]> = new Map();
  for (const { putId, wallMs } of minted) {
    const list = byPutId.get(putId);
    if (list === undefined) byPutId.set(putId, [wallMs]);
    else list.push(wallMs);
  }
  return { count: minted.length, byPutId };
}
