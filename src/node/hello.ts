/*
 * The first frame of a connection: which protocol version, which cluster, who is it. Nothing else is served before it.
 */
import { failure, type Failure } from '../model/errors.js';
import { decodeHello, encodeHelloReply } from '../wire/codec-connection.js';
import { HELLO_REPLY } from '../wire/kinds.js';
import { isFault } from '../wire/plain.js';
import type { Incoming } from './incoming.js';
import { replyBody } from './replies.js';
import type { Services } from './services.js';
import type { Session } from './session.js';

export const PROTOCOL_VERSION = 1;
/** Feature bits that this release has; none yet. */
const FEATURES = 0;

export function acceptHello(services: Services, session: Session, frame: Incoming): Failure | null {
  const hello = decodeHello(frame.bytes, frame.start, frame.end);
  if (isFault(hello)) return failure('PROTOCOL', `HELLO cannot be read: ${hello}`);
  const { settings, ring, nodeId } = services;
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
  if (session.group === 'peer')
    return failure('DENIED', 'The peer listener serves no one yet: this cluster has one node');
  if (hello.role !== session.group) {
    return failure('DENIED', `The ${session.group} listener is not for the role ${hello.role}`);
  }
  if (session.group === 'client' && !sameToken(hello.token, settings.token)) {
    return failure('UNAUTHENTICATED', 'The token is missing or wrong');
  }
  session.clientName = hello.clientName.slice(0, 100);
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
  });
  replyBody(session, HELLO_REPLY, frame.requestId, body);
  return null;
}

/** Takes as long for a token that is wrong early as for one that is wrong late. */
function sameToken(given: Uint8Array, expected: Uint8Array): boolean {
  if (expected.length === 0) return true;
  let difference = given.length ^ expected.length;
  for (let i = 0; i < expected.length; i++) difference |= (expected[i] as number) ^ (given[i] ?? 0);
  return difference === 0;
}
