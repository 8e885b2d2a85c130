/* Contexts, codecs, resolvers, options, errors: what needs no connection. */
import test from 'ava';
import { fc, testProp } from '@fast-check/ava';
import { inspect } from 'node:util';
import { Context, PartitaError, TimeoutError, codecs, resolvers } from '../../src/client/index.js';
import type { ClientOptions, Sibling, Siblings } from '../../src/client/index.js';
import { batchesOf } from '../../src/client/batches.js';
import { contextBytes, contextOf } from '../../src/client/opaque-context.js';
import { errorOf } from '../../src/client/errors.js';
import { keyBytes, resolveOptions, retryPolicy } from '../../src/client/options.js';
import { update } from '../../src/client/update.js';
import type { UpdateSteps } from '../../src/client/update.js';
import { ERROR_CODES } from '../../src/model/errors.js';
import type { ErrorCode } from '../../src/model/errors.js';

testProp('A context survives its text', [fc.uint8Array({ maxLength: 200 })], (t, bytes) => {
  const context = contextOf(bytes);
  t.deepEqual(new Uint8Array(contextBytes(Context.parse(context.toString()))), new Uint8Array(bytes));
  t.true(Context.parse(` ${context.toString()}\n`).equals(context));
  t.is(JSON.stringify({ context }), JSON.stringify({ context: context.toString() }));
});

test('What is no context is refused', (t) => {
  for (const text of ['a', 'abc!', 'ab c', 'YWJj=', 'x'.repeat(200_000)]) {
    const error = t.throws(() => Context.parse(text));
    t.true(PartitaError.is(error, 'INVALID_CONTEXT'), text.slice(0, 10));
  }
  t.true(Context.parse('').isEmpty);
  t.is(inspect(Context.parse('YWJj')), 'Context(YWJj)');
});

testProp(
  'Codecs give back what they were given',
  [fc.jsonValue(), fc.string({ unit: 'grapheme' }), fc.uint8Array()],
  (t, value, text, bytes) => {
    const json = codecs.json();
    t.deepEqual(json.decode(json.encode(value)), JSON.parse(JSON.stringify(value)));
    t.is(codecs.utf8.decode(codecs.utf8.encode(text)), text);
    t.is(codecs.bytes.decode(codecs.bytes.encode(bytes)), bytes);
  },
);

test('JSON refuses what it cannot write, and checks what it reads', (t) => {
  t.true(
    PartitaError.is(
      t.throws(() => codecs.json().encode(undefined)),
      'INVALID_ARGUMENT',
    ),
  );
  const checked = codecs.json((raw) => {
    if (typeof raw !== 'number') throw new TypeError('not a number');
    return raw;
  });
  t.throws(() => checked.decode(Buffer.from('"x"')), { message: 'not a number' });
});

const sibling = <T>(value: T, writtenMs: number = 0): Sibling<T> => ({ value, writtenMs, expiresMs: 0 });

testProp(
  'Resolvers do not care for the order of siblings',
  [fc.array(fc.tuple(fc.string(), fc.integer({ min: 0, max: 3 })), { minLength: 1 }), fc.nat()],
  (t, pairs, turn) => {
    const siblings = pairs.map(([value, ms]) => sibling(value, ms));
    const at = turn % siblings.length;
    const turned = [...siblings.slice(at), ...siblings.slice(0, at)].reverse();
    const key = Buffer.from('k');
    const latest = resolvers.lastWriterWins<string>();
    t.is(latest(siblings as unknown as Siblings<string>, key), latest(turned as unknown as Siblings<string>, key));
    const lists = (of: readonly Sibling<string>[]): Siblings<readonly string[]> =>
      of.map(({ value }) => sibling([...value])) as unknown as Siblings<readonly string[]>;
    const union = resolvers.union<string>((item) => item);
    t.deepEqual(union(lists(siblings), key), union(lists(turned), key));
  },
);

test('Last writer wins by time, and union keeps every item', (t) => {
  const key = Buffer.from('k');
  t.is(resolvers.lastWriterWins<string>()([sibling('old', 1), sibling('new', 2)], key), 'new');
  t.deepEqual(resolvers.union<string>((item) => item)([sibling(['b', 'a']), sibling(['c', 'a'])], key), [
    'a',
    'b',
    'c',
  ]);
});

test('Options that cannot be are refused by name', (t) => {
  const faults: readonly [Partial<ClientOptions>, RegExp][] = [
    [{ seeds: [] }, /seeds: at least one/],
    [{ seeds: ['localhost'] }, /localhost is not host:port/],
    [{ seeds: ['localhost:0'] }, /port 0/],
    [{ timeoutMs: 0 }, /timeoutMs: 0 is not within 1\.\.60000/],
    [{ timeoutMs: 1.5 }, /timeoutMs: 1.5 is not a whole number/],
    [{ connectionsPerNode: 65 }, /connectionsPerNode/],
    [{ maxInFlightPerConnection: 70_000 }, /maxInFlightPerConnection/],
    [{ retry: { attemptsMax: 0 } }, /retry.attemptsMax/],
    [{ retry: { baseDelayMs: 100, maxDelayMs: 50 } }, /retry.maxDelayMs: 50 is not within 100/],
  ];
  for (const [change, message] of faults) t.throws(() => resolveOptions({ seeds: ['a:1'], ...change }), { message });
  t.is(retryPolicy(false, { attemptsMax: 3, baseDelayMs: 1, maxDelayMs: 2 }).attemptsMax, 1);
});

