/*
 * The process around a node: it says what it does (log, systemd), listens to signals, and ends with an exit code (exit-codes.ts).
 */
import { getHeapStatistics } from 'node:v8';
import type { LoadedConfig } from './config-types.js';
import { configRows } from './config-show.js';
import { EXIT_FAILED, EXIT_REFUSED, EXIT_STOPPED } from './exit-codes.js';
import { openLog } from './logging.js';
import type { ProcessLog } from './logging.js';
import { monitorLoopDelay } from './loop-delay.js';
import type { LoopDelayMonitor } from './loop-delay.js';
import { mallocAdvice, oldSpaceAdvice } from './memory.js';
import { StartRefusedError } from './running-node.js';
import type { InitFrom, RunningNode, StartNode } from './running-node.js';
import { onSignals } from './signals.js';
import { openNotifier } from './systemd.js';
import type { Notifier } from './systemd.js';
import { PrometheusMeter } from '../metrics/prometheus.js';

/** A step of a start that reports progress earns this much more time from systemd. */
const PROGRESS_EXTENDS_MS = 60_000;
const STATUS_EVERY_MS = 5_000;

export interface DaemonOptions {
  readonly loaded: LoadedConfig;
  /** Reads the configuration again, from the same sources; throws ConfigError. */
  readonly reload: () => LoadedConfig;
  readonly init: boolean;
  readonly initFrom?: InitFrom;
  readonly acceptLoss: boolean;
  readonly startNode: StartNode;
}

