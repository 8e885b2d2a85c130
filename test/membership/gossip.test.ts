/* What nodes know of each other by gossip alone. */
import test from 'ava';
import fc from 'fast-check';
import { Gossip, GOSSIP_LIMITS } from '../../src/membership/gossip.js';
import type { GossipEntry, GossipMember } from '../../src/model/gossip-messages.js';
import { countTo, GossipWorld, hashOf, idOf, Node, ringOf, ROUND_MS } from './gossip-world.js';

const SILENT_ROUNDS = GOSSIP_LIMITS.silentMs / ROUND_MS;
const SETTLE_ROUNDS = GOSSIP_LIMITS.settleMs / ROUND_MS;

const entryOf = (ordinal: number, more: Partial<GossipEntry> = {}): GossipEntry => ({
  ordinal,
  nodeId: idOf(ordinal),
  opening: 1,
  beat: 1,
  ringVersion: 1,
  ringHash: hashOf(1),
  peerAddress: '',
  ...more,
});

const nothing = { beats: [], entries: [], wants: [] };

test('all hear of all, and go on hearing of them', (t) => {
  const world = new GossipWorld(10, 1);
  world.rounds(12);
  for (const { gossip } of world.nodes) {
    t.deepEqual(
      gossip.members(world.nowMs).map(({ ordinal }) => ordinal),
      countTo(10).filter((ordinal) => ordinal !== gossip.own.ordinal),
    );
    for (const member of gossip.members(world.nowMs)) {
      t.true(member.quietMs < 8_000 && (member.entry?.beat ?? 0) >= 4, JSON.stringify(member));
    }
  }
});

test('a node that stands still is silent for all after a while, and no other is; when it goes on it is not', (t) => {
  const world = new GossipWorld(8, 2);
  world.loss = 0.1;
  const silent = (): readonly (readonly number[])[] =>
    world.nodes
      .filter(({ isUp }) => isUp)
      .map(({ gossip }) => gossip.members(world.nowMs).flatMap((member) => (member.isSilent ? [member.ordinal] : [])));
  world.rounds(10);
  world.node(3).isUp = false;
  world.rounds(SILENT_ROUNDS - 5);
  t.true(
    silent().every((all) => all.length === 0),
    JSON.stringify(silent()),
  );
  world.rounds(15);
  t.true(
    silent().every((all) => all.join() === '3'),
    JSON.stringify(silent()),
  );
  world.node(3).isUp = true;
  world.rounds(10);
  t.true(world.nodes.every((node) => node.of(3, world.nowMs)?.isSilent !== true));
});

test('what has not changed but for the beat goes as a beat, and an entry to whoever has not got it', (t) => {
  const ring = ringOf([1, 2, 3, 4], 1);
  const [a, b] = [new Node(1, ring, 1, 0), new Node(2, ring, 1, 0)];
  b.gossip.take(4, { ...nothing, entries: [entryOf(4)] }, 0);
  a.gossip.take(3, { ...nothing, entries: [entryOf(3, { beat: 5 })] }, 0);
  a.gossip.beat(0);
  const first = a.gossip.question();
  t.deepEqual(first.beats, [{ ordinal: 3, opening: 1, beat: 5, ringVersion: 1 }]);
  t.deepEqual(first.entries, [a.gossip.own]);
  const reply = b.gossip.answer(1, first, 0);
  t.deepEqual(reply.wants, [3]);
  t.deepEqual(reply.entries, [b.gossip.own, entryOf(4)], 'the question says nothing of 4');
  const more = a.gossip.take(2, reply, 0);
  t.deepEqual(more, { beats: [], entries: [entryOf(3, { beat: 5 })], closing: true });
  t.deepEqual(b.gossip.answer(1, more ?? first, 0), nothing);
  t.deepEqual(b.of(3, 0)?.entry, entryOf(3, { beat: 5 }));
  b.gossip.take(3, { ...nothing, entries: [entryOf(3, { beat: 9 })] }, 0);
  const again = b.gossip.answer(1, a.gossip.question(), 0);
  t.deepEqual([again.beats, again.wants], [[{ ordinal: 3, opening: 1, beat: 9, ringVersion: 1 }], []]);
  t.is(a.gossip.take(2, again, 0), null);
  t.is(a.of(3, 0)?.entry?.beat, 9);
});

test('a beat of an opening or a ring that is not known is asked for, not believed', (t) => {
  const node = new Node(1, ringOf([1, 2, 3], 1), 1, 0);
  node.gossip.take(3, { ...nothing, entries: [entryOf(3)] }, 0);
  for (const beat of [
    { ordinal: 3, opening: 2, beat: 1, ringVersion: 1 },
    { ordinal: 3, opening: 1, beat: 2, ringVersion: 2 },
  ]) {
    t.deepEqual(node.gossip.answer(2, { beats: [beat], entries: [], closing: false }, 0).wants, [3]);
    t.deepEqual(node.of(3, 0)?.entry, entryOf(3));
  }
});

