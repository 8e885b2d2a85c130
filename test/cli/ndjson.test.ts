/* The lines of export and import, and what an import does with one of them. */
import test from 'ava';
import fc from 'fast-check';
import { Context } from '../../src/client/index.js';
import type { GetResult, Sibling } from '../../src/client/index.js';
import { planImport } from '../../src/cli/import-plan.js';
import { LineTooLong, linesOf } from '../../src/cli/lines.js';
import { decodeLine, encodeLine } from '../../src/cli/ndjson.js';
import type { KeyLine } from '../../src/cli/ndjson.js';
import { Turns } from '../../src/cli/turns.js';
import { seal, writeDot } from '../../src/versioning/write.js';
import { TOKEN_FIXED_BYTES, tokenBytes, writeTokenFixed } from '../../src/versioning/token.js';
import { HASH } from '../storage/engine-requests.js';

const bytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 40 }),
  fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }).map((text) => new Uint8Array(Buffer.from(text, 'utf8'))),
);
const sibling = fc.record({
  value: fc.oneof(bytes, fc.constant(new Uint8Array(0))),
  writtenMs: fc.nat(),
  expiresMs: fc.oneof(fc.constant(0), fc.nat()),
});

test('what export writes, import reads, whatever the bytes, one line each', (t) => {
  fc.assert(
    fc.property(bytes, fc.array(sibling, { minLength: 1, maxLength: 4 }), (key, siblings) => {
      const text = encodeLine({ key, siblings, context: Context.empty });
      t.is(text.indexOf('\n'), text.length - 1);
      const read = decodeLine(text);
      t.deepEqual(Buffer.from(read.key), Buffer.from(key));
      t.deepEqual(
        read.siblings.map(({ value, ...times }) => ({ ...times, value: Buffer.from(value) })),
        siblings.map(({ value, ...times }) => ({ ...times, value: Buffer.from(value) })),
      );
    }),
  );
});

test('a line that is not understood is refused with what is wrong', (t) => {
  const faults: readonly (readonly [string, RegExp])[] = [
    ['', /^not JSON: /],
    ['[]', /^the line: expected an object$/],
    ['{"siblings":[]}', /^key: give key or keyBase64, one of them$/],
    ['{"key":"a","keyBase64":"YQ=="}', /^key: give key or keyBase64, one of them$/],
    ['{"key":1}', /^key: expected text$/],
    ['{"key":""}', /^key: it has 0 bytes, keys have 1 to 2048$/],
    ['{"key":"\\ud800"}', /^key: half a character, which is no UTF-8$/],
    ['{"keyBase64":"YQ=!"}', /^keyBase64: not base64$/],
    ['{"key":"a"}', /^siblings: expected a list of at least one version$/],
    ['{"key":"a","siblings":[]}', /^siblings: expected a list of at least one version$/],
    ['{"key":"a","siblings":[1]}', /^siblings\[0\]: expected an object$/],
    ['{"key":"a","siblings":[{"valu":"x"}]}', /^siblings\[0\]: unknown field "valu"$/],
    ['{"key":"a","siblings":[{}]}', /^siblings\[0\]\.value: give value or valueBase64, one of them$/],
    ['{"key":"a","siblings":[{"value":"x","expiresMs":-1}]}', /^siblings\[0\]\.expiresMs: expected milliseconds/],
    ['{"key":"a","siblings":[{"value":"x"}],"context":7}', /^context: expected the text/],
    ['{"key":"a","siblings":[{"value":"x"}],"context":"!"}', /^context: Not a context: expected base64url/],
    ['{"key":"a","siblings":[{"value":"x"}],"more":1}', /^the line: unknown field "more"$/],
    [
      JSON.stringify({ key: 'a', siblings: Array(101).fill({ value: '' }) }),
      /^siblings: 101 versions, a key may have 100$/,
    ],
  ];
  for (const [line, message] of faults) t.throws(() => decodeLine(line), { message }, line);
});

const KEY = Buffer.from('k');

/** A context by the counters of actors 1, 2 … */
function contextOf(counters: Readonly<Record<number, number>>, key: Uint8Array = KEY): Context {
  const entries = Object.entries(counters);
  if (entries.length === 0) return Context.empty;
  const token = new Uint8Array(tokenBytes(entries.length, 0));
  HASH.hash(key, 0, key.length);
  writeTokenFixed(token, 0, entries.length, 0, { hi: HASH.hi, lo: HASH.lo });
  entries.forEach(([actor, counter], i) => {
    writeDot(token, TOKEN_FIXED_BYTES + 14 * i, 0, Number(actor), counter);
  });
  seal(token, 0, token.length, HASH);
  return Context.parse(Buffer.from(token).toString('base64url'));
}

