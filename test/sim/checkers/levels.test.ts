/* The checker of feature levels against what it is to find. */
import test from 'ava';
import { newRing } from '../../../src/ring/change.js';
import type { RingDocument } from '../../../src/ring/document.js';
import { members, ringMember } from '../../ring/rings.js';
import type { RingInForce } from '../evidence.js';
import { checkLevels } from './levels.js';

const HEAD = { cluster: 'simulated', clusterId: 'a'.repeat(32), partitionCount: 4, replicaCount: 2 };
const FIRST = newRing({ ...HEAD, members: members(2).map(ringMember) }, 1) as RingDocument;

const inForce = (node: number, atMs: number, version: number, level: number): RingInForce => ({
  node,
  life: 1,
  atMs,
  ring: { ...FIRST, version, level },
});

test('a level that falls from one version to the next is found', (t) => {
  t.deepEqual(
    checkLevels({ rings: [inForce(0, 1, 1, 1), inForce(1, 2, 2, 2), inForce(0, 3, 2, 2)], compactions: [] }),
    [],
  );
  t.regex(
    checkLevels({ rings: [inForce(0, 1, 1, 2), inForce(1, 2, 2, 1)], compactions: [] })[0]?.text ?? '',
    /ring 2 has feature level 1, after 2/,
  );
});

test('a node that compacts before it has a ring of that level is found, whatever others have', (t) => {
  const rings = [inForce(0, 0, 1, 1), inForce(1, 0, 1, 1), inForce(0, 50, 2, 2)];
  t.deepEqual(checkLevels({ rings, compactions: [{ node: 0, atMs: 60 }] }), []);
  t.is(checkLevels({ rings, compactions: [{ node: 0, atMs: 40 }] }).length, 1);
  t.regex(checkLevels({ rings, compactions: [{ node: 1, atMs: 60 }] })[0]?.text ?? '', /^node 1 compacts .* level 1$/);
  t.is(checkLevels({ rings, compactions: [{ node: 2, atMs: 60 }] }).length, 1);
});
