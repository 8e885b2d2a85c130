/*
 * Seeds: addresses from the configuration, called while no member of the ring can be reached at the address that it has
 * there. Whoever answers has a ring; a newer one says where everybody is now. That is all that a seed is for: it makes
 * nobody a member, and a cluster with another id is none of ours.
 */
import type { RingLearnReply } from '../../model/ring-log-messages.js';
import { decodeRingLearnReply, encodeRingLearn } from '../../wire/codec-ring-log.js';
import { RING_LEARN } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import { copyBytes } from '../../lib/bytes.js';
import type { ClusterParts } from './parts.js';
import { RING_ASK_MS } from './ring-asks.js';

export class SeedCalls {
  readonly #parts: ClusterParts;
  readonly #learned: (reply: RingLearnReply) => string;
  /** Address → what was said of it last: said once. */
  readonly #said: Map<string, string> = new Map();

  /** `learned`: says what is wrong with it, or nothing. */
  constructor(parts: ClusterParts, learned: (reply: RingLearnReply) => string) {
    this.#parts = parts;
    this.#learned = learned;
  }

  call(address: string): void {
    const { links, services } = this.#parts;
    const { version } = services.ring;
    links.visit(address, {
      kind: RING_LEARN,
      body: encodeRingLearn({ budgetMs: RING_ASK_MS, version, document: null }),
      answered: (bytes, start, end) => {
        const reply = decodeRingLearnReply(copyBytes(bytes, start, end), 0, end - start);
        const fault = isFault(reply) ? `Its answer cannot be read: ${reply}` : this.#learned(reply);
        if (isFault(reply) || fault !== '') this.#failed(address, fault);
        else this.#heard(address, reply.version);
      },
      failed: (why) => {
        this.#failed(address, why);
      },
    });
  }

  #heard(address: string, version: number): void {
    const text = `ring ${version}`;
    if (this.#said.get(address) === text) return;
    this.#said.set(address, text);
    this.#parts.services.log.info('seed-met', { address, ringVersion: version });
  }

  #failed(address: string, reason: string): void {
    if (this.#said.get(address) === reason) return;
    this.#said.set(address, reason);
    this.#parts.services.log.warn('seed-unreachable', { address, reason });
  }
}
