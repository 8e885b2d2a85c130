/*
 * The dialing end of the handshake between two nodes; acceptance.ts is the other. Bodies only: who sends them, and how
 * long that may take, is the channel's business.
 */
import { failure, type Failure } from '../../model/errors.js';
import type { HelloReply } from '../../model/messages.js';
import {
  decodeChallenge,
  decodeError,
  decodeHelloReply,
  encodeHello,
  encodeProof,
} from '../../wire/codec-connection.js';
import { isFault } from '../../wire/plain.js';
import { PROTOCOL_VERSION } from '../protocol-version.js';
import type { PeerCredentials } from './credentials.js';
import type { Conversation } from './proof.js';

/** Who should be reached; null: whoever of the cluster answers there. */
export interface Meant {
  readonly nodeId: string | null;
  readonly peerAddress: string;
}

export class PeerIntroduction {
  readonly #credentials: PeerCredentials;
  readonly #meant: Meant;
  readonly #clusterId: string;
  readonly #nonce: Uint8Array;

  constructor(credentials: PeerCredentials, meant: Meant) {
    this.#credentials = credentials;
    this.#meant = meant;
    this.#clusterId = credentials.ring.clusterId;
    this.#nonce = credentials.nonce();
  }

  hello(): Uint8Array {
    const { nodeId, ring, build } = this.#credentials;
    return encodeHello({
      versionMin: PROTOCOL_VERSION,
      versionMax: PROTOCOL_VERSION,
      cluster: ring.cluster,
      role: 'peer',
      token: new Uint8Array(0),
      features: 0,
      clientName: '',
      peer: { nodeId, clusterId: this.#clusterId, nonce: this.#nonce, ringVersion: ring.version, build },
    });
  }

  /** The body of the PROOF that is to be sent, or why we do not go on. */
  onChallenge(bytes: Uint8Array, start: number, end: number): Uint8Array | Failure {
    const challenge = decodeChallenge(bytes, start, end);
    if (isFault(challenge)) return failure('PROTOCOL', `CHALLENGE cannot be read: ${challenge}`);
    const { nodeId, proofs } = this.#credentials;
    const { nodeId: named, peerAddress } = this.#meant;
    const meant = named ?? challenge.nodeId;
    if (challenge.nodeId === nodeId) return failure('DENIED', `${peerAddress} is the address of this very node`);
    if (challenge.nodeId !== meant) {
      return failure(
        'DENIED',
        `${peerAddress} is in the ring as node ${meant}, but node ${challenge.nodeId} answers there`,
      );
    }
    const conversation: Conversation = {
      clusterId: this.#clusterId,
      dialer: nodeId,
      acceptor: meant,
      dialerNonce: this.#nonce,
      acceptorNonce: challenge.nonce,
      version: PROTOCOL_VERSION,
    };
    if (!proofs.holds(challenge.proof, 'acceptor', conversation)) {
      return failure(
        'UNAUTHENTICATED',
        `Node ${meant} at ${peerAddress} has not proved that it knows the secret of this cluster: is it the same on both?`,
      );
    }
    return encodeProof({ proof: proofs.proofOf('dialer', conversation) });
  }

  /** What an ERROR says instead of a HELLO_REPLY; 0: not that a ring newer than ours leaves us out. */
  removedBy(bytes: Uint8Array, start: number, end: number): number {
    const error = decodeError(bytes, start, end);
    if (isFault(error) || error.code !== 'NOT_A_MEMBER') return 0;
    return error.ringVersion > this.#credentials.ring.version ? error.ringVersion : 0;
  }

  /** The limits of the other side, or why we do not go on. */
  onHelloReply(bytes: Uint8Array, start: number, end: number): HelloReply | Failure {
    const reply = decodeHelloReply(bytes, start, end);
    if (isFault(reply)) return failure('PROTOCOL', `HELLO_REPLY cannot be read: ${reply}`);
    if (reply.version !== PROTOCOL_VERSION) {
      return failure('VERSION_MISMATCH', `HELLO_REPLY names version ${reply.version}, which was not offered`);
    }
    if (reply.inFlightMax < 1 || reply.frameBodyBytesMax < 1) {
      return failure('PROTOCOL', 'HELLO_REPLY allows no request');
    }
    return this.#credentials.buildFault(this.#meant.nodeId ?? reply.nodeId, reply.build) ?? reply;
  }
}
