/* The messages that manage a connection: hello, ping, go-away, error. Bodies only; frame.ts puts the header before them. */
import { errorCodeOf } from '../model/errors.js';
import type { Failure } from '../model/errors.js';
import type { Hello, HelloReply, Role } from '../model/messages.js';
import { partita } from './protobuf.js';
import { bad, count53, decodeBy } from './plain.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;
const ROLES: readonly Role[] = ['client', 'peer', 'admin'];

export function encodeHello(hello: Hello): Uint8Array {
  return v1.Hello.encode({ ...hello, role: ROLES.indexOf(hello.role) }).finish();
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
  }));
}

export function encodeHelloReply(reply: HelloReply): Uint8Array {
  return v1.HelloReply.encode(reply).finish();
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
    ringVersion: error.ringVersion,
  };
}
