/*
 * Files of hints that are not what they should be: the node starts, says `hints_lost`, and keeps what it can. And the
 * bytes: formats are promises.
 */
import test from 'ava';
import type { Hint } from '../../src/coordinator/hint-book.js';
import { partitionId } from '../../src/model/ids.js';
import { decodeHint, encodeHint, hintKey, HINTS_HOME_PARTITION, openHint } from '../../src/storage/hint-format.js';
import { logBodyOf, removedHintId, sealHint, writeHintRemoved } from '../../src/storage/hint-format.js';
import { encodeHome, HOME_KEY } from '../../src/storage/partition-home.js';
import { HASH, NODE } from './engine-requests.js';
import { World } from './engine-world.js';
import { HintsTwin } from './hints-twin.js';

const FILE = 'hints.mdb';

function open(world: World): void {
  const error = world.start();
  if (error !== null) throw error;
}

/** Enough puts that segments which nobody needs are given back. */
function fill(world: World): void {
  const filler = world.nameIn(1, 900);
  for (let i = 0; i < 120; i++) world.put(filler, 'x'.repeat(2_000), i + 1);
  world.flush();
  world.time.runFor(4_000);
}

/** A world whose log has been given back behind four hints, that only the file holds. */
function released(seed: number): { world: World; twin: HintsTwin } {
  const world = new World({ seed });
  const twin = new HintsTwin(world);
  open(world);
  for (let i = 0; i < 4; i++) {
    twin.keep(`k${i}`, 1);
    world.time.runFor(3);
  }
  world.flush();
  fill(world);
  return { world, twin };
}

const keysOf = (world: World): string[] =>
  world
    .up()
    .hints.restored()
    .map(({ key }) => key);
const lostOf = (world: World): unknown[] =>
  world.lines.filter(({ event }) => event === 'hints_lost').map(({ fields }) => fields['why']);
const text = (key: Uint8Array): string => Buffer.from(key).toString('latin1');

/** What went wrong is said once, and hints are kept again. */
function goesOn(world: World): boolean {
  const { length } = lostOf(world);
  new HintsTwin(world).keep('afterwards', 2);
  world.flush();
  world.crash('power');
  open(world);
  return keysOf(world).includes('afterwards') && lostOf(world).length === length;
}

test('a file that is gone is missed', (t) => {
  const { world } = released(1);
  world.stop();
  world.disk.discard(FILE);
  open(world);
  t.deepEqual(keysOf(world), []);
  t.deepEqual(lostOf(world), ['missing']);
  t.deepEqual(world.up().status().suspectPartitions, []);
  t.true(goesOn(world));
});

test('an older file is found out, and used', (t) => {
  const { world, twin } = released(2);
  const older = world.medium.snapshot(FILE);
  twin.keep('newer', 1);
  world.flush();
  fill(world);
  world.stop();
  world.medium.swap(FILE, older);
  open(world);
  t.deepEqual(keysOf(world), ['k0', 'k1', 'k2', 'k3']);
  t.deepEqual(lostOf(world), ['older']);
  t.true(goesOn(world));
});

test('an older file of which the log still holds everything is no loss', (t) => {
  const { world, twin } = released(3);
  world.crash('kill');
  open(world);
  twin.settle();
  const older = world.medium.snapshot(FILE);
  twin.keep('newer', 1);
  world.flush();
  world.crash('kill'); // before the table could be written, so before the log could forget
  world.medium.swap(FILE, older);
  open(world);
  t.deepEqual(keysOf(world), ['k0', 'k1', 'k2', 'k3', 'newer']);
  t.deepEqual(lostOf(world), []);
});

test('the file of another node or installation, one without a home, a damaged home, a short file: set aside', (t) => {
  const home = { nodeId: NODE, installation: 1, partition: HINTS_HOME_PARTITION, partitionCount: 256, appliedLsn: 9 };
  const homes: readonly (Uint8Array | null)[] = [
    encodeHome({ ...home, nodeId: 'f'.repeat(32) as typeof NODE }, HASH),
    encodeHome(home, HASH),
    encodeHome({ ...home, partition: 3 }, HASH),
    null,
    new Uint8Array(52),
  ];
  for (const bytes of homes) {
    const { world } = released(4);
    world.stop();
    const commit = new Map(world.medium.snapshot(FILE));
    if (bytes === null) commit.delete(text(HOME_KEY));
    else commit.set(text(HOME_KEY), bytes);
    world.medium.swap(FILE, commit);
    open(world);
    t.deepEqual(keysOf(world), []);
    t.deepEqual(lostOf(world), ['set_aside']);
    t.deepEqual(world.up().status().quarantined, ['quarantine/hints.mdb.0']);
    t.true(goesOn(world));
  }
  const { world } = released(5);
  world.stop();
  world.medium.broken.add(FILE);
  open(world);
  t.deepEqual(lostOf(world), ['set_aside']);
  t.true(goesOn(world));
});

test('a file of hints of a newer release stops the start', (t) => {
  const { world } = released(6);
  world.stop();
  const home = { nodeId: NODE, installation: 1, partition: HINTS_HOME_PARTITION, partitionCount: 256, appliedLsn: 9 };
  const bytes = encodeHome(home, HASH);
  bytes[3] = 7;
  HASH.hash(bytes, 0, 44);
  Buffer.from(bytes.buffer).writeUInt32BE(HASH.hi, 44);
  Buffer.from(bytes.buffer).writeUInt32BE(HASH.lo, 48);
  world.medium.swap(FILE, new Map([...world.medium.snapshot(FILE), [text(HOME_KEY), bytes]]));
  t.regex(
    world.start()?.message ?? '',
    /hints\.mdb, the file of hints, has format 7, .* which reads format 1: a newer release of Partita has written it/,
  );
});

