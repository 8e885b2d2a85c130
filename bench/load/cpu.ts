/*
 * How much of a core a thread took. `/proc/thread-self/schedstat` counts in nanoseconds and also says how long the thread
 * was ready and had to wait for others: time that it could not have used, and that must not make a saturated
 * generator look idle.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

interface Reading {
  readonly wallMs: number;
  readonly ranMs: number;
  readonly waitedMs: number;
}

function read(): Reading {
  const wallMs = performance.now();
  try {
    const [ran, waited] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ').map(Number);
    return { wallMs, ranMs: (ran ?? 0) / 1e6, waitedMs: (waited ?? 0) / 1e6 };
  } catch {
    // Not Linux, or a kernel without it: the whole process, which is right for one thread and too much for several.
    const { user, system } = process.cpuUsage();
    return { wallMs, ranMs: (user + system) / 1e3, waitedMs: 0 };
  }
}

/** Call on the thread that is to be measured, at the beginning and at the end. */
export class ThreadCpu {
  #from: Reading = read();

  restart(): void {
    this.#from = read();
  }

  get usage(): { readonly busy: number; readonly cpuUs: number } {
    const now = read();
    const ran = now.ranMs - this.#from.ranMs;
    const available = now.wallMs - this.#from.wallMs - (now.waitedMs - this.#from.waitedMs);
    return { busy: available > 0 ? Math.min(1, ran / available) : 1, cpuUs: ran * 1000 };
  }
}
