/*
 * The origin of a reply on its way in. Nodes encode theirs once and send the same bytes for long, so what bytes mean is
 * remembered and one object serves all replies that say the same: with several nodes and partitions a client hears some
 * dozens of them in turn. Callers get objects that are shared, and frozen.
 */
import { copyBytes, toHex } from '../lib/bytes.js';
import type { ReplyOrigin } from '../model/messages.js';
import { Cursor } from './cursor.js';

/** Above what any ring can name; keeps a frame of bare ordinals from becoming millions of numbers. */
export const ORDINALS_DECODED_MAX = 1_024;

/** Slots are found by a few bytes of the origin; whoever needs a taken one takes it over. A power of two. */
const REMEMBERED_MAX = 256;
const REMEMBERED_BYTES_MAX = 128;

export const NO_ORIGIN: ReplyOrigin = Object.freeze({
  nodeId: '',
  ringVersion: 0,
  acked: 0,
  durable: false,
  sloppy: false,
  owners: Object.freeze<number[]>([]),
  fallbacks: Object.freeze<number[]>([]),
  fastest: 0,
});

const inner = new Cursor();
const rememberedBytes: (Uint8Array | undefined)[] = new Array<undefined>(REMEMBERED_MAX).fill(undefined);
const remembered: ReplyOrigin[] = new Array<ReplyOrigin>(REMEMBERED_MAX).fill(NO_ORIGIN);

/**
 * Reads the origin that begins at `outer` and moves that behind it. `before`: what the message said already, NO_ORIGIN
 * at first: an origin that is repeated is merged field by field, as protobuf has it for any message that is not a list.
 */
export function readOrigin(outer: Cursor, before: ReplyOrigin): ReplyOrigin {
  const length = outer.length();
  const { bytes, at } = outer;
  outer.at += length;
  if (before !== NO_ORIGIN || length > REMEMBERED_BYTES_MAX) return decode(outer, at, at + length, before);
  const slot = slotOf(bytes, at, at + length);
  const known = rememberedBytes[slot];
  if (known !== undefined && isAt(known, bytes, at, length)) return remembered[slot] as ReplyOrigin;
  const origin = decode(outer, at, at + length, before);
  if (outer.fault !== '') return origin;
  rememberedBytes[slot] = copyBytes(bytes, at, at + length);
  remembered[slot] = origin;
  return origin;
}

function decode(outer: Cursor, start: number, end: number, before: ReplyOrigin): ReplyOrigin {
  let { nodeId, ringVersion, acked, durable, sloppy, fastest } = before;
  const owners = [...before.owners];
  const fallbacks = [...before.fallbacks];
  inner.open(outer.bytes, start, end);
  while (inner.at < inner.end) {
    const tag = inner.tag();
    if (tag === 0x0a) nodeId = readId();
    else if (tag === 0x10) ringVersion = inner.u32();
    else if (tag === 0x18) acked = inner.u32();
    else if (tag === 0x20) durable = inner.bool();
    else if (tag === 0x28) sloppy = inner.bool();
    else if (tag === 0x32) readPacked(owners);
    else if (tag === 0x30) readOrdinal(owners);
    else if (tag === 0x3a) readPacked(fallbacks);
    else if (tag === 0x38) readOrdinal(fallbacks);
    else if (tag === 0x40) fastest = inner.u32();
    else inner.skip(tag);
  }
  if (inner.fault !== '') outer.fail(inner.fault);
  inner.close();
  Object.freeze(owners);
  Object.freeze(fallbacks);
  return Object.freeze({ nodeId, ringVersion, acked, durable, sloppy, owners, fallbacks, fastest });
}

function readId(): string {
  const length = inner.length();
  if (length !== 16 && length !== 0) inner.fail(`A node id of ${length} bytes instead of 16`);
  const start = inner.at;
  inner.at += length;
  return inner.fault === '' ? toHex(inner.bytes.subarray(start, start + length)) : '';
}

function readOrdinal(list: number[]): void {
  const ordinal = inner.u32();
  if (list.length === ORDINALS_DECODED_MAX) inner.fail(`More than ${ORDINALS_DECODED_MAX} ordinals`);
  else list.push(ordinal);
}

/** Numbers that end where their field does: one that would reach beyond it is cut off. */
function readPacked(list: number[]): void {
  const length = inner.length();
  const { end } = inner;
  inner.end = inner.at + length;
  while (inner.at < inner.end) readOrdinal(list);
  if (inner.fault === '') inner.end = end;
}

/** The node's id begins behind two bytes, and what differs from reply to reply of one node stands at the end. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let mixed = end - start;
  if (end - start > 6) mixed = (bytes[start + 3] as number) | ((bytes[start + 6] as number) << 8);
  for (let i = Math.max(start, end - 12); i < end; i++) mixed = Math.imul(mixed, 31) + (bytes[i] as number);
  mixed = Math.imul(mixed, 0x9e3779b1);
  return mixed >>> 24;
}

function isAt(known: Uint8Array, bytes: Uint8Array, at: number, length: number): boolean {
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== bytes[at + i]) return false;
  return true;
}
