/* Every message that is plain objects on both sides: what may be in it, and how it is written and read. */
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import * as admin from '../../src/wire/codec-admin.js';
import * as background from '../../src/wire/codec-background.js';
import * as exchange from '../../src/wire/codec-exchange.js';
import * as connection from '../../src/wire/codec-connection.js';
import * as listing from '../../src/wire/codec-keys.js';
import * as multi from '../../src/wire/codec-multi.js';
import * as reap from '../../src/wire/codec-reap.js';
import * as ring from '../../src/wire/codec-ring.js';
import { CLUSTER_CODECS } from './codecs-cluster.js';
import { GOSSIP_CODECS } from './codecs-gossip.js';
import {
  bytes,
  deleteRequest,
  failure,
  getReply,
  getRequest,
  putReply,
  putRequest,
  text,
  u32,
  u53,
} from './arbitrary.js';
import { type Codec, RING_LOG_CODECS } from './ring-log-codecs.js';
import { ARCHIVE_CODECS } from './codecs-archive.js';
import { LOADS_CODECS } from './codecs-loads.js';
import { TRANSFER_CODECS } from './codecs-transfer.js';

const hexId = fc.uint8Array({ minLength: 16, maxLength: 16 }).map(toHex);
const members = fc.array(fc.record({ nodeId: hexId, ordinal: fc.nat(65_535), address: text, zone: text }), {
  maxLength: 4,
});

const backgroundReply = fc.record({
  bytesPerSecond: u53,
  bytesPerSecondMin: u53,
  bytesPerSecondMax: u53,
  cause: fc.string(),
  getsUs: u53,
  putsUs: u53,
  loopDelayUs: u53,
  syncUs: u53,
  requestTargetUs: u53,
  loopDelayTargetUs: u53,
  syncTargetUs: u53,
  tasks: fc.array(fc.record({ name: fc.string(), waiting: u32, slices: u53, bytes: u53 }), { maxLength: 4 }),
});
const scrubReply = fc.record({
  periodMs: u53,
  partition: u32,
  leaf: u32,
  leafCount: u32,
  waiting: u32,
  partitions: u53,
  records: u53,
  bytes: u53,
  damaged: u53,
  wrongLeaves: u53,
  broken: u53,
  repaired: u53,
  repairsWaiting: u53,
  givenUp: u53,
});
const hintsOfOwner = fc.record({ ordinal: fc.nat(65_535), nodeId: hexId, count: u53, bytes: u53, oldestMs: u53 });
const hintsReply = fc.record({
  owners: fc.array(hintsOfOwner, { maxLength: 4 }),
  count: u53,
  bytes: u53,
  bytesMax: u53,
  wallMs: u53,
});

const asked = { partition: u32, ringVersion: u32, budgetMs: u32 };
const hash = fc.record({ hi: u32, lo: u32 });
const later = hash.filter(({ hi, lo }) => hi + lo > 0);
const numbers = fc.array(u32, { maxLength: 20 });
const repairReply = fc.record({
  periodMs: u32,
  partitions: u32,
  suspect: numbers,
  waiting: u32,
  underWay: u32,
  met: u53,
  failed: u53,
  received: u53,
  sent: u53,
  bytesIn: u53,
  bytesOut: u53,
  young: u53,
  healed: u53,
  damagedHealed: u53,
});

const hello = fc.record({
  versionMin: u32,
  versionMax: u32,
  cluster: text,
  role: fc.constantFrom('client' as const, 'peer' as const, 'admin' as const),
  token: bytes,
  features: u32,
  clientName: text,
});
const levels = fc
  .tuple(fc.string({ maxLength: 40 }), fc.integer({ min: 1, max: 9 }), fc.nat(9))
  .map(([release, levelMin, more]) => ({ release, levelMin, levelMax: levelMin + more }));
