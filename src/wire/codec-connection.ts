/*
 * The messages that manage a connection: hello and the proofs of peers, ping, go-away, error. Bodies only; frame.ts puts
 * the header before them.
 */
import { copyBytes, fromHex } from '../lib/bytes.js';
import type { Build } from '../model/build.js';
import { errorCodeOf } from '../model/errors.js';
import type { Failure } from '../model/errors.js';
import type { Challenge, Hello, HelloReply, PeerHello, Role } from '../model/messages.js';
import { partita } from './protobuf.js';
import { bad, count53, decodeBy, hexOfId } from './plain.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
const ROLES: readonly Role[] = ['client', 'peer', 'admin'];
/** Random bytes that each end of a peer connection draws for it. */
export const NONCE_BYTES = 32;
/** An HMAC-SHA256. */
export const PROOF_BYTES = 32;
const RELEASE_CHARACTERS_MAX = 40;

export function encodeHello(hello: Hello): Uint8Array {
  const { peer, ...rest } = hello;
  const identity = peer && { ...peer, ...peer.build, nodeId: fromHex(peer.nodeId), clusterId: fromHex(peer.clusterId) };
  return v1.Hello.encode({ ...rest, ...identity, role: ROLES.indexOf(hello.role) }).finish();
}

export function decodeHello(bytes: Uint8Array, start: number, end: number): Hello | DecodeFault {
  return decodeBy(v1.Hello, bytes, start, end, (hello) => ({
    versionMin: hello.versionMin,
    versionMax: hello.versionMax,
    cluster: hello.cluster,
    role: ROLES[hello.role] ?? bad(`Role ${hello.role}; there are 0 (client), 1 (peer) and 2 (admin)`),
    token: hello.token,
    features: hello.features,
    clientName: hello.clientName,
    ...(hello.nonce.length > 0 || hello.nodeId.length > 0 ? { peer: takePeer(hello) } : {}),
  }));
}

function takePeer(hello: partita.v1.Hello): PeerHello {
  return {
    nodeId: presentId(hello.nodeId, 'node'),
    clusterId: presentId(hello.clusterId, 'cluster'),
    nonce: exactly(NONCE_BYTES, hello.nonce, 'nonce'),
    ringVersion: hello.ringVersion,
    ...takeBuild(hello),
  };
}

/** A release that says nothing of levels is told from one that understands only the first. */
function takeBuild({ levelMin, levelMax, release }: Build): { readonly build?: Build } {
  if (levelMax === 0) return {};
  if (levelMin < 1 || levelMin > levelMax) return bad(`Feature levels ${levelMin} to ${levelMax}`);
  if (release.length > RELEASE_CHARACTERS_MAX) return bad(`A release whose name has ${release.length} characters`);
  return { build: { release, levelMin, levelMax } };
}

function presentId(bytes: Uint8Array, what: string): string {
  return hexOfId(exactly(16, bytes, `${what} id`));
}

/** A copy: what was decoded may lie in a receive buffer. */
function exactly(size: number, bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length !== size) return bad(`A ${what} of ${bytes.length} bytes instead of ${size}`);
  return copyBytes(bytes);
}

export function encodeChallenge(challenge: Challenge): Uint8Array {
  return v1.Challenge.encode({ ...challenge, nodeId: fromHex(challenge.nodeId) }).finish();
}

export function decodeChallenge(bytes: Uint8Array, start: number, end: number): Challenge | DecodeFault {
  return decodeBy(v1.Challenge, bytes, start, end, (challenge) => ({
    nodeId: presentId(challenge.nodeId, 'node'),
    nonce: exactly(NONCE_BYTES, challenge.nonce, 'nonce'),
    proof: exactly(PROOF_BYTES, challenge.proof, 'proof'),
  }));
}

export interface Proof {
  readonly proof: Uint8Array;
}

export function encodeProof(proof: Proof): Uint8Array {
  return v1.Proof.encode(proof).finish();
}

export function decodeProof(bytes: Uint8Array, start: number, end: number): Proof | DecodeFault {
  return decodeBy(v1.Proof, bytes, start, end, (message) => ({
    proof: exactly(PROOF_BYTES, message.proof, 'proof'),
  }));
}

export function encodeHelloReply(reply: HelloReply): Uint8Array {
  return v1.HelloReply.encode({ ...reply, ...reply.build }).finish();
}

export function decodeHelloReply(bytes: Uint8Array, start: number, end: number): HelloReply | DecodeFault {
  return decodeBy(v1.HelloReply, bytes, start, end, (reply) => ({
    version: reply.version,
    cluster: reply.cluster,
    clusterId: reply.clusterId,
    nodeId: reply.nodeId,
    ringVersion: reply.ringVersion,
    features: reply.features,
    valueBytesMax: reply.valueBytesMax,
    frameBodyBytesMax: reply.frameBodyBytesMax,
    inFlightMax: reply.inFlightMax,
    ...takeBuild(reply),
  }));
}

export interface Ping {
  readonly budgetMs: number;
}

export function encodePing(ping: Ping): Uint8Array {
  return v1.Ping.encode(ping).finish();
}

export function decodePing(bytes: Uint8Array, start: number, end: number): Ping | DecodeFault {
  return decodeBy(v1.Ping, bytes, start, end, (ping) => ({ budgetMs: ping.budgetMs }));
}

export interface Pong {
  readonly ringVersion: number;
  readonly wallMs: number;
}

export function encodePong(pong: Pong): Uint8Array {
  return v1.Pong.encode(pong).finish();
}

export function decodePong(bytes: Uint8Array, start: number, end: number): Pong | DecodeFault {
  return decodeBy(v1.Pong, bytes, start, end, (pong) => ({
    ringVersion: pong.ringVersion,
    wallMs: count53(pong.wallMs),
  }));
}

export interface GoAway {
  readonly reason: string;
}

export function encodeGoAway(goAway: GoAway): Uint8Array {
  return v1.GoAway.encode(goAway).finish();
}

export function decodeGoAway(bytes: Uint8Array, start: number, end: number): GoAway | DecodeFault {
  return decodeBy(v1.GoAway, bytes, start, end, (goAway) => ({ reason: goAway.reason }));
}

/** An error frame: the failure, and the sender's ring version (0: it has none). */
export interface ErrorMessage extends Failure {
  readonly ringVersion: number;
}

export function decodeError(bytes: Uint8Array, start: number, end: number): ErrorMessage | DecodeFault {
  return decodeBy(v1.Error, bytes, start, end, takeError);
}

export function takeError(error: partita.v1.Error): ErrorMessage {
  return {
    code: errorCodeOf(error.code),
    text: error.text,
    retryable: error.retryable,
    outcomeUnknown: error.outcomeUnknown,
    ...(error.context.length > 0 ? { context: error.context } : {}),
    ...(error.retryAfterMs > 0 ? { retryAfterMs: error.retryAfterMs } : {}),
    ...(error.fence === 0 ? {} : { fence: count53(error.fence) }),
    ringVersion: error.ringVersion,
  };
}