/** Runs until told to stop; answers the exit code. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const { config } = options.loaded;
  const log = openLog({ level: config.log.level, env: process.env });
  const notifier = openNotifier(process.env, (text) => {
    log.warn('systemd', { text });
  });
  const loopDelay = monitorLoopDelay();
  try {
    return await new DaemonProcess(options, log, notifier, loopDelay).run();
  } finally {
    loopDelay.stop();
    notifier.close();
  }
}

class DaemonProcess {
  readonly #options: DaemonOptions;
  readonly #log: ProcessLog;
  readonly #notifier: Notifier;
  readonly #loopDelay: LoopDelayMonitor;
  readonly #exit: PromiseSettler<number> = settler();
  #node: RunningNode | null = null;
  #stopAsked = false;
  #loaded: LoadedConfig;

  constructor(options: DaemonOptions, log: ProcessLog, notifier: Notifier, loopDelay: LoopDelayMonitor) {
    this.#options = options;
    this.#log = log;
    this.#notifier = notifier;
    this.#loopDelay = loopDelay;
    this.#loaded = options.loaded;
  }

  async run(): Promise<number> {
    process.on('uncaughtException', (error) => {
      this.#fail(error);
    });
    const forgetSignals = onSignals(process, {
      drain: (signal) => {
        this.#drain(signal);
      },
      stopNow: (signal) => {
        this.#stopNow(signal);
      },
      reload: () => {
        this.#reload();
      },
      reportLoopDelay: () => {
        this.#log.info('loop-delay', { ...this.#loopDelay.read() });
        this.#loopDelay.reset();
        this.#log.info('memory-use', { ...process.memoryUsage() });
        if (this.#node !== null) this.#log.info('status', { text: this.#node.status(), ...this.#node.figures() });
      },
    });
    const statusTimer = setInterval(() => {
      if (this.#node !== null && !this.#stopAsked) this.#notifier.status(this.#node.status());
    }, STATUS_EVERY_MS);
    try {
      await Promise.race([this.#start(), this.#exit.promise]);
      return await this.#exit.promise;
    } finally {
      clearInterval(statusTimer);
      forgetSignals();
    }
  }

  async #start(): Promise<void> {
    const { loaded, init, initFrom, acceptLoss, startNode } = this.#options;
    const { config, warnings } = loaded;
    for (const text of warnings) this.#log.warn('config', { text });
    const advice = oldSpaceAdvice(config.memoryMax, config.memory.oldSpaceBytes, getHeapStatistics().heap_size_limit);
    if (advice !== undefined) this.#log.info('memory', { text: advice });
    const malloc = mallocAdvice(process.env);
    if (malloc !== undefined) this.#log.info('memory', { text: malloc });
    try {
      const node = await startNode({
        config,
        init,
        ...(initFrom === undefined ? {} : { initFrom }),
        acceptLoss,
        log: this.#log,
        meter: new PrometheusMeter({ nodeMetrics: true }),
        progress: (text) => {
          this.#notifier.extendTimeout(PROGRESS_EXTENDS_MS);
          this.#notifier.status(text);
        },
        removed: (ringVersion) => {
          this.#log.warn('removed', {
            ringVersion,
            text: `This node is not in ring version ${ringVersion} of its cluster: it has left, or was removed. What it held is with the others, or was given up; its directory is not needed any more`,
          });
          this.#drain('removed');
        },
        fatal: (error) => {
          this.#fail(error);
        },
      });
      this.#node = node;
      this.#ready(node);
      if (this.#stopAsked) await this.#drainNode(node);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #ready(node: RunningNode): void {
    const { waiting, ready } = node;
    this.#log.info(waiting === null ? 'ready' : 'waiting', {
      ...ready,
      pid: process.pid,
      ...(waiting === null ? {} : { text: waiting }),
    });
    this.#notifier.ready(node.status());
    this.#notifier.startWatchdog(() => node.healthy());
    this.#loopDelay.reset(); // recovery may block; what counts is from now on
  }

  #refuse(error: unknown): void {
    if (!(error instanceof StartRefusedError)) {
      this.#fail(error);
      return;
    }
    this.#log.fatal('refused', { text: error.message });
    this.#notifier.status(error.message);
    this.#exit.settle(EXIT_REFUSED);
  }

  #drain(signal: string): void {
    this.#stopAsked = true;
    this.#log.info('draining', { signal });
    this.#notifier.stopping('Draining');
    // During a start there is nothing to drain yet; the end of the start sees `#stopAsked`.
    if (this.#node !== null) void this.#drainNode(this.#node);
  }

  async #drainNode(node: RunningNode): Promise<void> {
    try {
      await node.drain();
      this.#log.info('stopped');
      this.#exit.settle(EXIT_STOPPED);
    } catch (error) {
      this.#fail(error);
    }
  }

  #stopNow(signal: string): void {
    this.#log.fatal('stopped-at-once', {
      signal,
      text: 'Second signal: requests under way are dropped, the next start replays the log',
    });
    process.exit(EXIT_FAILED);
  }

  #reload(): void {
    this.#log.info('reload');
    try {
      const next = this.#options.reload();
      const before = new Map(configRows(this.#loaded).map(({ path, value }) => [path, value]));
      const changed = configRows(next).filter(({ path, value }) => before.get(path) !== value);
      this.#log.setLevel(next.config.log.level);
      const later = changed.map(({ path }) => path).filter((path) => path !== 'log.level');
      if (later.length > 0)
        this.#log.warn('reload', { text: 'These settings change at the next start only', settings: later });
      this.#loaded = { ...this.#loaded, config: { ...this.#loaded.config, log: next.config.log } };
    } catch (error) {
      this.#log.error('reload', { text: 'The configuration is wrong, nothing changed', faults: String(error) });
    }
  }

  /** Wrong data is worse than no data: nothing is tidied up, the next start recovers. */
  #fail(error: unknown): void {
    const cause = error instanceof Error ? error : new Error(String(error));
    this.#log.fatal('failed', { text: cause.message, stack: cause.stack });
    process.exit(EXIT_FAILED);
  }
}

interface PromiseSettler<T> {
  readonly promise: Promise<T>;
  settle(value: T): void;
}

function settler<T>(): PromiseSettler<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return {
    promise,
    settle: (value) => {
      resolve(value);
    },
  };
}
