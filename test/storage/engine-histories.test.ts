/*
 * Random histories of puts, reads, flushes, crashes and restarts, judged by the twin. A seed that fails is printed and
 * runs alone with `PARTITA_SEED=n`.
 */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { Twin } from './engine-twin.js';
import { World, type WorldOptions } from './engine-world.js';

const SEEDS =
  process.env['PARTITA_SEED'] === undefined
    ? Array.from({ length: Number(process.env['PARTITA_SEEDS'] ?? 12) }, (_, i) => i + 1)
    : [Number(process.env['PARTITA_SEED'])];

function history(seed: number, options: Partial<WorldOptions>): { crashes: number; flushed: number } {
  const random = new Prng(seed);
  const world = new World({ seed, ...options });
  const twin = new Twin(world);
  const names = Array.from({ length: 1 + random.int(24) }, (_, i) =>
    world.nameIn(3, i, random.chance(0.1) ? 'k'.repeat(600) : ''),
  );
  let crashes = 0;
  world.medium.aroundAnswer = () => {
    if (world.engine !== null && settled) for (const name of names) twin.peek(name);
  };
  let settled = true;
  open(world);
  for (let step = 0; step < 60; step++) {
    const what = random.int(100);
    if (what < 45) {
      for (let i = random.int(8); i >= 0; i--) {
        if (random.chance(0.15)) twin.drop(random.pick(names), random.chance(0.2));
        twin.put(random.pick(names), 20 + random.int(random.chance(0.1) ? 9_000 : 200), random.chance(0.2));
      }
    } else if (what < 65) {
      twin.check(random.pick(names));
    } else if (what < 80) {
      world.time.runFor(random.int(120));
    } else if (what < 84) {
      world.flush();
    } else if (what < 90) {
      twin.checkLeaves();
    } else if (what < 97) {
      world.time.runFor(random.float() * 10);
      world.crash(random.chance(0.5) ? 'kill' : 'power');
      crashes += 1;
      settled = false;
      // A crash during recovery is just another crash.
      while (random.chance(0.3)) {
        world.startAndCrashWithin(random.int(40), random.chance(0.5) ? 'kill' : 'power');
        crashes += 1;
      }
      open(world);
      twin.settle();
      settled = true;
      twin.checkLeaves();
    } else {
      settled = false;
      const error = world.stop();
      if (error !== null) throw error;
      open(world);
      twin.settle();
      settled = true;
    }
    if (world.fatal !== null) throw world.fatal;
  }
  world.flush();
  for (const name of twin.names) twin.check(name);
  twin.checkLeaves();
  const { suspectPartitions, damagedRecords } = world.up().status();
  if (suspectPartitions.length > 0 || damagedRecords > 0)
    throw new Error(`Partitions ${suspectPartitions.join()} suspect without a reason`);
  return { crashes, flushed: world.medium.batches };
}

function open(world: World): void {
  const error = world.start();
  if (error !== null) throw error;
}

function histories(options: Partial<WorldOptions>): { crashes: number; flushed: number } {
  const sum = { crashes: 0, flushed: 0 };
  for (const seed of SEEDS) {
    try {
      const { crashes, flushed } = history(seed, options);
      sum.crashes += crashes;
      sum.flushed += flushed;
    } catch (error) {
      throw new Error(`Seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  return sum;
}

const VARIANTS: readonly (readonly [string, Partial<WorldOptions>])[] = [
  ['every write durable', {}],
  ['durability by interval', { durability: { kind: 'interval', ms: 30 } }],
  ['files that are always cold', { alwaysCold: true }],
  ['a cache of hot records', { cacheBytesMax: 20_000 }],
  [
    'cold files, a cache, few partitions, single-record batches',
    { alwaysCold: true, cacheBytesMax: 50_000, partitionCount: 32, batchOperationsMax: 1 },
  ],
];

for (const [title, options] of VARIANTS) {
  test(`nothing acknowledged is lost and nothing is invented: ${title}`, (t) => {
    const { crashes, flushed } = histories(options);
    t.log(`${SEEDS.length} histories, ${crashes} crashes, ${flushed} batches flushed`);
    t.true(flushed > 0 && crashes > 0);
  });
}
