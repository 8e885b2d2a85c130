/* A received file put in its place while writes come, disks fail, and the machine goes down. */
import test from 'ava';
import type { TestWrite } from './engine-requests.js';
import {
  PATH,
  opened,
  ActorWrite,
  install,
  installNow,
  NAMES,
  valueAt,
  checkWhole,
  CONTENTS,
} from './engine-install-world.js';
/** What a key may read as: its counter, and that of the file where it is newer. */
function newest(value: string): number {
  return value === 'absent' ? 0 : Number.parseInt(value.split(' ')[1] as string, 10);
}

test('writes that come meanwhile are merged, too, and a crash at any moment loses none of them', (t) => {
  const bytes = CONTENTS();
  const seen = { old: 0, installed: 0, done: 0 };
  for (let round = 0; round < 120; round++) {
    const world = opened(1_000 + round, { batchOperationsMax: 2, alwaysCold: round % 5 === 0 });
    // Some older than the file's, some newer, some not in it; in the buffer, in the file, in both.
    const counters = new Map<string, number>();
    const acked = new Map<string, number>();
    const put = (name: string, counter: number): TestWrite => {
      counters.set(name, counter);
      return world.write(name, `ours ${counter}`, counter, true, () => undefined);
    };
    const first = NAMES.slice(4, 12).map((name, i) => ({ name, write: put(name, 1 + (i % 4) * 2) }));
    world.time.runUntil(() => first.every(({ write }) => write.state === 'acked'));
    for (const { name } of first) acked.set(name, counters.get(name) as number);
    if (round % 3 > 0) world.flush();
    if (round % 3 === 2) world.put(NAMES[5] as string, 'ours 4', 4);
    const told = install(world, bytes);
    const writes: { readonly name: string; readonly counter: number; readonly write: TestWrite }[] = [];
    const steps = Math.floor(round * 1.5);
    for (let i = 0; i < steps && world.fatal === null; i++) {
      world.time.step();
      if (i % 7 !== 3) continue;
      // Blind writes by others: above all that was written here, and beside what only the file has.
      const name = NAMES[(i * 5) % NAMES.length] as string;
      const counter = 10 + i;
      writes.push({ name, counter, write: put(name, counter) });
    }
    t.is(world.fatal, null);
    if (told.error !== null) throw told.error;
    const isDone = told.isDone;
    if (isDone) t.is(told.refusal, null);
    for (const { name, counter, write } of writes) if (write.state === 'acked') acked.set(name, counter);
    const isLeftUp = round % 4 === 3;
    if (isLeftUp) {
      world.time.runUntil(() => told.isDone);
      for (const { name, counter, write } of writes) {
        world.time.runUntil(() => write.state === 'acked');
        acked.set(name, counter);
      }
    } else {
      world.crash(round % 4 === 0 ? 'kill' : 'power');
      t.is(world.start(), null, `round ${round}`);
    }
    t.deepEqual(world.up().status().quarantined, [], `round ${round}`);
    for (const [name, counter] of acked)
      t.true(
        newest(valueAt(world, name)) >= counter,
        `round ${round}: ${name} has ${valueAt(world, name)}, not ${counter}`,
      );
    const isInstalled = valueAt(world, NAMES[0] as string) !== 'absent' && !world.disk.paths().includes(PATH);
    if (isDone || isLeftUp) {
      t.true(isInstalled, `round ${round}`);
      t.deepEqual(world.up().status().suspectPartitions, [0]);
      for (const name of NAMES.slice(0, 8)) t.true(newest(valueAt(world, name)) >= 3, `round ${round}: ${name}`);
    }
    seen[isDone || isLeftUp ? 'done' : isInstalled ? 'installed' : 'old'] += 1;
    // Until it is done nobody takes what is there for whole.
    if (isInstalled) t.deepEqual(world.up().status().suspectPartitions, [0], `round ${round}`);
    checkWhole(t, world);
    t.is(world.stop(), null);
    t.is(world.start(), null);
    t.deepEqual(world.up().status().quarantined, []);
    for (const [name, counter] of acked) t.true(newest(valueAt(world, name)) >= counter, `round ${round}: again`);
  }
  t.true(seen.old > 10 && seen.installed > 5 && seen.done > 20, JSON.stringify(seen));
});

test('what is written meanwhile without knowing of what the file has stands beside it in the end', (t) => {
  const bytes = CONTENTS();
  let unaware = 0;
  for (let round = 0; round < 80; round++) {
    const world = opened(2_000 + round);
    for (const name of NAMES.slice(4, 8)) world.put(name, 'ours 1', 1); // older than the file's: nothing to be written again
    if (round % 2 === 0) world.flush();
    const told = install(world, bytes);
    const isUnaware = new Set<string>();
    const writes: ActorWrite[] = [];
    for (let i = 0; !told.isDone; i++) {
      world.time.step();
      if (i % 8 !== round % 8) continue;
      const name = NAMES[writes.length % 8] as string;
      if (writes.length >= 8) continue;
      const write = new ActorWrite(name, 'beside', 1, 9, ({ start, end }) => {
        if (end === start) isUnaware.add(name);
      });
      writes.push(write);
      world.up().write(write);
    }
    t.is(told.error, null);
    for (const name of isUnaware) {
      unaware += 1;
      t.regex(valueAt(world, name), /theirs 3/, `round ${round}`);
      t.regex(valueAt(world, name), /beside/, `round ${round}`);
    }
    checkWhole(t, world);
  }
  t.true(unaware > 100, `${unaware}`);
});

