import test from 'ava';
import { World, type Plant } from './histories.js';

const STEPS = 70;

/** Seeds whose run shows a fault, with the first of each kind in words. */
function faultsOf(plant: Plant, seeds: number): { readonly seeds: number[]; readonly faults: string[] } {
  const bad: number[] = [];
  const faults: string[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const world = new World(seed, plant).run(STEPS);
    if (world.faults.length > 0) bad.push(seed);
    faults.push(...world.faults.map((fault) => `seed ${seed}: ${fault}`));
  }
  return { seeds: bad, faults };
}

test('Vectors agree with full histories, nothing acknowledged is lost, and nothing overwritten comes back', (t) => {
  t.deepEqual(faultsOf('nothing', 300).faults, []);
});

test('The worlds are busy: puts, retries, forgetting and overwriting all happen', (t) => {
  const worlds = Array.from({ length: 50 }, (_, seed) => new World(seed, 'nothing').run(STEPS));
  const puts = worlds.flatMap((world) => world.puts);
  t.true(puts.length > 400);
  t.true(puts.filter((put) => put.context.read.length > 0).length > 50);
  t.true(puts.filter((put) => put.context.read.length > 1).length > 10);
  t.true(puts.filter((put) => put.isDelete).length > 50);
});

const PLANTS: readonly [Plant, RegExp][] = [
  ['mint-by-own-entry', /names v\d+ and v\d+/],
  ['actor-is-node', /names v\d+ and v\d+/],
  ['context-always', /is lost: nobody read it/],
  ['context-without-put-ids', /came back|shown twice/],
];

for (const [plant, fault] of PLANTS) {
  test(`The oracle notices a broken rule: ${plant}`, (t) => {
    const { faults } = faultsOf(plant, 150);
    t.regex(faults.join('\n'), fault);
  });
}
