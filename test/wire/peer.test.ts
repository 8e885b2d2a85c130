import test from 'ava';
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import { READ_STATES, STORE_REASONS } from '../../src/model/peer-messages.js';
import { Reader } from '../../src/wire/protobuf.js';
import * as write from '../../src/wire/write-peer.js';
import { fieldSoup, mutated, u32 } from './arbitrary.js';
import { SUBJECTS, type Fields, type Subject } from './peer-messages.js';

/** Names as their numbers, bytes as text: comparable whoever read them. Numbers of a later release as we take them. */
function plain(fields: Fields): Fields {
  const one = (name: string, value: unknown): unknown => {
    if (value instanceof Uint8Array) return toHex(value);
    if (name === 'reason' && typeof value === 'number') return STORE_REASONS[value] ?? 'put';
    if (name === 'state' && typeof value === 'number') return READ_STATES[value] ?? 'unknown';
    return value;
  };
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, one(name, value)]));
}

/** As protobufjs wants it: enums as numbers. */
function raw(fields: Fields): Fields {
  const { reason, state } = fields;
  return {
    ...fields,
    ...(STORE_REASONS.includes(reason as never) ? { reason: STORE_REASONS.indexOf(reason as never) } : {}),
    ...(READ_STATES.includes(state as never) ? { state: READ_STATES.indexOf(state as never) } : {}),
  };
}

/** protobufjs's opinion, or undefined where it throws, or a number is not below 2^53. */
function byProtobufjs(subject: Subject, template: Fields, body: Uint8Array): Fields | undefined {
  try {
    const message = subject.type.decode(Reader.create(body)) as Record<string, unknown>;
    const names = Object.keys(template);
    const fields = Object.fromEntries(names.map((name) => [name, message[name]]));
    if (typeof fields['fence'] === 'number' && fields['fence'] > Number.MAX_SAFE_INTEGER) return undefined;
    return plain(fields);
  } catch {
    return undefined;
  }
}

/** Is there a number of 2^53 or more at the top level? */
function hasLargeNumber(body: Uint8Array): boolean {
  const reader = Reader.create(body);
  while (reader.pos < reader.len) {
    const type = reader.uint32() & 7;
    if (type !== 0) reader.skipType(type);
    else if (Number(reader.uint64()) > Number.MAX_SAFE_INTEGER) return true;
  }
  return false;
}

for (const [name, subject] of Object.entries(SUBJECTS)) {
  const template = fc.sample(subject.arbitrary, 1)[0] ?? {};
  const around = (body: Uint8Array): Fields | undefined => {
    const found = subject.read(Buffer.concat([Buffer.alloc(3, 0xff), body, Buffer.alloc(5, 1)]), 3, 3 + body.length);
    return found && plain(found);
  };

  test(`a written ${name} is what protobufjs reads, fills exactly its size, and is read as it was meant`, (t) => {
    fc.assert(
      fc.property(subject.arbitrary, u32, (fields, requestId) => {
        const size = subject.size(fields as never);
        const target = Buffer.alloc(size + 9, 0xaa);
        t.is(subject.write(target, 4, requestId, fields as never), 4 + size);
        t.is(target.readUInt32BE(4), size - 12);
        t.is(target.readUInt8(8), subject.kind);
        t.is(target.readUInt32BE(12), requestId);
        t.true(target.subarray(4 + size).every((byte) => byte === 0xaa));
        const body = target.subarray(16, 4 + size);
        t.deepEqual(byProtobufjs(subject, template, body), plain(fields));
        t.deepEqual(around(body), plain(fields));
      }),
      { numRuns: 300 },
    );
  });

  test(`a ${name}: we take and refuse what protobufjs takes and refuses, whatever the bytes`, (t) => {
    const bodies = subject.arbitrary.map((fields) => subject.type.encode(raw(fields) as never).finish());
    const soups = fc.oneof(fc.uint8Array({ maxLength: 60 }), fieldSoup, mutated(bodies), mutated(fieldSoup));
    let [refused, taken] = [0, 0];
    fc.assert(
      fc.property(soups, (body) => {
        const expected = byProtobufjs(subject, template, body);
        if (expected === undefined) refused++;
        else taken++;
        const ours = around(body);
        // A field that comes twice, first too large and then not: we stop at the first, protobufjs sees the last.
        if (ours === undefined && expected !== undefined && hasLargeNumber(body)) return;
        t.deepEqual(ours, expected, toHex(body));
      }),
      { numRuns: 1_500 },
    );
    t.true(refused > 100 && taken > 100, `${refused} refused, ${taken} taken: both sides were tried`);
  });
}

test('a record may follow its head as a chunk of its own', (t) => {
  const record = Buffer.from('a record');
  const head = {
    partition: 3,
    ringVersion: 2,
    budgetMs: 50,
    hintFor: 7,
    fence: 9,
    durable: true,
    reason: 'hint',
  } as const;
  const frame = Buffer.alloc(write.sizeOfStoreFrame(head, record.length));
  write.writeStoreFrame(frame, 0, 5, head, record, 0, record.length);
  const alone = Buffer.alloc(frame.length - record.length);
  t.is(write.writeStoreHead(alone, 0, 5, head, record.length), alone.length);
  t.deepEqual(Buffer.concat([alone, record]), frame);
});
