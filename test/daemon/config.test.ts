import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fc } from '@fast-check/ava';
import test from 'ava';
import { ConfigError, loadConfig } from '../../src/daemon/config.js';
import type { ConfigSources, LoadedConfig } from '../../src/daemon/config.js';
import { configRows } from '../../src/daemon/config-show.js';
import { SETTING_LIST } from '../../src/daemon/config-schema.js';
import { formatDuration, formatSize, parseAddress, parseDuration, parseSize } from '../../src/daemon/config-units.js';
import { folderFor } from '../support/temporary.js';
import type { TeardownContext } from '../support/temporary.js';

function load(sources: Partial<ConfigSources>): LoadedConfig {
  return loadConfig({ flags: {}, env: {}, ...sources });
}

function faultsOf(sources: Partial<ConfigSources>): readonly string[] {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

function fileWith(t: TeardownContext, text: string): string {
  const path = join(folderFor(t, 'config'), 'n1.toml');
  writeFileSync(path, text);
  return path;
}

test('a flag beats the environment, which beats the file, which beats the default', (t) => {
  const file = fileWith(t, 'cluster = "from-file"\nmemoryMax = "256MiB"\n\n[client]\nlisten = "127.0.0.1:1001"\n');
  const env = { PARTITA_CLUSTER: 'from-env', PARTITA_CLIENT_LISTEN: '127.0.0.1:1002' };
  const { config, origins } = load({ flags: { cluster: 'from-flag' }, env, file });
  t.is(config.cluster, 'from-flag');
  t.deepEqual(config.client.listen, { host: '127.0.0.1', port: 1002 });
  t.is(config.memoryMax, 256 * 1_048_576);
  t.is(config.log.level, 'info');
  t.deepEqual(origins.get('cluster'), { kind: 'flag', from: '--cluster' });
  t.deepEqual(origins.get('client.listen'), { kind: 'env', from: 'PARTITA_CLIENT_LISTEN' });
  t.deepEqual(origins.get('memoryMax'), { kind: 'file', from: `${file}:2` });
  t.deepEqual(origins.get('log.level'), { kind: 'default', from: 'default' });
});

test('an unknown key is refused with its line, and a near name is offered', (t) => {
  const file = fileWith(t, 'clustr = "x"\n\n[peer]\nlisen = "127.0.0.1:1"\n[nonsense]\nzzzzzz = 1\n');
  t.deepEqual(faultsOf({ file }), [
    `${file}:1: Unknown setting clustr; did you mean cluster?`,
    `${file}:4: Unknown setting peer.lisen; did you mean peer.listen?`,
    `${file}:6: Unknown setting nonsense.zzzzzz`,
  ]);
});

test('a key that slipped out of its table is recognised by its last word', (t) => {
  const [fault] = faultsOf({ file: fileWith(t, 'lisen = "127.0.0.1:1"\n') });
  t.regex(fault ?? '', /did you mean client\.listen\?$/);
});

test('all faults are reported at once, each with where it came from', (t) => {
  const faults = faultsOf({
    flags: { 'memory-max': '3' },
    env: { PARTITA_DURABILITY: 'sometimes', PARTITA_PARTITIONS: '100' },
    file: fileWith(t, 'insecureListen = "maybe"\n[limits]\nidleTimeout = 5\n'),
  });
  const text = faults.join('\n');
  t.is(faults.length, 5, text);
  t.regex(text, /--memory-max: memoryMax: Expected a size with its unit.*not "3"/);
  t.regex(text, /PARTITA_DURABILITY: durability: Expected "always".*not "sometimes"/);
  t.regex(text, /PARTITA_PARTITIONS: partitions: Expected a power of two.*not "100"/);
  t.regex(text, /n1\.toml:1: insecureListen: Expected true or false/);
  t.regex(text, /n1\.toml:3: limits\.idleTimeout: Expected text in quotes, not 5/);
});

test('a syntax error names its line and column', (t) => {
  const [fault] = faultsOf({ file: fileWith(t, 'cluster = "a"\nlog = [\n') });
  t.regex(fault ?? '', /n1\.toml:[23]:\d+: /);
});

test('a file that is not there is an error, not an empty file', (t) => {
  t.deepEqual(faultsOf({ file: '/nowhere/n1.toml' }), ['Cannot read the configuration file /nowhere/n1.toml: ENOENT']);
});

test('listening beyond loopback has to be said in so many words', (t) => {
  for (const listen of ['0.0.0.0:7700', '[::]:7700', '10.0.0.1:7700', 'example.org:7700']) {
    t.regex(faultsOf({ flags: { 'client-listen': listen } })[0] ?? '', /can be reached from other hosts/, listen);
    t.regex(faultsOf({ flags: { 'peer-listen': listen } })[0] ?? '', /--insecure-listen/, listen);
    t.deepEqual(faultsOf({ flags: { 'client-listen': listen, 'insecure-listen': true } }), [], listen);
  }
  for (const listen of ['127.0.0.1:0', '127.8.8.8:7700', '[::1]:7700', 'localhost:7700']) {
    t.deepEqual(faultsOf({ flags: { 'client-listen': listen } }), [], listen);
  }
});

test('an environment variable that is no setting is a warning with a suggestion', (t) => {
  const { warnings } = load({ env: { PARTITA_MEMORYMAX: '1GiB', PARTITA_SERVER: 'a:1', HOME: '/' } });
  t.deepEqual(warnings, ['Environment variable PARTITA_MEMORYMAX is not a setting; did you mean PARTITA_MEMORY_MAX?']);
});

test('the admin socket lies in the runtime directory if there is one, else in the data directory', (t) => {
  t.is(load({ flags: { 'data-dir': '/d' } }).config.admin.socket, '/d/admin.sock');
  const env = { RUNTIME_DIRECTORY: '/run/partita/n1:/run/other' };
  t.is(load({ flags: { 'data-dir': '/d' }, env }).config.admin.socket, '/run/partita/n1/admin.sock');
  t.is(load({ flags: { 'admin-socket': '/s' }, env }).config.admin.socket, '/s');
});

test('every setting is shown, and what is shown can be given back', (t) => {
  const rows = configRows(load({ flags: { 'data-dir': '/d', durability: 'interval:250ms' } }));
  const shown = new Map(rows.map((row) => [row.path, row.value]));
  const flags: Record<string, string> = {};
  for (const { path, flag } of SETTING_LIST) flags[flag] = shown.get(path) ?? '(missing)';
  t.deepEqual(
    configRows(load({ flags })).map((row) => row.value),
    rows.map((row) => row.value),
  );
});

test('sizes and durations survive being printed', (t) => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 50 }), (n) => {
      const size = parseSize(formatSize(n));
      const duration = parseDuration(formatDuration(n));
      return size.ok && size.value === n && duration.ok && duration.value === n;
    }),
  );
  t.pass();
});

test('units are asked for, and nonsense is refused', (t) => {
  for (const text of ['', '5', '5 apples', '-1MiB', '1e3B', 'MiB', '0.3B']) t.false(parseSize(text).ok, text);
  for (const text of ['', '5', '5m', '-1s', '1.0001ms']) t.false(parseDuration(text).ok, text);
  for (const text of ['', 'host', 'host:', ':1', '::1:80', '[::1]', 'a:70000', 'a b:1'])
    t.false(parseAddress(text).ok, text);
  t.deepEqual(parseSize('1.5GiB'), { ok: true, value: 1_610_612_736 });
  t.deepEqual(parseAddress('[::1]:80'), { ok: true, value: { host: '::1', port: 80 } });
});
