/*
 * The first frame of a connection: which protocol version, which cluster, who is it. Nothing else is served before it.
 * A peer must also prove who it is, which takes a second frame (peers/acceptance.ts).
 */
import { failure, type Failure } from '../model/errors.js';
import { decodeHello, encodeHelloReply } from '../wire/codec-connection.js';
import type { Hello } from '../model/messages.js';
import { CHALLENGE, HELLO_REPLY, PROOF } from '../wire/kinds.js';
import { isFault } from '../wire/plain.js';
import type { Greeting } from './greeting.js';
import type { Incoming } from './incoming.js';
import { PeerAcceptance } from './peers/acceptance.js';
import type { PeerCredentials } from './peers/credentials.js';
import { PROTOCOL_VERSION } from './protocol-version.js';
import { replyBody } from './replies.js';
import type { Services } from './services.js';
import type { Session } from './session.js';

/** Feature bits that this release has; none yet. */
const FEATURES = 0;

/** `credentials`: null where this node has no peers. */
export function acceptHello(
  services: Services,
  session: Session,
  frame: Incoming,
  credentials: PeerCredentials | null,
): Greeting {
  if (frame.kind === PROOF) return acceptProof(services, session, frame);
  const hello = decodeHello(frame.bytes, frame.start, frame.end);
  if (isFault(hello)) return failure('PROTOCOL', `HELLO cannot be read: ${hello}`);
  const { settings, ring } = services;
  if (hello.versionMin > PROTOCOL_VERSION || hello.versionMax < PROTOCOL_VERSION) {
    return failure(
      'VERSION_MISMATCH',
      `This node speaks protocol version ${PROTOCOL_VERSION}, the client ${hello.versionMin} to ${hello.versionMax}`,
    );
  }
  if (hello.cluster !== '' && hello.cluster !== ring.cluster) {
    return failure(
      'DENIED',
      `This node is of cluster ${JSON.stringify(ring.cluster)}, not ${JSON.stringify(hello.cluster)}`,
    );
  }
  if (hello.role !== session.group) {
    return failure('DENIED', `The ${session.group} listener is not for the role ${hello.role}`);
  }
  if (session.group === 'client' && !sameToken(hello.token, settings.token)) {
    return failure('UNAUTHENTICATED', 'The token is missing or wrong');
  }
  if (session.group === 'peer') return challenge(session, frame, hello, credentials);
  session.clientName = hello.clientName.slice(0, 100);
  welcome(services, session, frame);
  return null;
}

function challenge(
  session: Session,
  frame: Incoming,
  hello: Hello,
  credentials: PeerCredentials | null,
): Failure | 'challenged' {
  if (credentials === null) {
    return failure('DENIED', 'The peer listener serves no one: this node has no secret to know other nodes by');
  }
  const acceptance = new PeerAcceptance(credentials);
  const answer = acceptance.onHello(hello);
  if (!(answer instanceof Uint8Array)) return answer;
  session.acceptance = acceptance;
  replyBody(session, CHALLENGE, frame.requestId, answer);
  return 'challenged';
}

function acceptProof(services: Services, session: Session, frame: Incoming): Failure | null {
  const { acceptance } = session;
  if (acceptance === null) return failure('PROTOCOL', 'A PROOF came before HELLO');
  const refusal = acceptance.onProof(frame.bytes, frame.start, frame.end);
  if (refusal !== null || acceptance.member === null)
    return refusal ?? failure('UNAUTHENTICATED', 'Nothing was proved');
  session.clientName = `node ${acceptance.member.ordinal}`;
  welcome(services, session, frame);
  return null;
}

function welcome({ settings, ring, nodeId, build }: Services, session: Session, frame: Incoming): void {
  const body = encodeHelloReply({
    version: PROTOCOL_VERSION,
    cluster: ring.cluster,
    clusterId: ring.clusterId,
    nodeId,
    ringVersion: ring.version,
    features: FEATURES,
    valueBytesMax: settings.valueBytesMax,
    frameBodyBytesMax: settings.frameBodyBytesMax,
    inFlightMax: settings.inFlightMax,
    build,
  });
  replyBody(session, HELLO_REPLY, frame.requestId, body);
}

/** Takes as long for a token that is wrong early as for one that is wrong late. */
function sameToken(given: Uint8Array, expected: Uint8Array): boolean {
  if (expected.length === 0) return true;
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) difference |= (expected[i] as number) ^ (given[i] ?? 0);
  return difference === 0;
}
