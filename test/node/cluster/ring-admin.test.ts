/* Staging, planning and committing changes of the members, with voters that say what the test wants. */
import test from 'ava';
import type { CommitFacts } from '../../../src/model/cluster-facts.js';
import { HISTORY_MAX } from '../../../src/node/cluster/ring-notes.js';
import { readEdits, type StagedEdit } from '../../../src/node/cluster/staged-edits.js';
import { decodeRing, encodeRing, type RingDocument } from '../../../src/ring/document.js';
import { targetOwners } from '../../../src/ring/moves.js';
import { ringMember, rowsOf } from '../../ring/rings.js';
import { MEBI, roomOf, first, Scene, planned, taken, refusedBy, join } from './ring-admin-scene.js';

test('A node that joins: staged, planned, committed; what was shown is what is proposed', (t) => {
  const scene = new Scene(3);
  t.deepEqual(scene.admin.stage([join(4, 'z9')]), { staged: ['node 4 (n4, 10.0.0.1:4, zone z9) joins'] });
  const plan = scene.plan();
  t.like(plan, { baseVersion: 1, version: 2, change: 'node 4 (n4, 10.0.0.1:4, zone z9) joins' });
  t.like(plan, { replicasMoved: 12, replicasMovedLeast: 12, replicasAll: 48 });
  t.is(plan.next, `partita cluster commit --version 2 --plan ${plan.hash}`);
  t.deepEqual(
    plan.members.map(({ ordinal, becomes, incoming, outgoing }) => [ordinal, becomes, incoming, outgoing]),
    [
      [1, 'stays', 0, 4],
      [2, 'stays', 0, 4],
      [3, 'stays', 0, 4],
      [4, 'joins', 12, 0],
    ],
  );
  t.like(scene.admin.status(), { plan: { version: 2, hash: plan.hash, isStale: false }, joining: ['n4'] });

  const facts = scene.commit(plan);
  const { nodeId } = ringMember({ ordinal: 4, capacity: 1, zone: '' });
  t.like(facts, { kind: 'done', version: 2, joined: [{ name: 'n4', nodeId }] });
  const ring = decodeRing(Buffer.from(JSON.stringify(facts.ring)));
  t.deepEqual(ring, scene.proposed);
  t.deepEqual(scene.admin.status().staged, [], 'done is done');
  t.is(scene.admin.status().plan, null);
});

test('The plan says where each replica will be: the proposed ring has that balance', (t) => {
  const scene = new Scene(5);
  taken(scene.admin.stage([{ kind: 'leave', ordinal: 2 }, join(6)]));
  const plan = scene.plan();
  scene.commit(plan);
  const target = targetOwners(scene.proposed as RingDocument);
  for (const { ordinal, replicasAfter } of plan.members)
    t.is(target.filter((owner) => owner === ordinal).length, replicasAfter, `node ${ordinal}`);
  t.true(plan.replicasMoved >= plan.replicasMovedLeast);
});

test('A commit is refused: without a plan, of another plan, and after what is staged has changed', (t) => {
  const scene = new Scene(4);
  t.regex(refusedBy(planned(scene.admin)), /^Nothing is staged/);
  t.like(scene.commit({ baseVersion: 1, hash: '0'.repeat(16) }), { kind: 'refused' });
  taken(scene.admin.stage([{ kind: 'leave', ordinal: 2 }]));
  const plan = scene.plan();
  t.regex(scene.commit({ ...plan, hash: '0'.repeat(16) }).text, /has another plan: version 2, /);
  t.regex(scene.commit({ ...plan, baseVersion: 9 }).text, /has another plan/);
  taken(scene.admin.stage([join(5)]));
  t.regex(scene.commit(plan).text, /^There is no plan, or it is not one of what is staged now/);
  t.is(scene.proposed, null);
});

test('A ring that changed meanwhile is a conflict, and is named', (t) => {
  const scene = new Scene(4);
  taken(scene.admin.stage([{ kind: 'leave', ordinal: 2 }]));
  const plan = scene.plan();
  scene.install({ ...scene.ring, version: 2, change: 'node 9 joined' });
  t.like(scene.admin.status(), { plan: { isStale: true } });
  const { kind, text } = scene.commit(plan);
  t.is(kind, 'conflict');
  t.regex(text, /version 2 is in force \(node 9 joined\), and the plan is one for version 1/);
  t.is(scene.proposed, null);
  t.is(scene.plan().baseVersion, 2, 'what is staged is there still');
});

