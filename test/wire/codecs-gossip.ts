/* What gossip says, drawn. */
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import * as gossip from '../../src/wire/codec-gossip.js';
import { text, u32, u53 } from './arbitrary.js';
import type { Codec } from './ring-log-codecs.js';

const ordinal = fc.integer({ min: 1, max: 65_535 });
const hexOf = (length: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map(toHex);
const beat = fc.record({ ordinal, opening: u53, beat: u53, ringVersion: u32 });
const beats = fc
  .uniqueArray(beat, { selector: (one) => one.ordinal, maxLength: 6 })
  .map((all) => all.sort((a, b) => a.ordinal - b.ordinal));
const entry = fc.record({
  ordinal,
  nodeId: hexOf(16),
  opening: u53,
  beat: u53,
  ringVersion: u32,
  ringHash: hexOf(8),
  peerAddress: text,
});
const entries = fc.array(entry, { maxLength: 3 });

export const GOSSIP_CODECS: Readonly<Record<string, Codec>> = {
  Gossip: {
    messages: fc.record({ beats, entries, closing: fc.boolean() }),
    encode: gossip.encodeGossip,
    decode: gossip.decodeGossip,
  },
  GossipReply: {
    messages: fc.record({ beats, entries, wants: fc.array(ordinal, { maxLength: 6 }) }),
    encode: gossip.encodeGossipReply,
    decode: gossip.decodeGossipReply,
  },
};
