/* Who is asked, who is written to beside them, and who keeps a copy, for each ring of a move. */
import test from 'ava';
import type { Preference } from '../../../src/coordinator/preference.js';
import { Preferences } from '../../../src/node/cluster/preferences.js';
import type { RingMove } from '../../../src/ring/moves.js';
import { ringOf } from '../peers/cluster.js';
import { copied, leaving, removed, rowOf, settled } from './moved-rings.js';

const first = ringOf(5);
const copying = leaving(first, 5);
const settling = copied(copying);
const { partition, to } = copying.moves[0] as RingMove;
const still = first.owners.findIndex((_, at) => at % 3 === 0 && !first.owners.slice(at, at + 3).includes(5)) / 3;

const othersOf = ({ handovers }: Preference): readonly number[] => handovers.map(({ other }) => other);

test('a partition that does not move has owners and nobody else', (t) => {
  const preferences = new Preferences(copying);
  t.deepEqual(othersOf(preferences.of(still)), []);
  t.false(preferences.isMoving(still));
  t.deepEqual(preferences.ownersOf(still), rowOf(first, still));
});

test('while it is copied, the receiver is written to and keeps a copy, and owns nothing', (t) => {
  const preferences = new Preferences(copying);
  t.deepEqual(preferences.of(partition).handovers, [{ owner: 5, other: to }]);
  t.deepEqual([...preferences.ownersOf(partition)].sort(), [...rowOf(first, partition)].sort());
  t.true(preferences.isOwner(partition, 5));
  t.false(preferences.isOwner(partition, to));
  t.true(preferences.isHolder(partition, to));
  t.true(preferences.isReceiver(partition, to));
  t.false(preferences.isReceiver(partition, 5));
  t.true(preferences.isMoving(partition));
});

test('while it settles, the giver is written to and keeps its copy, and owns nothing', (t) => {
  const preferences = new Preferences(settling);
  t.deepEqual(preferences.of(partition).handovers, [{ owner: to, other: 5 }]);
  t.false(preferences.isOwner(partition, 5));
  t.true(preferences.isHolder(partition, 5));
  t.true(preferences.isOwner(partition, to));
  t.false(preferences.isReceiver(partition, to));
  t.true(preferences.isMoving(partition));
});

test('nobody is written to beside the owners in the place of a node that was lost, and the partition moves', (t) => {
  const lost = removed(first, 5);
  const preferences = new Preferences(lost);
  t.deepEqual(othersOf(preferences.of(partition)), []);
  t.true(preferences.isMoving(partition));
  t.deepEqual(preferences.ownersOf(partition).toSorted(), rowOf(lost, partition).toSorted());
});

test('two moves of one partition have two extras', (t) => {
  const from = rowOf(first, partition);
  const strangers = [1, 2, 3, 4, 5].filter((node) => !from.includes(node));
  const moves = strangers.map((stranger, i) => {
    return { partition, from: from[i] as number, to: stranger, phase: 'copy', since: 2 } as const;
  });
  const preferences = new Preferences({ ...copying, owners: first.owners, moves });
  t.deepEqual(othersOf(preferences.of(partition)).toSorted(), strangers.toSorted());
  t.true(strangers.every((node) => preferences.isReceiver(partition, node)));
});

test('with the next ring nothing of the last is left, and what is under way keeps what it began with', (t) => {
  const preferences = new Preferences(copying);
  const before = preferences.of(partition);
  t.is(preferences.of(partition), before, 'one object as long as the ring stays');
  preferences.setRing(settling);
  t.is(preferences.ringVersion, 3);
  t.deepEqual(othersOf(before), [to]);
  t.is(before.ringVersion, 2);
  t.deepEqual(othersOf(preferences.of(partition)), [5]);
  preferences.setRing(settled(settling));
  t.deepEqual(othersOf(preferences.of(partition)), []);
  t.false(preferences.isMoving(partition));
  t.false(preferences.isHolder(partition, 5));
});
