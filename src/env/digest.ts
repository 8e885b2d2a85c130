/** SHA-256, for storage keys that are too long for LMDB. Rare, so it may allocate. */
export interface Digest {
  sha256(bytes: Uint8Array): Uint8Array;
}
