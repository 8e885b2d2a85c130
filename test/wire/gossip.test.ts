/* Gossip that makes no sense is refused with a reason. */
import test from 'ava';
import { decodeGossip, decodeGossipReply, encodeGossip, encodeGossipReply } from '../../src/wire/codec-gossip.js';
import { partita } from '../../src/wire/protobuf.js';

const v1 = partita.v1;
const ID = new Uint8Array(16);
const HASH = new Uint8Array(8);

function refusal(message: partita.v1.Gossip.$Properties): string {
  const bytes = v1.Gossip.encode(message).finish();
  const decoded = decodeGossip(bytes, 0, bytes.length);
  return typeof decoded === 'string' ? decoded : 'taken';
}

test('columns have one length, and ordinals ascend from 1 to 65,535', (t) => {
  const columns = { ordinals: [1, 2], openings: [1, 1], beats: [1, 1], ringVersions: [1, 1] };
  t.is(refusal(columns), 'taken');
  t.is(refusal({ ...columns, beats: [1] }), 'Columns of 2, 2, 1 and 2 values');
  t.is(refusal({ ...columns, ordinals: [1, 0] }), 'Beats that are not in the order of their ordinals');
  t.is(refusal({ ...columns, ordinals: [60_000, 6_000] }), 'Ordinal 66000: there are 1 to 65535');
  const many = Array.from({ length: 1_025 }, () => 1);
  t.is(
    refusal({ ordinals: many, openings: many, beats: many, ringVersions: many }),
    '1025 beats, at most 1024 are accepted',
  );
});

test('an entry is of somebody, and of a ring', (t) => {
  const entry = { ordinal: 1, nodeId: ID, ringHash: HASH };
  t.is(refusal({ entries: [entry] }), 'taken');
  t.is(refusal({ entries: [{ ...entry, ordinal: 0 }] }), 'Ordinal 0: there are 1 to 65535');
  t.is(refusal({ entries: [{ ...entry, nodeId: new Uint8Array(0) }] }), 'An entry without a node id');
  t.is(refusal({ entries: [{ ...entry, nodeId: HASH }] }), 'A node id of 8 bytes instead of 16');
  t.is(refusal({ entries: [{ ...entry, ringHash: ID }] }), 'A ring hash of 16 bytes instead of 8');
  t.is(refusal({ entries: Array.from({ length: 1_025 }, () => entry) }), 'More than 1024 entries');
});

test('what is wanted are ordinals', (t) => {
  const bytes = encodeGossipReply({ beats: [], entries: [], wants: [1, 0] });
  t.is(decodeGossipReply(bytes, 0, bytes.length), 'Ordinal 0: there are 1 to 65535');
});

test('a beat of a node that has run for a month takes nine bytes', (t) => {
  const beats = Array.from({ length: 100 }, (_, i) => ({
    ordinal: i + 1,
    opening: 40,
    beat: 2_600_000,
    ringVersion: 300,
  }));
  t.true(encodeGossip({ beats, entries: [], closing: false }).length <= 100 * 9 + 20);
});
