/*
 * Flag > environment (PARTITA_…) > file > default, and for every value the place that it came from.
 *
 * Whatever is wrong is reported at once, each fault with its place: an operator who fixes five typos should need one
 * start, not five. Nothing unknown is ignored: `lisen = "0.0.0.0:7700"` must not silently leave the default in place.
 */
import { readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { readToml } from './config-file.js';
import { parseSettings, SETTING_LIST } from './config-schema.js';
import type { Auto, SettingDescription, Settings } from './config-schema.js';
import { suggestion } from './config-suggest.js';
import { ConfigError } from './config-types.js';
import type { Address, Config, LoadedConfig, Origin } from './config-types.js';
import { formatAddress, formatSize, isLoopback } from './config-units.js';
import { planMemory } from './memory.js';
import type { MemoryPlan } from './memory.js';

export { ConfigError } from './config-types.js';
export type { Config, LoadedConfig, Origin, Origins } from './config-types.js';

export interface ConfigSources {
  /** By flag name without dashes (`client-listen`); only those that were given. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A TOML file. */
  readonly file?: string;
}

/** Variables of the command line, not of the daemon. */
const CLIENT_VARIABLES: ReadonlySet<string> = new Set(['PARTITA_CONFIG', 'PARTITA_SERVER']);

const OUTPUT_PAUSE_BYTES = 1_048_576;

/** Throws ConfigError, with one fault a line. */
export function loadConfig({ flags, env, file }: ConfigSources): LoadedConfig {
  const faults: string[] = [];
  const raw: Record<string, unknown> = {};
  const origins = new Map<string, Origin>();
  const set = (path: string, value: unknown, origin: Origin): void => {
    raw[path] = value;
    origins.set(path, origin);
  };

  for (const { path, fallback } of SETTING_LIST) set(path, fallback, { kind: 'default', from: 'default' });
  if (file !== undefined) {
    for (const [path, { value, from }] of readConfigFile(file)) {
      if (raw[path] === undefined) faults.push(unknownSetting(path, from));
      else set(path, value, { kind: 'file', from });
    }
  }
  for (const one of SETTING_LIST) fromEnvironmentOrFlag(one, env, flags, set);

  const parsed = parseSettings(raw);
  if (!parsed.ok) faults.push(...parsed.faults.map((fault) => place(fault, origins, raw)));
  if (!parsed.ok || faults.length > 0) throw new ConfigError(faults);
  return finish(parsed.settings, origins, env);
}

function readConfigFile(file: string): ReturnType<typeof readToml> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new ConfigError([`Cannot read the configuration file ${file}: ${code}`], { cause: error });
  }
  return readToml(text, basename(file) === file ? file : resolve(file));
}

function fromEnvironmentOrFlag(
  { path, flag, env: variable }: SettingDescription,
  env: ConfigSources['env'],
  flags: ConfigSources['flags'],
  set: (path: string, value: unknown, origin: Origin) => void,
): void {
  const fromEnvironment = env[variable];
  if (fromEnvironment !== undefined) set(path, fromEnvironment, { kind: 'env', from: variable });
  const fromFlag = flags[flag];
  if (fromFlag !== undefined) set(path, fromFlag, { kind: 'flag', from: `--${flag}` });
}

function unknownSetting(path: string, from: string): string {
  const meant = suggestion(
    path,
    SETTING_LIST.map((one) => one.path),
  );
  return `${from}: Unknown setting ${path}${meant === undefined ? '' : `; did you mean ${meant}?`}`;
}

function place(
  fault: { readonly path: string; readonly message: string },
  origins: ReadonlyMap<string, Origin>,
  raw: Readonly<Record<string, unknown>>,
): string {
  const origin = origins.get(fault.path);
  const where = origin === undefined ? '' : `${origin.from}: `;
  const given = raw[fault.path] === undefined ? '' : `, not ${JSON.stringify(raw[fault.path])}`;
  return `${where}${fault.path}: ${fault.message}${given}`;
}

function finish(settings: Settings, origins: Map<string, Origin>, env: ConfigSources['env']): LoadedConfig {
  const faults = [...listenFaults(settings, origins), ...rateFaults(settings, origins)];
  const planned = planMemory({
    memoryMax: settings.memoryMax,
    valueBytesMax: settings.valueBytesMax,
    segmentBytes: settings['storage.segmentBytes'],
    logBytesMax: settings['storage.logBytesMax'],
    connectionsMax: settings['limits.connectionsMax'],
    inFlightBytesPerConnection: settings['limits.inFlightBytesPerConnection'],
  });
  if (!planned.ok) faults.push(...planned.faults.map((fault) => place(fault, origins, {})));
  if (!planned.ok || faults.length > 0) throw new ConfigError(faults);
  for (const path of ['storage.logBytesMax', 'limits.connectionsMax', 'limits.inFlightBytesPerConnection'] as const) {
    if (settings[path] === 'auto') origins.set(path, { kind: 'derived', from: 'memoryMax' });
  }
  return { config: build(settings, planned.plan, env, origins), origins, warnings: unknownVariables(env) };
}

