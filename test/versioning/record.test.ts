import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { toHex } from '../../src/lib/bytes.js';
import * as record from '../../src/versioning/record.js';
import { checkRecord } from '../../src/versioning/record.js';
import {
  ACTORS,
  decodePlain,
  dotOf,
  encodePlain,
  hash,
  id,
  KEY,
  records,
  resealed,
  sealed,
  versionOf,
} from './support.js';

const RUNS = { numRuns: 300 };
const NOW_S = 1_700_000_000;

function check(bytes: Uint8Array, key: Uint8Array | null = KEY): record.RecordFault | null {
  return checkRecord(bytes, 0, bytes.length, hash, key);
}

/** A record with two actors, two versions and two remembered ids. */
function sample(): Buffer {
  const siblings = [versionOf('0001000000000000', 1, 0), versionOf('8000000000000000', 2, 0)];
  const context = { '0001000000000000': 1, '8000000000000000': 2 };
  return Buffer.from(
    encodePlain({
      key: KEY.toString(),
      context,
      siblings,
      remembered: [id(NOW_S, 1), id(NOW_S + 1, 0)],
      cut: NOW_S - 5,
    }),
  );
}

const ENTRIES = 24 + KEY.length;
const HEADERS = ENTRIES + 2 * 14;
const REMEMBERED = HEADERS + 2 * 48;

testProp(
  'Records are read in place as they were written',
  [records()],
  (t, plain) => {
    const bytes = Buffer.concat([Buffer.alloc(3), encodePlain(plain)]);
    t.deepEqual(decodePlain(bytes.subarray(3)), plain);
    t.is(checkRecord(bytes, 3, bytes.length, hash, KEY), null);
    t.is(record.recordBytes(bytes, 3), bytes.length - 3);
    t.is(toHex(bytes.subarray(record.recordKeyStart(3), record.recordKeyEnd(bytes, 3))), toHex(KEY));
    t.is(record.contextCount(bytes, 3), Object.keys(plain.context).length);
    const entries = record.contextStart(bytes, 3);
    const count = record.contextCount(bytes, 3);
    for (const actor of ACTORS) {
      const hi = Number.parseInt(actor.slice(0, 8), 16);
      const lo = Number.parseInt(actor.slice(8), 16);
      t.is(record.counterIn(bytes, entries, count, hi, lo), plain.context[actor] ?? 0);
    }
    t.is(record.siblingCount(bytes, 3), plain.siblings.length);
    plain.siblings.forEach((sibling, i) => {
      const at = record.siblingsStart(bytes, 3) + record.SIBLING_HEADER_BYTES * i;
      const value = record.siblingValueStart(bytes, 3, i);
      const actor =
        record.actorHi(bytes, at).toString(16).padStart(8, '0') +
        record.actorLo(bytes, at).toString(16).padStart(8, '0');
      t.is(dotOf({ actor, counter: record.counterOf(bytes, at) }), dotOf(sibling));
      t.is(record.isTombstone(bytes, at), sibling.tombstone);
      t.is(record.siblingWallMs(bytes, at), sibling.wallMs);
      t.is(record.siblingLogical(bytes, at), sibling.logical);
      t.is(record.siblingExpiresMs(bytes, at), sibling.expiresMs);
      t.is(bytes.toString('utf8', value, value + record.siblingValueBytes(bytes, at)), sibling.value);
    });
    const values = plain.siblings.reduce((sum, sibling) => sum + sibling.value.length, 0);
    t.is(record.recordHeaderEnd(bytes, 3) + values + record.CHECKSUM_BYTES, bytes.length);
  },
  RUNS,
);

testProp(
  'Arbitrary bytes are never a record, and never make the check throw',
  [fc.uint8Array({ maxLength: 300 }), fc.integer({ min: -5, max: 320 }), fc.integer({ min: -5, max: 320 })],
  (t, bytes, start, end) => {
    t.not(checkRecord(bytes, start, end, hash, null), null);
  },
  { numRuns: 1_000 },
);

testProp(
  'Arbitrary counts behind a good checksum neither throw nor read outside',
  [records(), fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 })],
  (t, plain, changes) => {
    const bytes = Buffer.from(encodePlain(plain));
    for (const [at, value] of changes) bytes[at % (bytes.length - 8)] = value;
    resealed(bytes);
    const fault = check(bytes, null);
    // What it lets through must be a record that all of us read the same way.
    if (fault === null) t.is(toHex(encodePlain(decodePlain(bytes))), toHex(bytes));
    else t.pass();
  },
  { numRuns: 1_000 },
);

testProp(
  'One flipped bit is always caught',
  [records(), fc.nat(), fc.nat(7)],
  (t, plain, at, bit) => {
    const bytes = Buffer.from(encodePlain(plain));
    const place = at % bytes.length;
    bytes[place] = (bytes[place] as number) ^ (1 << bit);
    t.not(check(bytes, null), null);
  },
  { numRuns: 1_000 },
);

