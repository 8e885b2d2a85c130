/*
 * What hurt Riak's users, and what a model found, in simulation: the scripts of support/scars, played on five simulated
 * nodes. After each, no dot may name two puts, whether or not anybody has been shown the loss yet. Each is played a second
 * time with the bug planted that it is there for, and must find it.
 */
import test from 'ava';
import { SCARS } from '../../support/scars/all.js';
import { MUTANTS } from '../mutants/all.js';
import { BugProcess } from '../mutants/asked-process.js';
import { NAIVE } from './naive.js';
import { play } from './play.js';

for (const [name, scar] of SCARS) {
  test.serial(name, async (t) => {
    t.deepEqual(await play(scar), []);
  });
}

test('each script has a bug that it is there for', (t) => {
  t.deepEqual(
    SCARS.map(([name]) => name).filter((name) => !MUTANTS.some((mutant) => mutant.name === NAIVE[name])),
    [],
  );
});

for (const mutant of MUTANTS) {
  const scripts = SCARS.map(([name]) => name).filter((name) => NAIVE[name] === mutant.name);
  if (scripts.length === 0) continue;
  test.serial(`with ${mutant.name} planted something is amiss`, async (t) => {
    t.timeout(120_000);
    const planted = await BugProcess.start(mutant, 'planted');
    try {
      for (const script of scripts) {
        const { checkers, text } = await planted.run(script);
        t.log(`${script}: ${text.slice(0, 200)}`);
        t.deepEqual(checkers, ['script'], script);
      }
    } finally {
      planted.end();
    }
  });
}
