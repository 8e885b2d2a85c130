/*
 * One file of the simulated disk: its bytes, and what the medium holds where they were not synced.
 */
export const SECTOR = 512;

export class Inode {
  bytes: Buffer = Buffer.alloc(0);
  size = 0;
  syncedSize = 0;
  /** Changed sector → what it holds on the medium (null: nothing, it lies behind the synced size). */
  readonly unsynced: Map<number, Uint8Array> = new Map();
  /** As `unsynced`, but the kernel believes them clean: no sync will write them. */
  readonly forsaken: Map<number, Uint8Array> = new Map();
  readonly inFlight: Set<{ readonly offset: number; readonly bytes: Buffer }> = new Set();

  grow(size: number): void {
    if (size > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(size, 2 * this.bytes.length));
      this.bytes.copy(larger, 0, 0, this.size);
      this.bytes = larger;
    }
    if (size > this.size) this.size = size;
  }

  sector(index: number): Uint8Array {
    const copy = new Uint8Array(SECTOR);
    copy.set(this.bytes.subarray(index * SECTOR, Math.min((index + 1) * SECTOR, this.size)));
    return copy;
  }

  put(offset: number, bytes: Uint8Array): void {
    const first = Math.floor(offset / SECTOR);
    const last = Math.floor((offset + bytes.length - 1) / SECTOR);
    for (let index = first; index <= last; index++) {
      const old = this.forsaken.get(index);
      this.forsaken.delete(index);
      if (!this.unsynced.has(index)) this.unsynced.set(index, old ?? this.sector(index));
    }
    this.grow(offset + bytes.length);
    this.bytes.set(bytes, offset);
  }
}

/** The folder of a path; '': the top. */
export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

/** The file as a machine finds it after a power cut; `survives` decides each unsynced sector. */
export function afterPowerCut(inode: Inode, survives: (sector: number) => boolean): Inode {
  const copy = new Inode();
  const found = new Map<number, Uint8Array>([...inode.forsaken, ...inode.unsynced]);
  const torn = new Inode();
  torn.grow(inode.size);
  torn.bytes.set(inode.bytes.subarray(0, inode.size));
  for (const write of inode.inFlight) torn.put(write.offset, write.bytes);
  for (const [sector, old] of torn.unsynced) if (!found.has(sector)) found.set(sector, old);

  copy.grow(torn.size);
  copy.bytes.set(torn.bytes.subarray(0, torn.size));
  let size = inode.syncedSize;
  for (const [sector, old] of [...found].sort((a, b) => a[0] - b[0])) {
    const arrived = !inode.forsaken.has(sector) && survives(sector);
    if (arrived) size = Math.max(size, Math.min((sector + 1) * SECTOR, torn.size));
    else copy.bytes.set(old.subarray(0, Math.max(0, Math.min(SECTOR, torn.size - sector * SECTOR))), sector * SECTOR);
  }
  copy.size = size;
  copy.bytes.fill(0, size);
  copy.syncedSize = size;
  return copy;
}

/** Unsynced sectors in a range, as they are now. */
export function snapshot(
  inode: Inode,
  offset: number,
  length: number,
): { readonly size: number; readonly sectors: Map<number, Uint8Array> } {
  const sectors = new Map<number, Uint8Array>();
  for (const index of inode.unsynced.keys()) {
    if ((index + 1) * SECTOR > offset && index * SECTOR < offset + length) sectors.set(index, inode.sector(index));
  }
  return { size: Math.min(inode.size, offset + length), sectors };
}

/** What a sync that began at the snapshot has made durable. */
export function settle(
  inode: Inode,
  covered: { readonly size: number; readonly sectors: Map<number, Uint8Array> },
): void {
  inode.syncedSize = Math.max(inode.syncedSize, covered.size);
  for (const [index, bytes] of covered.sectors) {
    if (!inode.unsynced.has(index)) continue;
    if (Buffer.compare(inode.sector(index), bytes) === 0) inode.unsynced.delete(index);
    else inode.unsynced.set(index, bytes);
  }
}
