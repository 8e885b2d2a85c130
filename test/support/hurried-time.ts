/*
 * Loaded into a daemon before anything else (`node --import`), so that a test need not wait for days. Its wall clock is ahead
 * by as many milliseconds as the file HURRIED_CLOCK says, looked at every 50 ms; and timers of a minute or more run
 * HURRIED_TIMERS times as fast. All that waits for less is left alone: deadlines and heartbeats are what they are.
 */
import { readFileSync } from 'node:fs';

const LOOK_MS = 50;
const LONG_MS = 60_000;

const file = process.env['HURRIED_CLOCK'] ?? '';
const haste = Number(process.env['HURRIED_TIMERS'] ?? '1');
const { now } = Date;
const { setTimeout: after, setInterval: every } = globalThis;
let aheadMs = readAhead();

function readAhead(): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    return 0; // nobody has set it yet
  }
}

every(() => {
  aheadMs = readAhead();
}, LOOK_MS).unref();

Date.now = () => now() + aheadMs;
globalThis.setTimeout = Object.assign(
  (fire: (...words: unknown[]) => void, delayMs: number = 0, ...words: unknown[]) =>
    after(fire, delayMs >= LONG_MS ? delayMs / haste : delayMs, ...words),
  { __promisify__: after.__promisify__ },
) as typeof after;
