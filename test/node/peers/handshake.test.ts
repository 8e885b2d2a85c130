import test from 'ava';
import { Prng } from '../../../src/lib/prng.js';
import { BUILD, type Build, FIRST_BUILD } from '../../../src/model/build.js';
import { failure, type Failure } from '../../../src/model/errors.js';
import type { HelloReply } from '../../../src/model/messages.js';
import { PeerAcceptance } from '../../../src/node/peers/acceptance.js';
import { PeerCredentials } from '../../../src/node/peers/credentials.js';
import { Greeter } from '../../../src/node/peers/greeter.js';
import { type Meant, PeerIntroduction } from '../../../src/node/peers/introduction.js';
import type { RingDocument, RingMember } from '../../../src/ring/document.js';
import {
  decodeChallenge,
  decodeHello,
  encodeChallenge,
  encodeHelloReply,
  encodeProof,
} from '../../../src/wire/codec-connection.js';
import { CHALLENGE, ERROR, HELLO_REPLY, PROOF } from '../../../src/wire/kinds.js';
import { FRAME_HEADER_BYTES } from '../../../src/model/limits.js';
import { isFault } from '../../../src/wire/plain.js';
import { sizeOfErrorFrame, writeErrorFrame } from '../../../src/wire/write-replies.js';
import { idOf, keyedDigest, ringOf, SECRET } from './cluster.js';

const random = new Prng(7);
/** By node 2, of a release that names no levels. */
const ACCEPTED: HelloReply = {
  version: 1,
  cluster: 'test',
  clusterId: ringOf(3).clusterId,
  nodeId: idOf(2),
  ringVersion: 1,
  features: 0,
  valueBytesMax: 1,
  frameBodyBytesMax: 1,
  inFlightMax: 1,
};

function credentials(
  ordinal: number,
  ring: RingDocument = ringOf(3),
  secret: Uint8Array = SECRET,
  build: Build = BUILD,
): PeerCredentials {
  return new PeerCredentials({ nodeId: idOf(ordinal), secret, digest: keyedDigest, random, ring, build });
}

function member(ordinal: number, ring: RingDocument = ringOf(3)): RingMember {
  const found = ring.members.find((it) => it.ordinal === ordinal);
  if (found === undefined) throw new Error(`No member ${ordinal}`);
  return found;
}

const isBytes = (answer: Uint8Array | Failure | null): answer is Uint8Array => answer instanceof Uint8Array;

/** HELLO into an acceptance, as the node does it. */
function hears(acceptance: PeerAcceptance, hello: Uint8Array): Uint8Array | Failure {
  const decoded = decodeHello(hello, 0, hello.length);
  if (isFault(decoded)) throw new Error(decoded);
  return acceptance.onHello(decoded);
}

function bytesOf(answer: Uint8Array | Failure): Uint8Array {
  if (!isBytes(answer)) throw new Error(answer.text);
  return answer;
}

function codeOf(answer: Uint8Array | Failure | null): string {
  return answer === null ? 'accepted' : isBytes(answer) ? 'answered' : answer.code;
}

/** The whole of it; how it ended, and with whom. */
function meet(dialer: PeerCredentials, acceptor: PeerCredentials, meant: Meant): string {
  const introduction = new PeerIntroduction(dialer, meant);
  const acceptance = new PeerAcceptance(acceptor);
  const challenge = hears(acceptance, introduction.hello());
  if (!isBytes(challenge)) return `acceptor: ${challenge.code} ${challenge.text}`;
  const proof = introduction.onChallenge(challenge, 0, challenge.length);
  if (!isBytes(proof)) return `dialer: ${proof.code} ${proof.text}`;
  const refusal = acceptance.onProof(proof, 0, proof.length);
  if (refusal !== null) return `acceptor: ${refusal.code} ${refusal.text}`;
  return `accepted ${acceptance.member?.ordinal ?? 'nobody'}`;
}

test('two members that know the secret meet', (t) => {
  t.is(meet(credentials(1), credentials(2), member(2)), 'accepted 1');
});