/** A release that says what it understands, or one from before. */
const said = fc.option(levels).map((build) => (build === null ? {} : { build }));
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const peerHello = fc
  .tuple(hello, fc.record({ nodeId: hexId, clusterId: hexId, nonce: bytes32, ringVersion: u32 }), said)
  .map(([rest, peer, build]) => ({ ...rest, peer: { ...peer, ...build } }));
const challenge = fc.record({ nodeId: hexId, nonce: bytes32, proof: bytes32 });
const proof = fc.record({ proof: bytes32 });
const plainHelloReply = fc.record({
  version: u32,
  cluster: text,
  clusterId: text,
  nodeId: text,
  ringVersion: u32,
  features: u32,
  valueBytesMax: u32,
  frameBodyBytesMax: u32,
  inFlightMax: u32,
});
const helloReply = fc.tuple(plainHelloReply, said).map(([reply, build]) => ({ ...reply, ...build }));
const ringMessage = fc
  .tuple(u32, text, fc.nat(40), fc.nat(3), members)
  .chain(([version, clusterId, partitionCount, replicaCount, all]) =>
    fc.record({
      version: fc.constant(version),
      clusterId: fc.constant(clusterId),
      partitionCount: fc.constant(partitionCount),
      replicaCount: fc.constant(replicaCount),
      members: fc.constant(all),
      owners: fc.array(fc.nat(65_535), {
        minLength: partitionCount * replicaCount,
        maxLength: partitionCount * replicaCount,
      }),
    }),
  );
const keysRequest = fc.record({
  budgetMs: u32,
  prefix: bytes,
  partition: fc.option(u32, { nil: null }),
  firstOwner: fc.boolean(),
  all: fc.boolean(),
  cursor: bytes,
  limit: u32,
});
const keysReply = fc.record({
  keys: fc.array(
    fc.record({
      key: bytes,
      hash: fc.stringMatching(/^[0-9a-f]{16}$/),
      partition: u32,
      siblings: u32,
      tombstones: u32,
      expired: u32,
      recordBytes: u32,
      writtenMs: u53,
      damaged: fc.boolean(),
    }),
    { maxLength: 3 },
  ),
  cursor: bytes,
  nodeId: hexId,
  ringVersion: u32,
  partitionCount: u32,
  selected: u32,
  done: u32,
  suspect: u32,
  records: u32,
});
const explainReply = fc.record({
  found: fc.boolean(),
  partition: u32,
  keyHash: text,
  recordBytes: u32,
  state: fc.constantFrom('ok' as const, 'absent' as const, 'damaged' as const, 'suspect' as const),
  storedIn: text,
  mark: text,
  context: fc.array(fc.record({ actor: text, counter: u53 }), { maxLength: 3 }),
  siblings: fc.array(
    fc.record({
      dot: text,
      tombstone: fc.boolean(),
      writtenMs: u53,
      logical: u32,
      expiresMs: u53,
      putId: text,
      valueBytes: u32,
      hidden: text,
    }),
    { maxLength: 3 },
  ),
  rememberedPutIds: fc.array(text, { maxLength: 3 }),
  cutSeconds: u32,
  reaping: text,
});

const head = fc.record({ budgetMs: u32, namespace: text, ringVersion: u32 });
const multiGet = fc
  .tuple(head, fc.array(getRequest, { maxLength: 5 }))
  .map(([shared, gets]) => ({ ...shared, gets: gets.map((get) => ({ ...get, ...shared })) }));
const multiPut = fc
  .tuple(head, fc.array(fc.oneof(putRequest, deleteRequest), { maxLength: 5 }))
  .map(([shared, puts]) => ({ ...shared, sentMs: 77, puts: puts.map((put) => ({ ...put, ...shared, sentMs: 0 })) }));
/** An item's error says no ring version of its own. */
const failed = failure.map((it) => ({ failure: { ...it, ringVersion: 7 } }));
const manyGets = fc.array(fc.oneof(getReply, failed), { maxLength: 5 });
const manyPuts = fc.array(fc.oneof(putReply, failed), { maxLength: 5 });

