/* Asks, and writes down how each request ended: exactly once, with the answer that belongs to it. */
import type { Failure } from '../../../src/model/errors.js';
import type { PeerLink } from '../../../src/node/peers/link.js';
import type { ForwardAsker, ReadAsker, StoreAsker, Unanswered } from '../../../src/node/peers/request.js';
import type { ForwardReplyView, ReadReplyView, StoreReplyView } from '../../../src/wire/read-peer.js';
import { GET } from '../../../src/wire/kinds.js';
import { checksum } from './cluster.js';

export type Ending = 'answered' | 'wrong' | 'refused' | 'timeout' | 'lost' | 'unsent';

interface Expectation {
  readonly to: number;
  readonly kind: 'store' | 'read' | 'forward';
  /** Of a store: the fence; otherwise the bytes of the answer. */
  readonly fence: number;
  readonly bytes: Buffer;
  readonly endings: Ending[];
  endedMs: number;
}

export class Recorder implements StoreAsker, ReadAsker, ForwardAsker {
  readonly expected: Expectation[] = [];
  /** Called on every ending; what it does may ask again. */
  onEnded: (tag: number, ending: Ending) => void = () => {};
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  store(link: PeerLink, record: Uint8Array, timeoutMs: number, stays: boolean = false): number {
    const tag = this.#expect(link, 'store', checksum(record), Buffer.alloc(0));
    const head = {
      partition: tag % 16,
      ringVersion: 1,
      budgetMs: timeoutMs,
      hintFor: 0,
      fence: 0,
      durable: false,
      reason: 'put',
    } as const;
    if (link.store(head, record, stays, timeoutMs, this, tag) === null) this.#end(tag, 'unsent');
    return tag;
  }

  read(link: PeerLink, key: string, timeoutMs: number): number {
    const tag = this.#expect(link, 'read', 0, Buffer.from(key).reverse());
    const request = { key: Buffer.from(key), partition: tag % 16, ringVersion: 1, budgetMs: timeoutMs };
    if (link.read(request, timeoutMs, this, tag) === null) this.#end(tag, 'unsent');
    return tag;
  }

  forward(link: PeerLink, body: string, timeoutMs: number): number {
    const tag = this.#expect(link, 'forward', 0, Buffer.from(body));
    const request = { kind: GET, budgetMs: timeoutMs, ringVersion: 1, body: Buffer.from(body) };
    if (link.forward(request, timeoutMs, this, tag) === null) this.#end(tag, 'unsent');
    return tag;
  }

  onStored(from: number, tag: number, reply: StoreReplyView): void {
    this.#answered(from, tag, 'store', reply.fence === this.expected[tag]?.fence);
  }

  onRead(from: number, tag: number, reply: ReadReplyView): void {
    const record = reply.bytes.subarray(reply.record.start, reply.record.end);
    this.#answered(from, tag, 'read', this.expected[tag]?.bytes.equals(record) === true);
  }

  onForwarded(from: number, tag: number, reply: ForwardReplyView): void {
    const body = reply.bytes.subarray(reply.body.start, reply.body.end);
    this.#answered(from, tag, 'forward', this.expected[tag]?.bytes.equals(body) === true);
  }

  onRefused(_from: number, tag: number, refusal: Failure): void {
    this.#end(tag, refusal.code === 'OVERLOADED' ? 'refused' : 'wrong');
  }

  onUnanswered(_from: number, tag: number, why: Unanswered): void {
    this.#end(tag, why);
  }

  endingOf(tag: number): string {
    return this.expected[tag]?.endings.join() ?? 'never asked';
  }

  /** Endings and how many of each; those that have not ended are `none`. */
  counts(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { endings } of this.expected) {
      const ending = endings.length === 0 ? 'none' : endings.join();
      counts[ending] = (counts[ending] ?? 0) + 1;
    }
    return counts;
  }

  #expect(link: PeerLink, kind: Expectation['kind'], fence: number, bytes: Buffer): number {
    return this.expected.push({ to: link.ordinal, kind, fence, bytes, endings: [], endedMs: 0 }) - 1;
  }

  #answered(from: number, tag: number, kind: Expectation['kind'], fits: boolean): void {
    const expected = this.expected[tag];
    this.#end(tag, fits && expected?.to === from && expected.kind === kind ? 'answered' : 'wrong');
  }

  #end(tag: number, ending: Ending): void {
    const expected = this.expected[tag];
    if (expected === undefined) throw new Error(`Request ${tag} was never asked`);
    expected.endings.push(ending);
    expected.endedMs = this.#nowMs();
    this.onEnded(tag, ending);
  }
}
