/*
 * What a client has seen of a key: the causal context of §4.4. The bytes are the server's own; here they are carried,
 * never read. The server hands a context out only together with every version that it covers, so a put with it replaces
 * exactly what its caller had before its eyes.
 */
import { equalBytes } from '../lib/bytes.js';

let wrap: (bytes: Uint8Array) => OpaqueContext;
let unwrap: (context: OpaqueContext) => Uint8Array;

/** See {@link Context}, by which name it is known outside. */
export class OpaqueContext {
  readonly #bytes: Uint8Array;

  static {
    wrap = (bytes) => new OpaqueContext(bytes);
    unwrap = (context) => context.#bytes;
    // What console.log shows; a registered symbol, so nothing has to be imported for it.
    Object.defineProperty(OpaqueContext.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: OpaqueContext): string {
        return `Context(${this.toString()})`;
      },
    });
  }

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
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

export const EMPTY_CONTEXT: OpaqueContext = wrap(new Uint8Array(0));

/** For this folder: a context around bytes that are its own from now on. */
export function contextOf(bytes: Uint8Array): OpaqueContext {
  return bytes.length === 0 ? EMPTY_CONTEXT : wrap(bytes);
}

/** For this folder: the bytes to send. */
export function contextBytes(context: OpaqueContext): Uint8Array {
  return unwrap(context);
}