const byteLists = fc.array(bytes, { maxLength: 4 });
const fences = fc.array(
  fc.record({ partition: fc.integer({ min: 0, max: 4_095 }), fence: u53, reapedAt: u53, trimmedAt: u53 }),
  { maxLength: 4 },
);

export const CODECS: Readonly<Record<string, Codec>> = {
  Hello: { messages: hello, encode: connection.encodeHello, decode: connection.decodeHello },
  'Hello of a peer': { messages: peerHello, encode: connection.encodeHello, decode: connection.decodeHello },
  Challenge: { messages: challenge, encode: connection.encodeChallenge, decode: connection.decodeChallenge },
  Proof: { messages: proof, encode: connection.encodeProof, decode: connection.decodeProof },
  HelloReply: { messages: helloReply, encode: connection.encodeHelloReply, decode: connection.decodeHelloReply },
  Ping: { messages: fc.record({ budgetMs: u32 }), encode: connection.encodePing, decode: connection.decodePing },
  Pong: {
    messages: fc.record({ ringVersion: u32, wallMs: u53 }),
    encode: connection.encodePong,
    decode: connection.decodePong,
  },
  GoAway: { messages: fc.record({ reason: text }), encode: connection.encodeGoAway, decode: connection.decodeGoAway },
  MultiGet: { messages: multiGet, encode: multi.encodeMultiGet, decode: multi.decodeMultiGet },
  MultiPut: { messages: multiPut, encode: multi.encodeMultiPut, decode: multi.decodeMultiPut },
  MultiGetReply: {
    messages: manyGets,
    encode: (items: never) => multi.encodeMultiGetReply(items, 7),
    decode: multi.decodeMultiGetReply,
  },
  MultiPutReply: {
    messages: manyPuts,
    encode: (items: never) => multi.encodeMultiPutReply(items, 7),
    decode: multi.decodeMultiPutReply,
  },
  RingFetch: {
    messages: fc.record({ knownVersion: u32 }),
    encode: ring.encodeRingFetch,
    decode: ring.decodeRingFetch,
  },
  RingReply: { messages: ringMessage, encode: ring.encodeRingReply, decode: ring.decodeRingReply },
  Explain: {
    messages: fc.record({ key: bytes, budgetMs: u32, namespace: text }),
    encode: ring.encodeExplain,
    decode: ring.decodeExplain,
  },
  ExplainReply: { messages: explainReply, encode: ring.encodeExplainReply, decode: ring.decodeExplainReply },
  ReapAsk: {
    messages: fc.record({
      partition: u32,
      ringVersion: u32,
      budgetMs: u32,
      fence: u53,
      heads: byteLists,
      compact: fc.boolean(),
    }),
    encode: reap.encodeReapAsk,
    decode: reap.decodeReapAsk,
  },
  ReapAskReply: {
    messages: fc.record({ fence: u53, opening: u53, verdicts: bytes, entries: byteLists }),
    encode: reap.encodeReapAskReply,
    decode: reap.decodeReapAskReply,
  },
  Reap: {
    messages: fc.record({
      partition: u32,
      ringVersion: u32,
      budgetMs: u32,
      fence: u53,
      opening: u53,
      heads: byteLists,
      compact: fc.boolean(),
    }),
    encode: reap.encodeReap,
    decode: reap.decodeReap,
  },
  ReapReply: { messages: fc.record({ reaped: u32 }), encode: reap.encodeReapReply, decode: reap.decodeReapReply },
  ReapLog: {
    messages: fc.record({ partition: u32, budgetMs: u32, since: u53, after: text }),
    encode: reap.encodeReapLog,
    decode: reap.decodeReapLog,
  },
  ReapLogReply: {
    messages: fc.record({ reapedAt: u53, trimmedAt: u53, entries: byteLists, next: text }),
    encode: reap.encodeReapLogReply,
    decode: reap.decodeReapLogReply,
  },
  Fences: {
    messages: fc.record({ budgetMs: u32, fences, notice: fc.boolean() }),
    encode: reap.encodeFences,
    decode: reap.decodeFences,
  },
  Reaped: {
    messages: fc.record({ partition: u32, budgetMs: u32, entries: byteLists }),
    encode: reap.encodeReaped,
    decode: reap.decodeReaped,
  },
  ReapedReply: {
    messages: fc.record({ applied: u32 }),
    encode: reap.encodeReapedReply,
    decode: reap.decodeReapedReply,
  },
  FencesReply: { messages: fc.record({ fences }), encode: reap.encodeFencesReply, decode: reap.decodeFencesReply },
  ...LOADS_CODECS,
  ...RING_LOG_CODECS,
  ...GOSSIP_CODECS,
  ...CLUSTER_CODECS,
  ...TRANSFER_CODECS,
  ...ARCHIVE_CODECS,
  Hints: { messages: fc.record({ budgetMs: u32 }), encode: admin.encodeHints, decode: admin.decodeHints },
  Keys: { messages: keysRequest, encode: listing.encodeKeys, decode: listing.decodeKeys },
  KeysReply: { messages: keysReply, encode: listing.encodeKeysReply, decode: listing.decodeKeysReply },
  HintsReply: { messages: hintsReply, encode: admin.encodeHintsReply, decode: admin.decodeHintsReply },
  Background: {
    messages: fc.record({ budgetMs: u32 }),
    encode: background.encodeBackground,
    decode: background.decodeBackground,
  },
  BackgroundReply: {
    messages: backgroundReply,
    encode: background.encodeBackgroundReply,
    decode: background.decodeBackgroundReply,
  },
  Scrub: {
    messages: fc.record({ budgetMs: u32, begins: fc.boolean(), partition: fc.option(fc.nat(4_095)) }),
    encode: background.encodeScrub,
    decode: background.decodeScrub,
  },
  ScrubReply: { messages: scrubReply, encode: background.encodeScrubReply, decode: background.decodeScrubReply },
  Tree: {
    messages: fc.record({ ...asked, level: u32, parents: numbers }),
    encode: exchange.encodeTree,
    decode: exchange.decodeTree,
  },
  TreeReply: {
    messages: fc.record({ ringVersion: u32, suspect: fc.boolean(), hasHints: fc.boolean(), nodes: bytes }),
    encode: exchange.encodeTreeReply,
    decode: exchange.decodeTreeReply,
  },
  Leaves: {
    messages: fc.record({ ...asked, leaves: numbers, from: hash }),
    encode: exchange.encodeLeaves,
    decode: exchange.decodeLeaves,
  },
  LeavesReply: {
    messages: fc.record({ ringVersion: u32, suspect: fc.boolean(), entries: bytes, next: fc.option(later) }),
    encode: exchange.encodeLeavesReply,
    decode: exchange.decodeLeavesReply,
  },
  Pull: {
    messages: fc.record({ ...asked, hashes: fc.array(hash, { maxLength: 9 }) }),
    encode: exchange.encodePull,
    decode: exchange.decodePull,
  },
  PullReply: {
    messages: fc.record({
      ringVersion: u32,
      fence: u53,
      suspect: fc.boolean(),
      answered: u32,
      records: fc.array(bytes, { maxLength: 4 }),
    }),
    encode: exchange.encodePullReply,
    decode: exchange.decodePullReply,
  },
  Repair: {
    messages: fc.record({ budgetMs: u32, start: fc.boolean() }),
    encode: exchange.encodeRepair,
    decode: exchange.decodeRepair,
  },
  RepairReply: { messages: repairReply, encode: exchange.encodeRepairReply, decode: exchange.decodeRepairReply },
};
