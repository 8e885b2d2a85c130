/* What nodes tell each other of all nodes, by protobufjs both ways: once a second. Beats go as columns of small numbers. */
import { fromHex, toHex } from '../lib/bytes.js';
import type { GossipBeat, GossipEntry, GossipMessage, GossipReply } from '../model/gossip-messages.js';
import { MEMBERS_MAX } from '../ring/shares.js';
import { countAt } from './cursor.js';
import { bad, count53, decodeBy, hexOfId, limited } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
const RING_HASH_BYTES = 8;
const ORDINAL_MAX = 65_535;
const ENTRIES = 5;

export function encodeGossip({ beats, entries, closing }: GossipMessage): Uint8Array {
  return v1.Gossip.encode({ ...columnsOf(beats), entries: entries.map(writeEntry), closing }).finish();
}

export function decodeGossip(bytes: Uint8Array, start: number, end: number): GossipMessage | DecodeFault {
  if (countAt(bytes, start, end, [ENTRIES], MEMBERS_MAX) > MEMBERS_MAX) return `More than ${MEMBERS_MAX} entries`;
  return decodeBy(v1.Gossip, bytes, start, end, (message) => ({
    beats: takeBeats(message),
    entries: message.entries.map(takeEntry),
    closing: message.closing,
  }));
}

export function encodeGossipReply({ beats, entries, wants }: GossipReply): Uint8Array {
  return v1.GossipReply.encode({ ...columnsOf(beats), entries: entries.map(writeEntry), wants: [...wants] }).finish();
}

export function decodeGossipReply(bytes: Uint8Array, start: number, end: number): GossipReply | DecodeFault {
  if (countAt(bytes, start, end, [ENTRIES], MEMBERS_MAX) > MEMBERS_MAX) return `More than ${MEMBERS_MAX} entries`;
  return decodeBy(v1.GossipReply, bytes, start, end, (reply) => ({
    beats: takeBeats(reply),
    entries: reply.entries.map(takeEntry),
    wants: limited(reply.wants, MEMBERS_MAX, 'wanted entries').map(ordinalOf),
  }));
}

interface Columns {
  readonly ordinals: number[];
  readonly openings: number[];
  readonly beats: number[];
  readonly ringVersions: number[];
}

function columnsOf(rows: readonly GossipBeat[]): Columns {
  const columns: Columns = { ordinals: [], openings: [], beats: [], ringVersions: [] };
  let before = 0;
  for (const { ordinal, opening, beat, ringVersion } of rows) {
    columns.ordinals.push(ordinal - before);
    columns.openings.push(opening);
    columns.beats.push(beat);
    columns.ringVersions.push(ringVersion);
    before = ordinal;
  }
  return columns;
}

function takeBeats({
  ordinals,
  openings,
  beats,
  ringVersions,
}: partita.v1.Gossip | partita.v1.GossipReply): GossipBeat[] {
  limited(ordinals, MEMBERS_MAX, 'beats');
  const { length } = ordinals;
  if (openings.length !== length || beats.length !== length || ringVersions.length !== length)
    bad(`Columns of ${length}, ${openings.length}, ${beats.length} and ${ringVersions.length} values`);
  let ordinal = 0;
  return ordinals.map((step, i) => {
    if (step === 0) bad('Beats that are not in the order of their ordinals');
    ordinal += step;
    return {
      ordinal: ordinalOf(ordinal),
      opening: count53(openings[i]),
      beat: count53(beats[i]),
      ringVersion: ringVersions[i] ?? 0,
    };
  });
}

function writeEntry(entry: GossipEntry): partita.v1.Gossip.Entry.$Properties {
  return { ...entry, nodeId: fromHex(entry.nodeId), ringHash: fromHex(entry.ringHash) };
}

function takeEntry(entry: partita.v1.Gossip.Entry.$Properties): GossipEntry {
  const nodeId = hexOfId(entry.nodeId ?? NONE);
  if (nodeId === '') bad('An entry without a node id');
  const ringHash = entry.ringHash ?? NONE;
  if (ringHash.length !== RING_HASH_BYTES) bad(`A ring hash of ${ringHash.length} bytes instead of ${RING_HASH_BYTES}`);
  return {
    ordinal: ordinalOf(entry.ordinal ?? 0),
    opening: count53(entry.opening ?? 0),
    beat: count53(entry.beat ?? 0),
    ringVersion: entry.ringVersion ?? 0,
    nodeId,
    ringHash: toHex(ringHash),
    peerAddress: entry.peerAddress ?? '',
  };
}

const NONE: Uint8Array = new Uint8Array(0);

function ordinalOf(ordinal: number): number {
  return ordinal >= 1 && ordinal <= ORDINAL_MAX ? ordinal : bad(`Ordinal ${ordinal}: there are 1 to ${ORDINAL_MAX}`);
}
