/* Rings agreed on in worlds where nodes crash, disks are replaced and messages come as they like. */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { type Planted, RingLogWorld } from './ring-log-model.js';

const RUNS = 4_000;
const STEPS = 4_000;

interface Sums {
  fault: string;
  seed: number;
  decided: number;
  lost: number;
  stuck: number;
}

function firstFault(planted: Planted, runs: number): Sums {
  const sums: Sums = { fault: '', seed: 0, decided: 0, lost: 0, stuck: 0 };
  while (sums.fault === '' && sums.seed < runs) {
    sums.seed += 1;
    const world = new RingLogWorld(new Prng(sums.seed), planted);
    sums.fault = world.run(STEPS);
    sums.decided += world.decided;
    sums.lost += world.lost;
    if (world.finished === 'no majority') sums.stuck += 1;
  }
  return sums;
}

test('each version is decided once, whatever happens, and in peace soon', (t) => {
  const { fault, seed, decided, lost, stuck } = firstFault({}, RUNS);
  t.is(fault, '', `seed ${seed}`);
  t.log(`${RUNS} worlds, ${decided} rings decided, ${lost} proposals lost, ${stuck} worlds ended without a majority`);
  t.true(decided > 4 * RUNS);
  t.true(lost > RUNS);
  t.true(stuck < RUNS / 5);
});

/** With the number of seeds within which it must be found. */
const PLANTED: Readonly<Record<string, readonly [planted: Planted, seeds: number]>> = {
  'an acceptor that forgets when it is restarted': [{ forgets: true }, 100],
  'an acceptor that answers before its disk has': [{ answersEarly: true }, 2_000],
  'a proposer that ignores what was accepted before': [{ ignoresAccepted: true }, 50],
  'a quorum of less than a majority': [{ smallQuorum: true }, 50],
  'an acceptor that votes on after its file was lost': [{ wipedVotes: true }, 500],
  'blank votes counted as a majority': [{ blankMajority: true }, 1_500],
  'a ballot that is promised twice': [{ promisesTwice: true }, 500],
};
for (const [what, [planted, seeds]] of Object.entries(PLANTED)) {
  test(`found: ${what}`, (t) => {
    const { fault, seed } = firstFault(planted, seeds);
    t.not(fault, '');
    t.log(`seed ${seed}: ${fault}`);
  });
}