test('Every single bit of one record matters', (t) => {
  const bytes = sample();
  t.is(check(bytes), null);
  for (let i = 0; i < bytes.length * 8; i++) {
    bytes[i >> 3] = (bytes[i >> 3] as number) ^ (1 << (i & 7));
    t.not(check(bytes), null, `bit ${i}`);
    bytes[i >> 3] = (bytes[i >> 3] as number) ^ (1 << (i & 7));
  }
});

test('A record cut short, or with something behind it, is refused at every length', (t) => {
  const bytes = Buffer.concat([sample(), Buffer.alloc(40)]);
  const size = bytes.length - 40;
  for (let end = 0; end <= bytes.length; end++) {
    t.is(checkRecord(bytes, 0, end, hash, null), end === size ? null : end > 32 ? 'length' : 'short');
  }
});

test('A record under the key of another is refused', (t) => {
  t.is(check(sample(), Buffer.from('cart/18')), 'wrong-key');
  t.is(check(sample(), Buffer.from('cart/1')), 'wrong-key');
  t.is(check(sample(), Buffer.from('cart/170')), 'wrong-key');
});

const FAULTS: readonly [string, record.RecordFault, (bytes: Buffer) => void][] = [
  ['another format', 'format', (b) => b.writeUInt8(2, 0)],
  ['flags', 'format', (b) => b.writeUInt8(1, 1)],
  ['something in the first gap', 'format', (b) => b.writeUInt16BE(1, 14)],
  ['something in the second gap', 'format', (b) => b.writeUInt32BE(1, 20)],
  ['no key', 'length', (b) => b.writeUInt16BE(0, 2)],
  ['a key that is too long', 'length', (b) => b.writeUInt16BE(2_049, 2)],
  ['too many context entries', 'length', (b) => b.writeUInt16BE(4_097, 8)],
  ['siblings beyond the end', 'length', (b) => b.writeUInt16BE(65_535, 10)],
  ['too many remembered ids', 'length', (b) => b.writeUInt16BE(17, 12)],
  ['values that do not fill the record', 'length', (b) => b.writeUInt32BE(1, HEADERS + 44)],
  ['a counter of zero', 'order', (b) => b.writeUIntBE(0, ENTRIES + 8, 6)],
  ['actors out of order', 'order', (b) => b.fill(0xff, ENTRIES, ENTRIES + 8)],
  ['an actor twice', 'order', (b) => b.copyWithin(ENTRIES + 14, ENTRIES, ENTRIES + 8)],
  ['a dot that the context does not cover', 'order', (b) => b.writeUIntBE(2, HEADERS + 8, 6)],
  ['a dot of an unknown actor', 'order', (b) => b.writeUInt8(9, HEADERS + 7)],
  ['a dot with counter zero', 'order', (b) => b.writeUIntBE(0, HEADERS + 8, 6)],
  ['a dot twice', 'order', (b) => b.copyWithin(HEADERS + 48, HEADERS, HEADERS + 14)],
  ['an unknown flag of a sibling', 'order', (b) => b.writeUInt8(2, HEADERS + 14)],
  ['something in a sibling’s gap', 'order', (b) => b.writeUInt8(1, HEADERS + 15)],
  ['an expiry beyond 48 bits', 'order', (b) => b.writeUInt16BE(1, HEADERS + 24)],
  ['a tombstone with a value', 'order', (b) => b.writeUInt8(1, HEADERS + 14)],
  ['remembered ids out of order', 'order', (b) => b.writeUInt32BE(NOW_S + 2, REMEMBERED)],
  ['a remembered id twice', 'order', (b) => b.copyWithin(REMEMBERED + 12, REMEMBERED, REMEMBERED + 12)],
  ['a remembered id from before the window', 'order', (b) => b.writeUInt32BE(NOW_S - 60, REMEMBERED)],
  ['a cut from before the window', 'order', (b) => b.writeUInt32BE(NOW_S - 60, 16)],
  ['a cut newer than what is remembered', 'order', (b) => b.writeUInt32BE(NOW_S + 2, 16)],
];

for (const [what, fault, change] of FAULTS) {
  test(`Refused behind a good checksum: ${what}`, (t) => {
    const bytes = sample();
    change(bytes);
    t.is(check(resealed(bytes)), fault);
  });
}

test('A checksum that does not match is told apart', (t) => {
  const bytes = sample();
  bytes.writeUInt32BE(1, HEADERS + 16);
  t.is(check(bytes), 'checksum');
});

test('A cut without remembered ids is refused', (t) => {
  const bytes = encodePlain({ key: 'k', context: { '0001000000000000': 1 }, siblings: [], remembered: [], cut: 5 });
  t.is(checkRecord(bytes, 0, bytes.length, hash, null), 'order');
});

test('The longest key and the most actors are taken', (t) => {
  const context: Record<string, number> = {};
  for (let i = 0; i < 4_096; i++) context[i.toString(16).padStart(16, '0')] = 0xffff_ffff_ffff;
  const bytes = encodePlain({ key: 'k'.repeat(2_048), context, siblings: [], remembered: [], cut: 0 });
  t.is(checkRecord(bytes, 0, bytes.length, hash, null), null);
});

test('Nothing but 24 fixed bytes and a checksum is no record', (t) => {
  t.is(check(sealed(Buffer.concat([Buffer.of(1), Buffer.alloc(31)])), null), 'short');
});
