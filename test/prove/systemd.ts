/*
 * partitad under a real systemd: the unit of deploy/ on a booted systemd in a container of its own (private network,
 * throw-away overlay of this host). Started means READY; a loop that stands still is ended by the watchdog and started
 * again with everything that was put; stop drains and is a success; a wrong configuration is not retried for ever.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from '../support/daemon.js';
import { temporaryFolder } from '../support/temporary.js';
import type { Print, Proof } from './proof.js';

const EXPOSURE_MAX = 2.0;
const STOP_MAX_MS = 10_000;
const BOOT_TIMEOUT_MS = 80_000;
const TOOLS = ['systemd-nspawn', 'systemd-analyze', 'unshare'] as const;

type Facts = ReadonlyMap<string, string>;

/** Why it cannot be tried here, or undefined. */
export function missingForSystemd(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root (mount, unshare)';
  const absent = TOOLS.filter((tool) => spawnSync('which', [tool]).status !== 0);
  if (absent.length > 0) return `${absent.join(', ')} missing: apt-get install systemd-container`;
  return existsSync('/usr/bin/node') ? undefined : 'the unit starts /usr/bin/node, which is not there';
}

export const prove: Proof = {
  name: 'systemd',
  question: 'Do the units start, watch, restart, archive and stop a node under a real systemd?',
  run({ full, print }) {
    const missing = missingForSystemd();
    if (missing !== undefined) return Promise.reject(new Error(missing));
    const faults = [...verifyUnit(print), ...judgeExposure(print)];
    const facts = boot(full ? '' : '3s');
    for (const [name, value] of facts) print(`${name}=${value}`);
    faults.push(...judge(facts));
    for (const fault of faults) print(`NOT AS IT SHOULD BE: ${fault}`);
    const figures = ['start_ms', 'watchdog_ms', 'stop_ms'].map(
      (name) => `${name.replace('_ms', '')} ${facts.get(name) ?? '?'} ms`,
    );
    return Promise.resolve({ held: faults.length === 0, summary: figures.join(', ') });
  },
};

/** `systemd-analyze verify` exits 0 on a misspelt setting, so any word about our units is a fault. */
function verifyUnit(print: Print): string[] {
  const folder = temporaryFolder('unit');
  try {
    copyFileSync(join(ROOT, 'deploy/systemd/partitad@.service'), join(folder.path, 'partitad@n1.service'));
    copyFileSync(join(ROOT, 'deploy/systemd/partita.target'), join(folder.path, 'partita.target'));
    const archive = ['service', 'timer'].map((kind) => {
      copyFileSync(
        join(ROOT, `deploy/systemd/partita-archive@.${kind}`),
        join(folder.path, `partita-archive@n1.${kind}`),
      );
      return join(folder.path, `partita-archive@n1.${kind}`);
    });
    const units = [join(folder.path, 'partitad@n1.service'), ...archive];
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...units], { encoding: 'utf8' });
    const words = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('partita'));
    print(`verify: ${words.length === 0 ? 'nothing to object' : words.join(' | ')}`);
    return words;
  } finally {
    folder.remove();
  }
}

function judgeExposure(print: Print): string[] {
  const unit = join(ROOT, 'deploy/systemd/partitad@.service');
  const { stdout } = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit], {
    encoding: 'utf8',
  });
  const level = /exposure level[^:]*: ([\d.]+)/i.exec(stdout)?.[1];
  print(`exposure: ${level ?? 'unknown'} (at most ${EXPOSURE_MAX.toFixed(1)})`);
  return level !== undefined && Number(level) <= EXPOSURE_MAX ? [] : [`exposure ${level ?? 'unknown'}`];
}

function boot(watchdogSec: string): Facts {
  const folder = temporaryFolder('systemd');
  const work = join(folder.path, 'work');
  mkdirSync(work);
  try {
    const script = join(ROOT, 'test/prove/systemd/boot.sh');
    // Process and mount namespaces of their own: when unshare ends, whatever still runs in there ends, and is unmounted.
    const isolation = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const { stdout, stderr } = spawnSync('unshare', [...isolation, 'bash', script, ROOT, work], {
      encoding: 'utf8',
      timeout: BOOT_TIMEOUT_MS,
      killSignal: 'SIGKILL',
      env: { ...process.env, WATCHDOG_SEC: watchdogSec, NOTIFY_ACCESS: hasDatagrams() ? 'main' : 'all' },
    });
    const facts = new Map<string, string>();
    for (const line of stdout.split('\n')) {
      const at = line.indexOf('=');
      if (at > 0) facts.set(line.slice(0, at), line.slice(at + 1));
    }
    if (stderr.trim() !== '') facts.set('stderr', stderr.trim().split('\n').slice(-12).join('\n    '));
    return facts;
  } finally {
    folder.remove();
  }
}

function hasDatagrams(): boolean {
  try {
    createRequire(import.meta.url)('unix-dgram');
    return true;
  } catch {
    return false;
  }
}

const EXPECTED: Readonly<Record<string, (value: string) => boolean>> = {
  boot: (value) => value === 'ok',
  start_exit: (value) => value === '0',
  active: (value) => value === 'active',
  status: (value) => value !== '',
  user: (value) => value !== '' && value !== 'root',
  capabilities: (value) => /^0+$/.test(value),
  put_exit: (value) => value === '0',
  restarts: (value) => value === '1',
  restarted: (value) => value === 'active',
  got: (value) => value === 'kept',
  archive_exit: (value) => value === '0',
  archive_result: (value) => value === 'success',
  archive_modes: (value) => /^(600 )+$/.test(value),
  archived: (value) => /^\S+\tsound\t\d+\t[1-9]/.test(value),
  timer_exit: (value) => value === '0',
  timer_next: (value) => value !== '' && value !== 'n/a',
  reload_exit: (value) => value === '0',
  stop_exit: (value) => value === '0',
  stop_ms: (value) => Number(value) < STOP_MAX_MS,
  stopped: (value) => value === 'inactive',
  result: (value) => value === 'success',
  exit_status: (value) => value === '0',
  ready_priority: (value) => value === '"PRIORITY":"6"',
  drained: (value) => value === '1',
  data_owner_private: (value) => value === 'yes',
  data_mode: (value) => value === '700',
  bad_exit: (value) => value !== '0',
  bad_restarts: (value) => value === '0',
  bad_active: (value) => value === 'failed',
  bad_says: (value) => Number(value) >= 1,
};

function judge(facts: Facts): string[] {
  return Object.entries(EXPECTED)
    .filter(([name, holds]) => !holds(facts.get(name) ?? ''))
    .map(([name]) => `${name}=${facts.get(name) ?? '(never reached)'}`);
}