function listenFaults(settings: Settings, origins: ReadonlyMap<string, Origin>): string[] {
  if (settings.insecureListen) return [];
  return (['client.listen', 'peer.listen'] as const)
    .filter((path) => !isLoopback(settings[path].host))
    .map(
      (path) =>
        `${origins.get(path)?.from ?? ''}: ${path}: ${formatAddress(settings[path])} can be reached from other hosts, ` +
        'and nothing is encrypted: whoever is on the way reads and changes all of it. Listen on 127.0.0.1, or say insecureListen = true (--insecure-listen)',
    );
}

function rateFaults(settings: Settings, origins: ReadonlyMap<string, Origin>): string[] {
  const { 'background.bytesPerSecondMin': min, 'background.bytesPerSecondMax': max } = settings;
  if (min <= max) return [];
  return [
    `${origins.get('background.bytesPerSecondMin')?.from ?? ''}: background.bytesPerSecondMin: ${formatSize(min)} is more than background.bytesPerSecondMax, ${formatSize(max)}: lower the one or raise the other`,
  ];
}

function build(settings: Settings, plan: MemoryPlan, env: ConfigSources['env'], origins: Map<string, Origin>): Config {
  const dataDir = resolve(settings.dataDir);
  return {
    dataDir,
    cluster: settings.cluster,
    partitions: settings.partitions,
    durability: settings.durability,
    memoryMax: settings.memoryMax,
    valueBytesMax: settings.valueBytesMax,
    insecureListen: settings.insecureListen,
    client: {
      listen: settings['client.listen'],
      advertise: address(settings['client.advertise']),
      tokenFile: file(settings['client.tokenFile']),
    },
    peer: {
      listen: settings['peer.listen'],
      advertise: address(settings['peer.advertise']),
      secretFile: file(settings['peer.secretFile']),
      seeds: settings['peer.seeds'],
    },
    admin: { socket: adminSocket(settings['admin.socket'], dataDir, env, origins) },
    log: { level: settings['log.level'] },
    limits: {
      connectionsMax: plan.connectionsMax,
      helloTimeoutMs: settings['limits.helloTimeout'],
      frameTimeoutMs: settings['limits.frameTimeout'],
      idleTimeoutMs: settings['limits.idleTimeout'],
      inFlightPerConnection: settings['limits.inFlightPerConnection'],
      inFlightBytesPerConnection: plan.inFlightBytesPerConnection,
      outputPauseBytes: OUTPUT_PAUSE_BYTES,
    },
    storage: {
      segmentBytes: settings['storage.segmentBytes'],
      logBytesMax: plan.logBytesMax,
      syncTargetMs: settings['storage.syncTarget'],
    },
    repair: {
      periodMs: settings['repair.period'],
      reapAfterMs: settings['repair.reapAfter'],
      reapLogRetentionMs: settings['repair.reapLogRetention'],
    },
    background: {
      requestTargetMs: settings['background.requestTarget'],
      loopDelayTargetMs: settings['background.loopDelayTarget'],
      bytesPerSecondMin: settings['background.bytesPerSecondMin'],
      bytesPerSecondMax: settings['background.bytesPerSecondMax'],
    },
    scrub: { periodMs: settings['scrub.period'], bytesPerSecondMax: settings['scrub.bytesPerSecondMax'] },
    memory: plan.memory,
  };
}

function address(value: Address | Auto): Address | null {
  return value === 'auto' ? null : value;
}

function file(path: string): string | null {
  return path === '' ? null : resolve(path);
}

/** systemd makes RUNTIME_DIRECTORY for us, short enough for a socket path (108 bytes). */
function adminSocket(value: string, dataDir: string, env: ConfigSources['env'], origins: Map<string, Origin>): string {
  if (value !== 'auto') return resolve(value);
  const runtime = env['RUNTIME_DIRECTORY'];
  origins.set('admin.socket', { kind: 'derived', from: runtime === undefined ? 'dataDir' : 'RUNTIME_DIRECTORY' });
  return resolve(runtime?.split(':')[0] ?? dataDir, 'admin.sock');
}

function unknownVariables(env: ConfigSources['env']): string[] {
  const known = SETTING_LIST.map((one) => one.env);
  return Object.keys(env)
    .filter((name) => name.startsWith('PARTITA_') && !known.includes(name) && !CLIENT_VARIABLES.has(name))
    .map((name) => {
      const meant = suggestion(name, known);
      return `Environment variable ${name} is not a setting${meant === undefined ? '' : `; did you mean ${meant}?`}`;
    });
}
