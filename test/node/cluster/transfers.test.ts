/* A partition's file from one store to another, with either of them going down on the way. */
import test, { type ExecutionContext } from 'ava';
import { Twin } from '../../storage/engine-twin.js';
import { Pair, PARTITIONS } from './transfer-pair.js';
import { World } from '../../storage/engine-world.js';

const NAMES: readonly string[] = ((): readonly string[] => {
  const world = new World({ seed: 0, partitionCount: PARTITIONS });
  return Array.from({ length: 30 }, (_, i) => world.nameIn(1, i));
})();
const VALUE = 'theirs'.padEnd(100_000, '.');

function filled(seed: number): Pair {
  const pair = new Pair(seed);
  for (const name of NAMES) pair.donor.write(name, VALUE, 3, false, () => undefined);
  pair.donor.flush();
  return pair;
}

function checkThere(t: ExecutionContext, { receiver }: Pair): void {
  t.deepEqual(receiver.up().status().suspectPartitions, [0]);
  for (const name of NAMES) t.is(receiver.get(name).value, VALUE);
  receiver.flush();
  new Twin(receiver).checkFile(0);
}

const inFolder = (world: World, folder: string): readonly string[] =>
  world.disk.paths().filter((path) => path.startsWith(`${folder}/`));

test('it is fetched, installed and gone from both folders', (t) => {
  const pair = filled(1);
  pair.receiver.put(NAMES[0] as string, 'ours', 9);
  const told = pair.fetch(5);
  pair.time.runUntil(() => (pair.transfers?.status().fetching[0]?.bytes ?? 0) > 1_000_000);
  const [status] = pair.transfers?.status().fetching ?? [];
  t.like(status, { partition: 0, donor: 1, moveId: 5 });
  t.true((status?.ofBytes ?? 0) > 3_000_000 && (status?.bytesPerSecond ?? 0) > 0);
  t.is(inFolder(pair.receiver, 'incoming').length, 2);
  t.is(pair.donating?.status().copies, 1);
  const [given] = pair.donating?.status().giving ?? [];
  t.like(given, { partition: 0, moveId: 5, ofBytes: status?.ofBytes ?? -1 });
  t.true((given?.bytes ?? 0) > 1_000_000 && (given?.bytesPerSecond ?? 0) > 0);
  pair.time.runUntil(() => told.result !== null);
  t.like(told.result, { kind: 'installed', records: 30 });
  t.is(pair.receiver.get(NAMES[0] as string).value, 'ours');
  pair.time.runFor(100);
  t.deepEqual(inFolder(pair.receiver, 'incoming'), []);
  t.deepEqual(inFolder(pair.donor, 'outgoing'), []);
  t.is(pair.donating?.status().copies, 0);
  t.deepEqual(pair.transfers?.status().fetching, []);
  t.deepEqual(pair.donating?.status().giving, []);
  t.is(pair.transfers?.status().bytesFetched, pair.donating?.status().bytesGiven);
});

test('what the donor will not give is refused with its reason, and leaves nothing', (t) => {
  const pair = filled(2);
  pair.donor.up().suspect(0, 1);
  t.deepEqual(pair.fetchNow(5), { kind: 'refused', text: 'Partition 0 may lack something here' });
  const empty = new Pair(3);
  t.deepEqual(empty.fetchNow(5), { kind: 'refused', text: 'Partition 0 has no file here' });
  empty.time.runFor(100);
  t.is(empty.donating?.status().copies, 0);
  t.deepEqual(inFolder(empty.receiver, 'incoming'), []);
});

test('a donor that nobody asks any more gives the copy up', (t) => {
  const pair = filled(4);
  pair.fetch(5);
  pair.time.runUntil(() => pair.arrived > 1_000_000);
  pair.crashReceiver('kill');
  pair.time.runFor(50_000);
  t.is(pair.donating?.status().copies, 1);
  pair.time.runFor(20_000);
  t.is(pair.donating?.status().copies, 0);
  t.deepEqual(inFolder(pair.donor, 'outgoing'), []);
});

test('a receiver that is gone for good leaves what the next one throws away', (t) => {
  const pair = filled(5);
  pair.fetch(5);
  pair.time.runUntil(() => pair.arrived > 1_000_000);
  pair.crashReceiver('kill');
  pair.startReceiver();
  const discarded = (moves: readonly { partition: number; moveId: number }[]): void => {
    let isDone = false;
    pair.transfers?.discardOthers(moves, (error) => {
      t.is(error, null);
      isDone = true;
    });
    pair.time.runUntil(() => isDone);
  };
  discarded([{ partition: 0, moveId: 5 }]);
  t.is(inFolder(pair.receiver, 'incoming').length, 2);
  discarded([{ partition: 0, moveId: 6 }]);
  t.deepEqual(inFolder(pair.receiver, 'incoming'), []);
});

test('a receiver that was killed goes on where it was', (t) => {
  const pair = filled(6);
  pair.fetch(5);
  pair.time.runUntil(() => pair.arrived > 2_800_000);
  pair.crashReceiver('kill');
  const before = pair.arrived;
  pair.startReceiver();
  t.is(pair.fetchNow(5).kind, 'installed');
  t.true(pair.arrived - before < 1_500_000, `${pair.arrived - before} bytes more`);
  checkThere(t, pair);
});

test('whichever end goes down, however often, and whatever is lost on the way, it arrives whole', (t) => {
  const stops = { donor: 0, receiver: 0 };
  for (let seed = 1; seed <= 24; seed++) {
    const pair = filled(10 * seed);
    pair.lost = seed % 3 === 0 ? 0.05 : 0;
    const { random } = pair.receiver;
    let told = pair.fetch(5);
    for (let round = 0; ; round++) {
      t.true(round < 30, `seed ${seed}`);
      const until = pair.arrived + random.int(3_000_000);
      const untilMs = pair.time.monotonicMs() + random.int(20_000);
      const isLast = round > 4;
      pair.time.runUntil(
        () => told.result !== null || (!isLast && (pair.arrived > until || pair.time.monotonicMs() > untilMs)),
      );
      if (told.result?.kind === 'installed') break;
      const kind = random.chance(0.5) ? 'kill' : 'power';
      if (random.chance(0.3)) {
        stops.donor += 1;
        pair.crashDonor(kind);
        pair.startDonor();
        if (told.result === null) continue;
      } else {
        stops.receiver += 1;
        pair.crashReceiver(kind);
        pair.startReceiver();
      }
      told = pair.fetch(5);
    }
    checkThere(t, pair);
    t.is(pair.receiver.fatal ?? pair.donor.fatal, null);
  }
  t.true(stops.donor > 10 && stops.receiver > 30, JSON.stringify(stops));
});