test('whatever is heard, in any order and twice: a node is known by the newest of it', (t) => {
  const words = fc.record({ opening: fc.integer({ min: 1, max: 3 }), beat: fc.integer({ min: 1, max: 4 }) });
  fc.assert(
    fc.property(fc.array(words, { minLength: 1, maxLength: 12 }), fc.integer(), (heard, seed) => {
      const entries = heard.map(({ opening, beat }) => entryOf(3, { opening, beat, ringVersion: opening }));
      const world = new GossipWorld(1, seed);
      const known = [entries, [...entries].sort(() => world.prng.float() - 0.5), [...entries, ...entries]].map(
        (all) => {
          const node = new Node(1, ringOf([1, 2, 3], 1), 1, 0);
          for (const entry of all) node.gossip.take(2, { ...nothing, entries: [entry] }, 0);
          return node.of(3, 0)?.entry;
        },
      );
      const best = Math.max(...heard.map(({ opening, beat }) => 10 * opening + beat));
      t.deepEqual(
        known[0],
        entryOf(3, { opening: Math.floor(best / 10), beat: best % 10, ringVersion: Math.floor(best / 10) }),
      );
      t.deepEqual(known[1], known[0]);
      t.deepEqual(known[2], known[0]);
    }),
  );
});

test('whoever meets whom, with whatever is lost: nobody knows more of a node than it has said', (t) => {
  fc.assert(
    fc.property(fc.integer(), fc.double({ min: 0, max: 0.6, noNaN: true }), (seed, loss) => {
      const world = new GossipWorld(6, seed);
      world.loss = loss;
      const before = new Map<Node, readonly GossipMember[]>();
      for (let i = 0; i < 15; i++) {
        world.round();
        for (const node of world.nodes) {
          const members = node.gossip.members(world.nowMs);
          for (const { ordinal, entry } of members) {
            const said = world.node(ordinal).gossip.own.beat;
            const heard = before.get(node)?.find((member) => member.ordinal === ordinal)?.entry?.beat ?? 0;
            t.true((entry?.beat ?? 0) <= said && (entry?.beat ?? heard) >= heard);
          }
          before.set(node, members);
        }
      }
    }),
    { numRuns: 25 },
  );
});

test('a newer ring is heard of everywhere, with who has it, and again until it is there', (t) => {
  const world = new GossipWorld(9, 4);
  world.rounds(5);
  world.node(4).gossip.setRing(ringOf(countTo(9), 2), world.nowMs);
  world.rounds(10);
  for (const { gossip } of world.nodes) t.deepEqual(gossip.newestRing(), { version: 2, holders: [4] });
  for (const { gossip } of world.nodes) gossip.setRing(ringOf(countTo(9), 2), world.nowMs);
  world.rounds(10);
  for (const { gossip } of world.nodes) t.is(gossip.newestRing().holders.length, 9);
  t.true(world.nodes.every(({ alarms }) => alarms.length === 0));
});

test('a node that has left is forgotten, and does not come back from peers that have not heard of it', (t) => {
  const world = new GossipWorld(5, 5);
  world.rounds(10);
  world.node(5).isUp = false;
  for (const ordinal of [1, 2, 3]) world.node(ordinal).gossip.setRing(ringOf([1, 2, 3, 4], 2), world.nowMs);
  world.rounds(10);
  for (const ordinal of [1, 2, 3]) t.is(world.node(ordinal).of(5, world.nowMs), undefined);
  t.truthy(world.node(4).of(5, world.nowMs), 'by its own ring it is a member');
  t.deepEqual([...world.node(4).gossip.newestRing().holders].sort(), [1, 2, 3]);
});

test('an ordinal that the ring gives to another node is another node', (t) => {
  const node = new Node(1, ringOf([1, 2, 3], 1), 1, 0);
  node.gossip.take(2, { ...nothing, entries: [entryOf(3, { nodeId: idOf(99), beat: 50 })] }, 0);
  t.is(node.of(3, 0)?.entry, null);
  node.gossip.take(2, { ...nothing, entries: [entryOf(3)] }, 0);
  node.gossip.setRing(
    {
      version: 2,
      hash: hashOf(2),
      members: [1, 2, 3].map((ordinal) => ({ ordinal, nodeId: idOf(ordinal === 3 ? 99 : ordinal) })),
    },
    0,
  );
  t.is(node.of(3, 0)?.entry, null);
});

test('two documents of one version are told once, by whomever they come', (t) => {
  const world = new GossipWorld(6, 6);
  world.rounds(5);
  const other = 'f'.repeat(16);
  world.node(2).gossip.setRing(ringOf(countTo(6), 2), world.nowMs);
  world.node(5).gossip.setRing(ringOf(countTo(6), 2, other), world.nowMs);
  world.rounds(15);
  for (const { alarms } of world.nodes) {
    const [alarm, ...more] = alarms;
    t.deepEqual(more, []);
    if (alarm?.kind !== 'two-rings') return t.fail(JSON.stringify(alarm));
    t.is(alarm.version, 2);
    t.deepEqual([...alarm.hashes].sort(), [hashOf(2), other]);
    t.deepEqual([...alarm.ordinals].sort(), [2, 5]);
  }
});

