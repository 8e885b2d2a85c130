/*
 * What one node shows another to prove that it knows the cluster's secret:
 *
 *   HMAC-SHA256(secret, label ‖ 0 ‖ cluster id 16 ‖ dialer 16 ‖ acceptor 16 ‖ dialer's nonce 32 ‖ acceptor's nonce 32 ‖ version 4)
 *
 * The label says whose proof it is, so that nobody can be shown his own. The nonces make it good for one connection; the
 * ids bind it to these two nodes and to the direction in which they are connected. Everything has its fixed size, so no
 * two different conversations give the same bytes.
 */
import type { KeyedDigest } from '../../env/digest.js';
import { assert } from '../../lib/assert.js';
import { fromHex, writeU32 } from '../../lib/bytes.js';
import { NONCE_BYTES } from '../../wire/codec-connection.js';

const SECRET_BYTES_MIN = 16;
const ID_BYTES = 16;
export type Prover = 'dialer' | 'acceptor';

const LABELS: Readonly<Record<Prover, Uint8Array>> = {
  dialer: Buffer.from('partita peer dialer\0', 'latin1'),
  acceptor: Buffer.from('partita peer acceptor\0', 'latin1'),
};

/** One connection between two nodes, as both of them must see it. Ids are 32 hexadecimal digits. */
export interface Conversation {
  readonly clusterId: string;
  readonly dialer: string;
  readonly acceptor: string;
  readonly dialerNonce: Uint8Array;
  readonly acceptorNonce: Uint8Array;
  readonly version: number;
}

export class ProofMaker {
  readonly #secret: Uint8Array;
  readonly #digest: KeyedDigest;

  /** `secret`: at least 16 bytes. Whoever reads it from a file has said so already, in kinder words. */
  constructor(secret: Uint8Array, digest: KeyedDigest) {
    assert(secret.length >= SECRET_BYTES_MIN, 'the secret of a cluster has at least 16 bytes');
    this.#secret = secret;
    this.#digest = digest;
  }

  proofOf(prover: Prover, conversation: Conversation): Uint8Array {
    return this.#digest.hmac(this.#secret, bytesOf(LABELS[prover], conversation));
  }

  holds(proof: Uint8Array, prover: Prover, conversation: Conversation): boolean {
    return this.#digest.equal(proof, this.proofOf(prover, conversation));
  }
}

function bytesOf(label: Uint8Array, conversation: Conversation): Uint8Array {
  const { clusterId, dialer, acceptor, dialerNonce, acceptorNonce, version } = conversation;
  const parts = [label, fromHex(clusterId), fromHex(dialer), fromHex(acceptor), dialerNonce, acceptorNonce];
  const bytes = new Uint8Array(label.length + 3 * ID_BYTES + 2 * NONCE_BYTES + 4);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  assert(at === bytes.length - 4, 'ids and nonces have their sizes');
  writeU32(bytes, at, version);
  return bytes;
}
