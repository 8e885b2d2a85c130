/*
 * Hints and dropped records over crashes, restarts and the log's release, judged by a list (hints-twin.ts).
 */
import test from 'ava';
import fc from 'fast-check';
import { HintsTwin } from './hints-twin.js';
import { World, type WorldOptions } from './engine-world.js';

type Command =
  | { readonly kind: 'keep' | 'drop'; readonly name: number; readonly owner: number; readonly durable: boolean }
  | { readonly kind: 'put' | 'putAndKeep'; readonly name: number; readonly owner: number; readonly bytes: number }
  | { readonly kind: 'dropRecord' | 'dropBoth'; readonly name: number; readonly owner: number }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'flush' | 'check' | 'kill' | 'power' | 'stop' };

const NAMES = 6;
const name = fc.integer({ min: 0, max: NAMES - 1 });
const owner = fc.integer({ min: 1, max: 2 });
const record = <K extends string>(...kinds: K[]): fc.Arbitrary<{ kind: K; name: number; owner: number }> =>
  fc.record({ kind: fc.constantFrom(...kinds), name, owner });

const COMMANDS: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('keep', 'drop'), name, owner, durable: fc.boolean() }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constantFrom('put', 'putAndKeep'),
        name,
        owner,
        bytes: fc.oneof(fc.integer({ min: 30, max: 300 }), fc.integer({ min: 20_000, max: 40_000 })),
      }),
    },
    { weight: 3, arbitrary: record('dropRecord', 'dropBoth') },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('wait'), ms: fc.integer({ min: 0, max: 1_500 }) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('flush', 'check', 'kill', 'power', 'stop') }) },
  ),
  { minLength: 5, maxLength: 60, size: 'max' },
);

function open(world: World): void {
  const error = world.start();
  if (error !== null) throw error;
}

function obey(world: World, twin: HintsTwin, command: Command): void {
  const named = (index: number): string => world.nameIn(3, index);
  switch (command.kind) {
    case 'keep':
      twin.keep(named(command.name), command.owner, command.durable);
      return;
    case 'drop':
      twin.drop(named(command.name), command.owner);
      return;
    case 'put':
      twin.write(named(command.name), command.bytes);
      return;
    case 'putAndKeep':
      twin.write(named(command.name), command.bytes, () => twin.keep(named(command.name), command.owner, false));
      return;
    case 'dropRecord':
      twin.write(named(command.name), null);
      return;
    case 'dropBoth':
      twin.write(named(command.name), null, () => twin.drop(named(command.name), command.owner));
      return;
    case 'wait':
      world.time.runFor(command.ms);
      return;
    case 'flush':
      world.flush();
      return;
    case 'check':
      twin.check();
      return;
    case 'stop': {
      const error = world.stop();
      if (error !== null) throw error;
      break;
    }
    case 'kill':
    case 'power':
      world.crash(command.kind);
  }
  open(world);
  twin.settle();
}

function live(seed: number, options: Partial<WorldOptions>, commands: readonly Command[]): void {
  const world = new World({ seed, ...options });
  const twin = new HintsTwin(world);
  open(world);
  for (const command of commands) {
    obey(world, twin, command);
    if (world.fatal !== null) throw world.fatal;
  }
  world.flush();
  twin.check();
  obey(world, twin, { kind: 'power' });
  const lost = world.lines.filter(({ event }) => event === 'hints_lost');
  if (lost.length > 0) throw new Error(`Hints are called lost: ${JSON.stringify(lost[0])}`);
}

const VARIANTS: readonly (readonly [string, Partial<WorldOptions>])[] = [
  ['every write durable', {}],
  ['durability by interval', { durability: { kind: 'interval', ms: 30 } }],
  ['cold files, single operations', { alwaysCold: true, batchOperationsMax: 1 }],
];
for (const [title, options] of VARIANTS) {
  test(`what a restart finds is what some beginning of what was appended leaves: ${title}`, (t) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), COMMANDS, (seed, commands) => {
        live(seed, options, commands);
      }),
      { numRuns: Number(process.env['PARTITA_RUNS'] ?? 40) },
    );
    t.pass();
  });
}

/** A world whose log has been given back behind hints of the first names, that only the file holds. */
function released(seed: number): { world: World; twin: HintsTwin } {
  const world = new World({ seed });
  const twin = new HintsTwin(world);
  open(world);
  for (let i = 0; i < 9; i++) {
    twin.keep(world.nameIn(3, i), 1);
    world.time.runFor(3);
  }
  twin.drop(world.nameIn(3, 4), 1);
  world.flush();
  fill(world);
  return { world, twin };
}

/** Enough puts that segments which nobody needs are given back. */
function fill(world: World): void {
  const filler = world.nameIn(1, 900);
  for (let i = 0; i < 120; i++) world.put(filler, 'x'.repeat(2_000), i + 1);
  world.flush();
  world.time.runFor(4_000);
}

const keysOf = (world: World): string[] =>
  world
    .up()
    .hints.restored()
    .map(({ key }) => key);
const lostOf = (world: World): unknown[] =>
  world.lines.filter(({ event }) => event === 'hints_lost').map(({ fields }) => fields['why']);

test('hints outlive the segments that they stood in, removals too', (t) => {
  const { world, twin } = released(1);
  t.true(world.up().status().logSegments <= 3);
  const expected = [0, 1, 2, 3, 5, 6, 7, 8].map((i) => world.nameIn(3, i));
  for (const kind of ['kill', 'power'] as const) {
    world.crash(kind);
    open(world);
    t.deepEqual(keysOf(world), expected);
  }
  t.is(twin.hints.size, 8);
  t.deepEqual(lostOf(world), []);
});

