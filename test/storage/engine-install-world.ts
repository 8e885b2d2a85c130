/* What tests of installing files share: files from stores of their own, and what they are put over. */
import type { ExecutionContext } from 'ava';
import type { FileManifest } from '../../src/env/workers.js';
import { CONTEXT_ENTRY_BYTES } from '../../src/versioning/record.js';
import { seal } from '../../src/versioning/write.js';
import type { InstallRefusal } from '../../src/storage/move-storage.js';
import { DROP_RECORD, type Stored } from '../../src/storage/storage.js';
import { HASH, testRecordBytes, TestWrite } from './engine-requests.js';
import { Twin } from './engine-twin.js';
import { World, type WorldOptions } from './engine-world.js';

export const PARTITIONS = 64;
export const PATH = 'incoming/one';

export function opened(seed: number, options: Partial<WorldOptions> = {}): World {
  const world = new World({ seed, partitionCount: PARTITIONS, ...options });
  const error = world.start();
  if (error !== null) throw error;
  return world;
}

/** A write by another actor: beside what it has not seen it is a sibling. */
export class ActorWrite extends TestWrite {
  readonly #actor: number;

  constructor(
    name: string,
    value: string,
    counter: number,
    actor: number,
    onPlaced: (stored: Stored) => void = () => undefined,
  ) {
    super(name, value, counter, PARTITIONS, true, onPlaced);
    this.#actor = actor;
  }

  override encode(target: Uint8Array, at: number): void {
    super.encode(target, at);
    const entry = at + 24 + this.key.length;
    target[entry + 7] = this.#actor;
    target[entry + CONTEXT_ENTRY_BYTES + 7] = this.#actor;
    seal(target, at, testRecordBytes(this.key, this.value.length), HASH);
  }
}

export class ReapWrite extends TestWrite {
  readonly reaping: { readonly fence: number; readonly atMs: number };

  constructor(name: string, fence: number) {
    super(name, null, 0, PARTITIONS, true, () => undefined);
    this.reaping = { fence, atMs: 5 };
  }

  override decide(stored: Parameters<TestWrite['decide']>[0]): number {
    super.decide(stored);
    return DROP_RECORD;
  }
}

export function writeNow(world: World, write: TestWrite): void {
  world.up().write(write);
  world.time.runUntil(() => write.state === 'acked');
}

export function raiseNow(world: World, fence: number): void {
  let isDurable = false;
  const onWritten = (): void => {
    isDurable = true;
  };
  world.up().reaps.raise(0, { fence, reapedAt: 0, trimmedAt: 0 }, { durable: true, onWritten });
  world.time.runUntil(() => isDurable);
}

/** The file of partition 0 of a store of its own, after `fill`. */
export function fileFrom(seed: number, fill: (donor: World) => void): Uint8Array {
  return copyFrom(seed, fill).bytes;
}

/** The same, with what it is. */
export function copyFrom(
  seed: number,
  fill: (donor: World) => void,
): { readonly bytes: Uint8Array; readonly manifest: FileManifest } {
  const donor = opened(seed);
  fill(donor);
  donor.flush();
  let manifest: FileManifest | null = null;
  donor.disk.makeFolder('outgoing', () => {
    donor.up().moves.copyFile(0, 'outgoing/one', (error, made) => {
      if (error !== null) throw error;
      manifest = made ?? null;
    });
  });
  donor.time.runUntil(() => manifest !== null);
  return { bytes: donor.disk.contents('outgoing/one'), manifest: manifest as unknown as FileManifest };
}

export interface Told {
  isDone: boolean;
  error: Error | null;
  refusal: InstallRefusal | null;
}

export function install(world: World, bytes: Uint8Array, partition = 0): Told {
  if (!world.disk.paths().includes(PATH)) world.disk.restore(PATH, bytes);
  const told: Told = { isDone: false, error: null, refusal: null };
  world.up().moves.installFile(partition, PATH, (error, refusal) => {
    told.isDone = true;
    told.error = error;
    told.refusal = refusal ?? null;
  });
  return told;
}

export function installNow(world: World, bytes: Uint8Array, partition = 0): InstallRefusal | null {
  const told = install(world, bytes, partition);
  world.time.runUntil(() => told.isDone || world.fatal !== null);
  if (told.error !== null) throw told.error;
  return told.refusal;
}

export function trustNow(world: World): void {
  let isTrusted = false;
  world.up().trust(0, () => {
    isTrusted = true;
  });
  world.time.runUntil(() => isTrusted);
}

export const NAMES: readonly string[] = ((): readonly string[] => {
  const world = new World({ seed: 0, partitionCount: PARTITIONS });
  return Array.from({ length: 14 }, (_, i) => world.nameIn(1, i));
})();
export const LONG: string = new World({ seed: 0, partitionCount: PARTITIONS }).nameIn(1, 40, 'x'.repeat(600));

export const valueAt = (world: World, name: string): string => {
  const read = world.get(name);
  return read.state === 'absent' || read.value === '' ? 'absent' : read.value;
};

export function checkWhole(t: ExecutionContext, world: World): void {
  t.deepEqual(
    [...world.up().liveTree(0).all()],
    ((): number[] => {
      world.flush();
      return [...world.up().storedLeaves(0)];
    })(),
  );
  new Twin(world).checkFile(0);
}

export const CONTENTS = (): Uint8Array =>
  fileFrom(1, (donor) => {
    for (const name of NAMES.slice(0, 8)) donor.put(name, 'theirs 3', 3);
    raiseNow(donor, 4);
  });