test('at a seed anybody of the cluster is meant, and nobody else', (t) => {
  const seed: Meant = { nodeId: null, peerAddress: '10.9.0.1:1' };
  t.is(meet(credentials(1), credentials(2), seed), 'accepted 1');
  t.regex(meet(credentials(1), credentials(1), seed), /^acceptor: DENIED .* has connected to itself/);
  const wrong = credentials(2, ringOf(3), Buffer.from('another secret, quite as long'));
  t.regex(meet(credentials(1), wrong, seed), /^dialer: UNAUTHENTICATED/);
  const foreign = credentials(2, { ...ringOf(3), clusterId: 'd'.repeat(32) });
  t.regex(meet(credentials(1), foreign, seed), /^acceptor: DENIED This node is of the cluster/);
});

test('another secret is refused by the dialer, before it has proved anything', (t) => {
  const wrong = credentials(2, ringOf(3), Buffer.from('another secret, quite as long'));
  t.regex(meet(credentials(1), wrong, member(2)), /^dialer: UNAUTHENTICATED .* secret/);
});

test('another secret is refused by the acceptor when the dialer does not care', (t) => {
  const acceptance = new PeerAcceptance(credentials(2));
  const wrong = credentials(1, ringOf(3), Buffer.from('another secret, quite as long'));
  const hello = new PeerIntroduction(wrong, member(2)).hello();
  const heard = decodeHello(hello, 0, hello.length);
  const challenge = bytesOf(hears(acceptance, hello));
  const asked = decodeChallenge(challenge, 0, challenge.length);
  if (isFault(heard) || isFault(asked) || heard.peer === undefined) throw new Error('It cannot be read');
  const proof = encodeProof({
    proof: wrong.proofs.proofOf('dialer', {
      clusterId: heard.peer.clusterId,
      dialer: idOf(1),
      acceptor: idOf(2),
      dialerNonce: heard.peer.nonce,
      acceptorNonce: asked.nonce,
      version: 1,
    }),
  });
  t.is(codeOf(acceptance.onProof(proof, 0, proof.length)), 'UNAUTHENTICATED');
  t.is(acceptance.member, null);
});

test('another cluster, a node that is no member, and a node that meets itself are told so', (t) => {
  const other = { ...ringOf(3), clusterId: 'd'.repeat(32) };
  t.regex(meet(credentials(1, other), credentials(2), member(2)), /^acceptor: DENIED .*cluster with id/);
  t.regex(meet(credentials(4, ringOf(4)), credentials(2), member(2)), /^acceptor: NOT_A_MEMBER .*is not in version 1/);
  t.regex(meet(credentials(1), credentials(1), member(2)), /^acceptor: DENIED .*itself/);
});

test('who answers at the address of another is refused by the dialer, even a member with the secret', (t) => {
  t.regex(meet(credentials(1), credentials(3), member(2)), /^dialer: DENIED .*10\.0\.0\.2:7702 is in the ring as node/);
  const challenge = encodeChallenge({ nodeId: idOf(1), nonce: new Uint8Array(32), proof: new Uint8Array(32) });
  const answer = new PeerIntroduction(credentials(1), member(2)).onChallenge(challenge, 0, challenge.length);
  t.true(!isBytes(answer) && answer.text.includes('this very node'));
});

test('a node id that is not the sender’s own does not hold: the proof names both nodes', (t) => {
  // 3 knows no secret and sits on the line between 1 and 2: it passes on all of it, but says that it is 3.
  const introduction = new PeerIntroduction(credentials(1), member(2));
  const acceptance = new PeerAcceptance(credentials(2));
  const claimed = Buffer.from(introduction.hello());
  const at = claimed.indexOf(Buffer.from(idOf(1), 'hex'));
  claimed.set(Buffer.from(idOf(3), 'hex'), at);
  const challenge = bytesOf(hears(acceptance, claimed));
  t.is(codeOf(introduction.onChallenge(challenge, 0, challenge.length)), 'UNAUTHENTICATED');
});