test('every k-th call of the disk fails, every batch: nothing of ours is lost, and a store that cannot go on says so', (t) => {
  const bytes = CONTENTS();
  const outcome = (k: number, code: string, batch: boolean): { readonly calls: number; readonly isFatal: boolean } => {
    const world = opened(7);
    for (const name of NAMES.slice(4, 10)) world.put(name, 'ours 5', 5);
    world.flush();
    world.put(NAMES[4] as string, 'ours 6', 6);
    world.time.runFor(3_000);
    world.disk.restore(PATH, bytes);
    const begin = world.disk.calls;
    if (batch) world.medium.failing = { at: k, code, forever: false, path: PATH };
    else if (k > 0) world.disk.fail({ at: k, code });
    const told = install(world, bytes);
    world.time.runUntil(() => told.isDone || world.fatal !== null);
    const calls = world.disk.calls - begin;
    const isFatal = world.fatal !== null;
    world.disk.fail(null);
    world.medium.failing = null;
    if (!isFatal) for (const name of NAMES.slice(5, 10)) t.is(valueAt(world, name), 'ours 5', `${code} at ${k}`);
    world.crash(k % 2 === 0 ? 'kill' : 'power');
    t.is(world.start(), null);
    t.deepEqual(world.up().status().quarantined, []);
    t.is(valueAt(world, NAMES[4] as string), 'ours 6');
    for (const name of NAMES.slice(5, 10)) t.is(valueAt(world, name), 'ours 5', `${code} at ${k}`);
    if (told.isDone && told.error === null) t.is(valueAt(world, NAMES[0] as string), 'theirs 3');
    checkWhole(t, world);
    return { calls, isFatal };
  };
  const { calls } = outcome(0, 'EIO', false);
  t.true(calls >= 10);
  let fatal = 0;
  for (const code of ['EIO', 'ENOSPC'])
    for (let k = 1; k <= calls; k++) if (outcome(k, code, false).isFatal) fatal += 1;
  t.true(fatal > 3);
  for (const code of ['EIO', 'ENOSPC']) outcome(1, code, true);
});

test('nobody makes it believed before it is whole', (t) => {
  const bytes = CONTENTS();
  const world = opened(9);
  for (const name of NAMES.slice(4, 8)) world.put(name, 'ours 1', 1);
  world.flush();
  const told = install(world, bytes);
  let refused = 0;
  while (!told.isDone) {
    world.up().trust(0, (error) => {
      if (error !== null) refused += 1;
    });
    world.time.step();
    if (told.isDone) break;
    for (const name of NAMES.slice(0, 8)) {
      const read = world.read(name);
      if (read.state === 'ok') t.is(read.value, 'ours 1', 'before it begins');
      if (read.state === 'absent') t.true(NAMES.indexOf(name) < 4, 'before it begins');
    }
  }
  t.true(refused > 5);
  t.deepEqual(world.up().status().suspectPartitions, [0]);
});

test('a record that is in neither of the two files, as one takes the place of the other, is not said to be gone', (t) => {
  const world = opened(10);
  for (const name of NAMES.slice(4, 8)) world.put(name, 'ours 1', 1);
  world.flush();
  t.false(world.get(NAMES[4] as string).moving);
  const told = install(world, CONTENTS());
  let missing = 0;
  while (!told.isDone) {
    world.time.step();
    for (const name of NAMES.slice(4, 8)) {
      const read = world.read(name);
      if (read.value !== '' || read.state === 'waiting') continue;
      missing += 1;
      t.true(read.moving, name);
    }
  }
  t.true(missing > 0, 'there is such a moment');
  t.false(world.get(NAMES[4] as string).moving);
});

test('a store that stops meanwhile has it in its place, or keeps what it had', (t) => {
  const bytes = CONTENTS();
  const seen = { installed: 0, kept: 0 };
  for (let steps = 0; steps < 60; steps++) {
    const world = opened(300 + steps);
    for (const name of NAMES.slice(4, 10)) world.put(name, 'ours 5', 5);
    if (steps % 2 === 0) world.flush();
    const told = install(world, bytes);
    for (let i = 0; i < steps; i++) world.time.step();
    t.is(world.stop(), null, `${steps}`);
    t.true(told.isDone);
    t.is(world.start(), null);
    t.deepEqual(world.up().status().quarantined, [], `${steps}`);
    for (const name of NAMES.slice(4, 10)) t.is(valueAt(world, name), 'ours 5');
    t.is(valueAt(world, NAMES[0] as string), told.error === null ? 'theirs 3' : 'absent', `${steps}`);
    seen[told.error === null ? 'installed' : 'kept'] += 1;
  }
  t.true(seen.installed > 5 && seen.kept > 5, JSON.stringify(seen));
});

test('dropped and installed again and again, under load, it is always what it should be', (t) => {
  const bytes = CONTENTS();
  const world = opened(5, { batchOperationsMax: 3, cacheBytesMax: 50_000 });
  for (let round = 0; round < 12; round++) {
    t.is(installNow(world, bytes), null);
    t.is(valueAt(world, NAMES[0] as string), 'theirs 3');
    world.put(NAMES[12] as string, `ours ${round}`, round + 1);
    if (round % 2 === 0) world.flush();
    checkWhole(t, world);
    let isDropped = false;
    world.up().moves.dropPartition(
      0,
      () => true,
      (error) => {
        t.is(error, null);
        isDropped = true;
      },
    );
    world.time.runUntil(() => isDropped);
    for (const name of NAMES) t.is(world.get(name).state, 'absent');
    if (round % 3 === 1) {
      world.crash('power');
      t.is(world.start(), null);
    }
    t.is(world.up().reaps.stampOf(0), 4);
  }
});
