/*
 * What a client has seen of a key: the causal context of §4.4. The bytes are the server's own; here they are carried,
 * never read. The server hands a context out only together with every version that it covers, so a put with it replaces
 * exactly what its caller had before its eyes.
 */
import { equalBytes } from '../lib/bytes.js';

let wrap: (bytes: Uint8Array, fastest: number) => OpaqueContext;
let unwrap: (context: OpaqueContext) => Uint8Array;
let fastestIn: (context: OpaqueContext) => number;

/** See {@link Context}, by which name it is known outside. */
export class OpaqueContext {
  readonly #bytes: Uint8Array;
  /** Where a put with this context is best sent (§5). It is advice: not part of the text, nor of what makes two equal. */
  readonly #fastest: number;

  static {
    wrap = (bytes, fastest) => new OpaqueContext(bytes, fastest);
    unwrap = (context) => context.#bytes;
    fastestIn = (context) => context.#fastest;
    // What console.log shows; a registered symbol, so nothing has to be imported for it.
    Object.defineProperty(OpaqueContext.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: OpaqueContext): string {
        return `Context(${this.toString()})`;
      },
    });
  }

  private constructor(bytes: Uint8Array, fastest: number) {
    this.#bytes = bytes;
    this.#fastest = fastest;
  }

  /** The context of one who has seen nothing. */
  get isEmpty(): boolean {
    return this.#bytes.length === 0;
  }

  equals(other: OpaqueContext): boolean {
    return equalBytes(this.#bytes, other.#bytes);
  }

  /** base64url, without padding; `''` for the empty context. {@link Context.parse} reads it. */
  toString(): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength).toString('base64url');
  }

  toJSON(): string {
    return this.toString();
  }
}

export const EMPTY_CONTEXT: OpaqueContext = wrap(new Uint8Array(0), 0);

/** For this folder: a context around bytes that are its own from now on. `fastest`: ordinal of a node; 0: none. */
export function contextOf(bytes: Uint8Array, fastest: number = 0): OpaqueContext {
  return bytes.length === 0 && fastest === 0 ? EMPTY_CONTEXT : wrap(bytes, fastest);
}

/** For this folder: ordinal of the node that answered the read first; 0: not known. */
export function fastestOf(context: OpaqueContext): number {
  return fastestIn(context);
}

/** For this folder: the bytes to send. */
export function contextBytes(context: OpaqueContext): Uint8Array {
  return unwrap(context);
}
