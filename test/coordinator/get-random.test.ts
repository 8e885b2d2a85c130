import { testProp } from '@fast-check/ava';
import { ReplicatedGet } from '../../src/coordinator/replicated-get.js';
import { getScenarios, GetWorld } from './get-world.js';

testProp(
  'A get keeps its promises whatever its peers do',
  [getScenarios],
  (t, scenario) => {
    new GetWorld(scenario, (self, peers, port) => new ReplicatedGet(self, peers, port)).run();
    t.pass();
  },
  { numRuns: 10_000 },
);
