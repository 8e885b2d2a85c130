/* Messages for the random tests, and broken ones made of them. */
import fc from 'fast-check';
import { ERROR_CODES } from '../../src/model/errors.js';
import type { ErrorCode, Failure } from '../../src/model/errors.js';
import type { GetReply, GetRequest, PutReply, PutRequest, ReplyOrigin } from '../../src/model/messages.js';

export const u32: fc.Arbitrary<number> = fc.oneof(
  fc.nat(0xffffffff),
  fc.constantFrom(0, 1, 127, 128, 0x7fffffff, 0xffffffff),
);
export const u53: fc.Arbitrary<number> = fc.oneof(
  fc.maxSafeNat(),
  fc.integer({ min: 0, max: 53 }).map((bits) => Math.min(2 ** bits, Number.MAX_SAFE_INTEGER)),
);
export const bytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 150 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '').map((text) => Buffer.from(text)),
);
/** Well-formed: a lone surrogate has no UTF-8. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom('', '__proto__', 'constructor', 'größer', '😀', '\ufeffbom'),
);
const id16: fc.Arbitrary<string> = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((id) => Buffer.from(id).toString('hex'));

export const getRequest: fc.Arbitrary<GetRequest> = fc.record({
  key: bytes,
  budgetMs: u32,
  namespace: text,
  ringVersion: u32,
  r: u32,
  strict: fc.boolean(),
});

export const putRequest: fc.Arbitrary<PutRequest> = fc.record({
  key: bytes,
  value: fc.oneof(bytes, fc.uint8Array({ minLength: 120, maxLength: 300 })),
  context: bytes,
  putId: bytes,
  retry: fc.boolean(),
  budgetMs: u32,
  namespace: text,
  ringVersion: u32,
  w: u32,
  strict: fc.boolean(),
  durable: fc.boolean(),
  ttlMs: u53,
  returnSiblings: fc.boolean(),
  sentMs: fc.oneof(fc.constant(0), fc.maxSafeNat()),
});

export const deleteRequest: fc.Arbitrary<PutRequest> = putRequest.map((put) => ({
  ...put,
  value: undefined,
  ttlMs: 0,
}));

export const origin: fc.Arbitrary<ReplyOrigin> = fc.record({
  nodeId: id16,
  ringVersion: u32,
  acked: u32,
  durable: fc.boolean(),
  sloppy: fc.boolean(),
  owners: fc.array(u32, { maxLength: 4 }),
  fallbacks: fc.array(u32, { maxLength: 3 }),
  fastest: u32,
});

const sibling = fc.record({ value: bytes, writtenMs: u53, expiresMs: u53 });

export const getReply: fc.Arbitrary<GetReply> = fc.record({
  siblings: fc.array(sibling, { maxLength: 4 }),
  context: bytes,
  origin,
});

export const putReply: fc.Arbitrary<PutReply> = fc.record({
  context: bytes,
  siblings: fc.array(sibling, { maxLength: 3 }),
  siblingCount: u32,
  origin,
});

export const failure: fc.Arbitrary<Failure> = fc
  .record({
    code: fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[])),
    text,
    retryable: fc.boolean(),
    outcomeUnknown: fc.boolean(),
    context: fc.option(fc.uint8Array({ minLength: 1, maxLength: 20 }), { nil: undefined }),
    retryAfterMs: fc.option(fc.integer({ min: 1, max: 0xffffffff }), { nil: undefined }),
  })
  .map(({ context, retryAfterMs, ...failed }) => ({
    ...failed,
    ...(context === undefined ? {} : { context }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }));

/** Changes a few bytes, cuts, doubles or splices: mostly not a message any more, but near one. */
export function mutated(source: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const edit = fc.tuple(fc.nat(400), fc.nat(255), fc.constantFrom('set', 'cut', 'drop', 'insert', 'repeat'));
  return fc.tuple(source, fc.array(edit, { maxLength: 4 })).map(([original, edits]) => {
    let message = Buffer.from(original);
    for (const [where, byte, what] of edits) {
      const at = message.length === 0 ? 0 : where % message.length;
      if (what === 'set') message[at] = byte;
      else if (what === 'cut') message = message.subarray(0, at);
      else if (what === 'drop') message = Buffer.concat([message.subarray(0, at), message.subarray(at + 1)]);
      else if (what === 'insert')
        message = Buffer.concat([message.subarray(0, at), Buffer.of(byte), message.subarray(at)]);
      else message = Buffer.concat([message, message.subarray(at)]);
    }
    return message;
  });
}

/** Little programs of protobuf fields, well-formed as fields go: any number, type, order and repetition, groups too. */
export const fieldSoup: fc.Arbitrary<Uint8Array> = fc
  .array(
    fc.tuple(
      fc.oneof(fc.integer({ min: 1, max: 15 }), fc.constantFrom(0, 16, 2_047, 0x1fffffff)),
      fc.constantFrom(0, 1, 2, 2, 2, 0, 3, 4, 5, 6, 7),
      fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.constant(Uint8Array.of(0x0a, 1, 7, 0x10, 0x80, 0x80, 0))),
      fc.integer({ min: 0, max: 11 }),
    ),
    { maxLength: 12 },
  )
  .map((fields) =>
    Buffer.concat(fields.map(([field, type, content, overlong]) => oneField(field, type, content, overlong))),
  );

function oneField(field: number, type: number, content: Uint8Array, overlong: number): Buffer {
  const tag = varint(field * 8 + type, 0);
  if (type === 0) return Buffer.concat([tag, varint((content[0] ?? 0) * (content[1] ?? 1), overlong)]);
  if (type === 2) return Buffer.concat([tag, varint(content.length, overlong % 6), content]);
  if (type === 3) return Buffer.concat([tag, varint(5 * 8, 0), varint(9, overlong), varint(field * 8 + 4, 0)]);
  if (type === 1 || type === 5) return Buffer.concat([tag, Buffer.alloc(type === 1 ? 8 : 4, content[0] ?? 0)]);
  return tag;
}

/** A varint of at least `atLeast` bytes: longer than it needs to be, which readers must take. */
function varint(value: number, atLeast: number): Buffer {
  const out: number[] = [];
  let rest = value;
  do {
    out.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  } while (rest > 0 || out.length < atLeast);
  out.push((out.pop() as number) & 0x7f);
  return Buffer.from(out);
}
