/*
 * The messages of the data group as the rest of the program sees them: plain objects, no protobuf class, no Long.
 * wire/ turns them into bytes and back; protocol/PROTOCOL.md says what each field means.
 */
import type { Build } from './build.js';
import type { Failure } from './errors.js';

/** Which of the three listeners a connection came in by; each serves its own group of kinds. */
export type ListenerGroup = 'client' | 'peer' | 'admin';
export type Role = 'client' | 'peer' | 'admin';

export interface Hello {
  readonly versionMin: number;
  readonly versionMax: number;
  /** Empty: any cluster will do. */
  readonly cluster: string;
  readonly role: Role;
  readonly token: Uint8Array;
  readonly features: number;
  readonly clientName: string;
  /** Of a node that wants to talk to another; the rest of its credentials is proved, not sent. */
  readonly peer?: PeerHello;
}

/** Ids are 32 hexadecimal digits. */
export interface PeerHello {
  readonly nodeId: string;
  readonly clusterId: string;
  readonly nonce: Uint8Array;
  readonly ringVersion: number;
  /** Absent: a release that says nothing of levels, FIRST_BUILD. */
  readonly build?: Build;
}

/** The answer to the Hello of a peer. */
export interface Challenge {
  readonly nodeId: string;
  readonly nonce: Uint8Array;
  readonly proof: Uint8Array;
}

export interface HelloReply {
  readonly version: number;
  readonly cluster: string;
  readonly clusterId: string;
  readonly nodeId: string;
  readonly ringVersion: number;
  readonly features: number;
  readonly valueBytesMax: number;
  readonly frameBodyBytesMax: number;
  readonly inFlightMax: number;
  /** As in PeerHello. */
  readonly build?: Build;
}

/** What get, put and delete share. `budgetMs` is the time that the asker still has, 1..60_000. */
export interface RequestHead {
  readonly budgetMs: number;
  readonly namespace: string;
  /** The ring version that the asker knows; 0: none. */
  readonly ringVersion: number;
}

export interface GetRequest extends RequestHead {
  readonly key: Uint8Array;
  /** Replicas to hear; 0: the cluster's R. */
  readonly r: number;
  readonly strict: boolean;
}

export interface PutRequest extends RequestHead {
  readonly key: Uint8Array;
  /** undefined in a delete. */
  readonly value: Uint8Array | undefined;
  /** Opaque bytes of an earlier reply; empty: none. */
  readonly context: Uint8Array;
  /** 12 bytes: seconds of the first attempt (u32), 64 random bits. */
  readonly putId: Uint8Array;
  /** True on every resend of the same put, by whomever. */
  readonly retry: boolean;
  readonly w: number;
  readonly strict: boolean;
  /** Ask for an ack only after the sync, whatever the node's default. */
  readonly durable: boolean;
  /** 0: never expires. */
  readonly ttlMs: number;
  /** Answer with the siblings and their context, as a get would. */
  readonly returnSiblings: boolean;
  /** 1 + ms since the HELLO of this connection, by the sender's clock; 0 or absent: not told. */
  readonly sentMs?: number;
}

export interface SiblingMessage {
  readonly value: Uint8Array;
  /** HLC of the version, wall part, ms since 1970. */
  readonly writtenMs: number;
  /** 0: never. */
  readonly expiresMs: number;
}

/** Where an answer came from: shown by the SDK and the command line. */
export interface ReplyOrigin {
  readonly nodeId: string;
  readonly ringVersion: number;
  readonly acked: number;
  readonly durable: boolean;
  readonly sloppy: boolean;
  /** Ordinals of the owners that count towards R or W, and of the fallbacks that stood in. */
  readonly owners: readonly number[];
  readonly fallbacks: readonly number[];
  /** Of a read: ordinal of the node that answered first, where the next put of the key is best sent (§5); 0: not said. */
  readonly fastest: number;
}

export interface GetReply {
  /** Versions to be seen, none: not found. A context may come even then: of a deleted key. */
  readonly siblings: readonly SiblingMessage[];
  readonly context: Uint8Array;
  readonly origin: ReplyOrigin;
}

export interface PutReply {
  /** Empty unless the new version is the only one, or `siblings` came with it. */
  readonly context: Uint8Array;
  readonly siblings: readonly SiblingMessage[];
  /** How many versions are now to be seen, this one included. */
  readonly siblingCount: number;
  readonly origin: ReplyOrigin;
}

export type ManyReply<T> = readonly (T | { readonly failure: Failure })[];

/** A ring as clients need it: who owns what. */
export interface RingMessage {
  readonly version: number;
  readonly clusterId: string;
  readonly partitionCount: number;
  readonly replicaCount: number;
  readonly members: readonly RingMemberMessage[];
  /** partitionCount × replicaCount ordinals; the first of each row is the token's owner. */
  readonly owners: readonly number[];
}

