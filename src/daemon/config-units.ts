/*
 * Numbers with units, as people write them in a file: `512MiB`, `500ms`, `127.0.0.1:7700`. A bare number is refused
 * where a unit belongs (`frameTimeout = 30`: seconds? milliseconds?), but 0 needs none.
 *
 * Each parser answers the value, or a sentence that says what it expected.
 */
import type { Durability } from '../storage/log-types.js';
import type { Address } from './config-types.js';

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly expected: string };

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['KiB', 1_024],
  ['MiB', 1_048_576],
  ['GiB', 1_073_741_824],
  ['TiB', 1_099_511_627_776],
  ['kB', 1_000],
  ['MB', 1_000_000],
  ['GB', 1_000_000_000],
  ['TB', 1_000_000_000_000],
]);

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

function parseWithUnit(text: string, units: ReadonlyMap<string, number>, expected: string): Parsed<number> {
  const match = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(text.trim());
  if (match === null) return { ok: false, expected };
  const amount = Number(match[1]);
  if (amount === 0) return { ok: true, value: 0 };
  const factor = units.get(match[2] ?? '');
  if (factor === undefined) return { ok: false, expected };
  const value = amount * factor;
  return Number.isSafeInteger(value)
    ? { ok: true, value }
    : { ok: false, expected: `${expected}, whole and below 2^53` };
}

/** Bytes of `64KiB`, `1.5GiB`, `200MB`. */
export function parseSize(text: string): Parsed<number> {
  return parseWithUnit(text, SIZE_UNITS, 'a size with its unit, such as "64KiB", "512MiB" or "1.5GiB"');
}

/** Milliseconds of `500ms`, `30s`, `5min`, `1h`. */
export function parseDuration(text: string): Parsed<number> {
  return parseWithUnit(text, DURATION_UNITS, 'a duration with its unit, such as "500ms", "30s" or "5min"');
}

/** `host:port`; an IPv6 host stands in brackets: `[::1]:7700`. */
export function parseAddress(text: string): Parsed<Address> {
  const expected = 'host:port, such as "127.0.0.1:7700" or "[::1]:7700"';
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text.trim());
  if (match === null) return { ok: false, expected };
  const port = Number(match[3]);
  if (port > 65_535) return { ok: false, expected: `${expected}, with a port of at most 65535` };
  return { ok: true, value: { host: match[1] ?? match[2] ?? '', port } };
}

/** Addresses with commas between them; none: empty text. */
export function parseAddresses(text: string): Parsed<readonly Address[]> {
  const addresses: Address[] = [];
  for (const part of text.split(',')) {
    if (part.trim() === '') continue;
    const parsed = parseAddress(part);
    if (!parsed.ok) return { ok: false, expected: `${parsed.expected}; several with commas between them` };
    addresses.push(parsed.value);
  }
  return { ok: true, value: addresses };
}

/** `always`, or `interval:100ms`. */
export function parseDurability(text: string): Parsed<Durability> {
  const expected =
    '"always" (a put is answered after the sync) or "interval:100ms" (synced that often, answered before)';
  if (text === 'always') return { ok: true, value: { kind: 'always' } };
  if (!text.startsWith('interval:')) return { ok: false, expected };
  const every = parseDuration(text.slice('interval:'.length));
  if (!every.ok || every.value < 1 || every.value > 60_000) return { ok: false, expected: `${expected}, 1ms to 60s` };
  return { ok: true, value: { kind: 'interval', ms: every.value } };
}

function formatWithUnit(value: number, units: readonly (readonly [string, number])[]): string {
  for (const [unit, factor] of units) if (value !== 0 && value % factor === 0) return `${value / factor}${unit}`;
  return `${value}${units.at(-1)?.[0] ?? ''}`;
}

/** The largest binary unit that says it exactly. */
export function formatSize(bytes: number): string {
  const units = ['TiB', 'GiB', 'MiB', 'KiB', 'B'].map((unit) => [unit, SIZE_UNITS.get(unit) ?? 1] as const);
  return formatWithUnit(bytes, units);
}

export function formatDuration(ms: number): string {
  return formatWithUnit(ms, [...DURATION_UNITS].reverse());
}

export function formatAddress(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

export function formatDurability(durability: Durability): string {
  return durability.kind === 'always' ? 'always' : `interval:${formatDuration(durability.ms)}`;
}

/** Nobody but this host can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