test('every damaged byte of a hint costs that hint alone, and is said once', (t) => {
  const { world } = released(7);
  world.stop();
  const at = [...world.medium.snapshot(FILE)].find(([, value]) => Buffer.from(value).includes('k2'));
  const [key, value] = at ?? ['', new Uint8Array(0)];
  t.is(value.length, 42);
  for (let byte = 0; byte < value.length; byte++) {
    const before = world.medium.snapshot(FILE);
    world.medium.flip(FILE, Buffer.from(key, 'latin1'), byte);
    world.lines.length = 0;
    open(world);
    t.deepEqual(keysOf(world), ['k0', 'k1', 'k3']);
    t.deepEqual(lostOf(world), ['damaged']);
    world.flush();
    t.false(world.medium.snapshot(FILE).has(key), 'it was removed');
    world.stop();
    world.medium.swap(FILE, before);
  }
});

test('of two hints of one key and owner, as damage may leave them, the younger counts', (t) => {
  const { world } = released(8);
  world.stop();
  const commit = new Map(world.medium.snapshot(FILE));
  const [, known] = [...commit].find(([, value]) => Buffer.from(value).includes('k1')) ?? ['', new Uint8Array(0)];
  const hint = decodeHint(logBodyOf(Buffer.from(known))) as Hint;
  const rival = { ...hint, id: hint.version + 50, version: hint.version + 60 };
  commit.set(text(hintKey(rival.id)), sealHint(encodeHint(rival), HASH));
  world.medium.swap(FILE, commit);
  open(world);
  t.is(keysOf(world).length, 4);
  t.deepEqual(
    world
      .up()
      .hints.restored()
      .find(({ key }) => key === 'k1'),
    rival,
  );
  world.flush();
  t.is(world.medium.snapshot(FILE).size, 5);
});

test('a hint of a later opening, or of a partition that there is not, is not handed out', (t) => {
  const { world } = released(9);
  world.stop();
  const commit = new Map(world.medium.snapshot(FILE));
  const hint = { partition: partitionId(3, 256), key: 'z', owner: 1, bytes: 9, sinceMs: 5 };
  for (const wrong of [
    { ...hint, id: 5, version: 2 ** 50 },
    { ...hint, id: 6, version: 7, partition: 300 as typeof hint.partition },
  ])
    commit.set(text(hintKey(wrong.id)), sealHint(encodeHint(wrong), HASH));
  world.medium.swap(FILE, commit);
  open(world);
  t.deepEqual(keysOf(world), ['k0', 'k1', 'k2', 'k3']);
  t.deepEqual(lostOf(world), ['damaged']);
});

test('damage to the log does not stop the start, and hints may be among what it took', (t) => {
  const world = new World({ seed: 10 });
  const twin = new HintsTwin(world);
  open(world);
  twin.keep('first', 1);
  world.time.runFor(20);
  twin.keep('second', 1);
  world.time.runFor(500); // an empty batch names what is durable
  world.crash('kill');
  const segment = world.disk
    .paths()
    .find((path) => path.endsWith('.seg') && world.disk.contents(path).includes('first'));
  t.not(segment, undefined);
  if (segment !== undefined) world.disk.flipBit(segment, world.disk.contents(segment).indexOf('first'), 3);
  open(world);
  t.deepEqual(keysOf(world), ['second']);
  t.deepEqual(lostOf(world), ['log_damaged']);
});

test('a file of hints that kills whoever reads it is set aside after two unclean starts', (t) => {
  const { world } = released(11);
  world.crash('kill');
  open(world);
  world.crash('kill');
  world.killers.add('hints');
  open(world);
  t.is(world.inspections, 1);
  t.deepEqual(lostOf(world), ['set_aside']);
  t.deepEqual(keysOf(world), []);
});

test('the bytes of a hint, of its removal, and of its entry in the file', (t) => {
  const hint: Hint = {
    id: 0x1_0000_0002,
    version: 0x1_0000_0003,
    partition: partitionId(0x0405, 4_096),
    key: 'k\u00ff',
    owner: 0x0607,
    bytes: 0x08090a0b,
    sinceMs: 0x0c0d_0e0f_1011,
  };
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const body =
    '0000000100000002' + '0000000100000003' + '0c0d0e0f1011' + '0607' + '0405' + '0000' + '08090a0b' + '6bff';
  const encoded = encodeHint(hint);
  t.is(hex(logBodyOf(encoded)), body);
  t.deepEqual(decodeHint(logBodyOf(encoded)), hint);
  t.is(hex(hintKey(hint.id)), '000000010000000203');
  sealHint(encoded, HASH);
  t.true(hex(encoded).startsWith(body));
  t.is(encoded.length, 42);
  t.deepEqual(openHint(hintKey(hint.id), encoded, HASH), hint);
  t.is(openHint(hintKey(hint.id + 1), encoded, HASH), null);
  const removal = new Uint8Array(16);
  writeHintRemoved(removal, 0, hint);
  t.is(hex(removal), '00000001000000020000000100000003');
  t.is(removedHintId(removal), hint.id);
  t.is(removedHintId(removal.subarray(1)), null);
});
