/*
 * The golden frames of protocol/vectors: what they say is written here, their bytes are made by the code. Authors of
 * other clients read the JSON files; vectors.test holds the code to them, so that the bytes of a released version stay
 * what they are. Bytes in messages are `0x` and hexadecimal digits.
 */
import { fromHex, toHex } from '../../src/lib/bytes.js';
import type { GetReply, ManyReply, PutReply } from '../../src/model/messages.js';
import * as admin from '../../src/wire/codec-admin.js';
import * as background from '../../src/wire/codec-background.js';
import * as cluster from '../../src/wire/codec-cluster.js';
import * as exchange from '../../src/wire/codec-exchange.js';
import * as gossip from '../../src/wire/codec-gossip.js';
import * as loads from '../../src/wire/codec-loads.js';
import * as reap from '../../src/wire/codec-reap.js';
import * as space from '../../src/wire/codec-space.js';
import * as archive from '../../src/wire/codec-archive.js';
import * as restore from '../../src/wire/codec-restore.js';
import * as transfer from '../../src/wire/codec-transfer.js';
import * as connection from '../../src/wire/codec-connection.js';
import type { ErrorMessage } from '../../src/wire/codec-connection.js';
import * as listing from '../../src/wire/codec-keys.js';
import * as multi from '../../src/wire/codec-multi.js';
import * as ring from '../../src/wire/codec-ring.js';
import * as ringLog from '../../src/wire/codec-ring-log.js';
import { frameOf } from '../../src/wire/frame.js';
import * as kinds from '../../src/wire/kinds.js';
import { decodeGetReply, decodePutReply } from '../../src/wire/read-replies.js';
import {
  GetRequestView,
  PutRequestView,
  decodeDeleteInto,
  decodeGetInto,
  decodePutInto,
} from '../../src/wire/requests.js';
import * as replies from '../../src/wire/write-replies.js';
import { frameOfSubject, SUBJECTS } from './peer-messages.js';
import { ROWS } from './vector-rows.js';
import { sizeOfGetFrame, sizeOfPutFrame, writeGetFrame, writePutFrame } from '../../src/wire/write-requests.js';

export interface Vector {
  readonly name: string;
  /** What it means, in a sentence. */
  readonly what: string;
  readonly kind: number;
  readonly requestId: number;
  readonly message: unknown;
  /** The whole frame. */
  readonly hex: string;
}

/** A stream that a receiver refuses. */
export interface Refusal {
  readonly name: string;
  readonly what: string;
  /** The limit that holds: 4096 before Hello is accepted. */
  readonly frameBodyBytesMax: number;
  readonly hex: string;
  readonly fault: string;
}

interface Codec {
  readonly encode: (message: never, requestId: number) => Uint8Array;
  readonly decode: (bytes: Uint8Array, start: number, end: number) => unknown;
}

/** In items of MultiGetReply and MultiPutReply, errors carry the ring version of the whole. */
const RING_VERSION = 3;

