/*
 * When everything is healed and all owners agree, deletes are forgotten: for each key that holds nothing but tombstones
 * the owners are looked at until none of them has it any more, or for as long as it should have taken. Then every key is
 * read once more.
 */
import { newestMs } from '../../src/repair/reap-rules.js';
import type { Evidence, ReplicaView } from './evidence.js';
import { readEverywhere } from './healed-reads.js';
import { reapAfterMs } from './options.js';
import type { SimWorld } from './world.js';

/** Longer waits find nothing more, and cost seconds of simulated heartbeats. */
const WAIT_MS_MAX = 12_000;
/** Rounds that fail, orders that are lost: every owner proposes after a while. */
const ROUNDS_MS = 20_000;

/** Null: clocks of this seed may be too far apart to wait for it. */
export function reapAll(world: SimWorld): Evidence['reaped'] {
  const afterMs = reapAfterMs(world.options.reap);
  if (afterMs > WAIT_MS_MAX) return null;
  const view = world.cluster.view((done) => world.pump(done));
  const look = (): ReadonlyMap<string, readonly ReplicaView[]> =>
    new Map(world.workload.keys.map((key) => [key, view.replicas(key)]));
  const untilMs = world.time.monotonicMs() + afterMs + ROUNDS_MS;
  // What expires later, by some clock, is forgotten later.
  const overMs = world.time.wallMs() + world.options.skewMaxMs;
  let left = stillThere(look(), overMs);
  while (left.length > 0 && world.time.monotonicMs() < untilMs) {
    world.runFor(500);
    left = stillThere(look(), overMs);
  }
  const shown = new Map(
    [...readEverywhere(world)].map(([key, answers]) => [
      key,
      [...answers.values()].find((ids) => ids !== null) ?? null,
    ]),
  );
  return { left, shown };
}

/** Keys of which all that is left, with every owner, is what should have been forgotten: deleted or expired at `overMs`. */
function stillThere(replicas: ReadonlyMap<string, readonly ReplicaView[]>, overMs: number): readonly string[] {
  return [...replicas].flatMap(([key, views]) => {
    const held = views.filter(({ state }) => state === 'ok');
    const isOver =
      held.length > 0 &&
      views.every(({ state }) => state !== 'unknown') &&
      held.every(({ record }) => newestMs(record, 0) <= overMs);
    return isOver ? [key] : [];
  });
}
