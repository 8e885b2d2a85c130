/*
 * Load, a fault, a restart, a check, and again: what crash and power-loss have in common. They differ in the fault.
 */
import type { Prng } from '../../src/lib/prng.js';
import type { Violation } from './history.js';
import { LoadWriter, type LoadOptions } from './load-writer.js';

/** Something that can be started on what it left behind, and answers with its address. */
export interface Target {
  start(): Promise<string>;
  /** The fault. Afterwards no process runs, and `start` may be called again. */
  strike(): Promise<void>;
  /** Clean end. */
  stop(): Promise<void>;
}

export interface RoundsOptions {
  readonly rounds: number;
  readonly load: LoadOptions;
  readonly prng: Prng;
  /** How long the load runs before a strike, in ms: from … to. */
  readonly loadMs: readonly [number, number];
  /** Called after every round. */
  readonly onRound?: (round: number, load: LoadWriter, violations: readonly Violation[]) => void;
  /** Ends early; for a control that has shown what it should. */
  readonly enough?: (violations: readonly Violation[]) => boolean;
}

export interface RoundsResult {
  readonly rounds: number;
  readonly load: LoadWriter;
  readonly violations: readonly Violation[];
  /** The longest time from a start to its readiness, ms. */
  readonly startMsMax: number;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function faultRounds(target: Target, options: RoundsOptions): Promise<RoundsResult> {
  const { prng, loadMs, onRound, enough } = options;
  const load = new LoadWriter(options.load);
  const violations: Violation[] = [];
  let startMsMax = 0;
  const start = async (): Promise<string> => {
    const since = performance.now();
    const address = await target.start();
    startMsMax = Math.max(startMsMax, performance.now() - since);
    return address;
  };
  let address = await start();
  let round = 0;
  while (round < options.rounds && enough?.(violations) !== true) {
    round += 1;
    await load.start(address);
    await sleep(loadMs[0] + prng.int(loadMs[1] - loadMs[0] + 1));
    await target.strike();
    await load.abandon();
    address = await start();
    await load.retryUnknown(address);
    const found = [...load.violations.splice(0), ...(await load.check(address))];
    violations.push(...found);
    onRound?.(round, load, found);
  }
  await target.stop();
  return { rounds: round, load, violations, startMsMax };
}

/** `lost 2, duplicate 1`, or `nothing`. */
export function countByKind(violations: readonly Violation[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of violations) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => `${kind} ${count}`).join(', ') || 'nothing';
}

/** The first few, one a line, for a report. */
export function showViolations(violations: readonly Violation[], print: (line: string) => void): void {
  for (const { kind, key, text } of violations.slice(0, 5)) print(`${kind}: ${key}: ${text}`);
  if (violations.length > 5) print(`… and ${violations.length - 5} more`);
}
