import test from 'ava';
import type { ClusterView, ReplicaView } from '../evidence.js';
import { checkScrubbed } from './scrubbed.js';

type States = readonly ReplicaView['state'][];

function found(
  replicaCount: number,
  states: States,
  counts: ReadonlyMap<string, number> = new Map(),
): readonly string[] {
  const view = { replicaCount } as ClusterView;
  const replicas = states.map((state, node) => ({ node, state, record: new Uint8Array(0) }));
  return checkScrubbed({ view, counts, afterScrub: new Map([['k', replicas]]) }).map(({ checker }) => checker);
}

test('who could have been helped must have been', (t) => {
  t.deepEqual(found(3, ['ok', 'unknown', 'ok']), ['scrubbed']);
  t.deepEqual(found(3, ['ok', 'unknown', 'absent']), ['scrubbed']);
  t.deepEqual(found(2, ['ok', 'unknown']), ['scrubbed']);
  t.deepEqual(found(3, ['ok', 'ok', 'ok']), []);
});

test('who could not be helped is excused', (t) => {
  t.deepEqual(found(3, ['unknown', 'unknown', 'ok']), [], 'one answer is no quorum');
  t.deepEqual(found(3, ['unknown', 'absent', 'absent']), [], 'nobody has it');
  t.deepEqual(found(1, ['unknown']), []);
});

test('a tree that is wrong is a fault, whoever is well', (t) => {
  t.deepEqual(found(3, ['ok', 'ok', 'ok'], new Map([['partita_scrub_wrong_leaves_total stored', 1]])), ['tree']);
  t.deepEqual(found(1, ['ok'], new Map([['partita_scrub_wrong_leaves_total live', 2]])), ['tree']);
});
