/*
 * Message kinds: the fifth byte of a frame. A number is never reused. The groups say which listener serves a kind; the
 * few that manage the connection itself are served by all three.
 *
 *   0x01..0x0f  connection   hello and its proofs, ping, go-away, error
 *   0x10..0x3f  data         client listener (and admin, for its tools)
 *   0x40..0x7f  peer         nodes among themselves
 *   0x80..0xbf  admin        the unix socket alone
 */

export const HELLO = 0x01;
export const HELLO_REPLY = 0x02;
export const PING = 0x03;
export const PONG = 0x04;
export const GO_AWAY = 0x05;
export const ERROR = 0x06;
export const CHALLENGE = 0x07;
export const PROOF = 0x08;

export const GET = 0x10;
export const GET_REPLY = 0x11;
export const PUT = 0x12;
export const PUT_REPLY = 0x13;
/** Answered by PUT_REPLY. */
export const DELETE = 0x14;
export const MULTI_GET = 0x16;
export const MULTI_GET_REPLY = 0x17;
export const MULTI_PUT = 0x18;
export const MULTI_PUT_REPLY = 0x19;
export const RING_FETCH = 0x1a;
export const RING_REPLY = 0x1b;
export const EXPLAIN = 0x1c;
export const EXPLAIN_REPLY = 0x1d;

export const STORE = 0x40;
export const STORE_REPLY = 0x41;
export const READ = 0x42;
export const READ_REPLY = 0x43;
export const FORWARD = 0x44;
export const FORWARD_REPLY = 0x45;

export const TREE = 0x46;
export const TREE_REPLY = 0x47;
export const LEAVES = 0x48;
export const LEAVES_REPLY = 0x49;
export const PULL = 0x4a;
export const PULL_REPLY = 0x4b;

/** Each is answered by the kind that follows it. */
export const REAP_ASK = 0x50;
export const REAP_ASK_REPLY = 0x51;
export const REAP = 0x52;
export const REAP_REPLY = 0x53;
export const REAP_LOG = 0x54;
export const REAP_LOG_REPLY = 0x55;
export const FENCES = 0x56;
export const FENCES_REPLY = 0x57;
export const REAPED = 0x58;
export const REAPED_REPLY = 0x59;
export const RING_PREPARE = 0x5a;
export const RING_PREPARE_REPLY = 0x5b;
export const RING_ACCEPT = 0x5c;
export const RING_ACCEPT_REPLY = 0x5d;
export const RING_LEARN = 0x5e;
export const RING_LEARN_REPLY = 0x5f;

export const GOSSIP = 0x60;
export const GOSSIP_REPLY = 0x61;

export const LOADS = 0x6c;
export const LOADS_REPLY = 0x6d;

export const TRANSFER_OPEN = 0x62;
export const TRANSFER_OPEN_REPLY = 0x63;
export const TRANSFER_CHUNK = 0x64;
export const TRANSFER_CHUNK_REPLY = 0x65;
export const TRANSFER_CLOSE = 0x66;
export const TRANSFER_CLOSE_REPLY = 0x67;

/** For whoever plans a change of the ring. */
export const SPACE = 0x6e;
export const SPACE_REPLY = 0x6f;

export const ARCHIVE_STATE = 0x68;
export const ARCHIVE_STATE_REPLY = 0x69;
export const ARCHIVE_RECORDS = 0x6a;
export const ARCHIVE_RECORDS_REPLY = 0x6b;

export const RESTORE_OPEN = 0x70;
export const RESTORE_OPEN_REPLY = 0x71;
export const RESTORE_PIECE = 0x72;
export const RESTORE_PIECE_REPLY = 0x73;
export const RESTORE_TAKE = 0x74;
export const RESTORE_TAKE_REPLY = 0x75;

export const HINTS = 0x80;
export const HINTS_REPLY = 0x81;
export const KEYS = 0x82;
export const KEYS_REPLY = 0x83;
export const BACKGROUND = 0x90;
export const BACKGROUND_REPLY = 0x91;
export const SCRUB = 0x92;
export const SCRUB_REPLY = 0x93;
export const CLUSTER = 0x94;
export const CLUSTER_REPLY = 0x95;
export const ARCHIVE = 0x96;
export const ARCHIVE_REPLY = 0x97;
export const REPAIR = 0x88;
export const REPAIR_REPLY = 0x89;
export const BALANCE = 0x98;
export const BALANCE_REPLY = 0x99;

export type KindGroup = 'connection' | 'data' | 'peer' | 'admin' | 'unknown';

export function groupOfKind(kind: number): KindGroup {
  if (kind >= 0x01 && kind <= 0x0f) return 'connection';
  if (kind >= 0x10 && kind <= 0x3f) return 'data';
  if (kind >= 0x40 && kind <= 0x7f) return 'peer';
  if (kind >= 0x80 && kind <= 0xbf) return 'admin';
  return 'unknown';
}

