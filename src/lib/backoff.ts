/**
 * Full jitter: uniformly from 0 to baseMs · 2^(attempt - 1), at most maxMs. Callers that failed together must not come
 * back together; half of the mean wait is the price.
 */
export function fullJitterMs(random: { u32(): number }, baseMs: number, maxMs: number, attempt: number): number {
  const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempt - 1, 30));
  return (random.u32() / 0x1_0000_0000) * ceilingMs;
}
