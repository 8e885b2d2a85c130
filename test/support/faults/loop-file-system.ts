/*
 * A file system of our own on a loop device, to be filled up or to have its plug pulled. Needs root, mkfs and a kernel
 * that has the type; `loopFault` says what is missing.
 *
 * The image lies in the temporary directory and is sparse. Everything is undone with the scope: mount, loop device, image.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scope } from '../scope.js';
import { powerOffProgram } from './compile.js';

export type FileSystemType = 'ext4' | 'xfs';

const MEBIBYTE = 1_048_576;
const UMOUNT_ATTEMPTS_MAX = 50;

/** Why no such file system can be made here, or null. */
export function loopFault(type: FileSystemType): string | null {
  if (process.getuid?.() !== 0) return 'needs root';
  const made = spawnSync(`mkfs.${type}`, ['-V']);
  return made.error === undefined
    ? null
    : `needs mkfs.${type} (apt install ${type === 'xfs' ? 'xfsprogs' : 'e2fsprogs'})`;
}

export class LoopFileSystem {
  readonly type: FileSystemType;
  /** Where it is mounted. */
  readonly path: string;
  readonly #image: string;
  #mounted = false;

  /** xfs is not made below 300 MiB. */
  constructor(scope: Scope, type: FileSystemType, sizeMiB: number) {
    const folder = mkdtempSync(join(tmpdir(), `partita-loop-${type}-`));
    this.type = type;
    this.path = join(folder, 'mounted');
    this.#image = join(folder, 'image');
    scope.defer(`remove ${folder}`, () => {
      rmSync(folder, { recursive: true, force: true });
    });
    mkdirSync(this.path);
    writeFileSync(this.#image, '');
    truncateSync(this.#image, sizeMiB * MEBIBYTE);
    execFileSync(`mkfs.${type}`, type === 'ext4' ? ['-q', '-F', this.#image] : ['-q', this.#image]);
    scope.defer(`unmount ${this.path}`, () => {
      if (this.#mounted) this.unmount();
    });
    this.mount();
  }

  mount(): void {
    execFileSync('mount', ['-o', 'loop', '-t', this.type, this.#image, this.path]);
    this.#mounted = true;
  }

  /** The loop device goes with it. A process that has just been killed may hold it a moment longer. */
  unmount(): void {
    for (let attempt = 1; ; attempt++) {
      const tried = spawnSync('umount', [this.path], { encoding: 'utf8' });
      if (tried.status === 0) break;
      if (attempt === UMOUNT_ATTEMPTS_MAX) throw new Error(`Could not unmount ${this.path}: ${tried.stderr.trim()}`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    }
    this.#mounted = false;
  }

  /** What was not synced is lost, and nothing more can be written until it has been unmounted and mounted again. */
  pullPlug(): void {
    execFileSync(powerOffProgram(), [this.path]);
  }
}
