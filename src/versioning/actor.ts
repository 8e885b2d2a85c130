/*
 * Actors: who minted a dot. Eight bytes, kept as two u32 and never turned into one number (64-bit ids collide as doubles).
 *
 *   bits  63..48  ordinal of the node, given by the ring and never reused
 *         47..0   random
 *
 * "a:7 is known here" means that all of a's dots for this key up to 7 are, and that is true only while whoever mints under
 * `a` never forgets one. So an actor lives no longer than a store's memory of it: a fresh one for every key and opening, and
 * after every forgetting (put.ts). A counter in place of the random bits would be rolled back with the disk that holds it.
 */
import type { Random } from '../env/random.js';

export const ORDINAL_MAX = 0xffff;

/** The upper half of a fresh actor; the lower half is 32 more random bits. */
export function freshActorHi(ordinal: number, random: Random): number {
  return ((ordinal << 16) | (random.u32() >>> 16)) >>> 0;
}

export function ordinalOf(hi: number): number {
  return hi >>> 16;
}

/** 16 hexadecimal digits, for people. */
export function actorText(hi: number, lo: number): string {
  return hi.toString(16).padStart(8, '0') + lo.toString(16).padStart(8, '0');
}