test('reflection: what a node is asked cannot be answered by asking it', (t) => {
  // 1 dials an impostor of 2, which sends 1's own frames back to 1.
  const introduction = new PeerIntroduction(credentials(1), member(2));
  const hello = introduction.hello();
  t.is(codeOf(hears(new PeerAcceptance(credentials(1)), hello)), 'DENIED');
  // The impostor says to 1 that it is 2, with the nonce that 1 has just drawn, and hands back the proof that it gets.
  const decoded = decodeHello(hello, 0, hello.length);
  if (isFault(decoded) || decoded.peer === undefined) throw new Error('no hello');
  const asked = new PeerAcceptance(credentials(1));
  const answer = bytesOf(asked.onHello({ ...decoded, peer: { ...decoded.peer, nodeId: idOf(2) } }));
  const got = decodeChallenge(answer, 0, answer.length);
  if (isFault(got)) throw new Error(got);
  const reflected = encodeChallenge({ ...got, nodeId: idOf(2) });
  t.is(codeOf(introduction.onChallenge(reflected, 0, reflected.length)), 'UNAUTHENTICATED');
  // And the acceptor's own proof, given back to it as the dialer's.
  const proof = encodeProof({ proof: got.proof });
  t.is(codeOf(asked.onProof(proof, 0, proof.length)), 'UNAUTHENTICATED');
});

test('replay: a recorded conversation is of no use, to either side', (t) => {
  const introduction = new PeerIntroduction(credentials(1), member(2));
  const acceptance = new PeerAcceptance(credentials(2));
  const hello = introduction.hello();
  const challenge = bytesOf(hears(acceptance, hello));
  const proof = bytesOf(introduction.onChallenge(challenge, 0, challenge.length));
  t.is(acceptance.onProof(proof, 0, proof.length), null);
  const again = new PeerAcceptance(credentials(2));
  hears(again, hello);
  t.is(codeOf(again.onProof(proof, 0, proof.length)), 'UNAUTHENTICATED');
  t.is(again.member, null);
  const later = new PeerIntroduction(credentials(1), member(2));
  t.is(codeOf(later.onChallenge(challenge, 0, challenge.length)), 'UNAUTHENTICATED');
});

test('every bit of a challenge and of a proof counts', (t) => {
  const introduction = new PeerIntroduction(credentials(1), member(2));
  const acceptance = new PeerAcceptance(credentials(2));
  const challenge = bytesOf(hears(acceptance, introduction.hello()));
  for (let bit = 0; bit < 8 * challenge.length; bit++) {
    const changed = Uint8Array.from(challenge);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    t.not(codeOf(introduction.onChallenge(changed, 0, changed.length)), 'answered', `bit ${bit}`);
  }
  const proof = bytesOf(introduction.onChallenge(challenge, 0, challenge.length));
  for (let bit = 0; bit < 8 * proof.length; bit++) {
    const changed = Uint8Array.from(proof);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    t.not(codeOf(acceptance.onProof(changed, 0, changed.length)), 'accepted', `bit ${bit}`);
  }
  t.is(acceptance.member, null);
  t.is(acceptance.onProof(proof, 0, proof.length), null);
});

test('the dialer takes the frames in their order: no acceptance without a proof', (t) => {
  const reply = encodeHelloReply({ ...ACCEPTED, build: BUILD });
  const fresh = (): Greeter => new Greeter(new PeerIntroduction(credentials(1), member(2)));
  t.is(fresh().onFrame(HELLO_REPLY, reply, 0, reply.length).kind, 'failed');
  for (const kind of [PROOF, ERROR, 0x99]) t.is(fresh().onFrame(kind, reply, 0, reply.length).kind, 'failed');
  const introduction = new PeerIntroduction(credentials(1), member(2));
  const greeter = new Greeter(introduction);
  const challenge = bytesOf(hears(new PeerAcceptance(credentials(2)), greeter.hello()));
  t.is(greeter.onFrame(CHALLENGE, challenge, 0, challenge.length).kind, 'send');
  t.is(greeter.onFrame(CHALLENGE, challenge, 0, challenge.length).kind, 'failed', 'one is enough');
  t.is(greeter.onFrame(HELLO_REPLY, reply, 0, reply.length).kind, 'accepted');
  const broken = fresh();
  const step = broken.onFrame(CHALLENGE, challenge, 0, challenge.length);
  t.true(step.kind === 'refuse' && step.frame[4] === ERROR && step.text.includes('UNAUTHENTICATED'));
});

