/*
 * What a client has seen of a key: the causal context of §4.4. The bytes are the server's own; here they are carried,
 * never read. The server hands a context out only together with every version that it covers, so a put with it replaces
 * exactly what its caller had before its eyes.
 */
import { equalBytes } from '../lib/bytes.js';
import { CONTEXT_ENTRIES_MAX } from '../model/limits.js';
import { PartitaError } from './errors.js';

/** Entries take 16 bytes at most, and 16 put ids may come along; with room to spare. */
const CONTEXT_BYTES_MAX = CONTEXT_ENTRIES_MAX * 16 + 4_096;

let wrap: (bytes: Uint8Array) => Context;
let unwrap: (context: Context) => Uint8Array;

/**
 * Opaque causal context: comes with {@link GetResult} and {@link PutResult}, goes back with put() and delete().
 * It belongs to the key that it came with. Immutable; may be kept, sent elsewhere as text, and used more than once
 * (puts with the same context are concurrent and become siblings).
 */
export class Context {
  readonly #bytes: Uint8Array;

  static {
    wrap = (bytes) => new Context(bytes);
    unwrap = (context) => context.#bytes;
    // What console.log shows; a registered symbol, so nothing has to be imported for it.
    Object.defineProperty(Context.prototype, Symbol.for('nodejs.util.inspect.custom'), {
      value(this: Context): string {
        return `Context(${this.toString()})`;
      },
    });
  }

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The context of one who has seen nothing: a put with it keeps every version that is there. */
  static get empty(): Context {
    return EMPTY;
  }

  /**
   * The context that `toString()` gave.
   * @throws {@link PartitaError} `INVALID_CONTEXT` when the text is not base64url or too long for a context.
   */
  static parse(text: string): Context {
    const trimmed = text.trim();
    if (!/^[A-Za-z0-9_-]*$/.test(trimmed) || trimmed.length % 4 === 1) {
      throw new PartitaError(
        'INVALID_CONTEXT',
        'Not a context: expected base64url as Context.toString() writes it; read the key again to get one',
      );
    }
    if (trimmed.length > (CONTEXT_BYTES_MAX * 4) / 3) {
      throw new PartitaError(
        'INVALID_CONTEXT',
        `Not a context: ${trimmed.length} characters, the longest have ${Math.floor((CONTEXT_BYTES_MAX * 4) / 3)}`,
      );
    }
    return trimmed === '' ? EMPTY : new Context(new Uint8Array(Buffer.from(trimmed, 'base64url')));
  }

  get isEmpty(): boolean {
    return this.#bytes.length === 0;
  }

  equals(other: Context): boolean {
    return equalBytes(this.#bytes, other.#bytes);
  }

  /** base64url, without padding; `''` for the empty context. */
  toString(): string {
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength).toString('base64url');
  }

  toJSON(): string {
    return this.toString();
  }
}

const EMPTY: Context = wrap(new Uint8Array(0));

/** For this folder: a context around bytes that are its own from now on. */
export function contextOf(bytes: Uint8Array): Context {
  return bytes.length === 0 ? EMPTY : wrap(bytes);
}

/** For this folder: the bytes to send. */
export function contextBytes(context: Context): Uint8Array {
  return unwrap(context);
}
