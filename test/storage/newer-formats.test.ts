/*
 * What a newer release has written: each file names its format, is refused for it with what is to be done, is not taken for
 * damaged, and stays as it is. (node.meta, ring/acceptor, hints.mdb and the segments of the log have tests of their own
 * beside what else is tested of them, and so have ring documents and ring files.)
 */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { Arena } from '../../src/storage/arena.js';
import { EntryReplay, type EntryReplayParts } from '../../src/storage/entry-replay.js';
import { encodeHome, HOME_KEY } from '../../src/storage/partition-home.js';
import { RingNotesFile } from '../../src/storage/ring-notes-file.js';
import { RING_PATH, RingSlots } from '../../src/storage/ring-slots.js';
import { SlotsTooNewError } from '../../src/storage/slots.js';
import { finish } from '../support/log-world.js';
import { SimulatedDisk } from '../support/simulated-disk.js';
import { SimulatedTime } from '../support/simulated-time.js';
import { HASH, NODE } from './engine-requests.js';
import { World } from './engine-world.js';

const REMEDY = /: a newer release of Partita has written it\. Install that release again, .* or restore this directory/;

/** As a release to come may write them, by the rule that each file's drawing states. */
function sealed(bytes: Buffer): Buffer {
  HASH.hash(bytes, 0, bytes.length - 8);
  bytes.writeUInt32BE(HASH.hi, bytes.length - 8);
  bytes.writeUInt32BE(HASH.lo, bytes.length - 4);
  return bytes;
}

function sealedSlots(bytes: Buffer, slotBytes: number, format: number): Buffer {
  for (const at of [0, slotBytes]) {
    bytes.writeUInt32BE(format, at + 8);
    const covered = Buffer.from(bytes.subarray(at, at + 32 + bytes.readUInt32BE(at + 12)));
    covered.fill(0, 24, 32);
    HASH.hashSeeded(covered, 0, covered.length, 0, bytes.readUIntBE(at + 18, 6));
    bytes.writeUInt32BE(HASH.hi, at + 24);
    bytes.writeUInt32BE(HASH.lo, at + 28);
  }
  return bytes;
}

function filledWorld(seed: number): World {
  const world = new World({ seed });
  world.start();
  world.put('a', 'value');
  world.flush();
  world.time.runFor(4_000);
  world.stop();
  return world;
}

test('the file of a partition', (t) => {
  const world = filledWorld(1);
  const partition = world.partitionOf('a');
  const home = { nodeId: NODE, installation: 1, partition, partitionCount: 256, appliedLsn: 9 };
  // Longer than ours: what is known of it is where the format stands, and the checksum.
  const bytes = Buffer.concat([encodeHome(home, HASH), Buffer.alloc(12)]);
  bytes[3] = 2;
  const path = world.pathOf('a');
  const newer = new Map([...world.medium.snapshot(path), [Buffer.from(HOME_KEY).toString('latin1'), sealed(bytes)]]);
  world.medium.swap(path, newer);
  const { message = '' } = world.start() ?? {};
  t.regex(message, /^The file of partition \d+ has format 2, and this is release .*, which reads format 1/);
  t.regex(message, REMEDY);
  t.deepEqual(world.medium.snapshot(path), newer);
});

test('the partition table, also one that is longer than ours can be', (t) => {
  for (const more of [0, 5_000]) {
    const world = filledWorld(2);
    const slots = ['partitions/table.a', 'partitions/table.b'].filter((path) => world.disk.paths().includes(path));
    for (const path of slots) {
      const bytes = Buffer.concat([world.disk.contents(path), Buffer.alloc(more)]);
      bytes.writeUInt32BE(3, 4);
      world.disk.restore(path, sealed(bytes));
    }
    const before = slots.map((path) => world.disk.contents(path));
    const { message = '' } = world.start() ?? {};
    t.regex(message, /^partitions\/table\.[ab] has format 3, and this is release .*, which reads formats 1 to 2/);
    t.regex(message, REMEDY);
    t.deepEqual(
      slots.map((path) => world.disk.contents(path)),
      before,
    );
  }
});

test('an entry of the log of a kind that is not known', (t) => {
  const parts = { arena: new Arena(1_048_576), partitions: [null, null] } as unknown as EntryReplayParts;
  const error = t.throws(() => {
    new EntryReplay(parts).replay(99, 0, 5, new Uint8Array(0));
  });
  t.regex(error.message, /^The commit log holds an entry of kind 99 \(LSN 5\), which this release does not know/);
  t.regex(error.message, REMEDY);
});

test('the slots of the ring, and those of the notes on it', (t) => {
  const time = new SimulatedTime();
  const disk = new SimulatedDisk({ timers: time, random: new Prng(1) });
  finish(time, RingSlots.create(disk, HASH, Buffer.from('{}')));
  finish(time, RingNotesFile.open(disk, HASH));
  for (const [path, slotBytes] of [
    [RING_PATH, 1_048_576],
    ['ring/notes', 262_144],
  ] as const) {
    const newer = sealedSlots(disk.contents(path), slotBytes, 2);
    disk.restore(path, newer);
    const open = path === RING_PATH ? RingSlots.open(disk, HASH) : RingNotesFile.open(disk, HASH);
    const { message } = t.throws(() => finish<unknown>(time, open), { instanceOf: SlotsTooNewError });
    t.true(message.startsWith(`${path} has format 2, and this is release `), message);
    t.regex(message, REMEDY);
    t.deepEqual(disk.contents(path), newer);
  }
});
