/* Memory for records that are on their way. */

/** A block of up to this size is used again by the next request. */
export const KEPT_BYTES_MAX = 16_384;

/** Room for `size` bytes, and some more while it is small; not zeroed where that would cost. Never a Buffer, whose `slice` is a view. */
export function blockOf(size: number): Uint8Array {
  if (size > KEPT_BYTES_MAX) return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
  return new Uint8Array(Math.min(2 * size, KEPT_BYTES_MAX));
}
