/*
 * Every setting once: its type, its default and one sentence about it. Flags, environment variables, the reference in
 * docs/operating.md and `config show` are all derived from this schema, so none of them can disagree with it.
 *
 * Values are text from a flag or from the environment, and text, numbers or booleans from TOML; both meet here. A
 * default is written as an operator would write it.
 */
import { z } from 'zod';
import { PARTITIONS_DEFAULT, PARTITIONS_MAX, VALUE_BYTES_HARD_MAX } from '../model/limits.js';
import type { Durability } from '../storage/log-types.js';
import type { Address, LogLevel } from './config-types.js';
import { formatSize, parseAddress, parseAddresses, parseDurability, parseDuration, parseSize } from './config-units.js';
import type { Parsed } from './config-units.js';

/** Settings whose default is worked out from others. */
export type Auto = 'auto';

/** By dotted path, as `config show` names them; the file writes the part before the dot as a table. */
export interface Settings {
  readonly dataDir: string;
  readonly cluster: string;
  readonly partitions: number;
  readonly durability: Durability;
  readonly memoryMax: number;
  readonly valueBytesMax: number;
  readonly insecureListen: boolean;
  readonly 'client.listen': Address;
  readonly 'client.advertise': Address | Auto;
  readonly 'client.tokenFile': string;
  readonly 'peer.listen': Address;
  readonly 'peer.advertise': Address | Auto;
  readonly 'peer.secretFile': string;
  readonly 'peer.seeds': readonly Address[];
  readonly 'admin.socket': string;
  readonly 'log.level': LogLevel;
  readonly 'limits.connectionsMax': number | Auto;
  readonly 'limits.helloTimeout': number;
  readonly 'limits.frameTimeout': number;
  readonly 'limits.idleTimeout': number;
  readonly 'limits.inFlightPerConnection': number;
  readonly 'limits.inFlightBytesPerConnection': number | Auto;
  readonly 'storage.segmentBytes': number;
  readonly 'storage.logBytesMax': number | Auto;
  readonly 'storage.syncTarget': number;
  readonly 'repair.period': number;
  readonly 'repair.reapAfter': number;
  readonly 'repair.reapLogRetention': number;
  readonly 'background.requestTarget': number;
  readonly 'background.loopDelayTarget': number;
  readonly 'background.bytesPerSecondMin': number;
  readonly 'background.bytesPerSecondMax': number;
  readonly 'scrub.period': number;
  readonly 'scrub.bytesPerSecondMax': number;
}

function text<T>(parse: (text: string) => Parsed<T>): z.ZodType<T> {
  return z.string({ error: 'Expected text in quotes' }).transform((value, context) => {
    const parsed = parse(value);
    if (parsed.ok) return parsed.value;
    context.addIssue({ code: 'custom', message: `Expected ${parsed.expected}`, input: value });
    return z.NEVER;
  });
}

function between(parse: (text: string) => Parsed<number>, min: string, max: string): z.ZodType<number> {
  const [low, high] = [parse(min), parse(max)];
  return text((value) => {
    const parsed = parse(value);
    if (!parsed.ok || !low.ok || !high.ok) return parsed;
    return low.value <= parsed.value && parsed.value <= high.value
      ? parsed
      : { ok: false, expected: `${min} to ${max}` };
  });
}

const size = (min: string, max: string): z.ZodType<number> => between(parseSize, min, max);
const duration = (min: string, max: string): z.ZodType<number> => between(parseDuration, min, max);
const orAuto = <T>(schema: z.ZodType<T>): z.ZodType<T | Auto> => z.literal('auto').or(schema);
const word = (pattern: RegExp, expected: string): z.ZodType<string> =>
  z.string({ error: 'Expected text in quotes' }).regex(pattern, { error: `Expected ${expected}` });

const count = (min: number, max: number): z.ZodType<number> =>
  z
    .union([z.number(), z.string().transform((value) => (/^\d+$/.test(value) ? Number(value) : Number.NaN))])
    .refine((value) => Number.isInteger(value) && min <= value && value <= max, {
      error: `Expected a whole number, ${min} to ${max}`,
    });

