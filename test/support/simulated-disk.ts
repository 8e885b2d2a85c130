/*
 * env.Disk in memory, as bad as disks get.
 *
 * Every file keeps beside its bytes what its changed sectors held when they were last synced; a folder keeps its
 * changes since it was last synced. `crash()` makes the disk that a machine finds after a power cut: of each unsynced
 * sector and of each unsynced creation, renaming and removal a draw (or the caller) decides whether it arrived. A
 * write that was under way counts as unsynced, so it is torn. After a failed sync the kernel calls pages clean that
 * never arrived: here too, and no later sync brings them back.
 *
 * Everything answers after a drawn delay on the virtual clock, so completions of different calls overtake each other.
 */
import type { Disk, DiskError, DiskFile, Done, OpenMode } from '../../src/env/disk.js';
import type { Timers } from '../../src/env/clock.js';
import type { Prng } from '../../src/lib/prng.js';
import { afterPowerCut, beginSync, endSync, folderOf, Inode, SECTOR, syncRange } from './simulated-inode.js';

export type DiskCall =
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'size'
  | 'close'
  | 'list'
  | 'makeFolder'
  | 'rename'
  | 'remove'
  | 'syncFolder'
  | 'space';

export class SimulatedDiskError extends Error implements DiskError {
  readonly code: string;
  constructor(code: string, text: string) {
    super(`${code}: ${text}`);
    this.code = code;
  }
}

export interface FailureRule {
  /** The k-th call from now that `calls` admits fails, counted from 1. */
  readonly at: number;
  /** Every one after it fails too. */
  readonly forever?: boolean;
  /** `SHORT`: a write leaves half of its bytes behind. */
  readonly code: string;
  readonly calls?: readonly DiskCall[];
}

type FolderChange =
  | { readonly kind: 'create'; readonly path: string; readonly inode: Inode }
  | { readonly kind: 'rename'; readonly from: string; readonly to: string; readonly inode: Inode }
  | { readonly kind: 'remove'; readonly path: string };

export interface SimulatedDiskOptions {
  readonly timers: Timers;
  readonly random: Prng;
  readonly capacityBytes?: number;
  /** Longest answer, ms; 0: at the end of the turn. Default 2. */
  readonly delayMsMax?: number;
}

/** Which unsynced sectors reach the medium; a path is the file's name at the crash. */
export type Survives = (path: string, sector: number) => boolean;

export class SimulatedDisk implements Disk {
  readonly #options: SimulatedDiskOptions;
  #names: Map<string, Inode> = new Map();
  /** What names a machine finds after a power cut if no unsynced change arrived. */
  #syncedNames: Map<string, Inode> = new Map();
  #changes: FolderChange[] = [];
  readonly #folders: Set<string> = new Set(['']);
  #dead = false;
  #capacityBytes: number;
  #delayMsMax: number;
  #rule: { rule: FailureRule; seen: number } | null = null;
  /** Calls so far, by kind and in all. */
  readonly counts: Map<DiskCall, number> = new Map();
  calls = 0;
  /** Failures that were injected so far. */
  injected = 0;
  bytesWritten = 0;

  constructor(options: SimulatedDiskOptions) {
    this.#options = options;
    this.#capacityBytes = options.capacityBytes ?? 2 ** 40;
    this.#delayMsMax = options.delayMsMax ?? 2;
  }

  /** Fails calls from now on; null: none. */
  fail(rule: FailureRule | null): void {
    this.#rule = rule === null ? null : { rule, seen: 0 };
  }

  // ── env.Disk ──────────────────────────────────────────────────────────────────────────────────────────────────

