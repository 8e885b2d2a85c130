/* Archives are made, and restored while deletes are forgotten and nodes go down: nothing comes back, and all goes on. */
import test from 'ava';
import type { FaultKind, SimOptions } from './options.js';
import { runSeed } from './scenario.js';

const GIVEN: Partial<SimOptions> = {
  nodes: 5,
  cluster: { kind: 'ring', replicaCount: 3, zones: 1, routing: 'ring' },
  partitionCount: 4,
  faultEveryMs: 1_200,
  skewMaxMs: 0,
  reap: { retryWindowS: 1, skewMs: 0, lookEveryMs: 100, compactActorsMin: 1 },
  work: {
    ...{ clients: 4, keys: 40, thinkMs: 110, inFlightMax: 8, timeoutMs: 1_000, mix: [25, 10, 6, 25, 8, 0, 0] },
    ...{ largeValues: false, durableChance: 0, reads: [1, 3], writes: [1], strictChance: 0, ttlChance: 0 },
  },
};

for (const [what, faults] of [
  ['nothing else goes wrong', ['restore']],
  ['nodes go down and are cut off', ['restore', 'restore', 'kill', 'isolate', 'one-way']],
  ['disks are lost and put back', ['restore', 'restore', 'restore', 'lost-disk', 'rollback', 'power']],
] as const satisfies readonly (readonly [string, readonly FaultKind[]])[]) {
  test(`restores, while ${what}`, (t) => {
    const { violations, counts, faults: begun } = runSeed({ seed: 1, given: { ...GIVEN, faults } });
    t.deepEqual(violations, []);
    t.true((begun.get('restore') ?? 0) > 3);
    t.true((counts.get('partita_reaped_total') ?? 0) > 0, 'deletes are forgotten');
  });
}