test('two processes that pass for one node are told: by both openings going on', (t) => {
  const world = new GossipWorld(6, 7);
  world.rounds(20);
  const twin = new Node(3, ringOf(countTo(6), 1), 2, world.nowMs);
  world.nodes.push(twin);
  world.rounds(SETTLE_ROUNDS + 30);
  const told = world.nodes.flatMap(({ alarms }) => alarms);
  const told3 = { kind: 'two-nodes', ordinal: 3, nodeId: idOf(3), openings: [1, 2] } as const;
  t.deepEqual(world.node(3).alarms, [told3], 'the older one hears of itself what it has not said');
  t.true(told.length >= 2, 'and others hear it themselves');
  for (const alarm of told) t.deepEqual(alarm, told3);
});

test('a copy of a running node, in the same opening, is told too', (t) => {
  const world = new GossipWorld(5, 8);
  world.rounds(20);
  const twin = new Node(3, ringOf(countTo(5), 1), 1, world.nowMs);
  world.nodes.push(twin);
  world.rounds(SETTLE_ROUNDS + 10);
  t.like(twin.alarms[0], { kind: 'two-nodes', ordinal: 3, openings: [1, 1] });
});

test('restarts are no alarm: not with old words still going round, nor with a healed cut in between', (t) => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new GossipWorld(12, seed);
    world.loss = 0.1;
    world.rounds(20);
    world.isCut = (a, b) => a.ordinal % 2 !== b.ordinal % 2;
    world.rounds(5);
    for (let opening = 2; opening <= 5; opening++) {
      world.nodes[2] = new Node(3, ringOf(countTo(12), 1), opening, world.nowMs);
      world.rounds(opening);
    }
    world.rounds(40);
    world.isCut = () => false;
    world.rounds(SETTLE_ROUNDS + 30);
    for (const node of world.nodes) {
      t.deepEqual(node.alarms, [], `seed ${seed}`);
      if (node.ordinal !== 3) t.like(node.of(3, world.nowMs), { isSilent: false, entry: { opening: 5 } });
    }
  }
});

test('a node whose store was put back to an earlier day is heard again, and says so', (t) => {
  const world = new GossipWorld(6, 9);
  world.nodes[2] = new Node(3, ringOf(countTo(6), 1), 8, 0);
  world.rounds(60);
  world.nodes[2] = new Node(3, ringOf(countTo(6), 1), 3, world.nowMs);
  world.rounds(SILENT_ROUNDS + 30);
  t.deepEqual(world.node(3).alarms, [{ kind: 'put-back', opening: 3, heard: 8 }]);
  t.is(world.node(3).gossip.own.opening, 9);
  for (const node of world.nodes) {
    if (node.ordinal !== 3) t.like(node.of(3, world.nowMs), { isSilent: false, entry: { opening: 9 } });
    if (node.ordinal !== 3) t.deepEqual(node.alarms, []);
  }
});

test('of a node that says it is an earlier opening, while the later one has ended, no alarm is made', (t) => {
  const node = new Node(1, ringOf([1, 2, 3], 1), 1, 0);
  node.gossip.take(2, { ...nothing, entries: [entryOf(3, { opening: 8, beat: 500 })] }, 0);
  const hears = (ms: number, later: boolean): void => {
    node.gossip.take(3, { ...nothing, entries: [entryOf(3, { opening: 4, beat: ms })] }, ms);
    if (later) node.gossip.take(2, { ...nothing, entries: [entryOf(3, { opening: 8, beat: 500 + ms })] }, ms);
  };
  for (let ms = GOSSIP_LIMITS.silentMs; ms < 200_000; ms += 1_000) hears(ms, false);
  t.deepEqual(node.alarms, []);
  for (let ms = 200_000; ms < 300_000; ms += 1_000) hears(ms, true);
  t.deepEqual(node.alarms, [{ kind: 'two-nodes', ordinal: 3, nodeId: idOf(3), openings: [4, 8] }]);
});

test('partners are drawn from those that can be reached; if there are none, a seed is tried', (t) => {
  const node = new Node(1, ringOf([1, 2, 3, 4], 1), 1, 0);
  const { gossip } = node;
  const seeds = ['10.0.0.8:7702', '10.0.0.9:7702'];
  const draws = [0, 0.3, 0.6, 0.999];
  const ready = (ordinal: number): boolean => ordinal !== 3;
  t.deepEqual(
    draws.map((draw) => gossip.whomToMeet(draw, ready, seeds)),
    [2, 2, 4, 4].map((ordinal) => ({ kind: 'member', ordinal })),
  );
  t.deepEqual(
    draws.map((draw) => gossip.whomToMeet(draw, () => false, seeds)),
    [0, 0, 1, 1].map((i) => ({ kind: 'seed', address: seeds[i] as string })),
  );
  t.is(
    gossip.whomToMeet(0.5, () => false, []),
    null,
  );
});

test('a ring is not replaced by an older one', (t) => {
  const self = { ordinal: 1, nodeId: idOf(1), opening: 1, peerAddress: '' };
  const gossip = new Gossip(self, ringOf([1, 2], 5), () => undefined, 0);
  t.throws(() => {
    gossip.setRing(ringOf([1, 2], 4), 0);
  });
});
