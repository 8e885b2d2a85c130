/*
 * A bug that is planted on purpose. A simulator that finds none of them proves nothing by finding none in the real code.
 *
 * It is planted by wrapping what a node is built from, or, where there is nothing to wrap, by changing passages of
 * compiled sources as they are loaded (edits; planted.ts). Either way the sources carry no switch for it.
 */
import type { Disk } from '../../../src/env/disk.js';
import type { Random } from '../../../src/env/random.js';
import type { Storage } from '../../../src/storage/storage.js';
import type { Passage } from '../../support/planted.js';
import type { SimOptions } from '../options.js';

/** What a wrapper may use of the node around it. */
export interface MutantWorld {
  readonly ordinal: number;
  /** Draws for the mutant alone. */
  readonly random: Random;
  after(delayMs: number, fire: () => void): void;
  nowMs(): number;
}

/** A passage of a file below dist/src. */
export interface Edit extends Passage {
  readonly file: string;
}

export interface Mutant {
  readonly name: string;
  readonly what: string;
  readonly edits?: readonly Edit[];
  /** What the seeds do not draw for it: a bug of hints needs owners that are away. */
  readonly given?: Partial<SimOptions>;
  storage?(inner: Storage, world: MutantWorld): Storage;
  disk?(inner: Disk): Disk;
  /** The bits that actors are drawn from; `opening` counts the starts on this disk. */
  random?(inner: Random, ordinal: number): Random;
  /** Only a find of one of these is its own: in its worlds other things go wrong as well. */
  readonly foundBy?: readonly string[];
  /** Starts with a clock that has forgotten every stamp. */
  readonly forgetsClock?: boolean;
}
