/* What both ends of a connection between nodes know: themselves, the secret, and who belongs to the ring. */
import type { KeyedDigest } from '../../env/digest.js';
import type { Random } from '../../env/random.js';
import { BUILD, type Build, buildText, FIRST_BUILD, isUnderstood, releaseOfLevel } from '../../model/build.js';
import { failure, type Failure } from '../../model/errors.js';
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
  /** What this node says that it is. */
  readonly build?: Build;
}

export class PeerCredentials {
  readonly nodeId: string;
  readonly proofs: ProofMaker;
  readonly build: Build;
  /** The newest that this node knows. */
  ring: RingDocument;
  readonly #random: Random;

  constructor(options: CredentialsOptions) {
    this.nodeId = options.nodeId;
    this.proofs = new ProofMaker(options.secret, options.digest);
    this.ring = options.ring;
    this.build = options.build ?? BUILD;
    this.#random = options.random;
  }

  nonce(): Uint8Array {
    const nonce = new Uint8Array(NONCE_BYTES);
    this.#random.fill(nonce);
    return nonce;
  }

  /** Why a node of this build cannot be talked to; null: it can. Absent: it said nothing of levels. */
  buildFault(nodeId: string, build: Build = FIRST_BUILD): Failure | null {
    const { level } = this.ring;
    if (isUnderstood(level, build)) return null;
    const needed = releaseOfLevel(level);
    const remedy =
      level > build.levelMax
        ? `install ${needed === '' ? 'a newer release of Partita' : `Partita ${needed} or later`} on it`
        : 'install the release before on it, until partita cluster finalize has raised the level';
    return failure(
      'VERSION_MISMATCH',
      `Node ${nodeId} has ${buildText(build)}, and the cluster is at feature level ${level}: ${remedy}`,
    );
  }

  memberOf(nodeId: string): RingMember | undefined {
    return this.ring.members.find((member) => member.nodeId === nodeId);
  }
}
