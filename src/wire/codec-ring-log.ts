/* What nodes say to each other to agree on the next ring: rare messages, by protobufjs both ways. */
import { fromHex, toHex } from '../lib/bytes.js';
import type {
  Ballot,
  RingAccept,
  RingBytes,
  RingLearn,
  RingLearnReply,
  RingLogAnswer,
  RingPrepare,
} from '../model/ring-log-messages.js';
import { RING_DOCUMENT_BYTES_MAX } from '../ring/ring-file.js';
import { bad, decodeBy, hexOfId } from './plain.js';
import { partita } from './protobuf.js';
import type { DecodeFault } from './requests.js';

const v1 = partita.v1;

const AGREED = 0;
const REFUSED = 1;
const DECIDED = 2;
const BEHIND = 3;
const ABSTAINS = 4;

type WireBallot = partita.v1.RingBallot.$Properties | null | undefined;

/** A refusal because of nothing has ballot 0. */
function takeBallot(ballot: WireBallot): Ballot {
  return { round: ballot?.round ?? 0, ordinal: ballot?.ordinal ?? 0 };
}

function realBallot(ballot: WireBallot): Ballot {
  const taken = takeBallot(ballot);
  return taken.round === 0 ? bad('A ballot of round 0') : taken;
}

function takeDocument(bytes: Uint8Array, hash: Uint8Array): RingBytes | null {
  if (bytes.length > RING_DOCUMENT_BYTES_MAX) {
    return bad(`A ring of ${bytes.length} bytes, at most ${RING_DOCUMENT_BYTES_MAX} are accepted`);
  }
  if (hash.length !== (bytes.length === 0 ? 0 : 8)) return bad(`A hash of ${hash.length} bytes instead of 8`);
  return bytes.length === 0 ? null : { bytes, hash: toHex(hash) };
}

function giveDocument(document: RingBytes | null): { readonly document: Uint8Array; readonly hash: Uint8Array } {
  return { document: document?.bytes ?? new Uint8Array(0), hash: fromHex(document?.hash ?? '') };
}

export function encodeRingPrepare(prepare: RingPrepare): Uint8Array {
  return v1.RingPrepare.encode(prepare).finish();
}

export function decodeRingPrepare(bytes: Uint8Array, start: number, end: number): RingPrepare | DecodeFault {
  return decodeBy(v1.RingPrepare, bytes, start, end, ({ budgetMs, version, ballot }) => ({
    budgetMs,
    version,
    ballot: realBallot(ballot),
  }));
}

export function encodeRingAccept({ budgetMs, version, ballot, document }: RingAccept): Uint8Array {
  return v1.RingAccept.encode({ budgetMs, version, ballot, ...giveDocument(document) }).finish();
}

export function decodeRingAccept(bytes: Uint8Array, start: number, end: number): RingAccept | DecodeFault {
  return decodeBy(v1.RingAccept, bytes, start, end, ({ budgetMs, version, ballot, document, hash }) => ({
    budgetMs,
    version,
    ballot: realBallot(ballot),
    document: takeDocument(document, hash) ?? bad('An empty ring'),
  }));
}

type Negative = Exclude<RingLogAnswer, { kind: 'promised' | 'accepted' }>;

interface WireNegative {
  readonly says: number;
  readonly ballot?: Ballot;
  readonly version?: number;
  readonly reason?: string;
}

function giveNegative(answer: Negative): WireNegative {
  switch (answer.kind) {
    case 'refused':
      return { says: REFUSED, ballot: answer.promised };
    case 'decided':
      return { says: DECIDED, version: answer.version };
    case 'behind':
      return { says: BEHIND, version: answer.version };
    case 'abstains':
      return { says: ABSTAINS, reason: answer.reason };
  }
}

function takeNegative(says: number, ballot: WireBallot, version: number, reason: string): Negative {
  if (says === REFUSED) return { kind: 'refused', promised: takeBallot(ballot) };
  if (says === DECIDED) return { kind: 'decided', version };
  if (says === BEHIND) return { kind: 'behind', version };
  if (says === ABSTAINS) return { kind: 'abstains', reason };
  return bad(`An answer that says ${says}`);
}

export function encodeRingPrepareReply(answer: Exclude<RingLogAnswer, { kind: 'accepted' }>): Uint8Array {
  if (answer.kind !== 'promised') return v1.RingPrepareReply.encode(giveNegative(answer)).finish();
  const { accepted, blank } = answer;
  const told = accepted === null ? {} : { ballot: accepted.ballot, ...giveDocument(accepted.document) };
  return v1.RingPrepareReply.encode({ says: AGREED, blank, ...told }).finish();
}

export function decodeRingPrepareReply(
  bytes: Uint8Array,
  start: number,
  end: number,
): Exclude<RingLogAnswer, { kind: 'accepted' }> | DecodeFault {
  return decodeBy(
    v1.RingPrepareReply,
    bytes,
    start,
    end,
    ({ says, ballot, document, hash, blank, version, reason }) => {
      if (says !== AGREED) return takeNegative(says, ballot, version, reason);
      const taken = takeDocument(document, hash);
      const accepted = taken === null ? null : { ballot: realBallot(ballot), document: taken };
      return { kind: 'promised', accepted, blank };
    },
  );
}

export function encodeRingAcceptReply(answer: Exclude<RingLogAnswer, { kind: 'promised' }>): Uint8Array {
  const reply = answer.kind === 'accepted' ? { says: AGREED, blank: answer.blank } : giveNegative(answer);
  return v1.RingAcceptReply.encode(reply).finish();
}

export function decodeRingAcceptReply(
  bytes: Uint8Array,
  start: number,
  end: number,
): Exclude<RingLogAnswer, { kind: 'promised' }> | DecodeFault {
  return decodeBy(v1.RingAcceptReply, bytes, start, end, ({ says, ballot, blank, version, reason }) =>
    says === AGREED ? { kind: 'accepted', blank } : takeNegative(says, ballot, version, reason),
  );
}

export function encodeRingLearn({ budgetMs, version, document }: RingLearn): Uint8Array {
  return v1.RingLearn.encode({ budgetMs, version, ...giveDocument(document) }).finish();
}

export function decodeRingLearn(bytes: Uint8Array, start: number, end: number): RingLearn | DecodeFault {
  return decodeBy(v1.RingLearn, bytes, start, end, ({ budgetMs, version, document, hash }) => ({
    budgetMs,
    version,
    document: takeDocument(document, hash),
  }));
}

export function encodeRingLearnReply({ version, document, acceptorId }: RingLearnReply): Uint8Array {
  const message = { version, ...giveDocument(document), acceptorId: fromHex(acceptorId) };
  return v1.RingLearnReply.encode(message).finish();
}

export function decodeRingLearnReply(bytes: Uint8Array, start: number, end: number): RingLearnReply | DecodeFault {
  return decodeBy(v1.RingLearnReply, bytes, start, end, ({ version, document, hash, acceptorId }) => ({
    version,
    document: takeDocument(document, hash),
    acceptorId: hexOfId(acceptorId),
  }));
}
