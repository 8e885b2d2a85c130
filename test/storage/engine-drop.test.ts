/* Records that are dropped: a copy that was kept for others, and that they all have by now. */
import test from 'ava';
import { storageKey } from '../../src/storage/storage-key.js';
import type { Stored } from '../../src/storage/storage.js';
import { DIGEST, place, type TestWrite } from './engine-requests.js';
import { Twin } from './engine-twin.js';
import { World, type WorldOptions } from './engine-world.js';

function opened(seed: number, options: Partial<WorldOptions> = {}): World {
  const world = new World({ seed, ...options });
  const error = world.start();
  if (error !== null) throw error;
  return world;
}

function keyOf(name: string): Uint8Array {
  const { hashHi, hashLo } = place(Buffer.from(name, 'latin1'), 256);
  return storageKey(hashHi, hashLo, Buffer.from(name, 'latin1'), DIGEST);
}

const isInFile = (world: World, name: string): boolean =>
  world.medium.snapshot(world.pathOf(name)).has(Buffer.from(keyOf(name)).toString('latin1'));

test('wherever the record is, in the buffer, frozen, in the file or in a cache, it is gone, mark and all', (t) => {
  for (const options of [{}, { cacheBytesMax: 50_000 }, { alwaysCold: true }]) {
    for (const flushed of [false, true]) {
      const world = opened(1, options);
      world.put('a', 'one');
      if (flushed) {
        world.flush();
        for (let i = 0; i < 3; i++) t.is(world.get('a').value, 'one');
      }
      t.is(world.put('a', null).state, 'acked');
      t.like(world.get('a'), { state: 'absent', hasMark: false, value: '' });
      world.flush();
      t.like(world.get('a'), { state: 'absent', hasMark: false, value: '' });
      t.false(isInFile(world, 'a'));
      world.crash('power');
      world.start();
      t.is(world.get('a').state, 'absent');
    }
  }
});

test('a later write mints afresh, and a crash anywhere between loses neither', (t) => {
  for (let steps = 0; steps < 24; steps++) {
    const world = opened(2);
    const twin = new Twin(world);
    const names = Array.from({ length: 6 }, (_, i) => world.nameIn(2, i));
    for (const name of names) twin.put(name, 40);
    world.flush();
    for (const name of names) twin.drop(name);
    for (const name of names.slice(0, 3)) twin.put(name, 50);
    world.up().flush(() => undefined);
    for (let i = 0; i < steps * 2; i++) world.time.step();
    world.crash(steps % 2 === 0 ? 'power' : 'kill');
    t.is(world.start(), null);
    twin.settle();
    twin.checkLeaves();
    world.flush();
    for (const name of names) twin.check(name);
    twin.checkLeaves();
  }
});

test('after a drop the write that follows sees nothing: no record, no mark', (t) => {
  const world = opened(3);
  world.put('a', 'one');
  world.flush();
  const seen: string[] = [];
  const note = ({ state, hasMark, start, end }: Stored): void => {
    seen.push(`${state} ${hasMark} ${end - start}`);
  };
  world.write('a', null, 0, false, () => undefined);
  world.write('a', 'two', 1, false, note);
  world.write('a', null, 0, false, () => undefined);
  world.write('a', null, 0, false, note);
  t.deepEqual(seen, ['absent false 0', 'absent false 0']);
});

test('dropping what is not there appends nothing, and is acknowledged behind what was appended before', (t) => {
  const world = opened(4);
  const { lastLsn } = world.up().status();
  t.is(world.put('never', null).state, 'acked');
  t.is(world.up().status().lastLsn, lastLsn);
  world.write('a', 'one', 1, false, () => undefined);
  const first = world.write('a', null, 0, false, () => undefined);
  const second = world.write('a', null, 0, false, () => undefined);
  t.is(second.state, 'placed', 'the first one is not on the disk yet');
  world.time.runUntil(() => second.state === 'acked');
  t.is(first.state, 'acked');
  t.is(world.up().status().lastLsn, lastLsn + 2);
});

test('a drop is told of when it is as safe as asked for', (t) => {
  const world = opened(5, { durability: { kind: 'interval', ms: 10_000 } });
  world.put('a', 'one');
  const wait = (write: TestWrite): TestWrite => {
    world.time.runUntil(() => write.state === 'acked');
    return write;
  };
  t.false(wait(world.write('a', null, 0, false, () => undefined)).ackedDurable);
  world.put('a', 'two');
  t.true(wait(world.write('a', null, 0, true, () => undefined)).ackedDurable);
  t.true(wait(world.write('a', null, 0, true, () => undefined)).ackedDurable);
});

test('a damaged record can be dropped, and its leaf is right again', (t) => {
  const world = opened(6);
  const names = Array.from({ length: 12 }, (_, i) => world.nameIn(1, i));
  for (const name of names) world.put(name, 'value');
  world.flush();
  const [damaged = ''] = names;
  world.medium.flip(world.pathOf(damaged), keyOf(damaged), 40);
  t.is(world.get(damaged).state, 'unknown');
  let seen = '';
  const write = world.write(damaged, null, 0, false, ({ state }) => {
    seen = state;
  });
  world.time.runUntil(() => write.state === 'acked');
  t.is(seen, 'unknown');
  t.is(world.get(damaged).state, 'absent');
  const partition = world.partitionOf(damaged);
  const live = world.up().liveTree(partition).all().slice();
  world.flush();
  t.false(isInFile(world, damaged));
  t.deepEqual(world.up().storedLeaves(partition), live);
  new Twin(world).checkFile(partition);
});

test('what a suspect partition may have lost stays unknown, dropped or not', (t) => {
  const world = opened(7);
  world.put('a', 'one');
  world.up().suspect(world.partitionOf('a'), 1);
  t.is(world.put('a', null).state, 'acked');
  t.like(world.get('a'), { state: 'unknown', value: '' });
});
