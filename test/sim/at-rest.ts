/*
 * Deletes are forgotten, and records compacted, owner by owner: for these moments owners and their trees differ, and a scan
 * meets what has just gone. So where something is not as it should be, it is looked at again.
 */
const REAPED_WITHIN_MS = 50;
const LOOKS_MAX = 5;

/** What was seen at rest, or last. */
export function lookAtRest<T>(look: () => T, isAtRest: (seen: T) => boolean, wait: (ms: number) => void): T {
  for (let looks = 1; ; looks++) {
    const seen = look();
    if (isAtRest(seen) || looks === LOOKS_MAX) return seen;
    wait(REAPED_WITHIN_MS);
  }
}
