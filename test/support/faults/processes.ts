/* What /proc knows of a process, and stopping one for good. Linux only, as the faults are. */
import { readdirSync, readFileSync } from 'node:fs';

/** Letter of the state behind the command's name, which may itself hold spaces and parentheses. */
function stateOf(path: string): string | null {
  try {
    const stat = readFileSync(path, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2);
  } catch {
    return null; // the thread has ended
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** SIGSTOP, and until every thread stands still: one in the middle of a sync finishes that first. */
export async function freeze(pid: number, timeoutMs: number = 10_000): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  for (const since = Date.now(); ; await sleep(1)) {
    const states = readdirSync(`/proc/${pid}/task`).map((thread) => stateOf(`/proc/${pid}/task/${thread}/stat`));
    if (states.every((state) => state === null || state === 'T' || state === 't')) return;
    if (Date.now() - since > timeoutMs)
      throw new Error(`Process ${pid} does not stop: thread states ${states.join('')}`);
  }
}

/** A field of /proc/PID/status in KiB, as RssAnon or VmRSS; null when the process is gone. */
export function statusKiB(pid: number, field: string): number | null {
  try {
    const found = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return found === null ? null : Number(found[1]);
  } catch {
    return null;
  }
}