export const CODECS: ReadonlyMap<number, Codec> = new Map<number, Codec>([
  framed(kinds.HELLO, connection.encodeHello, connection.decodeHello),
  framed(kinds.HELLO_REPLY, connection.encodeHelloReply, connection.decodeHelloReply),
  framed(kinds.CHALLENGE, connection.encodeChallenge, connection.decodeChallenge),
  framed(kinds.PROOF, connection.encodeProof, connection.decodeProof),
  framed(kinds.PING, connection.encodePing, connection.decodePing),
  [kinds.PONG, { encode: writtenPong, decode: connection.decodePong }],
  framed(kinds.GO_AWAY, connection.encodeGoAway, connection.decodeGoAway),
  [kinds.ERROR, { encode: writtenError, decode: connection.decodeError }],
  [kinds.GET, { encode: writtenGet, decode: readGet }],
  [kinds.GET_REPLY, { encode: writtenGetReply, decode: decodeGetReply }],
  [kinds.PUT, { encode: writtenPut, decode: (...at) => readPut(decodePutInto, ...at) }],
  [kinds.DELETE, { encode: writtenPut, decode: (...at) => readPut(decodeDeleteInto, ...at) }],
  [kinds.PUT_REPLY, { encode: writtenPutReply, decode: decodePutReply }],
  framed(kinds.MULTI_GET, multi.encodeMultiGet, multi.decodeMultiGet),
  framed(kinds.MULTI_PUT, multi.encodeMultiPut, multi.decodeMultiPut),
  framed(
    kinds.MULTI_GET_REPLY,
    (items: ManyReply<GetReply>) => multi.encodeMultiGetReply(items, RING_VERSION),
    multi.decodeMultiGetReply,
  ),
  framed(
    kinds.MULTI_PUT_REPLY,
    (items: ManyReply<PutReply>) => multi.encodeMultiPutReply(items, RING_VERSION),
    multi.decodeMultiPutReply,
  ),
  ...Object.values(SUBJECTS).map((subject): [number, Codec] => [
    subject.kind,
    {
      encode: (message: never, requestId) => frameOfSubject(subject, message, requestId),
      decode: (...body) => subject.read(...body) ?? 'It cannot be read',
    },
  ]),
  framed(kinds.RING_FETCH, ring.encodeRingFetch, ring.decodeRingFetch),
  framed(kinds.RING_REPLY, ring.encodeRingReply, ring.decodeRingReply),
  framed(kinds.EXPLAIN, ring.encodeExplain, ring.decodeExplain),
  framed(kinds.EXPLAIN_REPLY, ring.encodeExplainReply, ring.decodeExplainReply),
  framed(kinds.REAP_ASK, reap.encodeReapAsk, reap.decodeReapAsk),
  framed(kinds.REAP_ASK_REPLY, reap.encodeReapAskReply, reap.decodeReapAskReply),
  framed(kinds.REAP, reap.encodeReap, reap.decodeReap),
  framed(kinds.REAP_REPLY, reap.encodeReapReply, reap.decodeReapReply),
  framed(kinds.REAP_LOG, reap.encodeReapLog, reap.decodeReapLog),
  framed(kinds.REAPED, reap.encodeReaped, reap.decodeReaped),
  framed(kinds.REAPED_REPLY, reap.encodeReapedReply, reap.decodeReapedReply),
  framed(kinds.REAP_LOG_REPLY, reap.encodeReapLogReply, reap.decodeReapLogReply),
  framed(kinds.FENCES, reap.encodeFences, reap.decodeFences),
  framed(kinds.FENCES_REPLY, reap.encodeFencesReply, reap.decodeFencesReply),
  framed(kinds.RING_PREPARE, ringLog.encodeRingPrepare, ringLog.decodeRingPrepare),
  framed(kinds.RING_PREPARE_REPLY, ringLog.encodeRingPrepareReply, ringLog.decodeRingPrepareReply),
  framed(kinds.RING_ACCEPT, ringLog.encodeRingAccept, ringLog.decodeRingAccept),
  framed(kinds.RING_ACCEPT_REPLY, ringLog.encodeRingAcceptReply, ringLog.decodeRingAcceptReply),
  framed(kinds.RING_LEARN, ringLog.encodeRingLearn, ringLog.decodeRingLearn),
  framed(kinds.RING_LEARN_REPLY, ringLog.encodeRingLearnReply, ringLog.decodeRingLearnReply),
  framed(kinds.GOSSIP, gossip.encodeGossip, gossip.decodeGossip),
  framed(kinds.GOSSIP_REPLY, gossip.encodeGossipReply, gossip.decodeGossipReply),
  framed(kinds.TRANSFER_OPEN, transfer.encodeTransferOpen, transfer.decodeTransferOpen),
  framed(kinds.TRANSFER_OPEN_REPLY, transfer.encodeTransferOpenReply, transfer.decodeTransferOpenReply),
  framed(kinds.TRANSFER_CHUNK, transfer.encodeTransferChunk, transfer.decodeTransferChunk),
  framed(kinds.TRANSFER_CHUNK_REPLY, transfer.encodeTransferChunkReply, transfer.decodeTransferChunkReply),
  framed(kinds.TRANSFER_CLOSE, transfer.encodeTransferClose, transfer.decodeTransferClose),
  framed(kinds.SPACE, space.encodeSpace, space.decodeSpace),
  framed(kinds.SPACE_REPLY, space.encodeSpaceReply, space.decodeSpaceReply),
  framed(kinds.TRANSFER_CLOSE_REPLY, transfer.encodeTransferCloseReply, transfer.decodeTransferCloseReply),
  framed(kinds.ARCHIVE_STATE, archive.encodeArchiveState, archive.decodeArchiveState),
  framed(kinds.ARCHIVE_STATE_REPLY, archive.encodeArchiveStateReply, archive.decodeArchiveStateReply),
  framed(kinds.ARCHIVE_RECORDS, archive.encodeArchiveRecords, archive.decodeArchiveRecords),
  framed(kinds.ARCHIVE_RECORDS_REPLY, archive.encodeArchiveRecordsReply, archive.decodeArchiveRecordsReply),
  framed(kinds.ARCHIVE, archive.encodeArchive, archive.decodeArchive),
  framed(kinds.ARCHIVE_REPLY, archive.encodeArchiveReply, archive.decodeArchiveReply),
  framed(kinds.RESTORE_OPEN, restore.encodeRestoreOpen, restore.decodeRestoreOpen),
  framed(kinds.RESTORE_OPEN_REPLY, restore.encodeRestoreOpenReply, restore.decodeRestoreOpenReply),
  framed(kinds.RESTORE_PIECE, restore.encodeRestorePiece, restore.decodeRestorePiece),
  framed(kinds.RESTORE_PIECE_REPLY, restore.encodeRestorePieceReply, restore.decodeRestorePieceReply),
  framed(kinds.RESTORE_TAKE, restore.encodeRestoreTake, restore.decodeRestoreTake),
  framed(kinds.RESTORE_TAKE_REPLY, restore.encodeRestoreTakeReply, restore.decodeRestoreTakeReply),
  framed(kinds.HINTS, admin.encodeHints, admin.decodeHints),
  framed(kinds.HINTS_REPLY, admin.encodeHintsReply, admin.decodeHintsReply),
  framed(kinds.KEYS, listing.encodeKeys, listing.decodeKeys),
  framed(kinds.KEYS_REPLY, listing.encodeKeysReply, listing.decodeKeysReply),
  framed(kinds.BACKGROUND, background.encodeBackground, background.decodeBackground),
  framed(kinds.BACKGROUND_REPLY, background.encodeBackgroundReply, background.decodeBackgroundReply),
  framed(kinds.SCRUB, background.encodeScrub, background.decodeScrub),
  framed(kinds.SCRUB_REPLY, background.encodeScrubReply, background.decodeScrubReply),
  framed(kinds.LOADS, loads.encodeLoads, loads.decodeLoads),
  framed(kinds.LOADS_REPLY, loads.encodeLoadsReply, loads.decodeLoadsReply),
  framed(kinds.BALANCE, loads.encodeBalance, loads.decodeBalance),
  framed(kinds.BALANCE_REPLY, loads.encodeBalanceReply, loads.decodeBalanceReply),
  framed(kinds.CLUSTER, cluster.encodeCluster, cluster.decodeCluster),
  framed(kinds.CLUSTER_REPLY, cluster.encodeClusterReply, cluster.decodeClusterReply),
  framed(kinds.TREE, exchange.encodeTree, exchange.decodeTree),
  framed(kinds.TREE_REPLY, exchange.encodeTreeReply, exchange.decodeTreeReply),
  framed(kinds.LEAVES, exchange.encodeLeaves, exchange.decodeLeaves),
  framed(kinds.LEAVES_REPLY, exchange.encodeLeavesReply, exchange.decodeLeavesReply),
  framed(kinds.PULL, exchange.encodePull, exchange.decodePull),
  framed(kinds.PULL_REPLY, exchange.encodePullReply, exchange.decodePullReply),
  framed(kinds.REPAIR, exchange.encodeRepair, exchange.decodeRepair),
  framed(kinds.REPAIR_REPLY, exchange.encodeRepairReply, exchange.decodeRepairReply),
]);

