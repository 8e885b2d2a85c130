/*
 * A broken assumption of ours stops the process: wrong data is worse than no data. Nothing that came off the wire or
 * from a disk is ever asserted; that is the world misbehaving, and has outcomes and errors of its own.
 */

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

export function assert(claim: boolean, text: string): asserts claim {
  if (!claim) throw new AssertionError(text);
}

/** Ends a `switch` over a closed union: the compiler objects when a member is missing. */
export function assertNever(value: never): never {
  throw new AssertionError(`Unexpected ${JSON.stringify(value)}`);
}
