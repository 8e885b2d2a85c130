/*
 * What hurt Riak's users, in simulation: the scripts of support/scars, played on five simulated nodes. After each, no dot
 * may name two puts, whether or not anybody has been shown the loss yet.
 */
import test from 'ava';
import { SCARS } from '../../support/scars/all.js';
import { play } from './play.js';

for (const [name, scar] of SCARS) {
  test(name, async (t) => {
    t.deepEqual(await play(scar), []);
  });
}
