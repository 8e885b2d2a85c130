/*
 * What nodes say to each other to agree on the next ring (membership/ring-acceptor.ts, ring-proposer.ts). To them a ring
 * is opaque bytes with a hash.
 */

/** Who of two proposals goes first: by round, then by the proposer's ordinal. */
export interface Ballot {
  /** From 1. */
  readonly round: number;
  /** Of the proposer. */
  readonly ordinal: number;
}

export interface RingBytes {
  readonly bytes: Uint8Array;
  /** XXH64 of the bytes, as 16 hexadecimal digits. */
  readonly hash: string;
}

export interface AcceptedRing {
  readonly ballot: Ballot;
  readonly document: RingBytes;
}

export type RingLogAnswer =
  /** No lower ballot will be served here. `accepted`: what was accepted here before; whoever asks must propose that. */
  | { readonly kind: 'promised'; readonly accepted: AcceptedRing | null; readonly blank: boolean }
  | { readonly kind: 'accepted'; readonly blank: boolean }
  /** `promised`: the ballot that stands in the way; round 0 if there is none, and it is only too busy. */
  | { readonly kind: 'refused'; readonly promised: Ballot }
  /** It is over: a ring of that version, or a newer one, is installed here, and can be fetched. */
  | { readonly kind: 'decided'; readonly version: number }
  /** The ring installed here is too old to tell. */
  | { readonly kind: 'behind'; readonly version: number }
  | { readonly kind: 'abstains'; readonly reason: string };

export interface RingVoter {
  readonly ordinal: number;
  /** 32 hexadecimal digits, drawn when the voter's acceptor file was made; empty in a ring that names none. */
  readonly acceptorId: string;
}

export interface RingPrepare {
  readonly budgetMs: number;
  /** To be decided. */
  readonly version: number;
  readonly ballot: Ballot;
}

export interface RingAccept extends RingPrepare {
  readonly document: RingBytes;
}

export interface RingLearn {
  readonly budgetMs: number;
  /** Of the ring that the asker has installed, or of the document. */
  readonly version: number;
  /** It was decided: whoever hears of it is to install it. null: a question only. */
  readonly document: RingBytes | null;
}

export interface RingLearnReply {
  /** Of the ring installed. */
  readonly version: number;
  /** That ring; null if it is not newer than the asker's. */
  readonly document: RingBytes | null;
  /** By which a ring can name this node as a voter; empty: it has none that could vote. */
  readonly acceptorId: string;
}
