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

test('restores of archives that are older than what is remembered of deletes', (t) => {
  const reap = { retryWindowS: 1, skewMs: 0, lookEveryMs: 100, compactActorsMin: 1, logRetentionMs: 4_000 };
  const { violations, counts } = runSeed({ seed: 2, given: { ...GIVEN, reap, faults: ['restore'] } });
  t.deepEqual(violations, []);
  t.true((counts.get('partita_reaped_total') ?? 0) > 0, 'deletes are forgotten');
});

for (const [seed, what, faults, taken] of [
  [1, 'nodes go down and are cut off', ['restore-file', 'restore-file', 'restore-file', 'kill', 'flapping'], 0],
  [6, 'disks are full, or lost', ['restore-file', 'restore-file', 'lost-disk', 'full-disk'], 3],
] as const satisfies readonly (readonly [number, string, readonly FaultKind[], number])[]) {
  test(`restores of whole files, while ${what}`, (t) => {
    // So few keys a partition that an owner whose disk is full has nothing of some.
    const given = { ...GIVEN, partitionCount: 128, faultEveryMs: 250, faults, work: { ...GIVEN.work, keys: 200 } };
    const { violations, counts } = runSeed({ seed, given: given as Partial<SimOptions> });
    t.deepEqual(violations, []);
    t.true((counts.get('partita_reaped_total') ?? 0) > 0, 'deletes are forgotten');
    t.true((counts.get('sim_archived_files refused') ?? 0) > 0, 'files of owners that have something are refused');
    t.true((counts.get('sim_archived_files taken') ?? 0) >= taken);
  });
}
