/*
 * A node of the tests: what it stores and how it would answer, left alone. The context that it gives out is the number of
 * versions seen, as text; a put with any context replaces what is there, one without makes a sibling.
 */
import { ERROR_CODES } from '../../src/model/errors.js';
import type { Failure } from '../../src/model/errors.js';
import type { ExplainReply, GetReply, PutReply, RingMessage, SiblingMessage } from '../../src/model/messages.js';
import {
  ReplyParts,
  encodeOrigin,
  sizeOfGetReplyFrame,
  sizeOfPutReplyFrame,
  writeGetReplyFrame,
  writePutReplyFrame,
} from '../../src/wire/write-replies.js';
import type { ScriptedPeer } from './scripted-peer.js';

export const NODE_ID = '0123456789abcdef0123456789abcdef';

/** A request as a script sees it; bytes are copies. */
export interface Request {
  readonly kind: number;
  readonly id: number;
  readonly body: Uint8Array;
  /** Of get, put, delete and explain. */
  readonly key: string;
  readonly budgetMs: number;
  readonly ringVersion: number;
  readonly value: Uint8Array | undefined;
  readonly context: Uint8Array;
  readonly putId: string;
  readonly retry: boolean;
  readonly durable: boolean;
  readonly ttlMs: number;
}

/** Answers true when it has dealt with the request, also by doing nothing. */
export type Script = (request: Request, peer: ScriptedPeer) => boolean;

/** What the connections of one fake node share. */
export interface FakeNode {
  nodeId: string;
  address: string;
  ring: RingMessage;
  script: Script | null;
  /** Asked before the greeting is answered; a failure refuses it. */
  refuse: ((token: Uint8Array) => Failure | null) | null;
  silent: boolean;
  /** Ordinal that its replies to a get name as the fastest; null: its own. */
  fastest: number | null;
  inFlightMax: number;
  frameBodyBytesMax: number;
  readonly store: Map<string, SiblingMessage[]>;
  /** Every data request, in order. */
  readonly requests: Request[];
  readonly tokens: string[];
  /** Of every greeting. */
  readonly roles: string[];
}

export function fakeNode(address: string, nodeId: string = NODE_ID): FakeNode {
  return {
    nodeId,
    address,
    ring: ringOf([{ nodeId, address }]),
    script: null,
    refuse: null,
    silent: false,
    fastest: null,
    inFlightMax: 1_024,
    frameBodyBytesMax: 2_097_152,
    store: new Map(),
    requests: [],
    tokens: [],
    roles: [],
  };
}

/** A ring in which member i, of ordinal i + 1, owns every partition p with p mod n = i; N = 1 unless said otherwise. */
export function ringOf(
  members: readonly { readonly nodeId: string; readonly address: string }[],
  version: number = 1,
  replicaCount: number = 1,
): RingMessage {
  const partitionCount = 16;
  const owners: number[] = [];
  for (let p = 0; p < partitionCount; p++)
    for (let r = 0; r < replicaCount; r++) owners.push(1 + ((p + r) % members.length));
  return {
    version,
    clusterId: 'test',
    partitionCount,
    replicaCount,
    owners,
    members: members.map((member, i) => ({ ...member, ordinal: i + 1, zone: `zone-${i + 1}` })),
  };
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('utf8');
}

/** The context of the fake node is the number of versions that it covers, as text. */
function contextOf(versions: number): Uint8Array {
  return Buffer.from(`seen:${versions}`);
}

function originOf(node: FakeNode): Uint8Array {
  return encodeOrigin(plainOrigin(node));
}

function plainOrigin(node: FakeNode): GetReply['origin'] {
  const { nodeId, ring } = node;
  const ordinal = ring.members.find((member) => member.nodeId === nodeId)?.ordinal ?? 0;
  return {
    nodeId,
    ringVersion: ring.version,
    acked: 1,
    durable: true,
    sloppy: false,
    owners: [ordinal],
    fallbacks: [],
    fastest: node.fastest ?? ordinal,
  };
}

export function get(node: FakeNode, key: string): GetReply {
  const siblings = node.store.get(key) ?? [];
  return {
    siblings,
    context: siblings.length === 0 ? new Uint8Array(0) : contextOf(siblings.length),
    origin: plainOrigin(node),
  };
}

/** A put with a context replaces what is there; without one it makes a sibling. */
export function put(
  node: FakeNode,
  write: Pick<Request, 'key' | 'value' | 'context'> & { readonly durable: boolean },
): PutReply {
  const kept = write.context.length > 0 ? [] : (node.store.get(write.key) ?? []);
  const added =
    write.value === undefined ? [] : [{ value: write.value, writtenMs: 1_700_000_000_000 + kept.length, expiresMs: 0 }];
  const siblings = [...kept, ...added];
  node.store.set(write.key, siblings);
  return {
    siblings: [],
    siblingCount: siblings.length,
    context: siblings.length === 1 ? contextOf(1) : new Uint8Array(0),
    origin: plainOrigin(node),
  };
}

export function getReplyFrame(node: FakeNode, id: number, reply: Pick<GetReply, 'siblings' | 'context'>): Uint8Array {
  const parts = partsOf(reply);
  const origin = originOf(node);
  const bytes = new Uint8Array(sizeOfGetReplyFrame(parts, origin));
  writeGetReplyFrame(bytes, 0, id, parts, origin);
  return bytes;
}

export function putReplyFrame(
  node: FakeNode,
  id: number,
  reply: Pick<PutReply, 'siblings' | 'context' | 'siblingCount'>,
): Uint8Array {
  const parts = partsOf(reply);
  const origin = originOf(node);
  const bytes = new Uint8Array(sizeOfPutReplyFrame(parts, reply.siblingCount, origin));
  writePutReplyFrame(bytes, 0, id, parts, reply.siblingCount, origin);
  return bytes;
}

function partsOf(reply: Pick<GetReply, 'siblings' | 'context'>): ReplyParts {
  const parts = new ReplyParts();
  for (const { value, writtenMs, expiresMs } of reply.siblings)
    parts.addSibling(value, 0, value.length, writtenMs, expiresMs);
  parts.setContext(reply.context, 0, reply.context.length);
  return parts;
}

export function explained(node: FakeNode, key: string): ExplainReply {
  const siblings = node.store.get(key) ?? [];
  return {
    found: siblings.length > 0,
    partition: 7,
    keyHash: '00112233aabbccdd',
    recordBytes: siblings.length === 0 ? 0 : 120,
    state: siblings.length === 0 ? 'absent' : 'ok',
    storedIn: siblings.length === 0 ? '' : 'buffer',
    mark: '0001a1b2c3d4e5f6:1',
    context: siblings.length === 0 ? [] : [{ actor: '0001a1b2c3d4e5f6', counter: siblings.length }],
    siblings: siblings.map((sibling, i) => ({
      dot: `0001a1b2c3d4e5f6:${i + 1}`,
      tombstone: false,
      writtenMs: sibling.writtenMs,
      logical: 0,
      expiresMs: 0,
      putId: '0102030405060708090a0b0c',
      valueBytes: sibling.value.length,
      hidden: '',
    })),
    rememberedPutIds: [],
    cutSeconds: 0,
    reaping: '',
  };
}

/** A failure as the server's table has it. */
export function failed(code: keyof typeof ERROR_CODES, text: string, outcomeUnknown: boolean = false): Failure {
  return { code, text, retryable: ERROR_CODES[code].retryable, outcomeUnknown };
}
