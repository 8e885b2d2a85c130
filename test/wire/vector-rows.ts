/* What the golden frames of protocol/vectors say. Bytes are `0x` and hexadecimal digits. vectors.ts makes the frames. */
import type { Failure } from '../../src/model/errors.js';
import * as kinds from '../../src/wire/kinds.js';

const NODE = '000102030405060708090a0b0c0d0e0f';
const OTHER_NODE = '0f0e0d0c0b0a09080706050403020100';
const CLUSTER_ID = 'ffeeddccbbaa99887766554433221100';
const NONCE = `0x${'a1'.repeat(32)}`;
const OTHER_NONCE = `0x${'b2'.repeat(32)}`;
/**
 * The proofs that belong to the connection of the vectors, made with the secret `0123456789abcdef` by other software:
 * test/node/peers/proof.test.ts holds the code to them.
 */
export const ACCEPTOR_PROOF = '0x523602bcb9dc10529c871ad07a86b0b9dff130cda8f142fa0c60743322f5a8bc';
export const DIALER_PROOF = '0x5eac1688a4956205fe3010a30e1186ecdf16aa67a53101afae2062e31b07c7f7';
const PUT_ID = '0x65f0a0b00123456789abcdef';
const WRITTEN = 1_710_268_592_123;
const ORIGIN = { nodeId: NODE, ringVersion: 3, acked: 1, durable: true, sloppy: false };
const HEAD = { budgetMs: 1_000, namespace: '', ringVersion: 3 };
/** Looks like one, is none: contexts are opaque to whoever reads these files. */
const CONTEXT = '0xc0ffee';
const PUT = {
  key: '0x757365723a31',
  value: '0x68656c6c6f',
  context: '0x',
  putId: PUT_ID,
  retry: false,
  ...HEAD,
  w: 0,
  strict: false,
  durable: false,
  ttlMs: 0,
  returnSiblings: false,
};
const STAMP = { ringVersion: 3, fence: 4 };
const STORE = { partition: 77, ...STAMP, budgetMs: 900, record: '0xdecade' };
const DELETE = { ...PUT, value: undefined };
const failed = (code: Failure['code'], text: string, retryable: boolean, outcomeUnknown: boolean): object => ({
  code,
  text,
  retryable,
  outcomeUnknown,
  ringVersion: 3,
});

export type Row = readonly [name: string, what: string, kind: number, requestId: number, message: unknown];

