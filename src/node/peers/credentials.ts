/* What both ends of a connection between nodes know: themselves, the secret, and who belongs to the ring. */
import type { KeyedDigest } from '../../env/digest.js';
import type { Random } from '../../env/random.js';
import type { RingDocument, RingMember } from '../../ring/document.js';
import { NONCE_BYTES } from '../../wire/codec-connection.js';
import { ProofMaker } from './proof.js';

export interface CredentialsOptions {
  /** 32 hexadecimal digits: this node's. */
  readonly nodeId: string;
  /** At least 16 bytes. */
  readonly secret: Uint8Array;
  readonly digest: KeyedDigest;
  readonly random: Random;
  readonly ring: RingDocument;
}

export class PeerCredentials {
  readonly nodeId: string;
  readonly proofs: ProofMaker;
  /** The newest that this node knows. */
  ring: RingDocument;
  readonly #random: Random;

  constructor(options: CredentialsOptions) {
    this.nodeId = options.nodeId;
    this.proofs = new ProofMaker(options.secret, options.digest);
    this.ring = options.ring;
    this.#random = options.random;
  }

  nonce(): Uint8Array {
    const nonce = new Uint8Array(NONCE_BYTES);
    this.#random.fill(nonce);
    return nonce;
  }

  memberOf(nodeId: string): RingMember | undefined {
    return this.ring.members.find((member) => member.nodeId === nodeId);
  }
}
