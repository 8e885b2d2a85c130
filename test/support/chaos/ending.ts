/* The end of a chaos run: what must come to rest before anybody judges what is there. */
import { hintsKept } from '../hints-kept.js';
import type { ClientProcess } from './client-process.js';
import type { ChaosNode } from './cluster.js';
import type { FinalState } from './operation.js';

/** Hints must have gone home by then. */
const HINTS_TIMEOUT_MS = 60_000;
const SETTLE_READS_MAX = 10;
const SETTLE_PAUSE_MS = 1_000;

type Print = (line: string) => void;

/** Before anybody reads, and so repairs: what a fallback took must come home by itself. Answers how many did not. */
export async function hintsGone(nodes: readonly ChaosNode[], print: Print): Promise<number> {
  const startedMs = performance.now();
  let most = 0;
  for (;;) {
    let kept = 0;
    for (const { daemon } of nodes) kept += await hintsKept(daemon);
    most = Math.max(most, kept);
    const tookMs = performance.now() - startedMs;
    if (kept === 0 || tookMs > HINTS_TIMEOUT_MS) {
      print(`hints at the end of the faults: ${most}; ${kept} are left after ${(tookMs / 1_000).toFixed(1)} s`);
      return kept;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Reads of all owners until nothing changes any more: they also repair what they find stale. */
export async function settled(client: ClientProcess, replicas: number, print: Print): Promise<readonly FinalState[]> {
  let before = '';
  for (let read = 1; ; read++) {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_PAUSE_MS));
    const states = await client.read(replicas);
    const now = JSON.stringify(
      [...states]
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ key, shown }) => [key, shown === null ? null : [...shown].sort((a, b) => a - b)]),
    );
    const unreadable = states.filter(({ shown }) => shown === null).length;
    print(`read ${read} of all keys by all owners: ${states.length} keys, ${unreadable} not to be read`);
    if ((now === before && unreadable === 0) || read === SETTLE_READS_MAX) return states;
    before = now;
  }
}