test('Keys have 1 to 2048 bytes, counted in UTF-8', (t) => {
  t.is(keyBytes('ä').length, 2);
  t.is(keyBytes('x'.repeat(2_048)).length, 2_048);
  t.true(
    PartitaError.is(
      t.throws(() => keyBytes('')),
      'INVALID_ARGUMENT',
    ),
  );
  t.true(
    PartitaError.is(
      t.throws(() => keyBytes('ä'.repeat(1_025))),
      'TOO_LARGE',
    ),
  );
});

test('Every code has its class, and is() knows errors of another copy of the package', (t) => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const error = errorOf(code, 'Text', { retryable: true, node: 'n', attempts: 2, cause: 'why' });
    t.deepEqual([error.code, error.retryable, error.node, error.attempts, error.cause], [code, true, 'n', 2, 'why']);
    t.true(PartitaError.is(error, code));
  }
  t.true(errorOf('TIMEOUT', '', {}) instanceof TimeoutError);
  t.true(
    PartitaError.is(Object.create({ [Symbol.for('partita.error')]: true }, { code: { value: 'CLOSED' } }), 'CLOSED'),
  );
  for (const other of [new Error('x'), null, undefined, 'TIMEOUT', { code: 'TIMEOUT' }])
    t.false(PartitaError.is(other));
});

testProp(
  'Batches keep order, lose nothing, and stay small',
  [fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 1, max: 600_000 })), { maxLength: 300 })],
  (t, items) => {
    const batches = batchesOf(
      items,
      ([to]) => to,
      ([, bytes]) => bytes,
    );
    for (const name of ['a', 'b']) {
      const of = batches.filter(({ to }) => to === name).flatMap((batch) => batch.items);
      t.deepEqual(
        of,
        items.filter(([to]) => to === name),
      );
    }
    t.true(
      batches.every((batch) => batch.items.length <= 128 && (batch.bytes <= 1_048_576 || batch.items.length === 1)),
    );
  },
);

/** A key that another client writes to as often as `races` says, always between our read and our put. */
function contested(
  races: number,
): UpdateSteps<readonly string[]> & { readonly stored: (readonly string[])[]; readonly changes: number } {
  const meta = {
    nodeId: '',
    ringVersion: 1,
    acked: 1,
    durable: true,
    sloppy: false,
    owners: [],
    fallbacks: [],
    attempts: 1,
    durationMs: 1,
  };
  let left = races;
  const steps = {
    stored: [] as (readonly string[])[],
    changes: 0,
    roundsMax: 8,
    read: () => {
      const siblings = steps.stored.map((value) => sibling(value));
      const context = contextOf(Buffer.from(JSON.stringify(steps.stored)));
      if (siblings.length === 0) return Promise.resolve({ found: false as const, context, meta });
      const value = resolvers.union<string>((item) => item)(
        siblings as unknown as Siblings<readonly string[]>,
        Buffer.from('k'),
      );
      return Promise.resolve({
        found: true as const,
        conflict: false as const,
        value,
        siblings: siblings as unknown as Siblings<readonly string[]>,
        resolved: siblings.length > 1,
        context,
        meta,
      });
    },
    write: (value: readonly string[], context: Context) => {
      if (left > 0) steps.stored.push([`other ${left--}`]);
      const seen = JSON.parse(Buffer.from(contextBytes(context)).toString()) as string[][];
      const isSeen = (list: readonly string[]): boolean =>
        seen.some((other) => JSON.stringify(other) === JSON.stringify(list));
      steps.stored = [...steps.stored.filter((list) => !isSeen(list)), value];
      return Promise.resolve({ context: undefined, siblingCount: steps.stored.length, meta });
    },
    pause: () => Promise.resolve(),
    change: (current: readonly string[] | undefined) => {
      steps.changes += 1;
      return [...(current ?? []), 'ours'];
    },
  };
  return steps;
}

test('update applies the change once, and merges what others wrote meanwhile', async (t) => {
  const steps = contested(3);
  const result = await update(steps);
  t.is(result.siblingCount, 1);
  t.is(steps.changes, 1);
  t.deepEqual(steps.stored, [['other 1', 'other 2', 'other 3', 'ours']]);
});

test('update gives up merging after its rounds, and says that there are siblings', async (t) => {
  const steps = contested(1_000);
  const result = await update(steps);
  t.is(result.siblingCount, 2);
  t.is(steps.changes, 1);
  t.true(steps.stored.some((list) => list.includes('ours')));
});
