/* What every part of a simulation shares and nothing may depend on in time: hashes, names, keys. */
import { createHash, createHmac } from 'node:crypto';
import xxhash from 'xxhash-wasm';
import type { Digest, KeyedDigest } from '../../src/env/digest.js';
import { type Hash64, hash64From } from '../../src/model/hash.js';
import type { Random } from '../../src/env/random.js';
import type { Prng } from '../../src/lib/prng.js';

export const HASH: Hash64 = hash64From(await xxhash());
export const DIGEST: Digest = { sha256: (bytes) => createHash('sha256').update(bytes).digest() };

export const KEYED_DIGEST: KeyedDigest = {
  hmac: (key, bytes) => createHmac('sha256', key).update(bytes).digest(),
  equal: (a, b) => Buffer.compare(a, b) === 0,
};

export function randomFrom(prng: Prng): Random {
  return {
    u32: () => prng.u32(),
    fill: (bytes) => {
      prng.fill(bytes);
    },
  };
}

export const hexOf = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('hex');

export const latin1Of = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');

export const textOf = (bytes: Uint8Array): string => latin1Of(bytes, 0, bytes.length);

/** An exponentially distributed time with this mean. */
export function exponential(prng: Prng, mean: number): number {
  return -Math.log(1 - prng.float()) * mean;
}

/** Between, evenly. */
export function between(prng: Prng, from: number, to: number): number {
  return from + prng.float() * (to - from);
}

/** Where a node's clients and peers reach it. */
export function placeOf(ordinal: number): { readonly address: string; readonly peerAddress: string } {
  return { address: `10.0.0.${ordinal}:7700`, peerAddress: `10.0.0.${ordinal}:7701` };
}