test('who is left out by a newer ring is told so when both have proved themselves, and not by an older one', (t) => {
  const told = (own: RingDocument, theirs: RingDocument): unknown => {
    const greeter = new Greeter(new PeerIntroduction(credentials(4, own), member(2, own)));
    const acceptance = new PeerAcceptance(credentials(2, theirs));
    const challenge = bytesOf(hears(acceptance, greeter.hello()));
    const step = greeter.onFrame(CHALLENGE, challenge, 0, challenge.length);
    if (step.kind !== 'send') throw new Error(step.kind);
    const refusal = acceptance.onProof(step.body, 0, step.body.length);
    if (refusal === null) return 'accepted';
    const frame = new Uint8Array(sizeOfErrorFrame(refusal, theirs.version));
    writeErrorFrame(frame, 0, 1, refusal, theirs.version);
    const { kind, ...more } = greeter.onFrame(ERROR, frame, FRAME_HEADER_BYTES, frame.length);
    return 'ringVersion' in more ? [kind, more.ringVersion] : kind;
  };
  t.deepEqual(told(ringOf(4, 3, 2), ringOf(3, 3, 5)), ['removed', 5]);
  t.is(told(ringOf(4, 3, 6), ringOf(3, 3, 5)), 'failed', 'it has joined by a ring that the other has not heard of');
  t.is(told(ringOf(4, 3, 5), ringOf(4, 3, 5)), 'accepted');
});

test('nobody is told that it was removed by whom it does not know', (t) => {
  const own = ringOf(4, 3, 2);
  const greeter = new Greeter(new PeerIntroduction(credentials(4, own), member(2, own)));
  const refusal = failure('NOT_A_MEMBER', 'Go away');
  const frame = new Uint8Array(sizeOfErrorFrame(refusal, 9));
  writeErrorFrame(frame, 0, 1, refusal, 9);
  t.is(greeter.onFrame(ERROR, frame, FRAME_HEADER_BYTES, frame.length).kind, 'failed');
});

test('who does not understand the level of the ring is turned away by both ends, with the release that is needed', (t) => {
  const [old, raised] = [ringOf(3, 3, 1, 1), ringOf(3, 3, 2, 2)];
  const older = (ordinal: number): PeerCredentials => credentials(ordinal, old, SECRET, FIRST_BUILD);
  t.is(meet(older(1), credentials(2, old), member(2)), 'accepted 1', 'at level 1 all is as before');
  t.is(
    meet(older(1), credentials(2, raised), member(2)),
    `acceptor: VERSION_MISMATCH Node ${idOf(1)} has a release that names no levels (feature level 1), and the cluster is at feature level 2: install Partita 0.1.0 or later on it`,
  );
  const tooNew = credentials(1, old, SECRET, { release: '7.0.0', levelMin: 2, levelMax: 7 });
  t.regex(meet(tooNew, credentials(2, old), member(2)), /VERSION_MISMATCH .* install the release before on it/);
  const reply = encodeHelloReply(ACCEPTED);
  const dialed = new PeerIntroduction(credentials(1, raised), member(2)).onHelloReply(reply, 0, reply.length);
  t.like(dialed, { code: 'VERSION_MISMATCH' });
  t.like(new PeerIntroduction(credentials(1, old), member(2)).onHelloReply(reply, 0, reply.length), { version: 1 });
});

test('a node that is no member is told that, whatever its release', (t) => {
  const stranger = credentials(4, ringOf(4, 3, 1, 1), SECRET, FIRST_BUILD);
  t.regex(meet(stranger, credentials(2), member(2)), /^acceptor: NOT_A_MEMBER/);
});
