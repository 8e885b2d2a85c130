/* The ring as a file: what it looks like, and that nothing but exactly what was written is ever read. */
import test from 'ava';
import { fc, testProp } from '@fast-check/ava';
import xxhash from 'xxhash-wasm';
import { hash64From } from '../../src/model/hash.js';
import { type RingFile, decodeRingFile, encodeRingFile, memberNamed, ringSizeFault } from '../../src/ring/ring-file.js';
import { encodeRing, type RingDocument } from '../../src/ring/document.js';
import { changeRing } from '../../src/ring/change.js';
import { documentOf, members, tableOf } from './rings.js';

const hash = hash64From(await xxhash());
const fileOf = (ring: RingDocument, names: readonly string[]): RingFile => ({
  ring,
  document: encodeRing(ring),
  names,
});
const file = fileOf(documentOf(tableOf(members(3, 3), 4, 2)), ['a', 'b-2', 'c.x']);
const bytes = Buffer.from(encodeRingFile(file, hash));

function faultIn(read: Uint8Array): string {
  const decoded = decodeRingFile(read, hash);
  return 'fault' in decoded ? decoded.fault : 'none';
}

/** An edited file with a checksum that holds: what a program would write that got something else wrong. */
function forged(edit: (text: string) => string): Buffer {
  const text = edit(bytes.toString().replace(/"checksum": ".*"/, `"checksum": "${'0'.repeat(16)}"`));
  const edited = Buffer.from(text);
  hash.hash(edited, 0, edited.length);
  const digest = [hash.hi, hash.lo].map((half) => half.toString(16).padStart(8, '0')).join('');
  edited.write(digest, edited.indexOf('0'.repeat(16)), 'latin1');
  return edited;
}

test('a file comes back as it went, and members are found by name', (t) => {
  t.deepEqual(decodeRingFile(bytes, hash), file);
  t.is(memberNamed(file, 'b-2')?.ordinal, 2);
  t.is(memberNamed(file, 'B-2'), null);
  t.deepEqual(
    forged((text) => text),
    bytes,
    'the checksum is what the head of the file says that it is',
  );
});

test('people can read it: a member a line, a partition a line', (t) => {
  const { clusterId, members: three, owners } = file.ring;
  const lines = bytes.toString().split('\n');
  t.deepEqual(lines.slice(0, 3), ['{', '  "kind": "partita-ring-file",', '  "format": 1,']);
  t.regex(lines[3] ?? '', /^ {2}"checksum": "[0-9a-f]{16}",$/);
  t.deepEqual(lines.slice(4), [
    '  "ring": {',
    '    "format": 1,',
    '    "version": 1,',
    '    "cluster": "test",',
    `    "clusterId": "${clusterId}",`,
    '    "partitionCount": 4,',
    '    "replicaCount": 2,',
    '    "members": [',
    ...three.map(
      ({ nodeId, ordinal, address, peerAddress, zone }, index) =>
        `      {"name":"${file.names[index]}","nodeId":"${nodeId}","ordinal":${ordinal},"address":"${address}","peerAddress":"${peerAddress}","zone":"${zone}","capacity":1}${index < 2 ? ',' : ''}`,
    ),
    '    ],',
    '    "owners": [',
    ...[0, 2, 4, 6].map((at) => `      ${owners[at]},${owners[at + 1]}${at < 6 ? ',' : ''}`),
    '    ]',
    '  }',
    '}',
    '',
  ]);
});

test('every single bit flipped is refused', (t) => {
  for (let at = 0; at < bytes.length; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
      if (faultIn(flipped) === 'none') t.fail(`bit ${bit} of byte ${at}`);
    }
  }
  t.pass();
});

test('cut off anywhere, it is refused', (t) => {
  for (let end = 0; end < bytes.length; end++) {
    if (faultIn(bytes.subarray(0, end)) === 'none') t.fail(`the first ${end} bytes`);
  }
  t.pass();
});

testProp(
  'bytes changed, cut off, doubled or put in are refused',
  [
    fc.nat(bytes.length - 1),
    fc.oneof(
      fc.record({ kind: fc.constant('change' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }) }),
      fc.record({ kind: fc.constant('insert' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }) }),
      fc.record({ kind: fc.constant('remove' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 16 }) }),
      fc.record({ kind: fc.constant('cut' as const), bytes: fc.constant(new Uint8Array(0)) }),
    ),
  ],
  (t, at, damage) => {
    const rest = { change: at + damage.bytes.length, insert: at, remove: at + damage.bytes.length, cut: bytes.length };
    const put = damage.kind === 'remove' ? new Uint8Array(0) : damage.bytes;
    const damaged = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(rest[damage.kind])]);
    if (damaged.equals(bytes)) t.is(faultIn(damaged), 'none');
    else t.not(faultIn(damaged), 'none');
  },
  { numRuns: 2_000 },
);