  open(path: string, mode: OpenMode, done: Done<DiskFile>): void {
    this.#call('open', path, done, () => {
      let inode = this.#names.get(path);
      if (mode === 'create') {
        if (inode !== undefined) throw new SimulatedDiskError('EEXIST', `open ${path}`);
        if (!this.#folders.has(folderOf(path))) throw new SimulatedDiskError('ENOENT', `open ${path}`);
        inode = new Inode();
        this.#names.set(path, inode);
        this.#changes.push({ kind: 'create', path, inode });
      }
      if (inode === undefined) throw new SimulatedDiskError('ENOENT', `open ${path}`);
      return this.#file(inode, path, mode);
    });
  }

  list(folder: string, done: Done<readonly string[]>): void {
    this.#call('list', folder, done, () =>
      [...this.#names.keys(), ...this.#folders]
        .filter((path) => path !== '' && folderOf(path) === folder)
        .map((path) => path.slice(path.lastIndexOf('/') + 1))
        .sort(),
    );
  }

  makeFolder(path: string, done: Done): void {
    this.#call('makeFolder', path, done, () => {
      this.#folders.add(path);
    });
  }

  rename(from: string, to: string, done: Done): void {
    this.#call('rename', from, done, () => {
      const inode = this.#names.get(from);
      if (inode === undefined) throw new SimulatedDiskError('ENOENT', `rename ${from}`);
      this.#names.delete(from);
      this.#names.set(to, inode);
      this.#changes.push({ kind: 'rename', from, to, inode });
    });
  }

  remove(path: string, done: Done): void {
    this.#call('remove', path, done, () => {
      if (!this.#names.delete(path)) throw new SimulatedDiskError('ENOENT', `remove ${path}`);
      this.#changes.push({ kind: 'remove', path });
    });
  }

  syncFolder(folder: string, done: Done): void {
    const covered = this.#changes.length;
    this.#call('syncFolder', folder, done, () => {
      const kept: FolderChange[] = [];
      this.#changes.forEach((change, index) => {
        const inside = folderOf(change.kind === 'rename' ? change.to : change.path) === folder;
        if (inside && index < covered) applyChange(this.#syncedNames, change);
        else kept.push(change);
      });
      this.#changes = kept;
    });
  }

  space(done: Done<{ readonly freeBytes: number; readonly totalBytes: number }>): void {
    const totalBytes = this.#capacityBytes;
    this.#call('space', '', done, () => ({ freeBytes: totalBytes - this.usedBytes(), totalBytes }));
  }

  // ── what a test does to it ────────────────────────────────────────────────────────────────────────────────────

  /**
   * The disk that is found after a power cut. This one answers nobody any more.
   * `survives` decides a sector; without it each is drawn with one half. Folder changes are drawn, all or none when
   * `folderChanges` says so.
   */
  crash(
    options: Partial<SimulatedDiskOptions> & { survives?: Survives; folderChanges?: 'drawn' | 'all' | 'none' } = {},
  ): SimulatedDisk {
    this.#dead = true;
    const random = options.random ?? this.#options.random;
    const survives = options.survives ?? ((): boolean => random.chance(0.5));
    const after = new SimulatedDisk({ ...this.#options, capacityBytes: this.#capacityBytes, ...options });
    for (const folder of this.#folders) after.#folders.add(folder);

    const names = new Map(this.#syncedNames);
    const folderChanges = options.folderChanges ?? 'drawn';
    for (const change of this.#changes) {
      if (folderChanges === 'all' || (folderChanges === 'drawn' && random.chance(0.5))) applyChange(names, change);
    }
    for (const [path, inode] of names) {
      const copy = afterPowerCut(inode, (sector) => survives(path, sector));
      after.#names.set(path, copy);
      after.#syncedNames.set(path, copy);
    }
    return after;
  }

  /** The process died, the machine did not: everything that was handed to the kernel is still there, synced or not. */
  kill(options: Partial<SimulatedDiskOptions> = {}): SimulatedDisk {
    this.#dead = true;
    const after = new SimulatedDisk({ ...this.#options, capacityBytes: this.#capacityBytes, ...options });
    for (const folder of this.#folders) after.#folders.add(folder);
    after.#names = this.#names;
    after.#syncedNames = this.#syncedNames;
    after.#changes = this.#changes;
    for (const inode of this.#names.values()) inode.endProcess();
    return after;
  }

  /** An independent copy with everything synced, for trying many kinds of damage on one history. */
  clone(options: Partial<SimulatedDiskOptions> = {}): SimulatedDisk {
    const after = new SimulatedDisk({ ...this.#options, ...options });
    for (const folder of this.#folders) after.#folders.add(folder);
    for (const [path, inode] of this.#names) after.restore(path, inode.bytes.subarray(0, inode.size));
    return after;
  }

  /** More room; below zero: less. */
  grow(bytes: number): void {
    this.#capacityBytes += bytes;
  }

  /** From now on the longest answer takes so long; null: as at first. */
  slow(delayMsMax: number | null): void {
    this.#delayMsMax = delayMsMax ?? this.#options.delayMsMax ?? 2;
  }

  /** Unsynced sectors of a file, in order: for trying every subset of them. */
  unsyncedSectors(path: string): readonly number[] {
    const inode = this.#inode(path);
    const sectors = new Set([...inode.unsynced.keys(), ...inode.forsaken.keys()]);
    for (const write of inode.inFlight) {
      for (let at = Math.floor(write.offset / SECTOR); at * SECTOR < write.offset + write.bytes.length; at++)
        sectors.add(at);
    }
    return [...sectors].sort((a, b) => a - b);
  }

  paths(): readonly string[] {
    return [...this.#names.keys()].sort();
  }

  contents(path: string): Buffer {
    const inode = this.#inode(path);
    return Buffer.from(inode.bytes.subarray(0, inode.size));
  }

  /** Puts a whole file in place, synced. */
  restore(path: string, bytes: Uint8Array): void {
    const inode = new Inode();
    inode.grow(bytes.length);
    inode.bytes.set(bytes);
    inode.syncedSize = bytes.length;
    this.#names.set(path, inode);
    this.#syncedNames.set(path, inode);
    this.#folders.add(folderOf(path));
  }

  discard(path: string): void {
    this.#names.delete(path);
    this.#syncedNames.delete(path);
  }

  /** Bit rot: on the medium, so synced. */
  flipBit(path: string, byte: number, bit: number): void {
    const inode = this.#inode(path);
    inode.bytes[byte] = (inode.bytes[byte] as number) ^ (1 << bit);
  }

  truncate(path: string, size: number): void {
    this.restore(path, this.contents(path).subarray(0, size));
  }

  usedBytes(): number {
    let used = 0;
    for (const inode of this.#names.values()) used += Math.ceil(inode.size / SECTOR) * SECTOR;
    return used;
  }

  // ── inside ────────────────────────────────────────────────────────────────────────────────────────────────────

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw new Error(`No file ${path} on the simulated disk`);
    return inode;
  }

  #call<T>(kind: DiskCall, what: string, done: Done<T>, work: () => T): void {
    this.#count(kind);
    const failing = this.#failure(kind);
    this.#later(() => {
      if (failing !== null) {
        done(new SimulatedDiskError(failing, `${kind} ${what}`));
        return;
      }
      let value: T;
      try {
        value = work();
      } catch (error) {
        if (!(error instanceof SimulatedDiskError)) throw error;
        done(error);
        return;
      }
      done(null, value);
    });
  }

  #count(kind: DiskCall): void {
    this.calls += 1;
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }

  #failure(kind: DiskCall): string | null {
    if (this.#rule === null) return null;
    const { rule } = this.#rule;
    if (rule.calls !== undefined && !rule.calls.includes(kind)) return null;
    this.#rule.seen += 1;
    const fails = this.#rule.seen === rule.at || (rule.forever === true && this.#rule.seen > rule.at);
    if (fails) this.injected += 1;
    return fails ? rule.code : null;
  }

  #later(fire: () => void): void {
    const delay = this.#delayMsMax * this.#options.random.float();
    this.#options.timers.after(delay, () => {
      if (!this.#dead) fire();
    });
  }

  #file(inode: Inode, path: string, mode: OpenMode): DiskFile {
    return {
      read: (offset, length, done) => {
        // A Buffer, as the real disk gives: its slice shares memory, and nobody may rely on the opposite.
        this.#call('read', path, done, () =>
          Buffer.from(inode.bytes.subarray(offset, Math.min(offset + length, inode.size))),
        );
      },
      write: (offset, chunks, done) => {
        this.#write(inode, path, mode, offset, Buffer.concat(chunks), done);
      },
      sync: (done) => {
        this.#sync(inode, path, done);
      },
      size: (done) => {
        this.#call('size', path, done, () => inode.size);
      },
      close: (done) => {
        this.#call('close', path, done, () => undefined);
      },
    };
  }

  #write(inode: Inode, path: string, mode: OpenMode, offset: number, bytes: Buffer, done: Done): void {
    if (this.#dead) return; // a process that is gone: whatever still calls is a ghost
    this.#count('write');
    let failing: string | null = mode === 'read' ? 'EBADF' : this.#failure('write');
    const room = this.#capacityBytes - this.usedBytes();
    if (failing === null && offset + bytes.length - inode.size > room) failing = 'ENOSPC';
    const kept =
      failing === null
        ? bytes
        : failing === 'SHORT' || failing === 'EIO'
          ? bytes.subarray(0, bytes.length >> 1)
          : bytes.subarray(0, 0);
    const write = { offset, bytes: kept };
    if (kept.length > 0) inode.inFlight.add(write);
    this.#later(() => {
      if (inode.inFlight.delete(write)) inode.put(offset, kept);
      this.bytesWritten += kept.length;
      if (failing === null && mode === 'write-synced') syncRange(inode, offset, kept.length);
      done(failing === null ? null : new SimulatedDiskError(failing, `write ${path} at ${offset}`));
    });
  }

  #sync(inode: Inode, path: string, done: Done): void {
    this.#count('sync');
    const failing = this.#failure('sync');
    const covered = beginSync(inode);
    this.#later(() => {
      if (failing === null) {
        endSync(inode, covered);
        done(null);
        return;
      }
      inode.syncs.delete(covered);
      for (const [sector, old] of inode.unsynced) inode.forsaken.set(sector, old);
      inode.unsynced.clear();
      done(new SimulatedDiskError(failing, `sync ${path}`));
    });
  }
}

function applyChange(names: Map<string, Inode>, change: FolderChange): void {
  switch (change.kind) {
    case 'create':
      names.set(change.path, change.inode);
      return;
    case 'rename':
      if (names.get(change.from) === change.inode) names.delete(change.from);
      names.set(change.to, change.inode);
      return;
    case 'remove':
      names.delete(change.path);
  }
}
