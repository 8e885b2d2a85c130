/* What nodes tell each other of all nodes (membership/gossip.ts). */

/** How far a node has come. Of two words about one node that with the higher opening is newer, then that with the higher beat. */
export interface GossipBeat {
  readonly ordinal: number;
  /** Of its store: higher each time the node is started. If the store was put back to an earlier day, above what others had heard. */
  readonly opening: number;
  /** Counted by the node itself, once a round. */
  readonly beat: number;
  /** Of the ring that it has; never lower than at an earlier beat of the opening. */
  readonly ringVersion: number;
}

/** All that is told of a node. Between two beats nothing of it changes but for another opening or another ring. */
export interface GossipEntry extends GossipBeat {
  /** 32 hexadecimal digits. */
  readonly nodeId: string;
  /** XXH64 of the ring document, as 16 hexadecimal digits. */
  readonly ringHash: string;
  /** Where other nodes reach it; empty: where the ring says. */
  readonly peerAddress: string;
}

export interface GossipMessage {
  /** Of all nodes that the sender knows something of, but itself; by ordinal. */
  readonly beats: readonly GossipBeat[];
  /** The sender's own, and what it was asked for. */
  readonly entries: readonly GossipEntry[];
  /** It ends an exchange: nothing is to be told in return. */
  readonly closing: boolean;
}

export interface GossipReply {
  /** Newer than in the question, and nothing else of these nodes has changed; by ordinal. */
  readonly beats: readonly GossipBeat[];
  /** The sender's own, and those that are newer than in the question, or were not in it. */
  readonly entries: readonly GossipEntry[];
  /** Ordinals of the nodes of which the question knows more. */
  readonly wants: readonly number[];
}

export type GossipAlarm =
  /** Two documents with one version number; `ordinals`: of a node that has the one, and of one that has the other. */
  | {
      readonly kind: 'two-rings';
      readonly version: number;
      readonly hashes: readonly [string, string];
      readonly ordinals: readonly [number, number];
    }
  /** Two processes say that they are one node, as after its directory was copied. `openings`: of the older and the younger. */
  | {
      readonly kind: 'two-nodes';
      readonly ordinal: number;
      readonly nodeId: string;
      readonly openings: readonly [number, number];
    }
  /** This node's store was put back to an earlier day: others have heard it from a later opening. */
  | { readonly kind: 'put-back'; readonly opening: number; readonly heard: number };

export interface GossipMember {
  readonly ordinal: number;
  readonly nodeId: string;
  /** Null: nothing was heard of it yet. */
  readonly entry: GossipEntry | null;
  /** Since it was heard to go on, by whichever way; or since it has been a member. */
  readonly quietMs: number;
  readonly isSilent: boolean;
}

export interface GossipStatus {
  readonly own: GossipEntry;
  /** All others of the ring, by ordinal. */
  readonly members: readonly GossipMember[];
  /** The highest that any member has. */
  readonly newestVersion: number;
  readonly holders: readonly number[];
  /** The last few. */
  readonly alarms: readonly GossipAlarm[];
  /** Begun here, since the start. */
  readonly exchanges: number;
  readonly unanswered: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}