test('What disks have room for is said, and is no part of what is committed', (t) => {
  const scene = new Scene(4);
  taken(scene.admin.stage([{ kind: 'leave', ordinal: 2 }]));
  const unknown = scene.plan();
  t.deepEqual(unknown.bytes, { moved: null, guessed: unknown.replicasMoved, ms: null });
  t.true(unknown.members.every(({ incomingBytes, freeBytes }) => incomingBytes === null && freeBytes === null));
  t.true(unknown.warnings.some((text) => /^How much space there is on nodes 1, 3, 4 could not be asked/.test(text)));

  const seed = scene.plan();
  scene.survey = new Map([1, 2, 3, 4].map((ordinal) => [ordinal, roomOf(1_000 * MEBI)]));
  scene.reseed();
  const known = scene.plan();
  t.is(known.hash, seed.hash);
  t.deepEqual(known.bytes, { moved: known.replicasMoved * 10 * MEBI, guessed: 0, ms: known.bytes.ms });
  const most = Math.max(...known.members.map(({ incoming }) => incoming));
  t.is(known.bytes.ms, most * 10_000);
  for (const { incoming, outgoing, incomingBytes, outgoingBytes } of known.members) {
    t.deepEqual([incomingBytes, outgoingBytes], [incoming * 10 * MEBI, outgoing * 10 * MEBI]);
  }
  t.false(known.warnings.some((text) => text.includes('space')));
  t.is(scene.commit(known).kind, 'done');
});

test('The clock makes no other plan, and another name of a voter does', (t) => {
  const scene = new Scene(4);
  taken(scene.admin.stage([{ kind: 'leave', ordinal: 2 }]));
  const plan = scene.plan();
  scene.acceptorIds = new Map([1, 3, 4].map((ordinal) => [ordinal, 'ab'.repeat(16)]));
  t.regex(scene.commit(plan).text, /makes another ring now than was planned/);
  t.is(scene.proposed, null);
  const again = scene.plan();
  scene.wallMs += 60_000;
  t.is(scene.commit(again).kind, 'done');
});

for (const [kind, keepsPlan] of [
  ['conflict', false],
  ['unknown', false],
  ['no-quorum', true],
] as const)
  test(`What the voters say is passed on: ${kind}; what is staged stays`, (t) => {
    const scene = new Scene(4);
    taken(scene.admin.stage([{ kind: 'leave', ordinal: 2 }]));
    const plan = scene.plan();
    scene.outcome = { kind, text: 'as it was' };
    t.like(scene.commit(plan), { kind, text: 'as it was', ring: null });
    t.is(scene.admin.status().staged.length, 1);
    t.is(scene.admin.status().plan !== null, keepsPlan);
  });

test('What makes no ring is not staged', (t) => {
  const { admin } = new Scene(3);
  t.regex(
    refusedBy(admin.stage([{ kind: 'leave', ordinal: 2 }])),
    /2 of its nodes would stay, and each key is kept on 3/,
  );
  t.regex(refusedBy(admin.stage([{ kind: 'leave', ordinal: 9 }])), /there is no node 9 in the ring/);
  t.regex(refusedBy(admin.stage([{ kind: 'stay', ordinal: 1 }])), /node 1 is not leaving/);
  const again = { ...join(4), address: '10.0.0.1:3' } as StagedEdit;
  t.regex(refusedBy(admin.stage([again])), /members 3 and 4 both have the address/);
  t.deepEqual(admin.status().staged, []);
  t.regex(refusedBy(admin.stage(Array.from({ length: 129 }, (_, i) => join(4 + i)))), /at most 128/);
  taken(admin.stage([{ kind: 'set', ordinal: 1, capacity: 1 }]));
  t.regex(refusedBy(planned(admin)), /it changes nothing\. partita cluster clear forgets it/);
  t.deepEqual(admin.clear().staged, ['node 1 (10.0.0.1:1) gets capacity 1']);
  t.regex(refusedBy(planned(admin)), /^Nothing is staged/);
});