/** A row of the table, of a kind whose body is made apart from its frame. */
function framed<M>(kind: number, encode: (message: M) => Uint8Array, decode: Codec['decode']): [number, Codec] {
  return [kind, { encode: (message: never, requestId) => frameOf(kind, requestId, encode(message)), decode }];
}

function writtenGet(get: never, requestId: number): Uint8Array {
  const frame = new Uint8Array(sizeOfGetFrame(get));
  writeGetFrame(frame, 0, requestId, get);
  return frame;
}

function writtenPut(put: never, requestId: number): Uint8Array {
  const frame = new Uint8Array(sizeOfPutFrame(put));
  writePutFrame(frame, 0, requestId, put);
  return frame;
}

function partsOf(reply: GetReply | PutReply): replies.ReplyParts {
  const parts = new replies.ReplyParts();
  for (const { value, writtenMs, expiresMs } of reply.siblings) {
    parts.addSibling(value, 0, value.length, writtenMs, expiresMs);
  }
  parts.setContext(reply.context, 0, reply.context.length);
  return parts;
}

function writtenGetReply(reply: GetReply, requestId: number): Uint8Array {
  const [parts, origin] = [partsOf(reply), replies.encodeOrigin(reply.origin)];
  const frame = new Uint8Array(replies.sizeOfGetReplyFrame(parts, origin));
  replies.writeGetReplyFrame(frame, 0, requestId, parts, origin);
  return frame;
}

function writtenPutReply(reply: PutReply, requestId: number): Uint8Array {
  const [parts, origin] = [partsOf(reply), replies.encodeOrigin(reply.origin)];
  const frame = new Uint8Array(replies.sizeOfPutReplyFrame(parts, reply.siblingCount, origin));
  replies.writePutReplyFrame(frame, 0, requestId, parts, reply.siblingCount, origin);
  return frame;
}

function writtenError(error: ErrorMessage, requestId: number): Uint8Array {
  const frame = new Uint8Array(replies.sizeOfErrorFrame(error, error.ringVersion));
  replies.writeErrorFrame(frame, 0, requestId, error, error.ringVersion);
  return frame;
}

