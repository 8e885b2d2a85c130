/*
 * One workload (puts, a flush, a restart, more puts), with its k-th I/O call failing, for every k there is, once and
 * from then on for ever; then the machine goes down and comes up with a healthy disk. What was acknowledged is there,
 * what is read was put, and a store that could not go on has said so.
 */
import test from 'ava';
import { Twin } from './engine-twin.js';
import { World } from './engine-world.js';

interface Outcome {
  readonly calls: number;
  readonly stopped: boolean;
  readonly text: string;
}

/** Runs until it is through or the store has given up; `at` 0: nothing fails. */
function workload(at: number, forever: boolean, code: string, crash: 'kill' | 'power'): Outcome {
  const world = new World({ seed: 77, batchOperationsMax: 3 });
  const twin = new Twin(world);
  const names = Array.from({ length: 8 }, (_, i) => world.nameIn(2, i));
  const begin = world.disk.calls;
  if (at > 0) world.disk.fail({ at, code, forever });
  const error = story(world, twin, names);
  const calls = world.disk.calls - begin;
  world.disk.fail(null);
  world.crash(crash);
  const failed = world.start();
  if (failed !== null) throw new Error(`A healthy disk cannot be opened: ${failed.message}`);
  twin.settle();
  for (const name of names) twin.put(name, 30);
  world.flush();
  for (const name of names) twin.check(name);
  twin.checkLeaves();
  return { calls, stopped: error !== null, text: error?.message ?? '' };
}

function story(world: World, twin: Twin, names: readonly string[]): Error | null {
  const first = world.start();
  if (first !== null) return first;
  for (const name of names) {
    twin.put(name, 100);
    twin.put(name, 50);
  }
  world.time.runFor(60);
  if (world.fatal !== null) return world.fatal;
  flush(world);
  if (world.fatal !== null) return world.fatal;
  for (const name of names.slice(0, 4)) twin.put(name, 70);
  world.time.runFor(30);
  if (world.fatal !== null) return world.fatal;
  const stopped = world.stop();
  if (stopped !== null) return stopped;
  const again = world.start();
  if (again !== null) return again;
  for (const name of names) twin.put(name, 40);
  world.time.runFor(1_500);
  return world.fatal;
}

/** A flush that may never end because there is no space: a while is enough. */
function flush(world: World): void {
  world.up().flush(() => undefined);
  world.time.runFor(500);
}

const CALLS = workload(0, false, 'EIO', 'kill').calls;

for (const code of ['EIO', 'ENOSPC'] as const) {
  for (const forever of [false, true]) {
    test(`every k-th call of the disk fails ${forever ? 'from then on' : 'once'} with ${code}`, (t) => {
      let stopped = 0;
      for (let k = 1; k <= CALLS; k++) {
        try {
          const outcome = workload(k, forever, code, k % 2 === 0 ? 'power' : 'kill');
          if (outcome.stopped) stopped += 1;
          if (outcome.stopped && outcome.text.length < 10) throw new Error(`Stopped with an unclear "${outcome.text}"`);
        } catch (error) {
          throw new Error(`k = ${k}: ${(error as Error).message}`, { cause: error });
        }
      }
      t.log(`${CALLS} calls, ${stopped} stopped the store`);
      t.true(CALLS > 30 && stopped > 10);
    });
  }
}

test('every k-th batch fails once: no space is waited out, anything else stops the store', (t) => {
  for (const code of ['ENOSPC', 'MAP_FULL', 'EIO', 'BAD_RESULT']) {
    for (let k = 1; k <= 6; k++) {
      const world = new World({ seed: 5, batchOperationsMax: 3 });
      const twin = new Twin(world);
      const names = Array.from({ length: 8 }, (_, i) => world.nameIn(2, i));
      t.is(world.start(), null);
      for (const name of names) twin.put(name, 100);
      world.time.runFor(10);
      world.medium.failing = { at: k, code, forever: false };
      flush(world);
      world.time.runFor(4_000);
      const waits = code === 'ENOSPC' || code === 'MAP_FULL';
      const hit = world.medium.failing === null;
      t.is(world.fatal === null, waits || !hit, `${code} at ${k}`);
      if (world.fatal === null) {
        for (const name of names) twin.check(name);
        t.is(world.put('afterwards', 'fine').state, 'acked');
        t.false(world.up().status().diskFull);
      }
      world.crash('power');
      t.is(world.start(), null);
      twin.settle();
      twin.checkLeaves();
    }
  }
});

test('a crash between any two batches of a flush loses nothing, and the leaves fit', (t) => {
  const world = new World({ seed: 21, batchOperationsMax: 2 });
  const twin = new Twin(world);
  const names = Array.from({ length: 14 }, (_, i) => world.nameIn(2, i));
  let points = 0;
  for (let after = 0; after < 8; after++) {
    t.is(world.start(), null);
    twin.settle();
    for (const name of names) twin.put(name, 60 + after);
    world.time.runFor(8);
    const batches = world.medium.batches;
    let flushed = false;
    world.up().flush(() => {
      flushed = true;
    });
    world.time.runUntil(() => flushed || world.medium.batches >= batches + after);
    world.crash(after % 2 === 0 ? 'kill' : 'power');
    points += 1;
    t.is(world.start(), null);
    twin.settle();
    twin.checkLeaves();
    world.crash('kill');
  }
  t.is(points, 8);
});

test('a full disk: writes are refused with a clear text, reads and flushing go on, and it passes by itself', (t) => {
  const world = new World({ seed: 31, capacityBytes: 40_000_000, bufferBytesMax: 4_194_304, logBytesMax: 400_000 });
  t.is(world.start(), null);
  world.put('a', 'before');
  world.disk.restore('ballast', new Uint8Array(23_000_000));
  world.time.runFor(5_000);
  const refused = world.put('b', 'during');
  t.is(refused.state, 'refused');
  t.is(refused.failure?.code, 'DISK_FULL');
  t.regex(refused.failure?.text ?? '', /\d+ bytes free, \d+ needed/);
  t.true(world.up().status().diskFull);
  t.like(world.get('a'), { state: 'ok', value: 'before' });
  world.flush();
  t.is(world.get('a').from, 'file');
  world.disk.discard('ballast');
  world.time.runFor(5_000);
  t.is(world.put('b', 'after').state, 'acked');
  t.false(world.up().status().diskFull);
});