test('Warnings: who cannot hand over, who still could, reads without a majority, voters, moves under way', (t) => {
  const scene = new Scene(5);
  scene.away = [2, 3];
  taken(
    scene.admin.stage([
      { kind: 'remove', ordinal: 4 },
      { kind: 'leave', ordinal: 2 },
    ]),
  );
  const { warnings } = scene.plan();
  t.true(warnings.some((text) => text.startsWith('Node 4 answers, and what only it has will be gone')));
  t.true(warnings.some((text) => text.startsWith('Node 2 cannot be reached: it stays in the ring until it is back')));
  t.true(
    warnings.some((text) => /^\d+ of 16 partitions will have fewer than 2 of 3 owners that answer reads/.test(text)),
  );
  t.false(warnings.some((text) => text.startsWith('The ring cannot change now')));
  scene.away = [2, 3, 5];
  t.true(scene.plan().warnings.some((text) => text.startsWith('The ring cannot change now: 3 of its 5 voters')));

  const moving = new Scene(4);
  taken(moving.admin.stage([join(5)]));
  moving.commit(moving.plan());
  moving.install(moving.proposed as RingDocument);
  taken(moving.admin.stage([{ kind: 'set', ordinal: 1, capacity: 2 }]));
  t.true(moving.plan().warnings.some((text) => /^\d+ moves of earlier changes are under way/.test(text)));

  const losing = new Scene(6);
  taken(losing.admin.stage([1, 2, 3].map((ordinal) => ({ kind: 'remove', ordinal }) as const)));
  const rows = rowsOf(losing.ring).filter((row) => row.every((owner) => owner <= 3));
  t.true(rows.length > 0, 'there are such partitions');
  const lost = losing.plan().warnings.find((text) => text.includes('lose all their owners'));
  t.is(Number(lost?.split(' ')[0]), rows.length);
});

test('Status: all is well, or what is not', (t) => {
  const scene = new Scene(4);
  t.deepEqual(scene.admin.status().troubles, []);
  scene.away = [3];
  const { troubles, members: known } = scene.admin.status();
  t.deepEqual(troubles, ['node 3 cannot be reached from here']);
  t.like(known[2], { state: 'unreachable', reason: 'refused' });
  scene.away = [2, 3, 4];
  t.regex(
    scene.admin.status().troubles[1] ?? '',
    /the ring cannot change, since 2 of its 3 voters have to agree and 1 can/,
  );
  scene.away = [];
  const { ring } = scene;
  scene.ring = first(4);
  t.regex(scene.admin.status().troubles.join(), /have not said yet by which names they vote, so all of them/);
  scene.ring = { ...ring, voters: ring.voters.slice(0, 1) };
  t.deepEqual(scene.admin.status().troubles, ['1 of 3 voters are known so far']);
  scene.ring = ring;
  taken(scene.admin.stage([join(5), { kind: 'leave', ordinal: 4 }]));
  t.deepEqual(scene.admin.status().troubles, [], 'what is staged is no trouble');
  scene.commit(scene.plan());
  scene.install(scene.proposed as RingDocument);
  t.regex(scene.admin.status().troubles.join('; '), /^\d+ replicas are being moved; node 4 is leaving$/);
});

test('Edits, plan and history outlive a restart; what was written while the disk was busy is written then', (t) => {
  const scene = new Scene(4);
  taken(scene.admin.stage([{ kind: 'leave', ordinal: 2 }]));
  const plan = scene.plan();
  t.is(scene.store.saves, 1, 'one at a time');
  scene.store.settle();
  const admin = scene.open();
  t.deepEqual(admin.status().staged, ['node 2 (10.0.0.1:2) leaves']);
  t.like(scene.commit(plan), { kind: 'done' });
  scene.store.settle();
  t.deepEqual(scene.open().status().staged, []);
  scene.store.kept = Buffer.from('{"edits":[{"kind":"explode"}],"plan":7,"history":[null,{"version":1}]}');
  t.deepEqual(scene.open().status().staged, []);
  scene.store.kept = Buffer.from('no JSON');
  t.deepEqual(scene.open().history(), { rings: [{ version: 1, changedAtMs: 0, change: '' }] });
});

test('A disk that takes no notes is asked once, and everything else goes on', (t) => {
  const scene = new Scene(4);
  scene.store.fails = true;
  scene.store.settle();
  const { saves } = scene.store;
  taken(scene.admin.stage([{ kind: 'leave', ordinal: 2 }]));
  scene.store.settle();
  t.is(scene.store.saves, saves);
  t.is(scene.commit(scene.plan()).kind, 'done');
});

