/*
 * sd_notify: datagrams to the unix socket that systemd names in NOTIFY_SOCKET (Type=notify, WatchdogSec=).
 *
 * Node has no unix datagrams. The optional package unix-dgram sends them from this very process, in 0.3 ms; without it
 * the `systemd-notify` binary is run, which takes 18 ms and sends from a child: then the unit needs NotifyAccess=all.
 *
 * The watchdog is fed by the main loop, and only while `healthy` says so: a feed from a thread of its own would prove
 * that the thread is alive. A loop that is wedged, or a log whose syncs no longer come back, stops the feed, and systemd
 * ends and restarts us.
 */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';

export interface Notifier {
  /** False when nobody listens: started by hand. */
  readonly active: boolean;
  ready(status: string): void;
  status(text: string): void;
  reloading(): void;
  stopping(status: string): void;
  /** Start-up, or a stop, may take this much longer from now on. */
  extendTimeout(ms: number): void;
  /** Feeds the watchdog at half its period while `healthy()`; nothing if the unit has none. */
  startWatchdog(healthy: () => boolean): void;
  close(): void;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Send = (message: string) => void;

interface DatagramSocket {
  send(bytes: Buffer, offset: number, length: number, path: string, done?: (error?: Error) => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  close(): void;
}
interface UnixDatagrams {
  createSocket(kind: 'unix_dgram'): DatagramSocket;
}

export function openNotifier(env: Environment, onProblem: (text: string) => void): Notifier {
  const path = env['NOTIFY_SOCKET'];
  if (path === undefined || path === '') return notifierOver(null, env, () => {});
  const socket = path.startsWith('/') ? datagramSocket() : null; // an abstract socket ('@…') is left to systemd-notify
  if (socket === null) return notifierOver(byProgram(env, onProblem), env, () => {});
  socket.on('error', (error) => {
    onProblem(`Cannot notify systemd at ${path}: ${error.message}`);
  });
  const send: Send = (message) => {
    const bytes = Buffer.from(message);
    socket.send(bytes, 0, bytes.length, path, (error) => {
      if (error) onProblem(`Cannot notify systemd at ${path}: ${error.message}`);
    });
  };
  return notifierOver(send, env, () => {
    socket.close();
  });
}

function datagramSocket(): DatagramSocket | null {
  try {
    const datagrams = createRequire(import.meta.url)('unix-dgram') as UnixDatagrams;
    return datagrams.createSocket('unix_dgram');
  } catch {
    return null; // optional: not built where there was no compiler
  }
}

/** Children must not arrive in another order than they were sent in. */
function byProgram(env: Environment, onProblem: (text: string) => void): Send {
  let last: Promise<void> = Promise.resolve();
  return (message) => {
    last = last.then(
      () =>
        new Promise<void>((resolve) => {
          const child = spawn('systemd-notify', ['--', ...message.split('\n')], { env, stdio: 'ignore' });
          child.once('error', (error) => {
            onProblem(`Cannot notify systemd: neither unix-dgram nor systemd-notify works (${error.message})`);
            resolve();
          });
          child.once('exit', () => {
            resolve();
          });
        }),
    );
  };
}

function notifierOver(send: Send | null, env: Environment, close: () => void): Notifier {
  let feeding: NodeJS.Timeout | undefined;
  const say: Send = (message) => send?.(message);
  return {
    active: send !== null,
    ready: (status) => {
      say(`READY=1\nSTATUS=${oneLine(status)}`);
    },
    status: (text) => {
      say(`STATUS=${oneLine(text)}`);
    },
    reloading: () => {
      say(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`);
    },
    stopping: (status) => {
      say(`STOPPING=1\nSTATUS=${oneLine(status)}`);
    },
    extendTimeout: (ms) => {
      say(`EXTEND_TIMEOUT_USEC=${Math.round(ms * 1_000)}`);
    },
    startWatchdog: (healthy) => {
      const everyMs = watchdogPeriodMs(env) / 2;
      if (send === null || everyMs === 0) return;
      feeding = setInterval(() => {
        if (healthy()) say('WATCHDOG=1');
      }, everyMs);
      feeding.unref();
    },
    close: () => {
      clearInterval(feeding);
      close();
    },
  };
}

function oneLine(text: string): string {
  return text.replaceAll('\n', ' ');
}

/** 0: no watchdog, or one for another process. */
export function watchdogPeriodMs(env: Environment, pid: number = process.pid): number {
  const forPid = env['WATCHDOG_PID'];
  if (forPid !== undefined && Number(forPid) !== pid) return 0;
  const period = Number(env['WATCHDOG_USEC'] ?? 0) / 1_000;
  return Number.isFinite(period) && period > 0 ? period : 0;
}