const yesOrNo: z.ZodType<boolean> = z.union(
  [z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')],
  {
    error: 'Expected true or false',
  },
);

const partitionCount = count(1, PARTITIONS_MAX).refine((value) => (value & (value - 1)) === 0, {
  error: `Expected a power of two, 1 to ${PARTITIONS_MAX}`,
});

interface Setting<T> {
  readonly schema: z.ZodType<T>;
  readonly fallback: string;
  readonly about: string;
}

const setting = <T>(schema: z.ZodType<T>, fallback: string, about: string): Setting<T> => ({ schema, fallback, about });

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const satisfies readonly LogLevel[];

/** In the order in which `config show` prints them. */
const SETTINGS = {
  dataDir: setting(word(/./, 'a directory'), './data', "The node's directory"),
  cluster: setting(
    word(/^[\w.-]{1,64}$/, '1 to 64 letters, digits, ".", "_" or "-"'),
    'partita',
    'Name that a Hello must carry, if it carries one',
  ),
  partitions: setting(partitionCount, String(PARTITIONS_DEFAULT), 'Q of a new cluster; read by --init only'),
  durability: setting(
    text(parseDurability),
    'always',
    'When a put is answered: "always" (after the sync) or "interval:100ms"',
  ),
  memoryMax: setting(size('128MiB', '1TiB'), '1GiB', 'The one number behind all memory limits'),
  valueBytesMax: setting(size('1KiB', formatSize(VALUE_BYTES_HARD_MAX)), '1MiB', 'Largest value that a put may carry'),
  insecureListen: setting(yesOrNo, 'false', 'Listen beyond loopback though nothing is encrypted'),
  'client.listen': setting(text(parseAddress), '127.0.0.1:7700', 'Where clients connect'),
  'client.advertise': setting(
    orAuto(text(parseAddress)),
    'auto',
    'What clients are told to dial; auto: the address bound',
  ),
  'client.tokenFile': setting(z.string(), '', 'File with the token that a client must send; empty: none'),
  'peer.listen': setting(text(parseAddress), '127.0.0.1:7701', 'Where other nodes connect'),
  'peer.advertise': setting(
    orAuto(text(parseAddress)),
    'auto',
    'What other nodes are told to dial; auto: the address bound',
  ),
  'peer.secretFile': setting(
    z.string(),
    '',
    'File with the secret of the cluster, the same on all its nodes; empty: a cluster of one node that nobody joins',
  ),
  'peer.seeds': setting(
    text(parseAddresses),
    '',
    'Peer addresses, with commas, that are tried while no member is where the ring says; empty: none',
  ),
  'admin.socket': setting(
    z.string(),
    'auto',
    'Unix socket for partita; auto: $RUNTIME_DIRECTORY or dataDir, admin.sock',
  ),
  'log.level': setting(
    z.enum(LOG_LEVELS, { error: `Expected ${LOG_LEVELS.join(', ')}` }),
    'info',
    'Least level that is logged; re-read on SIGHUP',
  ),
  'limits.connectionsMax': setting(orAuto(count(1, 65_536)), 'auto', 'Connections at once; auto: from memoryMax'),
  'limits.helloTimeout': setting(duration('100ms', '60s'), '3s', 'From accept to a complete Hello'),
  'limits.frameTimeout': setting(duration('100ms', '10min'), '30s', 'From the first byte of a frame to its last'),
  'limits.idleTimeout': setting(duration('1s', '7d'), '5min', 'A connection without frames is closed after this'),
  'limits.inFlightPerConnection': setting(count(1, 65_536), '1024', 'Requests under way on one connection'),
  'limits.inFlightBytesPerConnection': setting(
    orAuto(size('64KiB', '1GiB')),
    'auto',
    'Their bytes; auto: from memoryMax',
  ),
  'storage.segmentBytes': setting(size('1MiB', '1GiB'), '64MiB', 'Size of a log segment'),
  'storage.logBytesMax': setting(
    orAuto(size('2MiB', '1TiB')),
    'auto',
    'Log not yet in partition files; auto: 2 x write buffer',
  ),
  'storage.syncTarget': setting(
    duration('1ms', '10s'),
    '20ms',
    "Flushing yields while the log's sync p99 is above this",
  ),
  'repair.period': setting(
    duration('10s', '30d'),
    '1h',
    'Every two nodes that share a partition compare what they hold this often',
  ),
  'repair.reapAfter': setting(
    duration('2min', '3650d'),
    '1h',
    'Deletes older than this are forgotten for good, once every member agrees',
  ),
  'repair.reapLogRetention': setting(
    duration('1d', '3650d'),
    '35d',
    'How long it is remembered what was forgotten: archives and disks put back may be as old',
  ),
  'background.requestTarget': setting(
    duration('1ms', '10s'),
    '50ms',
    'Background work shrinks while request p99 is above this',
  ),
  'background.loopDelayTarget': setting(duration('1ms', '10s'), '20ms', 'The same for event-loop delay'),
  'background.bytesPerSecondMin': setting(
    size('16KiB', '1GiB'),
    '512KiB',
    'What background work gets however busy the node is: hints must go home',
  ),
  'background.bytesPerSecondMax': setting(
    size('1MiB', '16GiB'),
    '64MiB',
    'What it gets at most, all kinds of it together',
  ),
  'scrub.period': setting(duration('1min', '365d'), '14d', 'Each partition is read and verified once in this time'),
  'scrub.bytesPerSecondMax': setting(size('16KiB', '1GiB'), '8MiB', 'The scrub reads no faster than this'),
} satisfies { readonly [Path in keyof Settings]: Setting<Settings[Path]> };

export interface SettingDescription {
  /** `client.listen` */
  readonly path: string;
  /** `client-listen`: the flag without its dashes. */
  readonly flag: string;
  /** `PARTITA_CLIENT_LISTEN` */
  readonly env: string;
  readonly fallback: string;
  readonly about: string;
  readonly isSwitch: boolean;
}

function describe(path: string, { schema, fallback, about }: Setting<unknown>): SettingDescription {
  const words = path.replaceAll('.', '-').replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const env = `PARTITA_${words.replaceAll('-', '_').toUpperCase()}`;
  return { path, flag: words, env, fallback, about, isSwitch: schema === yesOrNo };
}

export const SETTING_LIST: readonly SettingDescription[] = Object.entries(SETTINGS).map(([path, one]) =>
  describe(path, one),
);

const SCHEMA = z.strictObject(Object.fromEntries(Object.entries(SETTINGS).map(([path, { schema }]) => [path, schema])));

export type SettingsResult =
  | { readonly ok: true; readonly settings: Settings }
  | { readonly ok: false; readonly faults: readonly { readonly path: string; readonly message: string }[] };

/** Checks raw values by dotted path; every setting must be there, whatever layer it came from. */
export function parseSettings(raw: Readonly<Record<string, unknown>>): SettingsResult {
  const result = SCHEMA.safeParse(raw);
  // Object.fromEntries forgot which schema belongs to which path; the `satisfies` above has checked it.
  if (result.success) return { ok: true, settings: result.data as unknown as Settings };
  return {
    ok: false,
    faults: result.error.issues.map((issue) => ({ path: String(issue.path[0] ?? ''), message: issue.message })),
  };
}
