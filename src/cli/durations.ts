import { UsageError } from './io.js';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `5s`, `1.5m`, `2h`, `7d`; whole milliseconds, at least one. */
export function parseDurationMs(text: string, option: string): number {
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
  const ms = Math.round(Number(number) * (UNITS_MS[unit ?? ''] ?? Number.NaN));
  if (ms >= 1 && ms <= Number.MAX_SAFE_INTEGER) return ms;
  throw new UsageError(
    `${option}: ${JSON.stringify(text)} is not a duration. Write a number and a unit: 500ms, 5s, 2m, 1h, 7d`,
  );
}

export function parseWhole(text: string, option: string, min: number, max: number): number {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (min <= value && value <= max) return value;
  throw new UsageError(`${option}: ${JSON.stringify(text)} is not a whole number from ${min} to ${max}`);
}

/** For people, in its two largest units: `2d 3h`, `5m 10s`, `250ms`. Nothing is younger than now. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))}ms`;
  const parts: string[] = [];
  let rest = Math.floor(ms / 1_000) * 1_000;
  for (const unit of ['d', 'h', 'm', 's']) {
    const count = Math.floor(rest / (UNITS_MS[unit] as number));
    rest -= count * (UNITS_MS[unit] as number);
    if (count > 0 || parts.length > 0) parts.push(`${count}${unit}`);
  }
  return parts
    .slice(0, 2)
    .filter((part) => !part.startsWith('0'))
    .join(' ');
}
