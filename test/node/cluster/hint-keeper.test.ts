/* Hints whose owner is none any more: at the start, when a put is late, and when there is no room for the new ones. */
import test from 'ava';
import xxhash from 'xxhash-wasm';
import { type Hint, HINT_LIMITS } from '../../../src/coordinator/hint-book.js';
import { hash64From } from '../../../src/model/hash.js';
import type { PartitionId } from '../../../src/model/ids.js';
import { HintKeeper, type HintKeeperParts } from '../../../src/node/cluster/hint-keeper.js';
import { Preferences } from '../../../src/node/cluster/preferences.js';
import type { RingDocument } from '../../../src/ring/document.js';
import type { RingMove } from '../../../src/ring/moves.js';
import { MemoryStorage } from '../../support/memory-storage.js';
import { SimulatedTime } from '../../support/simulated-time.js';
import { ringOf } from '../peers/cluster.js';
import { removed, rowOf } from './moved-rings.js';

const HASH = hash64From(await xxhash());
const LOST = 5;
const first = ringOf(6);
const lost = removed(first, LOST);
const partition = (lost.moves[0] as RingMove).partition as PartitionId;
const owners = rowOf(lost, partition).toSorted();
/** A node that has nothing to do with the partition. */
const SELF = first.members.map(({ ordinal }) => ordinal).find((one) => one !== LOST && !owners.includes(one)) as number;

class Desk {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly storage: MemoryStorage = new MemoryStorage();
  readonly log: string[] = [];
  readonly preferences: Preferences;
  readonly keeper: HintKeeper;
  suspects: readonly number[] = [LOST];
  /** To every owner, where a test has one. */
  link: { store(head: unknown, record: Uint8Array): null } | undefined;

  constructor(ring: RingDocument, restored: readonly Hint[] = []) {
    this.preferences = new Preferences(ring);
    const { hints } = this.storage;
    hints.restorable = restored;
    for (const hint of restored) hints.kept.set(hint.id, hint);
    const nothing = { add: () => undefined, set: () => undefined };
    const hintsLost = {
      add: (): void => {
        this.log.push('lost');
      },
    };
    const meters = { hints: nothing, hintBytes: nothing, hintsRefused: nothing, hintsLost };
    this.storage.opening = 2;
    const parts = {
      services: { storage: this.storage, clock: this.time, hash: HASH, log: { error: () => undefined } },
      self: SELF,
      timers: this.time,
      slices: {
        ask: (_task: string, _bytes: number, go: () => void): void => {
          this.time.endOfTurn(go);
        },
      },
      links: { get: () => this.link },
      table: { isHealthy: (node: number) => !this.suspects.includes(node) },
      preferences: this.preferences,
      storage: {
        restored: () => hints.restored(),
        keep: (hint: Hint, ack: Parameters<typeof hints.keep>[1]): void => {
          this.log.push(`keep for ${hint.owner}`);
          hints.keep(hint, ack);
        },
        drop: (hint: Hint, ack: Parameters<typeof hints.drop>[1]): void => {
          this.log.push(`drop for ${hint.owner}`);
          hints.drop(hint, ack);
        },
      },
      meters,
      reaps: this.storage.reaps,
      reach: () => undefined,
      isDeparting: () => false,
    };
    this.keeper = new HintKeeper(parts as unknown as HintKeeperParts);
  }

  kept(): readonly (readonly [number, number])[] {
    return this.keeper
      .kept()
      .map(({ owner, count }) => [owner, count] as const)
      .toSorted(([a], [b]) => a - b);
  }
}

const hintFor = (owner: number, id: number, key: string): Hint => ({
  id,
  partition,
  key,
  owner,
  version: id,
  bytes: 100,
  sinceMs: 5,
});

test('hints of a node that left are rerouted after a start, too: the ring may have been kept, and a crash come', (t) => {
  const desk = new Desk(lost, [hintFor(LOST, 10, 'a'), hintFor(LOST, 11, 'b'), hintFor(owners[0] as number, 12, 'b')]);
  desk.suspects = [LOST, ...owners];
  desk.time.runFor(1_000);
  t.deepEqual(
    desk.kept(),
    owners.map((owner) => [owner, 2]),
  );
  t.is(desk.storage.hints.kept.size, 6);
  t.deepEqual([...desk.storage.hints.kept.values()].map(({ owner }) => owner).includes(LOST), false);
});

