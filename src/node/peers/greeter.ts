/*
 * The frames of the handshake as the dialing end of a connection goes through them, in their order and no other: a
 * HELLO_REPLY that comes before the proof of the other side is what an impostor would send.
 */
import type { Failure } from '../../model/errors.js';
import type { HelloReply } from '../../model/messages.js';
import { decodeError } from '../../wire/codec-connection.js';
import { CHALLENGE, ERROR, HELLO_REPLY, nameOfKind, PROOF } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import { sizeOfErrorFrame, writeErrorFrame } from '../../wire/write-replies.js';
import type { PeerIntroduction } from './introduction.js';

export type GreetingStep =
  | { readonly kind: 'send'; readonly frameKind: number; readonly body: Uint8Array }
  /** `frame` says why to the other side, `text` to our log. */
  | { readonly kind: 'refuse'; readonly frame: Uint8Array; readonly text: string }
  | { readonly kind: 'failed'; readonly text: string }
  /** By a ring that is newer than ours, and that has proved to be of our cluster. */
  | { readonly kind: 'removed'; readonly text: string; readonly ringVersion: number }
  | { readonly kind: 'accepted'; readonly reply: HelloReply };

export class Greeter {
  readonly #introduction: PeerIntroduction;
  #expected: number = CHALLENGE;

  constructor(introduction: PeerIntroduction) {
    this.#introduction = introduction;
  }

  hello(): Uint8Array {
    return this.#introduction.hello();
  }

  onFrame(kind: number, bytes: Uint8Array, start: number, end: number): GreetingStep {
    if (kind !== this.#expected) {
      const text = this.textOf(kind, bytes, start, end);
      const isProved = this.#expected === HELLO_REPLY;
      const ringVersion = isProved && kind === ERROR ? this.#introduction.removedBy(bytes, start, end) : 0;
      return ringVersion > 0 ? { kind: 'removed', text, ringVersion } : { kind: 'failed', text };
    }
    if (kind === CHALLENGE) {
      this.#expected = HELLO_REPLY;
      const answer = this.#introduction.onChallenge(bytes, start, end);
      return answer instanceof Uint8Array ? { kind: 'send', frameKind: PROOF, body: answer } : refusal(answer);
    }
    const reply = this.#introduction.onHelloReply(bytes, start, end);
    return 'code' in reply ? refusal(reply) : { kind: 'accepted', reply };
  }

  /** For the log: what a frame means that ends the connection. */
  textOf(kind: number, bytes: Uint8Array, start: number, end: number): string {
    if (kind !== ERROR) return `It sent a ${nameOfKind(kind)} that has no place there`;
    const error = decodeError(bytes, start, end);
    return isFault(error)
      ? `It sent an ERROR that cannot be read: ${error}`
      : `It refused: ${error.text} (${error.code})`;
  }
}

function refusal(reason: Failure): GreetingStep {
  const frame = new Uint8Array(sizeOfErrorFrame(reason, 0));
  writeErrorFrame(frame, 0, 0, reason, 0);
  return { kind: 'refuse', frame, text: `${reason.text} (${reason.code})` };
}
