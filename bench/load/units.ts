/*
 * Numbers as people write them on a command line (100k, 1KiB, 2.5s) and as they like to read them.
 */

const COUNT = /^(\d+(?:\.\d+)?)([kKmMgG]?)$/;
const COUNT_FACTORS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };
const SIZE = /^(\d+(?:\.\d+)?)\s*(B|k|K|kB|KB|KiB|M|MB|MiB|G|GB|GiB)?$/;
const SIZE_FACTORS: Readonly<Record<string, number>> = {
  B: 1,
  k: 1e3,
  K: 1e3,
  kB: 1e3,
  KB: 1e3,
  KiB: 1024,
  M: 1e6,
  MB: 1e6,
  MiB: 1024 ** 2,
  G: 1e9,
  GB: 1e9,
  GiB: 1024 ** 3,
};
const DURATION = /^(\d+(?:\.\d+)?)(us|ms|s|m|h)?$/;
const DURATION_FACTORS: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

/** What a user wrote is not what the program understands; the text says what it should have been. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** `100k` → 100,000 */
export function parseCount(text: string, what: string): number {
  const match = COUNT.exec(text.trim());
  const count = match === null ? Number.NaN : Number(match[1]) * (COUNT_FACTORS[(match[2] ?? '').toLowerCase()] ?? 1);
  if (!Number.isSafeInteger(count))
    throw new UsageError(`${what} is "${text}": give a whole number, like 500, 100k or 2M`);
  return count;
}

/** `1KiB` → 1,024; a bare number is bytes. */
export function parseSize(text: string, what: string): number {
  const match = SIZE.exec(text.trim());
  const bytes = match === null ? Number.NaN : Number(match[1]) * (SIZE_FACTORS[match[2] ?? 'B'] ?? 1);
  if (!Number.isSafeInteger(bytes))
    throw new UsageError(`${what} is "${text}": give a size in bytes, like 100, 1KiB or 64KiB`);
  return bytes;
}

/** `10s` → 10,000 ms; a bare number is seconds, as autocannon has it. */
export function parseDurationMs(text: string, what: string): number {
  const match = DURATION.exec(text.trim());
  if (match === null) throw new UsageError(`${what} is "${text}": give a duration, like 10, 500ms or 2m`);
  return Number(match[1]) * (DURATION_FACTORS[match[2] ?? 's'] ?? 1e3);
}

/** 0.05, or `5%` */
export function parseShare(text: string, what: string): number {
  const share = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (text === '' || !(share >= 0 && share <= 1))
    throw new UsageError(`${what} is "${text}": give a share, like 0.01 or 1%`);
  return share;
}

/** 1234567 → `1.23M` */
export function showCount(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)}G`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(2)}M`;
  if (count >= 1e4) return `${(count / 1e3).toFixed(1)}k`;
  return String(Number.isInteger(count) ? count : Number(count.toFixed(2)));
}

export function showBytes(bytes: number): string {
  if (bytes >= 1e9) return `${(bytes / 1e9).toFixed(2)} GB`;
  if (bytes >= 1e6) return `${(bytes / 1e6).toFixed(1)} MB`;
  if (bytes >= 1e3) return `${(bytes / 1e3).toFixed(1)} kB`;
  return `${Math.round(bytes)} B`;
}

/** Microseconds, with the unit that reads best. */
export function showMicros(us: number): string {
  if (us >= 1e6) return `${(us / 1e6).toFixed(2)} s`;
  if (us >= 1e5) return `${Math.round(us / 1e3)} ms`;
  if (us >= 1e4) return `${(us / 1e3).toFixed(1)} ms`;
  return `${Math.round(us)} µs`;
}

export function showSeconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(2))}s`;
}
