/*
 * The pool's twin for tests and simulations: the same walks over the same files, run where they are asked for, answered
 * a little later, in an order of the simulation's choosing.
 */
import type { Digest } from '../env/digest.js';
import type { FileSnapshot } from '../env/partition-file.js';
import type {
  CopiedFile,
  DescribeTask,
  DigestTask,
  RangeTask,
  ReadRange,
  ReadTask,
  RebuiltLeaves,
  ScrubSlice,
  SliceTask,
  Workers,
} from '../env/workers.js';
import type { Hash64 } from '../model/hash.js';
import { readRange } from '../storage/scan-range.js';
import { describe, digestChunks } from './describe.js';
import { limitsOf, rebuild, walkSlice, type WalkParts } from './walk.js';

export interface InlineParts {
  /** Runs `fire` later: after a drawn delay, or at the end of the turn. */
  readonly later: (fire: () => void) => void;
  /** The file at `path` as it is now. */
  readonly snapshotOf: (path: string) => FileSnapshot;
  /** A copied file; absent: there are none. */
  readonly copyAt?: (path: string) => { readonly bytes: Uint8Array; readonly snapshot: FileSnapshot } | null;
  readonly hash: Hash64;
  readonly digest: Digest;
  readonly nowMs: () => number;
}

type Answer<T> = (error: Error | null, value?: T) => void;

export class InlineWorkers implements Workers {
  readonly #parts: InlineParts;

  constructor(parts: InlineParts) {
    this.#parts = parts;
  }

  readMany(task: ReadTask, done: Answer<readonly (Uint8Array | null)[]>): void {
    this.#run(() => {
      const snapshot = this.#parts.snapshotOf(task.path);
      return task.keys.map((key) => snapshot.get(key));
    }, done);
  }

  readRange(task: RangeTask, done: Answer<ReadRange>): void {
    this.#run(() => readRange(this.#parts.snapshotOf(task.path), task), done);
  }

  rebuildLeaves(path: string, leafCount: number, _partitionCount: number, done: Answer<RebuiltLeaves>): void {
    this.#run(() => rebuild(this.#walk(path, leafCount)), done);
  }

  scrubSlice(task: SliceTask, done: Answer<ScrubSlice>): void {
    const { path, partition, leafCount, fromLeaf } = task;
    this.#run(() => walkSlice(this.#walk(path, leafCount), partition, fromLeaf, limitsOf(task)), done);
  }

  walkCopy(task: SliceTask, done: Answer<ScrubSlice>): void {
    const { path, partition, leafCount, fromLeaf } = task;
    this.#run(() => {
      const { snapshot } = this.#copyAt(path);
      const parts: WalkParts = { ...this.#walk(path, leafCount), snapshot: (use) => use(snapshot) };
      return walkSlice(parts, partition, fromLeaf, limitsOf(task));
    }, done);
  }

  describe({ path, leafCount }: DescribeTask, done: Answer<CopiedFile>): void {
    this.#run(() => {
      const { bytes, snapshot } = this.#copyAt(path);
      return describe(bytes.length, snapshot, leafCount, this.#parts.hash);
    }, done);
  }

  digestChunks(task: DigestTask, done: Answer<Uint8Array>): void {
    this.#run(() => {
      const { bytes } = this.#copyAt(task.path);
      const file = { read: (offset: number, length: number): Uint8Array => bytes.subarray(offset, offset + length) };
      return digestChunks(file, task, this.#parts.hash);
    }, done);
  }

  #copyAt(path: string): { readonly bytes: Uint8Array; readonly snapshot: FileSnapshot } {
    const copy = this.#parts.copyAt?.(path) ?? null;
    if (copy === null) throw new Error(`There is no ${path}`);
    return copy;
  }

  hash(bytes: Uint8Array, done: Answer<Uint8Array>): void {
    this.#run(() => {
      const { hash } = this.#parts;
      hash.hash(bytes, 0, bytes.length);
      const digest = new Uint8Array(8);
      const view = new DataView(digest.buffer);
      view.setUint32(0, hash.hi);
      view.setUint32(4, hash.lo);
      return digest;
    }, done);
  }

  /** Twice later: a pool looks at the file at one moment, and its answer arrives at another. */
  #run<T>(task: () => T, done: Answer<T>): void {
    this.#parts.later(() => {
      let value: T;
      try {
        value = task();
      } catch (error) {
        this.#parts.later(() => {
          done(error as Error);
        });
        return;
      }
      this.#parts.later(() => {
        done(null, value);
      });
    });
  }

  #walk(path: string, leafCount: number): WalkParts {
    const { snapshotOf, hash, digest, nowMs } = this.#parts;
    return { snapshot: (use) => use(snapshotOf(path)), leafCount, hash, digest, nowMs };
  }
}
