import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { fromHex, toHex } from '../../src/lib/bytes.js';
import { ContextToken, TOKEN_BYTES_MAX } from '../../src/versioning/token.js';
import { RecordView } from '../../src/versioning/view.js';
import { encodePlain, hash, id, KEY, KEY_HASH, keyHashOf, records, resealed, show, versionOf } from './support.js';

function decode(bytes: Uint8Array, token: ContextToken = new ContextToken()): string {
  return token.decode(bytes, 0, bytes.length, hash, KEY_HASH);
}

/** Two actors, and the put ids of two versions. */
function sample(): Buffer {
  const siblings = [versionOf('0001000000000000', 1, 0), versionOf('8000000000000000', 2, 0)];
  const context = { '0001000000000000': 1, '8000000000000000': 2 };
  return Buffer.from(show(encodePlain({ key: KEY.toString(), context, siblings, remembered: [], cut: 0 })).token);
}

testProp(
  'A token carries the whole context of the record that it was made of',
  [records()],
  (t, plain) => {
    const record = encodePlain(plain);
    const { token: bytes } = show(record);
    const token = new ContextToken();
    t.is(decode(bytes, token), '');
    t.is(token.entryCount, Object.keys(plain.context).length);
    const contextBytes = 14 * token.entryCount;
    const inRecord = record.subarray(24 + KEY.length, 24 + KEY.length + contextBytes);
    t.is(toHex(bytes.subarray(token.entries, token.entries + contextBytes)), toHex(inRecord));
    const wanted = [...new Set(plain.siblings.map((s) => s.putId))].filter((p) => !plain.remembered.includes(p)).sort();
    t.is(toHex(bytes.subarray(token.ids, token.ids + 12 * token.idCount)), wanted.slice(-16).join(''));
  },
  { numRuns: 300 },
);

testProp(
  'Arbitrary bytes are refused with a reason, whatever they are',
  [
    fc.uint8Array({ minLength: 1, maxLength: 200 }),
    fc.integer({ min: -3, max: 210 }),
    fc.integer({ min: -3, max: 210 }),
  ],
  (t, bytes, start, end) => {
    const token = new ContextToken();
    t.is(token.decode(bytes, start, end, hash, KEY_HASH) === '', start === end);
    t.is(token.entryCount + token.idCount, 0);
  },
  { numRuns: 1_000 },
);

testProp(
  'Arbitrary counts and orders behind a good checksum are read safely',
  [fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { minLength: 1, maxLength: 4 })],
  (t, changes) => {
    const bytes = sample();
    for (const [at, value] of changes) bytes[at % (bytes.length - 8)] = value;
    const token = new ContextToken();
    if (decode(resealed(bytes), token) === '') t.true(token.ids + 12 * token.idCount + 8 === bytes.length);
    else t.is(token.entryCount, 0);
  },
  { numRuns: 1_000 },
);

test('Every flipped bit of a token is caught', (t) => {
  const bytes = sample();
  t.is(decode(bytes), '');
  for (let i = 0; i < bytes.length * 8; i++) {
    bytes[i >> 3] = (bytes[i >> 3] as number) ^ (1 << (i & 7));
    t.not(decode(bytes), '', `bit ${i}`);
    bytes[i >> 3] = (bytes[i >> 3] as number) ^ (1 << (i & 7));
  }
});

const FAULTS: readonly [string, RegExp, (bytes: Buffer) => void][] = [
  ['another format', /format 2/, (b) => b.writeUInt8(2, 0)],
  ['something in a gap', /must be zero/, (b) => b.writeUInt8(1, 1)],
  ['something in the other gap', /must be zero/, (b) => b.writeUInt16BE(1, 6)],
  ['too many actors', /4097 actors, at most 4096/, (b) => b.writeUInt16BE(4_097, 2)],
  ['too many put ids', /17 put ids, at most 16/, (b) => b.writeUInt16BE(17, 4)],
  ['counts that do not make its length', /76 bytes long but its counts make 62/, (b) => b.writeUInt16BE(1, 2)],
  ['another key', /another key/, (b) => b.writeUInt8((b[9] as number) ^ 1, 9)],
  ['a counter of zero', /out of order, twice, or zero/, (b) => b.writeUIntBE(0, 24, 6)],
  ['actors out of order', /out of order, twice, or zero/, (b) => b.fill(0xff, 16, 24)],
  ['put ids out of order', /put ids are out of order/, (b) => b.fill(0xff, 44, 48)],
];

