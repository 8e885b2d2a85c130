import type { Connection } from '../../env/transport.js';
import { FRAME_HEADER_BYTES } from '../../model/limits.js';
import type { RingMessage } from '../../model/messages.js';
import { decodeRingReply, encodeRingFetch } from '../../wire/codec-ring.js';
import { RING_FETCH, RING_REPLY } from '../../wire/kinds.js';
import type { PartitaError } from '../errors.js';
import type { Operation } from './call.js';
import { orThrow, sendFrame } from './session-frames.js';

export class RingOperation implements Operation {
  readonly name = 'ring';
  readonly key: undefined = undefined;
  readonly fastest = 0;
  readonly writes = false;
  readonly replyKind: number = RING_REPLY;
  readonly #body: Uint8Array;
  readonly #done: (error: PartitaError | null, ring?: RingMessage) => void;
  #ring: RingMessage | undefined = undefined;

  constructor(knownVersion: number, done: (error: PartitaError | null, ring?: RingMessage) => void) {
    this.#body = encodeRingFetch({ knownVersion });
    this.#done = done;
  }

  measure(): number {
    return FRAME_HEADER_BYTES + this.#body.length;
  }

  write(connection: Connection, requestId: number): void {
    sendFrame(connection, RING_FETCH, requestId, this.#body);
  }

  read(bytes: Uint8Array, start: number, end: number): number {
    this.#ring = orThrow(decodeRingReply(bytes, start, end));
    return 0; // adopting it is what would follow
  }

  succeed(): void {
    this.#done(null, this.#ring);
  }

  fail(error: PartitaError): void {
    this.#done(error);
  }
}