test('the log is not released beyond a hint that is not in its file', (t) => {
  const world = new World({ seed: 2 });
  const twin = new HintsTwin(world);
  open(world);
  world.medium.failing = { at: 1, code: 'ENOSPC', forever: true, path: 'hints.mdb' };
  twin.keep(world.nameIn(3, 0), 1);
  world.time.runFor(500);
  const filler = world.nameIn(1, 900);
  for (let i = 0; i < 120; i++) world.put(filler, 'x'.repeat(2_000), i + 1);
  world.time.runFor(6_000);
  t.true(world.up().status().logSegments >= 4, 'everything since the hint is kept');
  t.true(world.up().status().diskFull);
  t.is(world.put('more', 'x').state, 'refused');
  world.medium.failing = null;
  world.time.runFor(6_000);
  t.false(world.up().status().diskFull);
  t.is(world.put('more', 'x').state, 'acked');
  world.time.runFor(4_000);
  t.true(world.up().status().logSegments <= 3);
  world.crash('power');
  open(world);
  t.deepEqual(keysOf(world), [world.nameIn(3, 0)]);
});

test('a batch of hints that fails otherwise stops the store, and nothing is lost', (t) => {
  for (const code of ['EIO', 'BAD_RESULT'])
    for (let at = 1; at <= 3; at++) {
      const world = new World({ seed: 3 });
      const twin = new HintsTwin(world);
      open(world);
      for (let i = 0; i < 12; i++) twin.keep(world.nameIn(3, i), 1);
      world.time.runFor(10);
      world.medium.failing = { at, code, forever: false, path: 'hints.mdb' };
      world.time.runFor(5_000);
      t.regex(world.fatal?.message ?? '', new RegExp(code));
      world.crash('power');
      open(world);
      twin.settle();
      t.is(world.up().hints.restored().length, 12);
    }
});

test('every k-th call of the disk fails: no acknowledged hint is lost', (t) => {
  const workload = (at: number, code: string): { calls: number; stopped: boolean } => {
    const world = new World({ seed: 4, batchOperationsMax: 3 });
    const twin = new HintsTwin(world);
    const begin = world.disk.calls;
    if (at > 0) world.disk.fail({ at, code });
    const story = (): Error | null => {
      const error = world.start();
      if (error !== null) return error;
      for (let i = 0; i < 5; i++) twin.keep(world.nameIn(3, i), 1);
      world.time.runFor(1_200);
      if (world.fatal !== null) return world.fatal;
      twin.drop(world.nameIn(3, 2), 1);
      twin.keep(world.nameIn(3, 3), 1);
      world.time.runFor(2_500);
      return world.fatal;
    };
    const stopped = story() !== null;
    const calls = world.disk.calls - begin;
    world.disk.fail(null);
    world.crash(at % 2 === 0 ? 'power' : 'kill');
    open(world);
    twin.settle();
    t.deepEqual(lostOf(world), []);
    return { calls, stopped };
  };
  const { calls } = workload(0, '');
  let stops = 0;
  for (const code of ['EIO', 'ENOSPC'])
    for (let k = 1; k <= calls; k++) {
      try {
        if (workload(k, code).stopped) stops += 1;
      } catch (error) {
        throw new Error(`${code}, k = ${k}: ${(error as Error).message}`, { cause: error });
      }
    }
  t.log(`${calls} calls, ${stops} of ${2 * calls} stopped the store`);
  t.true(calls > 30 && stops > 10);
});

test('a record that needs a batch of its own never survives without the hint that was kept for it', (t) => {
  const seen = { neither: 0, hint: 0, both: 0 };
  for (let seed = 1; seed <= 40; seed++) {
    const world = new World({ seed });
    const twin = new HintsTwin(world);
    open(world);
    const filler = world.nameIn(3, 7);
    const kept = world.nameIn(3, 1);
    twin.write(filler, 30_000);
    twin.write(kept, 40_000, () => twin.keep(kept, 2, false));
    for (let i = seed % 14; i > 0; i--) world.time.step();
    world.crash('power');
    open(world);
    twin.settle();
    const hint = twin.hints.size === 1;
    const put = world.get(kept).state === 'ok';
    t.false(put && !hint);
    seen[put ? 'both' : hint ? 'hint' : 'neither'] += 1;
  }
  t.log(JSON.stringify(seen));
  t.true(seen.neither > 0 && seen.hint > 0 && seen.both > 0);
});

test('a node that keeps no hint has no file of hints and an older table', (t) => {
  const world = new World({ seed: 5 });
  open(world);
  fill(world);
  world.stop();
  t.false(world.disk.paths().includes('hints.mdb'));
  for (const slot of ['a', 'b']) t.is(world.disk.contents(`partitions/table.${slot}`).readUInt32BE(4), 1);
  open(world);
  new HintsTwin(world).keep('k', 1);
  world.flush();
  t.true(world.disk.paths().includes('hints.mdb'));
  world.stop();
  t.true(['a', 'b'].some((slot) => world.disk.contents(`partitions/table.${slot}`).readUInt32BE(4) === 2));
});

test('once the store is being closed nobody is told of a hint any more', (t) => {
  const world = new World({ seed: 6 });
  const twin = new HintsTwin(world);
  open(world);
  twin.keep('a', 1);
  world.time.runFor(50);
  const hint = [...twin.hints.values()][0];
  const { hints } = world.up();
  world.stop();
  if (hint !== undefined)
    hints.drop(hint, {
      durable: true,
      onWritten: () => {
        throw new Error('Told after the end');
      },
    });
  open(world);
  t.deepEqual(keysOf(world), ['a']);
});
