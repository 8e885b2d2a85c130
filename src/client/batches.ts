/** Keys in one frame: what a node answers in well under a millisecond, so that one frame holds up no other call. */
const BATCH_KEYS_MAX = 128;
/** Bytes in one frame, an item that is larger alone apart; a node accepts a value of a MiB and what belongs to it. */
const BATCH_BYTES_MAX = 1_048_576;

export interface Batch<P, I> {
  readonly to: P;
  readonly items: I[];
  bytes: number;
}

/** Puts items together by where they go, in their order, as many as a frame shall carry. */
export function batchesOf<P, I>(
  items: Iterable<I>,
  whereTo: (item: I) => P,
  bytesOf: (item: I) => number,
): Batch<P, I>[] {
  const batches: Batch<P, I>[] = [];
  const open = new Map<P, Batch<P, I>>();
  for (const item of items) {
    const to = whereTo(item);
    const bytes = bytesOf(item);
    let batch = open.get(to);
    if (batch === undefined || batch.items.length >= BATCH_KEYS_MAX || batch.bytes + bytes > BATCH_BYTES_MAX) {
      batch = { to, items: [], bytes: 0 };
      open.set(to, batch);
      batches.push(batch);
    }
    batch.items.push(item);
    batch.bytes += bytes;
  }
  return batches;
}
