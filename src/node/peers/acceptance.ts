/*
 * The accepting end of the handshake between two nodes; protocol/PROTOCOL.md draws all of it.
 *
 *   HELLO ─▶ answers CHALLENGE with our proof;  PROOF ─▶ the other is who it says, or is told why not
 *
 * We prove first. So who only pretends to be the dialer gets an HMAC over a nonce of its choice; it is of no use to it,
 * since a dialer's proof has another label, and an acceptor's is over the nonce of whoever is to believe it.
 */
import type { Build } from '../../model/build.js';
import { failure, type Failure } from '../../model/errors.js';
import type { Hello } from '../../model/messages.js';
import type { RingMember } from '../../ring/document.js';
import { decodeProof, encodeChallenge } from '../../wire/codec-connection.js';
import { isFault } from '../../wire/plain.js';
import { PROTOCOL_VERSION } from '../protocol-version.js';
import type { PeerCredentials } from './credentials.js';
import type { Conversation } from './proof.js';

/** One handshake: HELLO, then PROOF. The version that the peer speaks, and its role, have been looked at already. */
export class PeerAcceptance {
  readonly #credentials: PeerCredentials;
  #conversation: Conversation | null = null;
  #claimed: RingMember | null = null;
  #build: Build | undefined;
  #proved = false;

  constructor(credentials: PeerCredentials) {
    this.#credentials = credentials;
  }

  /** Who is at the other end; null until it has proved that. */
  get member(): RingMember | null {
    return this.#proved ? this.#claimed : null;
  }

  /** The body of the CHALLENGE that is to be sent, or why there is none. */
  onHello(hello: Hello): Uint8Array | Failure {
    const { peer } = hello;
    const { nodeId, ring, proofs } = this.#credentials;
    if (peer === undefined) {
      return failure(
        'PROTOCOL',
        'The HELLO of a peer needs node_id, cluster_id and nonce, and this one has none of them',
      );
    }
    if (peer.clusterId !== ring.clusterId) {
      return failure('DENIED', `This node is of the cluster with id ${ring.clusterId}, not ${peer.clusterId}`);
    }
    if (peer.nodeId === nodeId) {
      return failure(
        'DENIED',
        `Node ${nodeId} has connected to itself, or there are two with its id: look at the peer addresses in the ring`,
      );
    }
    this.#build = peer.build;
    // Who is no member is told so when both have proved themselves: it may be the end of that node.
    this.#claimed = this.#credentials.memberOf(peer.nodeId) ?? null;
    const acceptorNonce = this.#credentials.nonce();
    this.#conversation = {
      clusterId: ring.clusterId,
      dialer: peer.nodeId,
      acceptor: nodeId,
      dialerNonce: peer.nonce,
      acceptorNonce,
      version: PROTOCOL_VERSION,
    };
    const proof = proofs.proofOf('acceptor', this.#conversation);
    return encodeChallenge({ nodeId, nonce: acceptorNonce, proof });
  }

  /** Null: `member` has proved itself. */
  onProof(bytes: Uint8Array, start: number, end: number): Failure | null {
    if (this.#conversation === null) return failure('PROTOCOL', 'A PROOF came before HELLO');
    const message = decodeProof(bytes, start, end);
    if (isFault(message)) return failure('PROTOCOL', `PROOF cannot be read: ${message}`);
    if (!this.#credentials.proofs.holds(message.proof, 'dialer', this.#conversation)) {
      return failure(
        'UNAUTHENTICATED',
        `Node ${this.#conversation.dialer} has not proved that it knows the secret of this cluster: is it the same on both?`,
      );
    }
    if (this.#claimed === null) {
      const { version } = this.#credentials.ring;
      const { dialer } = this.#conversation;
      return failure('NOT_A_MEMBER', `Node ${dialer} is not in version ${version} of the ring that this node has`);
    }
    const fault = this.#credentials.buildFault(this.#conversation.dialer, this.#build);
    this.#proved = fault === null;
    return fault;
  }
}
