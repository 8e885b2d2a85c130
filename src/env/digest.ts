/** SHA-256, for storage keys that are too long for LMDB. Rare, so it may allocate. */
export interface Digest {
  sha256(bytes: Uint8Array): Uint8Array;
}

/** For proofs that somebody knows a secret. */
export interface KeyedDigest {
  /** HMAC-SHA256: 32 bytes. */
  hmac(key: Uint8Array, bytes: Uint8Array): Uint8Array;
  /** Takes as long wherever they differ. */
  equal(a: Uint8Array, b: Uint8Array): boolean;
}
