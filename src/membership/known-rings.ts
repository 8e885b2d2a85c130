/*
 * Which document each version of the ring is, by all that was heard. A version is agreed on once, so two documents with one
 * number are the worst that can be heard: both sides would acknowledge writes that the other never looks for. It comes of
 * rings that were made by hand, or of voters that have lost their memory; nothing here can mend it, but it must be told.
 */
import type { GossipAlarm } from '../model/gossip-messages.js';

/** Nodes that are further behind fetch the newest ring anyhow. */
const VERSIONS_MAX = 64;

interface Known {
  readonly hash: string;
  /** Who was heard to have it. */
  readonly ordinal: number;
  isTold: boolean;
}

export class KnownRings {
  readonly #versions: Map<number, Known> = new Map();

  /** Not null: another document of that version was heard of before; once a version. */
  note(version: number, hash: string, ordinal: number): GossipAlarm | null {
    const known = this.#versions.get(version);
    if (known === undefined) {
      this.#versions.set(version, { hash, ordinal, isTold: false });
      if (this.#versions.size > VERSIONS_MAX) this.#versions.delete(Math.min(...this.#versions.keys()));
      return null;
    }
    if (known.hash === hash || known.isTold) return null;
    known.isTold = true;
    return { kind: 'two-rings', version, hashes: [known.hash, hash], ordinals: [known.ordinal, ordinal] };
  }
}