export interface RingMemberMessage {
  readonly nodeId: string;
  /** 16 bits, given by the ring, never reused: the first part of the actors that the node mints. */
  readonly ordinal: number;
  readonly address: string;
  readonly zone: string;
}

/** `partita hints`: what a node keeps for others (§4.6). */
export interface HintsReply {
  /** Those for whom hints wait, by ordinal. */
  readonly owners: readonly HintsOfOwner[];
  readonly count: number;
  readonly bytes: number;
  /** Beyond it hints are refused; 0: none are kept here. */
  readonly bytesMax: number;
  /** The node's clock, to tell ages by. */
  readonly wallMs: number;
}

export interface HintsOfOwner {
  readonly ordinal: number;
  /** Empty: no member of the ring any more. */
  readonly nodeId: string;
  readonly count: number;
  /** Of the records. */
  readonly bytes: number;
  /** Wall clock when the oldest came. */
  readonly oldestMs: number;
}

/** `partita keys`: which keys a node has, in pages. */
export interface KeysRequest {
  readonly budgetMs: number;
  readonly prefix: Uint8Array;
  /** null: all that the node owns. */
  readonly partition: number | null;
  /** Only partitions of which the node is the first owner. */
  readonly firstOwner: boolean;
  /** Also keys of which readers are shown nothing. */
  readonly all: boolean;
  /** Empty: from the start. */
  readonly cursor: Uint8Array;
  readonly limit: number;
}

export interface KeysReply {
  readonly keys: readonly ListedKey[];
  /** Empty: this was all. */
  readonly cursor: Uint8Array;
  readonly nodeId: string;
  readonly ringVersion: number;
  readonly partitionCount: number;
  /** Partitions that are listed, how many of them are done, and how many may lack keys. */
  readonly selected: number;
  readonly done: number;
  readonly suspect: number;
  /** Looked at for this reply. */
  readonly records: number;
}

export interface ListedKey {
  /** Empty: the record is damaged, and its key was too long to be kept beside it. */
  readonly key: Uint8Array;
  /** 16 hexadecimal digits. */
  readonly hash: string;
  readonly partition: number;
  /** Versions that readers are shown. */
  readonly siblings: number;
  readonly tombstones: number;
  readonly expired: number;
  readonly recordBytes: number;
  /** Of the newest version. */
  readonly writtenMs: number;
  readonly damaged: boolean;
}

/** `partita background`: what background work is given, and why (§6.5). Durations are p99s, in microseconds. */
export interface BackgroundReply {
  /** 0: nothing is held back on this node. */
  readonly bytesPerSecond: number;
  readonly bytesPerSecondMin: number;
  readonly bytesPerSecondMax: number;
  readonly cause: string;
  readonly getsUs: number;
  readonly putsUs: number;
  readonly loopDelayUs: number;
  readonly syncUs: number;
  readonly requestTargetUs: number;
  readonly loopDelayTargetUs: number;
  readonly syncTargetUs: number;
  readonly tasks: readonly BackgroundTask[];
}

export interface BackgroundTask {
  readonly name: string;
  readonly waiting: number;
  readonly slices: number;
  readonly bytes: number;
}

/** `partita scrub`: how far it is, and what it has found since the node was started. */
export interface ScrubReply {
  /** 0: nothing is scrubbed on this node. */
  readonly periodMs: number;
  /** That is being read, + 1; 0: none. */
  readonly partition: number;
  readonly leaf: number;
  readonly leafCount: number;
  readonly waiting: number;
  readonly partitions: number;
  readonly records: number;
  readonly bytes: number;
  readonly damaged: number;
  readonly wrongLeaves: number;
  readonly broken: number;
  readonly repaired: number;
  readonly repairsWaiting: number;
  readonly givenUp: number;
}

/** `partita explain`: everything stored under a key but the values. */
export interface ExplainReply {
  readonly found: boolean;
  readonly partition: number;
  readonly keyHash: string;
  readonly recordBytes: number;
  readonly state: 'ok' | 'absent' | 'damaged' | 'suspect';
  readonly storedIn: string;
  readonly mark: string;
  readonly context: readonly { readonly actor: string; readonly counter: number }[];
  readonly siblings: readonly ExplainSibling[];
  readonly rememberedPutIds: readonly string[];
  readonly cutSeconds: number;
  /** Why a delete is still remembered, and whom it waits for; empty: nothing here is to be reaped. */
  readonly reaping: string;
}

export interface ExplainSibling {
  readonly dot: string;
  readonly tombstone: boolean;
  readonly writtenMs: number;
  readonly logical: number;
  readonly expiresMs: number;
  readonly putId: string;
  readonly valueBytes: number;
  /** Why a reader does not see it; empty: it does. */
  readonly hidden: string;
}
