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
