import { testProp } from '@fast-check/ava';
import { ReplicatedPut } from '../../src/coordinator/replicated-put.js';
import { putScenarios } from './put-scenarios.js';
import { PutWorld } from './put-world.js';

testProp(
  'A put keeps its promises whatever its peers do',
  [putScenarios],
  (t, scenario) => {
    new PutWorld(scenario, (self, peers, port) => new ReplicatedPut(self, peers, port)).run();
    t.pass();
  },
  { numRuns: 10_000 },
);