const NAMES: ReadonlyMap<number, string> = new Map([
  [HELLO, 'HELLO'],
  [HELLO_REPLY, 'HELLO_REPLY'],
  [PING, 'PING'],
  [PONG, 'PONG'],
  [GO_AWAY, 'GO_AWAY'],
  [ERROR, 'ERROR'],
  [CHALLENGE, 'CHALLENGE'],
  [PROOF, 'PROOF'],
  [GET, 'GET'],
  [GET_REPLY, 'GET_REPLY'],
  [PUT, 'PUT'],
  [PUT_REPLY, 'PUT_REPLY'],
  [DELETE, 'DELETE'],
  [MULTI_GET, 'MULTI_GET'],
  [MULTI_GET_REPLY, 'MULTI_GET_REPLY'],
  [MULTI_PUT, 'MULTI_PUT'],
  [MULTI_PUT_REPLY, 'MULTI_PUT_REPLY'],
  [RING_FETCH, 'RING_FETCH'],
  [RING_REPLY, 'RING_REPLY'],
  [EXPLAIN, 'EXPLAIN'],
  [EXPLAIN_REPLY, 'EXPLAIN_REPLY'],
  [STORE, 'STORE'],
  [STORE_REPLY, 'STORE_REPLY'],
  [READ, 'READ'],
  [READ_REPLY, 'READ_REPLY'],
  [FORWARD, 'FORWARD'],
  [FORWARD_REPLY, 'FORWARD_REPLY'],
  [TREE, 'TREE'],
  [TREE_REPLY, 'TREE_REPLY'],
  [LEAVES, 'LEAVES'],
  [LEAVES_REPLY, 'LEAVES_REPLY'],
  [PULL, 'PULL'],
  [PULL_REPLY, 'PULL_REPLY'],
  [REAP_ASK, 'REAP_ASK'],
  [REAP_ASK_REPLY, 'REAP_ASK_REPLY'],
  [REAP, 'REAP'],
  [REAP_REPLY, 'REAP_REPLY'],
  [REAP_LOG, 'REAP_LOG'],
  [REAP_LOG_REPLY, 'REAP_LOG_REPLY'],
  [FENCES, 'FENCES'],
  [FENCES_REPLY, 'FENCES_REPLY'],
  [REAPED, 'REAPED'],
  [REAPED_REPLY, 'REAPED_REPLY'],
  [RING_PREPARE, 'RING_PREPARE'],
  [RING_PREPARE_REPLY, 'RING_PREPARE_REPLY'],
  [RING_ACCEPT, 'RING_ACCEPT'],
  [RING_ACCEPT_REPLY, 'RING_ACCEPT_REPLY'],
  [RING_LEARN, 'RING_LEARN'],
  [RING_LEARN_REPLY, 'RING_LEARN_REPLY'],
  [GOSSIP, 'GOSSIP'],
  [GOSSIP_REPLY, 'GOSSIP_REPLY'],
  [LOADS, 'LOADS'],
  [LOADS_REPLY, 'LOADS_REPLY'],
  [TRANSFER_OPEN, 'TRANSFER_OPEN'],
  [TRANSFER_OPEN_REPLY, 'TRANSFER_OPEN_REPLY'],
  [TRANSFER_CHUNK, 'TRANSFER_CHUNK'],
  [TRANSFER_CHUNK_REPLY, 'TRANSFER_CHUNK_REPLY'],
  [TRANSFER_CLOSE, 'TRANSFER_CLOSE'],
  [TRANSFER_CLOSE_REPLY, 'TRANSFER_CLOSE_REPLY'],
  [SPACE, 'SPACE'],
  [SPACE_REPLY, 'SPACE_REPLY'],
  [ARCHIVE_STATE, 'ARCHIVE_STATE'],
  [ARCHIVE_STATE_REPLY, 'ARCHIVE_STATE_REPLY'],
  [ARCHIVE_RECORDS, 'ARCHIVE_RECORDS'],
  [ARCHIVE_RECORDS_REPLY, 'ARCHIVE_RECORDS_REPLY'],
  [RESTORE_OPEN, 'RESTORE_OPEN'],
  [RESTORE_OPEN_REPLY, 'RESTORE_OPEN_REPLY'],
  [RESTORE_PIECE, 'RESTORE_PIECE'],
  [RESTORE_PIECE_REPLY, 'RESTORE_PIECE_REPLY'],
  [RESTORE_TAKE, 'RESTORE_TAKE'],
  [RESTORE_TAKE_REPLY, 'RESTORE_TAKE_REPLY'],
  [HINTS, 'HINTS'],
  [HINTS_REPLY, 'HINTS_REPLY'],
  [KEYS, 'KEYS'],
  [KEYS_REPLY, 'KEYS_REPLY'],
  [BACKGROUND, 'BACKGROUND'],
  [BACKGROUND_REPLY, 'BACKGROUND_REPLY'],
  [SCRUB, 'SCRUB'],
  [SCRUB_REPLY, 'SCRUB_REPLY'],
  [CLUSTER, 'CLUSTER'],
  [CLUSTER_REPLY, 'CLUSTER_REPLY'],
  [ARCHIVE, 'ARCHIVE'],
  [ARCHIVE_REPLY, 'ARCHIVE_REPLY'],
  [REPAIR, 'REPAIR'],
  [REPAIR_REPLY, 'REPAIR_REPLY'],
  [BALANCE, 'BALANCE'],
  [BALANCE_REPLY, 'BALANCE_REPLY'],
]);

/** For messages to people: `GET`, or `0x9c` for a kind that this build does not know. */
export function nameOfKind(kind: number): string {
  return NAMES.get(kind) ?? `0x${kind.toString(16).padStart(2, '0')}`;
}

export const KNOWN_KINDS: readonly number[] = [...NAMES.keys()];
