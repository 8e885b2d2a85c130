/*
 * What systemd would receive, received by a socket of our own: Python's, since Node has no unix datagrams, and the
 * point is that somebody else's recvfrom gets the very bytes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test from 'ava';
import { openNotifier } from '../../src/daemon/systemd.js';
import { folderFor } from '../support/temporary.js';

const RECEIVER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
while True: print(repr(s.recv(4096).decode()), flush=True)
`;
const hasPython = spawnSync('python3', ['--version']).status === 0;
const withPython = hasPython ? test : test.skip; // tidy: python3 is the receiver

withPython('READY, STATUS, the watchdog while healthy, STOPPING arrive in order', async (t) => {
  const path = join(folderFor(t, 'notify'), 'socket');
  const receiver = spawn('python3', ['-c', RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => void receiver.kill());
  const lines = createInterface({ input: receiver.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  t.is(await next(), 'bound');

  const problems: string[] = [];
  const notifier = openNotifier({ NOTIFY_SOCKET: path, WATCHDOG_USEC: '40000' }, (text) => problems.push(text));
  t.true(notifier.active);
  notifier.ready('serving\non two lines');
  t.is(await next(), String.raw`'READY=1\nSTATUS=serving on two lines'`);
  notifier.extendTimeout(1_500);
  t.is(await next(), "'EXTEND_TIMEOUT_USEC=1500000'");
  let healthy = true;
  notifier.startWatchdog(() => healthy);
  const keepAlive = setInterval(() => {}, 10); // the watchdog's own timer keeps nobody alive
  t.is(await next(), "'WATCHDOG=1'");
  healthy = false;
  await new Promise((resolve) => setTimeout(resolve, 100));
  clearInterval(keepAlive);
  notifier.stopping('bye');
  const rest: string[] = [];
  do rest.push(await next());
  while (!(rest.at(-1) ?? '').includes('STOPPING'));
  t.true(rest.length <= 3, `fed ${rest.length - 1} times while unhealthy`);
  notifier.close();
  t.deepEqual(problems, []);
});
