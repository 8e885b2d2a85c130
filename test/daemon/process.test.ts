import { EventEmitter } from 'node:events';
import { fstatSync } from 'node:fs';
import test from 'ava';
import { limitFaults, readKernelLimits } from '../../src/daemon/check-limits.js';
import { isJournal, openLog } from '../../src/daemon/logging.js';
import { monitorLoopDelay, RESOLUTION_MS } from '../../src/daemon/loop-delay.js';
import { onSignals } from '../../src/daemon/signals.js';
import { openNotifier, watchdogPeriodMs } from '../../src/daemon/systemd.js';

function logLines(journal: boolean): { readonly lines: string[]; readonly log: ReturnType<typeof openLog> } {
  const lines: string[] = [];
  return { lines, log: openLog({ level: 'debug', env: {}, journal, write: (line) => lines.push(line) }) };
}

test('a log line is one JSON object with its event', (t) => {
  const { lines, log } = logLines(false);
  log.with({ part: 'log' }).warn('segment-cut', { bytes: 12 });
  t.is(lines.length, 1);
  const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  t.like(line, { level: 'warn', event: 'segment-cut', part: 'log', bytes: 12 });
  t.regex(String(line['time']), /^\d{4}-\d\d-\d\dT/);
  t.true(lines[0]?.endsWith('\n'));
});

test('under the journal each line carries its severity', (t) => {
  const { lines, log } = logLines(true);
  log.debug('a');
  log.info('b');
  log.with({ part: 'x' }).warn('c');
  log.error('d');
  log.fatal('e');
  t.deepEqual(
    lines.map((line) => line.slice(0, 4)),
    ['<7>{', '<6>{', '<4>{', '<3>{', '<2>{'],
  );
});

test('a level can be changed while running', (t) => {
  const { lines, log } = logLines(false);
  log.setLevel('error');
  log.info('unheard');
  log.setLevel('info');
  log.info('heard');
  t.is(lines.length, 1);
});

test('the journal is recognised by device and inode, not by the variable alone', (t) => {
  const { dev, ino } = fstatSync(1);
  t.true(isJournal({ JOURNAL_STREAM: `${dev}:${ino}` }, 1));
  t.false(isJournal({ JOURNAL_STREAM: `${dev}:${ino + 1}` }, 1));
  t.false(isJournal({}, 1));
});

test('the first signal drains, any second one stops at once', (t) => {
  const source = new EventEmitter();
  const seen: string[] = [];
  const forget = onSignals(source, {
    drain: (signal) => seen.push(`drain ${signal}`),
    stopNow: (signal) => seen.push(`stop ${signal}`),
    reload: () => seen.push('reload'),
    reportLoopDelay: () => seen.push('report'),
  });
  for (const signal of ['SIGHUP', 'SIGUSR2', 'SIGTERM', 'SIGINT', 'SIGHUP']) source.emit(signal, signal);
  t.deepEqual(seen, ['reload', 'report', 'drain SIGTERM', 'stop SIGINT', 'reload']);
  forget();
  t.deepEqual(source.eventNames(), []);
});

test('loop delay: an idle loop shows little, a blocked one what it was blocked for', async (t) => {
  const monitor = monitorLoopDelay();
  const rest = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  await rest(100);
  const idle = monitor.read();
  t.true(idle.p50Ms <= RESOLUTION_MS, `p50 of an idle loop ${idle.p50Ms} ms`);
  monitor.reset();
  await rest(20);
  const until = performance.now() + 80;
  while (performance.now() < until);
  await rest(30);
  const { maxMs, p50Ms } = monitor.read();
  monitor.stop();
  t.true(maxMs >= 70, `longest delay ${maxMs} ms`);
  t.true(p50Ms < maxMs);
});

test('limits that are too small are named with the command that raises them', (t) => {
  const plenty = { openFiles: 1e6, addressSpace: Number.POSITIVE_INFINITY, mapCount: 1e6 };
  t.deepEqual(limitFaults(plenty, 4_096, 8_192), []);
  t.deepEqual(limitFaults({ openFiles: null, addressSpace: null, mapCount: null }, 4_096, 8_192), []);
  t.regex(limitFaults({ ...plenty, openFiles: 1_024 }, 256, 4_096)[0] ?? '', /need 5120 open files.*ulimit -n 5120/);
  t.regex(limitFaults({ ...plenty, mapCount: 2_048 }, 256, 1)[0] ?? '', /sysctl -w vm\.max_map_count=/);
  t.regex(limitFaults({ ...plenty, addressSpace: 2 ** 33 }, 256, 1)[0] ?? '', /ulimit -v unlimited/);
});

test('the kernel says what its limits are', (t) => {
  const { openFiles, mapCount } = readKernelLimits();
  t.true(openFiles !== null && openFiles >= 256);
  t.true(mapCount !== null && mapCount >= 1_024);
});

test('without NOTIFY_SOCKET nobody is notified; the watchdog may be meant for another process', (t) => {
  const notifier = openNotifier({}, (text) => t.fail(text));
  t.false(notifier.active);
  notifier.ready('x');
  notifier.close();
  t.is(watchdogPeriodMs({}), 0);
  t.is(watchdogPeriodMs({ WATCHDOG_USEC: '10000000' }), 10_000);
  t.is(watchdogPeriodMs({ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '1' }, 2), 0);
});
