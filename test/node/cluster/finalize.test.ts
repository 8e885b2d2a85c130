/* Raising the feature level: when all members understand it, and not before. */
import test from 'ava';
import type { CommitFacts } from '../../../src/model/cluster-facts.js';
import { BUILD, FIRST_BUILD } from '../../../src/model/build.js';
import { decodeRing, encodeRing, type RingDocument } from '../../../src/ring/document.js';
import { Scene } from './ring-admin-scene.js';

function finalized(scene: Scene): CommitFacts {
  let facts: CommitFacts | null = null;
  scene.admin.finalize((said) => {
    facts = said;
  });
  if (facts === null) throw new Error('No answer');
  return facts;
}

test('the level is raised when all members understand more, as a ring that is otherwise the same', (t) => {
  const scene = new Scene(5);
  const { finalize, level } = scene.admin.status();
  const text = 'all 5 members understand feature level 2; run partita cluster finalize';
  t.deepEqual([level, finalize], [1, { level: 2, isReady: true, text }]);
  t.like(finalized(scene), { kind: 'done', text: 'in force', version: 2 });
  const { ring, proposed } = scene;
  t.deepEqual(proposed, { ...ring, version: 2, level: 2, change: 'feature level 2', changedAtMs: 5 });
  t.deepEqual(decodeRing(encodeRing(proposed as RingDocument)), proposed);
  scene.install(proposed as RingDocument);
  t.is(scene.admin.status().finalize, null);
  scene.proposed = null;
  t.like(finalized(scene), { kind: 'refused' });
  t.regex(finalized(scene).text, /is at feature level 2, and no member .* there is nothing to finalize/);
  t.is(scene.proposed, null);
  scene.outcome = { kind: 'no-quorum', text: '2 of 5 voters' };
  scene.build = { ...BUILD, levelMax: 3 };
  t.like(finalized(scene), { kind: 'no-quorum', text: '2 of 5 voters', version: 0 });
});

test('whoever is away, or does not understand the level, is named and holds it up', (t) => {
  const scene = new Scene(5);
  scene.away = [3];
  scene.builds = new Map([[4, FIRST_BUILD]]);
  scene.ring = {
    ...scene.ring,
    members: scene.ring.members.map((member) => ({ ...member, leaving: member.ordinal === 3 })),
  };
  const { finalize, members } = scene.admin.status();
  t.is(
    finalize?.text,
    'feature level 2 has to wait: node 3, which is leaving, cannot be reached, so it is not known what it understands; node 4 has a release that names no levels (feature level 1)',
  );
  t.false(finalize?.isReady);
  t.deepEqual(
    members.map(({ release, levelMax }) => [release, levelMax]),
    [
      [BUILD.release, 2],
      [BUILD.release, 2],
      [BUILD.release, 2],
      ['', 1],
      [BUILD.release, 2],
    ],
    'of one that is away it is said what it was',
  );
  t.like(finalized(scene), { kind: 'refused', text: `The level is not raised: ${finalize?.text ?? ''}` });
  t.is(scene.proposed, null);
  scene.away = [];
  scene.builds = new Map([[3, null]]);
  t.regex(finalized(scene).text, /node 3, which is leaving, cannot be reached/, 'never yet');
  scene.builds = new Map();
  t.is(finalized(scene).kind, 'done');
});

test('the level that all understand is taken, if others understand more than that', (t) => {
  const scene = new Scene(3);
  scene.builds = new Map([[2, { release: '9.0.0', levelMin: 1, levelMax: 9 }]]);
  t.like(scene.admin.status().finalize, { level: 2, isReady: true });
  scene.ring = { ...scene.ring, level: 2 };
  t.like(scene.admin.status().finalize, { level: 9, isReady: false });
  t.regex(finalized(scene).text, /feature level 9 has to wait: node 1 has release .*; node 3 has release /);
});