test('what is to be kept for a node that is no owner any more is kept for all who are', (t) => {
  const desk = new Desk(lost);
  t.true(desk.keeper.add(partition, 'a', LOST, 100));
  t.deepEqual(
    desk.kept(),
    owners.map((owner) => [owner, 1]),
  );
  t.true(desk.keeper.add(partition, 'a', owners[0] as number, 100));
  t.is(desk.keeper.count, 3, 'one hint a key and owner');
});

test('new hints stand in the log before the old one goes, and a put that comes later adds to them', (t) => {
  const desk = new Desk(first);
  t.true(desk.keeper.add(partition, 'a', LOST, 100));
  desk.log.length = 0;
  desk.preferences.setRing(lost);
  desk.keeper.reroute();
  t.deepEqual(desk.log.slice(0, 3).toSorted(), owners.map((owner) => `keep for ${owner}`).toSorted());
  t.deepEqual(desk.log.slice(3), [`drop for ${LOST}`]);
  t.true(desk.keeper.keeps('a'));
});

test('where there is no room for the new ones the old one stays, and it is tried again when there is', (t) => {
  const desk = new Desk(first);
  desk.suspects = [LOST, ...owners];
  const quarter = HINT_LIMITS.bytesMax / 4 - 10_000; // one for each owner fits beside the old one, and nothing else
  t.true(desk.keeper.add(partition, 'large', LOST, quarter));
  t.true(desk.keeper.add(partition, 'other', owners[0] as number, 100_000));
  desk.preferences.setRing(lost);
  desk.keeper.reroute();
  desk.time.runFor(2_000);
  t.true(desk.kept().some(([owner, count]) => owner === LOST && count === 1));
  t.false(desk.log.includes(`drop for ${LOST}`));
  desk.keeper.recordReaped('other');
  desk.time.runFor(500);
  t.deepEqual(
    desk.kept(),
    owners.map((owner) => [owner, 1]),
  );
  t.is(desk.log.at(-1), `drop for ${LOST}`);
});

test('a partition of which hints are on their way to others counts as outstanding all the time', (t) => {
  const desk = new Desk(first);
  t.true(desk.keeper.noneOutstanding(partition));
  desk.keeper.add(partition, 'a', LOST, 100);
  desk.preferences.setRing(lost);
  desk.storage.holdAcks = true;
  desk.keeper.reroute();
  t.false(desk.keeper.noneOutstanding(partition));
  desk.keeper.recordReaped('a');
  t.false(desk.keeper.noneOutstanding(partition), 'their removal is not on the disk');
  desk.storage.sync();
  t.true(desk.keeper.noneOutstanding(partition));
});

test('a hint whose record is in neither of two files, as one takes the place of the other, is delivered later', (t) => {
  const owner = owners[0] as number;
  const desk = new Desk(lost, [hintFor(owner, 10, 'a')]);
  const sent: number[] = [];
  desk.link = {
    store: (_head, record) => {
      sent.push(record.length);
      return null;
    },
  };
  desk.storage.moving = true;
  desk.storage.unknownReason = 'The store is new';
  desk.time.runFor(1_000);
  t.deepEqual(desk.kept(), [[owner, 1]], 'nothing is found, and it is not said to be gone');
  desk.storage.moving = false;
  desk.storage.unknownReason = '';
  desk.storage.replace(Buffer.from('a'), new Uint8Array(70), partition);
  desk.time.runFor(2_000);
  t.true(sent.length > 0);
  t.true(sent.every((bytes) => bytes === 70));
  t.deepEqual(desk.log, []);
});

test('a hint whose record is not there is lost', (t) => {
  const owner = owners[0] as number;
  const desk = new Desk(lost, [hintFor(owner, 10, 'a')]);
  desk.time.runFor(1_000);
  t.deepEqual(desk.log, ['lost', `drop for ${owner}`]);
});
