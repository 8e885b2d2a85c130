/* The messages by which the next ring is agreed on: what may be in them, and how they are written and read. */
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import * as ringLog from '../../src/wire/codec-ring-log.js';
import { text, u32 } from './arbitrary.js';

export interface Codec {
  readonly messages: fc.Arbitrary<unknown>;
  readonly encode: (message: never) => Uint8Array;
  readonly decode: (bytes: Uint8Array, start: number, end: number) => unknown;
}

const hexId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex);
const ballot = fc.record({ round: u32.map((round) => round || 1), ordinal: u32 });
const ringBytes = fc.record({
  bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  hash: fc.uint8Array({ minLength: 8, maxLength: 8 }).map(toHex),
});
const proposal = { budgetMs: u32, version: u32, ballot };
const negative = [
  fc.record({ kind: fc.constant('refused'), promised: fc.record({ round: u32, ordinal: u32 }) }),
  fc.record({ kind: fc.constantFrom('decided', 'behind'), version: u32 }),
  fc.record({ kind: fc.constant('abstains'), reason: text }),
] as const;
const accepted = fc.option(fc.record({ ballot, document: ringBytes }));

export const RING_LOG_CODECS: Readonly<Record<string, Codec>> = {
  RingPrepare: {
    messages: fc.record(proposal),
    encode: ringLog.encodeRingPrepare,
    decode: ringLog.decodeRingPrepare,
  },
  RingPrepareReply: {
    messages: fc.oneof(fc.record({ kind: fc.constant('promised'), accepted, blank: fc.boolean() }), ...negative),
    encode: ringLog.encodeRingPrepareReply,
    decode: ringLog.decodeRingPrepareReply,
  },
  RingAccept: {
    messages: fc.record({ ...proposal, document: ringBytes }),
    encode: ringLog.encodeRingAccept,
    decode: ringLog.decodeRingAccept,
  },
  RingAcceptReply: {
    messages: fc.oneof(fc.record({ kind: fc.constant('accepted'), blank: fc.boolean() }), ...negative),
    encode: ringLog.encodeRingAcceptReply,
    decode: ringLog.decodeRingAcceptReply,
  },
  RingLearn: {
    messages: fc.record({ budgetMs: u32, version: u32, document: fc.option(ringBytes) }),
    encode: ringLog.encodeRingLearn,
    decode: ringLog.decodeRingLearn,
  },
  RingLearnReply: {
    messages: fc.record({ version: u32, document: fc.option(ringBytes), acceptorId: fc.oneof(hexId, fc.constant('')) }),
    encode: ringLog.encodeRingLearnReply,
    decode: ringLog.decodeRingLearnReply,
  },
};