test('History: the newest first, and no more than are kept', (t) => {
  const scene = new Scene(4);
  for (let version = 2; version <= HISTORY_MAX + 10; version++)
    scene.install({ ...scene.ring, version, change: `change ${version}`, changedAtMs: version });
  const { rings } = scene.admin.history();
  t.is(rings.length, HISTORY_MAX);
  t.deepEqual(rings[0], {
    version: HISTORY_MAX + 10,
    change: `change ${HISTORY_MAX + 10}`,
    changedAtMs: HISTORY_MAX + 10,
  });
  scene.admin.setRing(scene.ring);
  t.is(scene.admin.history().rings.length, HISTORY_MAX);
});

test('The document in the status is the ring in force', (t) => {
  const scene = new Scene(3);
  const raw = Buffer.from(JSON.stringify(scene.admin.status().ring));
  t.deepEqual(raw, Buffer.from(encodeRing(scene.ring)));
});

const good = join(4);
for (const [what, edits, fault] of [
  ['no JSON', '[', /^The edits are not JSON$/],
  ['no list', '{}', /not a list/],
  ['nothing', '[]', /not a list with at least one/],
  ['no object', '[1]', /^Edit 1 is not an object/],
  ['no kind', '[{}]', /of the kind undefined, which is none of join, leave/],
  ['a kind of every object', '[{"kind":"toString"}]', /of the kind "toString"/],
  ['a field too much', '[{"kind":"leave","ordinal":1,"force":true}]', /has the field "force", which is unknown/],
  ['a field of every object', '[{"kind":"leave","ordinal":1,"valueOf":1}]', /"valueOf", which is unknown/],
  ['a field missing', '[{"kind":"leave"}]', /lacks ordinal/],
  ['ordinal 0', '[{"kind":"leave","ordinal":0}]', /ordinal 0 is not 1 to 65535/],
  ['half a node', '[{"kind":"leave","ordinal":1.5}]', /ordinal 1.5 is not/],
  ['the second is wrong', '[{"kind":"leave","ordinal":1},{"kind":"leave","ordinal":"2"}]', /^Edit 2 \(leave\)/],
  ['sets nothing', '[{"kind":"set","ordinal":1}]', /sets nothing/],
  ['a short id', JSON.stringify([{ ...good, nodeId: 'ab' }]), /nodeId "ab" is not 32/],
  ['a host alone', JSON.stringify([{ ...good, address: 'host' }]), /address "host" is not HOST:PORT/],
  ['port 0', JSON.stringify([{ ...good, peerAddress: 'host:0' }]), /peerAddress "host:0" is not/],
  ['port 70000', JSON.stringify([{ ...good, peerAddress: 'host:70000' }]), /is not HOST:PORT/],
  ['no capacity', JSON.stringify([{ ...good, capacity: 0 }]), /capacity 0 is not 1 to/],
  ['a zone with a blank', JSON.stringify([{ ...good, zone: 'a b' }]), /zone "a b" is not/],
  ['no name', JSON.stringify([{ ...good, name: '' }]), /name "" is no name/],
] as const)
  test(`Edits are read strictly: ${what}`, (t) => {
    const read = readEdits(edits);
    t.is(typeof read, 'string');
    t.regex(read as string, fault);
  });

test('Edits that are right come as they are', (t) => {
  const edits = [
    { ...good, address: '[::1]:7700' },
    { kind: 'set', ordinal: 3, zone: '', capacity: 5 },
    { kind: 'remove', ordinal: 2 },
  ];
  t.deepEqual(readEdits(JSON.stringify(edits)), edits as StagedEdit[]);
});

test('voters are named by force only for the ring that was looked at, and for a list of numbers', (t) => {
  const { admin, ring, lost } = new Scene(4);
  const tell = ({ kind }: CommitFacts): void => void t.is(kind, lost.length === 0 ? 'refused' : 'done');
  admin.nameVoters(ring.version + 1, '[]', tell);
  for (const edits of ['', '{}', '["2"]', '[1.5]']) admin.nameVoters(ring.version, edits, tell);
  t.deepEqual(lost, []);
  admin.nameVoters(ring.version, '[2,3]', tell);
  t.deepEqual(lost, [[2, 3]]);
});