test('an edit that JSON would not mind is an edit', (t) => {
  const text = bytes.toString();
  t.regex(faultIn(Buffer.from(text.replace('10.0.0.1:1', '10.0.0.9:1'))), /checksum does not hold: it was edited/);
  t.regex(faultIn(Buffer.from(`${text}\n`)), /checksum does not hold/);
  t.regex(faultIn(Buffer.from(text.replaceAll('\n', '\r\n'))), /does not begin as a ring file does/);
  t.regex(faultIn(Buffer.from(JSON.stringify(JSON.parse(text)))), /does not begin as a ring file does/);
  t.regex(faultIn(new Uint8Array(0)), /does not begin as a ring file does; partita cluster init makes one/);
});

test('a later format is named, whatever else is in it', (t) => {
  const later = Buffer.from('{\n  "kind": "partita-ring-file",\n  "format": 2,\n  "digest": "…"\n}\n');
  t.regex(
    faultIn(later),
    /it has format 2, and this is release .*, which reads format 1: a newer release of Partita has written it/,
  );
});

test('a checksum that holds excuses nothing', (t) => {
  const faults: readonly [(text: string) => string, RegExp][] = [
    [(text) => text.slice(0, -2), /not JSON, though its checksum holds/],
    [(text) => text.replace('"ring": {', '"wrong": {'), /not an object/],
    [(text) => text.replace('"replicaCount": 2', '"replicaCount": 4'), /4 replicas with 3 members/],
    [(text) => text.replace('"ordinal":2', '"ordinal":1'), /ordinal 1 is given twice/],
    [(text) => text.replace('"peerAddress":"10.0.1.1:1"', '"peerAddress":""'), /no peer address/],
    [(text) => text.replace('"name":"a"', '"title":"a"'), /a member has no name/],
    [(text) => text.replace('"name":"a"', '"name":"../a"'), /or one that is none/],
    [(text) => text.replace('"name":"a"', '"name":"c.x"'), /two members have the same name/],
  ];
  for (const [edit, expected] of faults) t.regex(faultIn(forged(edit)), expected);
});

test('a ring that no node could keep is refused', (t) => {
  const long = documentOf(tableOf(members(1_024), 16, 1));
  const addresses = long.members.map((member) => ({ ...member, address: `${'x'.repeat(1_000)}:${member.ordinal}` }));
  const names = addresses.map((_, i) => `n${i}`);
  const large = fileOf({ ...long, members: addresses }, names);
  t.regex(faultIn(encodeRingFile(large, hash)), /bytes, and a node keeps at most 1048544/);
  t.regex(ringSizeFault(large.ring) ?? '', /fewer partitions, replicas or nodes/);
  t.is(ringSizeFault(file.ring), null);
});

test('a ring with a member that leaves, and moves under way, comes back as it went', (t) => {
  const ring = documentOf(tableOf(members(4, 4), 8, 2));
  const leaving = ring.members.map((member) => (member.ordinal === 2 ? { ...member, leaving: true } : member));
  const changed = changeRing(ring, leaving, 5, { change: 'node 2 leaves', changedAtMs: 7 });
  if ('fault' in changed) throw new Error(changed.fault);
  t.true(changed.moves.length > 0);
  const kept = fileOf(changed, ['a', 'b', 'c', 'd']);
  t.deepEqual(decodeRingFile(encodeRingFile(kept, hash), hash), kept);
});

test('the bytes that were agreed on come back, though another release has made them', (t) => {
  const raw = JSON.parse(Buffer.from(file.document).toString()) as Record<string, unknown>;
  const { format, owners, members, ...rest } = raw;
  const named = (members as readonly object[]).map((member) => ({ shelf: 7, ...member }));
  const document = Buffer.from(JSON.stringify({ owners, format, colour: 'red', members: named, ...rest }));
  const read = decodeRingFile(encodeRingFile({ ...file, document }, hash), hash);
  if ('fault' in read) throw new Error(read.fault);
  t.deepEqual(Buffer.from(read.document), document);
  t.deepEqual(read.ring, file.ring);
});