export const ROWS: Readonly<Record<string, readonly Row[]>> = {
  connection: [
    [
      'hello',
      'A client that speaks version 1 and takes any cluster',
      kinds.HELLO,
      1,
      {
        versionMin: 1,
        versionMax: 1,
        cluster: '',
        role: 'client',
        token: '0x',
        features: 0,
        clientName: 'example/1.0',
      },
    ],
    [
      'hello-admin',
      'A tool on the admin socket, with a token and the cluster that it means',
      kinds.HELLO,
      1,
      {
        versionMin: 1,
        versionMax: 2,
        cluster: 'prod',
        role: 'admin',
        token: '0x736563726574',
        features: 0,
        clientName: 'partita',
      },
    ],
    [
      'hello-peer',
      'A node that connects to another: who it is, and its nonce',
      kinds.HELLO,
      0,
      {
        versionMin: 1,
        versionMax: 1,
        cluster: 'prod',
        role: 'peer',
        token: '0x',
        features: 0,
        clientName: '',
        peer: { nodeId: NODE, clusterId: CLUSTER_ID, nonce: NONCE, ringVersion: 3 },
      },
    ],
    [
      'challenge',
      'Its answer: who was reached, its nonce, and its proof that it knows the secret, here `0123456789abcdef`',
      kinds.CHALLENGE,
      0,
      { nodeId: OTHER_NODE, nonce: OTHER_NONCE, proof: ACCEPTOR_PROOF },
    ],
    ['proof', 'The proof of the node that connected', kinds.PROOF, 0, { proof: DIALER_PROOF }],
    [
      'hello-reply',
      'Accepted: version 1, and the limits from now on',
      kinds.HELLO_REPLY,
      1,
      {
        version: 1,
        cluster: 'prod',
        clusterId: CLUSTER_ID,
        nodeId: NODE,
        ringVersion: 3,
        features: 0,
        valueBytesMax: 1_048_576,
        frameBodyBytesMax: 1_310_720,
        inFlightMax: 1_024,
      },
    ],
    ['ping', 'Are you there, within half a second?', kinds.PING, 2, { budgetMs: 500 }],
    ['pong', 'Yes', kinds.PONG, 2, { ringVersion: 3, wallMs: WRITTEN }],
    [
      'go-away',
      'A server that drains; it has request id 0, since nobody asked',
      kinds.GO_AWAY,
      0,
      { reason: 'The node is shutting down' },
    ],
    [
      'error',
      'A put that may or may not have happened',
      kinds.ERROR,
      7,
      failed('TIMEOUT', '0 of 1 replicas answered within 1000 ms', true, true),
    ],
    [
      'error-siblings-limit',
      'Too many siblings; the context to read and put again with',
      kinds.ERROR,
      0xffff_ffff,
      { ...failed('SIBLINGS_LIMIT', '100 siblings, at most 100 are allowed', false, false), context: CONTEXT },
    ],
    [
      'error-overloaded',
      'Try again in a quarter of a second',
      kinds.ERROR,
      8,
      { ...failed('OVERLOADED', 'The write buffer is full', true, false), retryAfterMs: 250 },
    ],
  ],
  data: [
    [
      'get',
      "The example of PROTOCOL.md: get user:1 within a second, at the cluster's R",
      kinds.GET,
      7,
      { key: '0x757365723a31', ...HEAD, r: 0, strict: false },
    ],
    [
      'get-strict',
      'Two owners must answer; fallbacks do not count',
      kinds.GET,
      8,
      { key: '0x5f5f70726f746f5f5f', ...HEAD, r: 2, strict: true },
    ],
    [
      'get-reply',
      'One version, and the context to replace it with',
      kinds.GET_REPLY,
      7,
      { siblings: [{ value: '0x68656c6c6f', writtenMs: WRITTEN, expiresMs: 0 }], context: CONTEXT, origin: ORIGIN },
    ],
    [
      'get-reply-siblings',
      'Two concurrent versions, one of them empty, one that expires',
      kinds.GET_REPLY,
      8,
      {
        siblings: [
          { value: '0x', writtenMs: WRITTEN, expiresMs: 0 },
          { value: '0x776f726c64', writtenMs: WRITTEN + 1, expiresMs: WRITTEN + 60_001 },
        ],
        context: CONTEXT,
        origin: { ...ORIGIN, acked: 2, sloppy: true },
      },
    ],
    [
      'get-reply-not-found',
      'Nothing was ever there',
      kinds.GET_REPLY,
      9,
      { siblings: [], context: '0x', origin: ORIGIN },
    ],
    [
      'get-reply-deleted',
      'Deleted: no version, but a context, to put a new one with',
      kinds.GET_REPLY,
      9,
      { siblings: [], context: CONTEXT, origin: ORIGIN },
    ],
    ['put', 'The first put of a key: no context', kinds.PUT, 10, PUT],
    ['put-retry', 'The same put sent again: same id, marked', kinds.PUT, 11, { ...PUT, retry: true, budgetMs: 400 }],
    [
      'put-all-fields',
      'Replaces what the context has seen, synced by two owners, for a day; answer with the siblings',
      kinds.PUT,
      12,
      { ...PUT, context: CONTEXT, w: 2, strict: true, durable: true, ttlMs: 86_400_000, returnSiblings: true },
    ],
    ['put-empty-value', 'An empty value is a value', kinds.PUT, 13, { ...PUT, value: '0x' }],
    ['delete', 'Deletes what the context has seen', kinds.DELETE, 14, { ...DELETE, context: CONTEXT }],
    [
      'put-reply',
      'Stored, and the only version: the context to replace it with',
      kinds.PUT_REPLY,
      10,
      { context: CONTEXT, siblings: [], siblingCount: 1, origin: ORIGIN },
    ],
    [
      'put-reply-concurrent',
      'Stored beside another version, which the client has not read: no context',
      kinds.PUT_REPLY,
      11,
      { context: '0x', siblings: [], siblingCount: 2, origin: { ...ORIGIN, durable: false } },
    ],
    [
      'put-reply-siblings',
      'Stored, with all versions as asked for',
      kinds.PUT_REPLY,
      12,
      {
        context: CONTEXT,
        siblings: [
          { value: '0x68656c6c6f', writtenMs: WRITTEN, expiresMs: 0 },
          { value: '0x21', writtenMs: WRITTEN, expiresMs: 0 },
        ],
        siblingCount: 2,
        origin: ORIGIN,
      },
    ],
  ],
  multi: [
    [
      'multi-get',
      'Two keys in one frame',
      kinds.MULTI_GET,
      20,
      {
        ...HEAD,
        gets: [
          { key: '0x61', ...HEAD, r: 0, strict: false },
          { key: '0x62', ...HEAD, r: 1, strict: true },
        ],
      },
    ],
    [
      'multi-get-reply',
      'One found, one failed, in the order of the request',
      kinds.MULTI_GET_REPLY,
      20,
      [
        { siblings: [{ value: '0x31', writtenMs: WRITTEN, expiresMs: 0 }], context: CONTEXT, origin: ORIGIN },
        { failure: failed('UNKNOWN_STATE', 'The record is damaged', true, false) },
      ],
    ],
    ['multi-put', 'A put and a delete', kinds.MULTI_PUT, 21, { ...HEAD, puts: [PUT, { ...DELETE, context: CONTEXT }] }],
    [
      'multi-put-reply',
      'One stored, one refused',
      kinds.MULTI_PUT_REPLY,
      21,
      [
        { context: CONTEXT, siblings: [], siblingCount: 1, origin: ORIGIN },
        { failure: failed('RETRY_TOO_LATE', 'The put id is 61 s old, at most 60 s are accepted', false, true) },
      ],
    ],
  ],
  peer: [
    [
      'store',
      'A record for an owner of partition 77, to be synced before the answer (no real record: opaque to whoever reads this)',
      kinds.STORE,
      50,
      { ...STORE, hintFor: 0, durable: true, reason: 'put' },
    ],
    [
      'store-hint',
      'The same for a stand-in, which keeps it for the owner with ordinal 2',
      kinds.STORE,
      51,
      { ...STORE, hintFor: 2, durable: false, reason: 'put' },
    ],
    ['store-reply', 'Stored and synced', kinds.STORE_REPLY, 50, { ...STAMP, durable: true, hinted: false }],
    [
      'read',
      'What does this replica have?',
      kinds.READ,
      52,
      { key: '0x757365723a31', partition: 77, ringVersion: 3, budgetMs: 800 },
    ],
    ['read-reply', 'This record', kinds.READ_REPLY, 52, { state: 'found', ...STAMP, reason: '', record: '0xdecade' }],
    ['read-reply-absent', 'Nothing', kinds.READ_REPLY, 53, { state: 'absent', ...STAMP, reason: '', record: '0x' }],
    [
      'read-reply-unknown',
      'It may lack what was acknowledged: never counted',
      kinds.READ_REPLY,
      54,
      { state: 'unknown', ...STAMP, reason: 'The partition is suspect', record: '0x' },
    ],
    [
      'forward',
      'A Get of a client, handed on with what is left of its time',
      kinds.FORWARD,
      55,
      { kind: kinds.GET, budgetMs: 700, ringVersion: 3, body: '0x0a06757365723a31' },
    ],
    [
      'forward-reply',
      'The body of the GetReply, for the client as it is',
      kinds.FORWARD_REPLY,
      55,
      { kind: kinds.GET_REPLY, body: '0x1203c0ffee' },
    ],
  ],
  ring: [
    ['ring-fetch', 'The ring, if it is newer than version 2', kinds.RING_FETCH, 30, { knownVersion: 2 }],
    [
      'ring-reply',
      'Four partitions on two nodes, N = 2',
      kinds.RING_REPLY,
      30,
      {
        version: 3,
        clusterId: CLUSTER_ID,
        partitionCount: 4,
        replicaCount: 2,
        members: [
          { nodeId: NODE, ordinal: 1, address: '127.0.0.1:7411', zone: 'a' },
          { nodeId: OTHER_NODE, ordinal: 2, address: '127.0.0.1:7412', zone: 'b' },
        ],
        owners: [1, 2, 2, 1, 1, 2, 2, 1],
      },
    ],
    [
      'explain',
      'What is stored under a key?',
      kinds.EXPLAIN,
      31,
      { key: '0x757365723a31', budgetMs: 1_000, namespace: '' },
    ],
    [
      'explain-reply',
      'One version and one that a retry hides',
      kinds.EXPLAIN_REPLY,
      31,
      {
        found: true,
        partition: 77,
        keyHash: '4d2b6b1c8f0a9e35',
        recordBytes: 215,
        state: 'ok',
        storedIn: 'buffer',
        mark: '0001a1b2c3d4e5f6:2',
        context: [{ actor: '0001a1b2c3d4e5f6', counter: 2 }],
        siblings: [
          {
            dot: '0001a1b2c3d4e5f6:1',
            tombstone: false,
            writtenMs: WRITTEN,
            logical: 0,
            expiresMs: 0,
            putId: '65f0a0b00123456789abcdef',
            valueBytes: 5,
            hidden: '',
          },
          {
            dot: '0001a1b2c3d4e5f6:2',
            tombstone: false,
            writtenMs: WRITTEN,
            logical: 1,
            expiresMs: 0,
            putId: '65f0a0b00123456789abcdef',
            valueBytes: 5,
            hidden: 'the same put, seen twice',
          },
        ],
        rememberedPutIds: [],
        cutSeconds: 0,
      },
    ],
  ],
};