function writtenPong(pong: connection.Pong, requestId: number): Uint8Array {
  const frame = new Uint8Array(replies.sizeOfPongFrame(pong.ringVersion, pong.wallMs));
  replies.writePongFrame(frame, 0, requestId, pong.ringVersion, pong.wallMs);
  return frame;
}

function readGet(bytes: Uint8Array, start: number, end: number): unknown {
  const view = new GetRequestView();
  const fault = decodeGetInto(view, bytes, start, end);
  if (fault !== '') return fault;
  const { key, budgetMs, namespace, ringVersion, r, strict } = view;
  return { key, budgetMs, namespace, ringVersion, r, strict };
}

function readPut(decode: typeof decodePutInto, bytes: Uint8Array, start: number, end: number): unknown {
  const view = new PutRequestView();
  const fault = decode(view, bytes, start, end);
  if (fault !== '') return fault;
  const { key, value, context, putId, retry, budgetMs, namespace, ringVersion, w, strict, durable, ttlMs } = view;
  const { returnSiblings, sentMs } = view;
  const rest = {
    context,
    putId,
    retry,
    budgetMs,
    namespace,
    ringVersion,
    w,
    strict,
    durable,
    ttlMs,
    returnSiblings,
    sentMs,
  };
  return value === undefined ? { key, ...rest } : { key, value, ...rest };
}

/** For JSON: bytes as `0x…`. */
export function toJson(message: unknown): unknown {
  if (message instanceof Uint8Array) return `0x${toHex(message)}`;
  if (Array.isArray(message)) return message.map(toJson);
  if (typeof message !== 'object' || message === null) return message;
  return Object.fromEntries(
    Object.entries(message)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, toJson(value)]),
  );
}

export function fromJson(message: unknown): unknown {
  if (typeof message === 'string' && message.startsWith('0x')) return fromHex(message.slice(2));
  if (Array.isArray(message)) return message.map(fromJson);
  if (typeof message !== 'object' || message === null) return message;
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, fromJson(value)]));
}

export function vectorsOf(file: string): readonly Vector[] {
  return (ROWS[file] ?? []).map(([name, what, kind, requestId, message]) => {
    const codec = CODECS.get(kind) as Codec;
    const frame = codec.encode(fromJson(message) as never, requestId);
    return { name, what, kind, requestId, message: toJson(message), hex: toHex(frame) };
  });
}

export const FILES: readonly string[] = Object.keys(ROWS);

const header = (length: string, kind: string, rest: string): string => `${length}${kind}${rest}`;

export const REFUSALS: readonly Refusal[] = [
  {
    name: 'too-large-before-hello',
    what: 'A Hello of 4097 bytes is refused when its header is there',
    frameBodyBytesMax: 4_096,
    hex: header('00001001', '01', '00000000000001'),
    fault: 'too-large',
  },
  {
    name: 'too-large',
    what: 'No length makes a receiver allocate',
    frameBodyBytesMax: 1_310_720,
    hex: header('ffffffff', '12', '00000000000001'),
    fault: 'too-large',
  },
  {
    name: 'flags',
    what: 'No flag is known',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000000', '03', '01000000000001'),
    fault: 'reserved-not-zero',
  },
  {
    name: 'reserved',
    what: 'The reserved bytes are zero',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000000', '03', '00000100000001'),
    fault: 'reserved-not-zero',
  },
  {
    name: 'cut-off-key',
    what: 'A Get whose key ends behind the body',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000003', '10', '00000000000001') + '0a0561',
    fault: 'body',
  },
  {
    name: 'field-zero',
    what: 'There is no field 0',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000002', '10', '00000000000001') + '0001',
    fault: 'body',
  },
  {
    name: 'not-utf8',
    what: 'A namespace that is not UTF-8',
    frameBodyBytesMax: 1_310_720,
    hex: header('00000003', '10', '00000000000001') + '1a01ff',
    fault: 'body',
  },
  {
    name: 'short-nonce',
    what: 'The nonce of a peer has 32 bytes',
    frameBodyBytesMax: 4_096,
    hex: header('0000002a', '01', '00000000000001') + `20014210${'0a'.repeat(16)}4a02a1a15a10${'0b'.repeat(16)}`,
    fault: 'body',
  },
  {
    name: 'short-proof',
    what: 'A proof has 32 bytes',
    frameBodyBytesMax: 4_096,
    hex: header('00000004', '08', '00000000000001') + '0a02a1a1',
    fault: 'body',
  },
  {
    name: 'unknown-role',
    what: 'There are three roles',
    frameBodyBytesMax: 4_096,
    hex: header('00000002', '01', '00000000000001') + '2009',
    fault: 'body',
  },
];
