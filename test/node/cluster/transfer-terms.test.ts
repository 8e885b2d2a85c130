/* Whose file may be had from a member. */
import test from 'ava';
import type { ClusterParts } from '../../../src/node/cluster/parts.js';
import { donorRefusal } from '../../../src/node/cluster/transfer-terms.js';

function parts(suspectPartitions: readonly number[], stamp: number): ClusterParts {
  return {
    self: 2,
    preferences: { isOwner: (partition: number, node: number) => partition === 3 && node === 2 },
    services: { ring: { partitionCount: 8, version: 5 }, storage: { status: () => ({ suspectPartitions }) } },
    reaps: { stampOf: () => stamp },
  } as unknown as ClusterParts;
}

test('an owner that is believed and has come as far as the asker gives, nobody else', (t) => {
  t.is(donorRefusal(parts([1], 4), 3, 4), '');
  t.is(donorRefusal(parts([], 4), 8, 0), 'There is no partition 8: there are 8');
  t.is(donorRefusal(parts([], 4), 4, 0), 'Partition 4 has no copy here, by ring 5');
  t.is(donorRefusal(parts([1, 3], 4), 3, 0), 'Partition 3 may lack something here');
  t.is(donorRefusal(parts([], 4), 3, 5), 'The reap fence of partition 3 is 4 here, 5 there');
});
