/** Bits that nobody repeats: the daemon draws them from the kernel, a simulation from a stream that no disk rolls back. */
export interface Random {
  /** 0 ≤ result < 2^32 */
  u32(): number;
  fill(bytes: Uint8Array): void;
}
