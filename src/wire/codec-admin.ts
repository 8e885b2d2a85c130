/* What tools ask a node on its unix socket: rare messages, by protobufjs both ways. */
import { fromHex } from '../lib/bytes.js';
import type { HintsOfOwner, HintsReply } from '../model/messages.js';
import { countAt } from './cursor.js';
import { partita } from './protobuf.js';
import { count53, decodeBy, hexOfId } from './plain.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
/** Ordinals have 16 bits. */
const OWNERS_MAX = 65_536;
const NONE: Uint8Array = new Uint8Array(0);

export interface HintsRequest {
  readonly budgetMs: number;
}

export function encodeHints(request: HintsRequest): Uint8Array {
  return v1.Hints.encode(request).finish();
}

export function decodeHints(bytes: Uint8Array, start: number, end: number): HintsRequest | DecodeFault {
  return decodeBy(v1.Hints, bytes, start, end, ({ budgetMs }) => ({ budgetMs }));
}

export function encodeHintsReply(reply: HintsReply): Uint8Array {
  const owners = reply.owners.map((owner) => ({ ...owner, nodeId: fromHex(owner.nodeId) }));
  return v1.HintsReply.encode({ ...reply, owners }).finish();
}

export function decodeHintsReply(bytes: Uint8Array, start: number, end: number): HintsReply | DecodeFault {
  if (countAt(bytes, start, end, [1], OWNERS_MAX) > OWNERS_MAX) return `More than ${OWNERS_MAX} owners`;
  return decodeBy(v1.HintsReply, bytes, start, end, (reply) => ({
    owners: reply.owners.map(takeOwner),
    count: count53(reply.count),
    bytes: count53(reply.bytes),
    bytesMax: count53(reply.bytesMax),
    wallMs: count53(reply.wallMs),
  }));
}

function takeOwner(owner: partita.v1.HintsReply.Owner.$Properties): HintsOfOwner {
  return {
    ordinal: owner.ordinal ?? 0,
    nodeId: hexOfId(owner.nodeId ?? NONE),
    count: count53(owner.count ?? 0),
    bytes: count53(owner.bytes ?? 0),
    oldestMs: count53(owner.oldestMs ?? 0),
  };
}
