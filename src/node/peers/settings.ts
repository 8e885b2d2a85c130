/* How patient a node is with its peers, and how much it lets wait for one. Times in ms, sizes in bytes. */
export interface PeerSettings {
  /** From dialing to the end of the handshake. */
  readonly connectTimeoutMs: number;
  /** Mean pause before the n-th attempt is half of redialMsMin · 2^(n-1), at most of redialMsMax. */
  readonly redialMsMin: number;
  readonly redialMsMax: number;
  /** Requests under way to one peer, unless it allows fewer; late answers that are still missing count. At most 65_536. */
  readonly inFlightMax: number;
  /** Bytes that the peer has not taken yet. Beyond, requests to it are not sent; one alone may be larger. */
  readonly queuedBytesMax: number;
  readonly replyBodyBytesMax: number;
}

export const PEER_SETTINGS: PeerSettings = {
  connectTimeoutMs: 2_000,
  redialMsMin: 50,
  redialMsMax: 2_000,
  inFlightMax: 4_096,
  queuedBytesMax: 8_388_608,
  replyBodyBytesMax: 268_435_456,
};

/** How often heartbeats are sent and connections looked over. */
export const HEARTBEAT_MS = 1_000;
