/** The configuration in effect, as rows for people: what `partitad --check` and `partita config show --origin` print. */
import { SETTING_LIST } from './config-schema.js';
import type { Config, LoadedConfig } from './config-types.js';
import { formatAddress, formatDurability, formatDuration, formatSize } from './config-units.js';

export interface ConfigRow {
  readonly path: string;
  readonly value: string;
  /** `--memory-max`, `PARTITA_MEMORY_MAX`, `/etc/partita/n1.toml:3`, `default`, or `derived from memoryMax`. */
  readonly origin: string;
}

const SHOW: Readonly<Record<string, (config: Config) => string>> = {
  dataDir: (c) => c.dataDir,
  cluster: (c) => c.cluster,
  partitions: (c) => String(c.partitions),
  durability: (c) => formatDurability(c.durability),
  memoryMax: (c) => formatSize(c.memoryMax),
  valueBytesMax: (c) => formatSize(c.valueBytesMax),
  insecureListen: (c) => String(c.insecureListen),
  'client.listen': (c) => formatAddress(c.client.listen),
  'client.advertise': (c) => (c.client.advertise === null ? 'auto' : formatAddress(c.client.advertise)),
  'client.tokenFile': (c) => c.client.tokenFile ?? '',
  'peer.listen': (c) => formatAddress(c.peer.listen),
  'peer.advertise': (c) => (c.peer.advertise === null ? 'auto' : formatAddress(c.peer.advertise)),
  'peer.secretFile': (c) => c.peer.secretFile ?? '',
  'peer.seeds': (c) => c.peer.seeds.map(formatAddress).join(', '),
  'admin.socket': (c) => c.admin.socket,
  'log.level': (c) => c.log.level,
  'limits.connectionsMax': (c) => String(c.limits.connectionsMax),
  'limits.helloTimeout': (c) => formatDuration(c.limits.helloTimeoutMs),
  'limits.frameTimeout': (c) => formatDuration(c.limits.frameTimeoutMs),
  'limits.idleTimeout': (c) => formatDuration(c.limits.idleTimeoutMs),
  'limits.inFlightPerConnection': (c) => String(c.limits.inFlightPerConnection),
  'limits.inFlightBytesPerConnection': (c) => formatSize(c.limits.inFlightBytesPerConnection),
  'storage.segmentBytes': (c) => formatSize(c.storage.segmentBytes),
  'storage.logBytesMax': (c) => formatSize(c.storage.logBytesMax),
  'storage.syncTarget': (c) => formatDuration(c.storage.syncTargetMs),
  'repair.period': (c) => formatDuration(c.repair.periodMs),
  'repair.reapAfter': (c) => formatDuration(c.repair.reapAfterMs),
  'repair.reapLogRetention': (c) => formatDuration(c.repair.reapLogRetentionMs),
  'background.requestTarget': (c) => formatDuration(c.background.requestTargetMs),
  'background.loopDelayTarget': (c) => formatDuration(c.background.loopDelayTargetMs),
  'background.bytesPerSecondMin': (c) => formatSize(c.background.bytesPerSecondMin),
  'background.bytesPerSecondMax': (c) => formatSize(c.background.bytesPerSecondMax),
  'scrub.period': (c) => formatDuration(c.scrub.periodMs),
  'scrub.bytesPerSecondMax': (c) => formatSize(c.scrub.bytesPerSecondMax),
};

const MEMORY_ROWS: readonly (keyof Config['memory'])[] = [
  'writeBufferBytes',
  'inFlightBytes',
  'connectionBufferBytes',
  'hotCacheBytes',
  'oldSpaceBytes',
];

export function configRows({ config, origins }: LoadedConfig): readonly ConfigRow[] {
  const rows = SETTING_LIST.map(({ path }) => {
    const origin = origins.get(path);
    const derived = origin?.kind === 'derived' ? 'derived from ' : '';
    return { path, value: SHOW[path]?.(config) ?? '', origin: `${derived}${origin?.from ?? 'default'}` };
  });
  const shares = MEMORY_ROWS.map((name) => ({
    path: `memory.${name}`,
    value: formatSize(config.memory[name]),
    origin: 'derived from memoryMax',
  }));
  return [...rows, ...shares];
}
