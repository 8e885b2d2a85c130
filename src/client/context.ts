import { CONTEXT_ENTRIES_MAX } from '../model/limits.js';
import { PartitaError } from './errors.js';
import { EMPTY_CONTEXT, contextOf } from './opaque-context.js';
import type { OpaqueContext } from './opaque-context.js';

/** Entries take 16 bytes at most, and 16 put ids may come along; with room to spare. */
const CONTEXT_BYTES_MAX = CONTEXT_ENTRIES_MAX * 16 + 4_096;
const TEXT_MAX = Math.ceil((CONTEXT_BYTES_MAX * 4) / 3);

/**
 * Opaque causal context: comes with {@link GetResult} and {@link PutResult}, goes back with put() and delete(). It
 * belongs to the key that it came with. Immutable; may be kept, sent elsewhere as text (`toString()`, JSON), and used
 * more than once: puts with the same context are concurrent and become siblings.
 *
 * The object also remembers which node answered the read first, and a put with it goes there if that is an owner of the
 * key (§5 of the paper); the text does not, and such a put goes to the first owner.
 */
export type Context = OpaqueContext;

export const Context: {
  /** The context of one who has seen nothing: a put with it keeps every version that is there. */
  readonly empty: Context;
  /**
   * The context that `toString()` gave; white space around it is ignored.
   * @throws {@link PartitaError} `INVALID_CONTEXT` when the text is not base64url, or too long for a context.
   */
  parse(text: string): Context;
} = { empty: EMPTY_CONTEXT, parse };

function parse(text: string): Context {
  const trimmed = text.trim();
  if (!/^[A-Za-z0-9_-]*$/.test(trimmed) || trimmed.length % 4 === 1) {
    throw new PartitaError(
      'INVALID_CONTEXT',
      'Not a context: expected base64url as Context.toString() writes it; read the key again to get one',
    );
  }
  if (trimmed.length > TEXT_MAX) {
    throw new PartitaError(
      'INVALID_CONTEXT',
      `Not a context: ${trimmed.length} characters, the longest have ${TEXT_MAX}`,
    );
  }
  return contextOf(new Uint8Array(Buffer.from(trimmed, 'base64url')));
}
