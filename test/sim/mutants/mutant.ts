/*
 * A bug that is planted on purpose, by wrapping what a node is built from. A simulator that finds none of them proves
 * nothing by finding none in the real code.
 */
import type { Disk } from '../../../src/env/disk.js';
import type { Random } from '../../../src/env/random.js';
import type { ClusterShape } from '../options.js';
import type { Storage } from '../../../src/storage/storage.js';

/** What a wrapper may use of the node around it. */
export interface MutantWorld {
  readonly ordinal: number;
  /** Draws for the mutant alone. */
  readonly random: Random;
  after(delayMs: number, fire: () => void): void;
  nowMs(): number;
}

export interface Mutant {
  readonly name: string;
  readonly what: string;
  storage?(inner: Storage, world: MutantWorld): Storage;
  disk?(inner: Disk): Disk;
  /** The bits that actors are drawn from; `opening` counts the starts on this disk. */
  random?(inner: Random, ordinal: number): Random;
  /** The shape that it is looked for in; absent: whatever a seed draws. */
  readonly shape?: ClusterShape;
  /** Starts with a clock that has forgotten every stamp. */
  readonly forgetsClock?: boolean;
}
