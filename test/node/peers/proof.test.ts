import test from 'ava';
import { fromHex, toHex } from '../../../src/lib/bytes.js';
import { ProofMaker, type Conversation } from '../../../src/node/peers/proof.js';
import { ACCEPTOR_PROOF, DIALER_PROOF } from '../../wire/vector-words.js';
import { keyedDigest } from './cluster.js';

/** Of the vectors `hello-peer`, `challenge` and `proof`. */
const CONVERSATION: Conversation = {
  clusterId: 'ffeeddccbbaa99887766554433221100',
  dialer: '000102030405060708090a0b0c0d0e0f',
  acceptor: '0f0e0d0c0b0a09080706050403020100',
  dialerNonce: new Uint8Array(32).fill(0xa1),
  acceptorNonce: new Uint8Array(32).fill(0xb2),
  version: 1,
};
const proofs = new ProofMaker(Buffer.from('0123456789abcdef'), keyedDigest);

test('the proofs are those of the golden vectors, which other software made', (t) => {
  t.is(`0x${toHex(proofs.proofOf('acceptor', CONVERSATION))}`, ACCEPTOR_PROOF);
  t.is(`0x${toHex(proofs.proofOf('dialer', CONVERSATION))}`, DIALER_PROOF);
  t.true(proofs.holds(fromHex(DIALER_PROOF.slice(2)), 'dialer', CONVERSATION));
});

test('a proof is good for one direction, cluster, pair of nodes, pair of nonces, version and secret', (t) => {
  const proof = proofs.proofOf('dialer', CONVERSATION);
  t.false(proofs.holds(proof, 'acceptor', CONVERSATION));
  const { dialer, acceptor, dialerNonce, acceptorNonce } = CONVERSATION;
  const others: Partial<Conversation>[] = [
    { clusterId: '0'.repeat(32) },
    { dialer: '1'.repeat(32) },
    { acceptor: '1'.repeat(32) },
    { dialer: acceptor, acceptor: dialer },
    { dialerNonce: new Uint8Array(32) },
    { acceptorNonce: new Uint8Array(32) },
    { dialerNonce: acceptorNonce, acceptorNonce: dialerNonce },
    { version: 2 },
  ];
  for (const other of others) {
    t.false(proofs.holds(proof, 'dialer', { ...CONVERSATION, ...other }), JSON.stringify(other));
  }
  t.false(new ProofMaker(Buffer.from('0123456789abcdeg'), keyedDigest).holds(proof, 'dialer', CONVERSATION));
  t.false(proofs.holds(proof.subarray(0, 31), 'dialer', CONVERSATION));
});

test('a secret of less than 16 bytes is none', (t) => {
  t.throws(() => new ProofMaker(Buffer.from('0123456789abcde'), keyedDigest));
});