for (const [what, reason, change] of FAULTS) {
  test(`A token is refused behind a good checksum: ${what}`, (t) => {
    const bytes = sample();
    change(bytes);
    t.regex(decode(resealed(bytes)), reason);
  });
}

test('A token that was changed on its way says so, and what to do', (t) => {
  const bytes = sample();
  bytes[17] = 9;
  t.regex(decode(bytes), /changed since it was handed out.*read the key again/);
});

test('The context of one key is refused for another', (t) => {
  const bytes = sample();
  t.regex(new ContextToken().decode(bytes, 0, bytes.length, hash, keyHashOf(Buffer.from('cart/18'))), /another key/);
});

test('No bytes are no context', (t) => {
  const token = new ContextToken();
  t.is(decode(sample(), token), '');
  t.is(decode(new Uint8Array(0), token), '');
  t.is(token.entryCount, 0);
  t.is(token.idCount, 0);
});

test('Of more than 16 put ids the newest are carried, and the largest token keeps its limit', (t) => {
  const context: Record<string, number> = {};
  for (let i = 0; i < 4_096; i++) context[i.toString(16).padStart(16, '0')] = 1;
  const actors = Object.keys(context);
  const siblings = actors
    .slice(0, 40)
    .map((actor, n) => ({ ...versionOf(actor, 1, 0), putId: id(1_700_000_000 + (n % 20), n) }));
  const record = encodePlain({ key: KEY.toString(), context, siblings, remembered: [], cut: 0 });
  const { token: bytes } = show(record);
  t.is(bytes.length, TOKEN_BYTES_MAX);
  const token = new ContextToken();
  t.is(decode(bytes, token), '');
  const newest = siblings
    .map((s) => s.putId)
    .sort()
    .slice(-16);
  t.is(toHex(bytes.subarray(token.ids, token.ids + 16 * 12)), newest.join(''));
});

test('A token knows the puts that it was returned with', (t) => {
  const token = new ContextToken();
  t.is(decode(sample(), token), '');
  t.true(token.carries(fromHex(versionOf('0001000000000000', 1, 0).putId)));
  t.false(token.carries(fromHex(id(1, 1))));
});

test('Put ids from beyond twice the allowed skew are noticed', (t) => {
  const version = { ...versionOf('0001000000000000', 1, 0), putId: id(1_700_000_121, 0) };
  const context = { '0001000000000000': 1 };
  const { token: bytes } = show(
    encodePlain({ key: KEY.toString(), context, siblings: [version], remembered: [], cut: 0 }),
  );
  const token = new ContextToken();
  t.is(decode(bytes, token), '');
  t.true(token.isFromTheFuture(1_700_000_000));
  t.false(token.isFromTheFuture(1_700_000_001));
  token.clear();
  t.false(token.isFromTheFuture(0));
});

test('A token is written where it is asked for, and nothing around it is touched', (t) => {
  const view = new RecordView();
  const siblings = [versionOf('0001000000000000', 1, 0)];
  view.show(
    encodePlain({ key: KEY.toString(), context: { '0001000000000000': 1 }, siblings, remembered: [], cut: 0 }),
    0,
    0,
  );
  const target = new Uint8Array(view.tokenBytes + 10).fill(0xa5);
  view.encodeToken(target, 5, hash, KEY_HASH);
  t.is(new ContextToken().decode(target, 5, target.length - 5, hash, KEY_HASH), '');
  t.true([...target.subarray(0, 5), ...target.subarray(-5)].every((byte) => byte === 0xa5));
});