const version = (value: string, expiresMs = 0): Sibling<Uint8Array> => ({
  value: Buffer.from(value),
  writtenMs: 1,
  expiresMs,
});
const META = {} as GetResult<Uint8Array>['meta'];

function current(values: readonly Sibling<Uint8Array>[], context: Context): GetResult<Uint8Array> {
  const [first, ...others] = values;
  if (first === undefined) return { found: false, context, meta: META };
  const siblings = [first, ...others] as const;
  return { found: true, conflict: true, siblings, context, meta: META };
}

function planned(
  line: readonly Sibling<Uint8Array>[],
  lineContext: Context,
  there: readonly Sibling<Uint8Array>[],
  thereContext: Context,
  force = false,
): string {
  const read: KeyLine = { key: KEY, siblings: line, context: lineContext };
  const plan = planImport(read, current(there, thereContext), HASH, 1_000, force);
  const values = plan.puts.map(({ value }) => Buffer.from(value).toString());
  return [plan.kind, ...values, ...(plan.withContext ? ['with context'] : [])].join(' ');
}

test('an import writes what is not there, and what was replaced since stays replaced', (t) => {
  const [a, b] = [version('a'), version('b')];
  const [none, one, two] = [Context.empty, contextOf({ 1: 1 }), contextOf({ 1: 2 })];
  const other = contextOf({ 9: 5 });
  t.is(planned([a, b], one, [], none), 'store a b', 'an empty store');
  t.is(planned([a, b], none, [], none), 'store a b', 'no context in the line');
  t.is(planned([a, b], one, [b, a], one), 'same');
  t.is(planned([a, b], one, [b, a, version('c')], two), 'same');
  t.is(planned([a, a], one, [a], other), 'store a', 'two versions with one value are two');
  t.is(planned([a], one, [version('c')], two), 'seen', 'replaced since');
  t.is(planned([a], one, [], two), 'seen', 'deleted since');
  t.is(planned([a], one, [], two, true), 'store a');
  t.is(planned([a], two, [version('old')], one), 'store a with context', 'a store that is older than the export');
  t.is(planned([a, b], two, [a], one), 'store b', 'the context would replace what is there');
  t.is(planned([a], one, [version('c')], other), 'store a', 'another store: a conflict, and nothing lost');
  t.is(planned([version('a', 900)], one, [], none), 'expired');
  t.is(planned([version('a', 900), b], one, [], none), 'store b');
  t.is(planned([version('a', 5_000)], one, [version('a', 5_020)], other), 'same', 'an expiry is counted anew');
  t.is(planned([version('a', 5_000)], one, [a], other), 'store a', 'one that expires is not one that stays');
  t.throws(() => planned([a], contextOf({ 1: 1 }, Buffer.from('another')), [], none), {
    message: /^context: context belongs to another key/,
  });
});

test('lines are lines, however the bytes come, and one that is too long does not stop the others', async (t) => {
  const line = fc.string({ unit: 'grapheme', maxLength: 20 }).map((text) => text.replaceAll(/[\r\n]/g, ' '));
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), fc.integer({ min: 1, max: 30 }), async (lines, step) => {
      const all = Buffer.from(lines.map((each) => `${each}\n`).join(''));
      async function* chunks(): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < all.length; at += step) yield all.subarray(at, at + step);
        await Promise.resolve();
      }
      const read: unknown[] = [];
      for await (const each of linesOf(chunks(), 12)) read.push(each instanceof LineTooLong ? null : each);
      t.deepEqual(
        read,
        lines.map((each) => (Buffer.byteLength(each) > 12 ? null : each)),
      );
    }),
  );
});

test('so much at once, and one name after the other', async (t) => {
  const turns = new Turns(3);
  let underWay = 0;
  let most = 0;
  const order: string[] = [];
  for (const name of ['a', 'b', 'a', 'c', 'a', 'd', 'e']) {
    await turns.take(name, async () => {
      underWay += 1;
      most = Math.max(most, underWay);
      const place = order.push(`${name}…`);
      await new Promise((resolve) => setTimeout(resolve, 5));
      t.is(order.slice(place).filter((each) => each === `${name}…`).length, 0, 'nobody of this name meanwhile');
      underWay -= 1;
    });
  }
  await turns.idle();
  t.is(underWay, 0);
  t.true(most > 1 && most <= 3);
  t.is(order.length, 7);
});
