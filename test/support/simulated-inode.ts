/*
 * One file of the simulated disk: its bytes, and what the medium holds where they were not synced.
 *
 * Simulations spend much of their time here, so nothing is copied before it must be: what a sync covers is copied when
 * it is written to while the sync is under way, and a sector of which the medium holds nothing is one that all share.
 */
export const SECTOR = 512;
const NOTHING: Uint8Array = new Uint8Array(SECTOR);

/** What a sync that is under way will make durable. */
export interface Covered {
  readonly size: number;
  /** Sector → what it held when the sync began; null: what it holds now. */
  readonly sectors: Map<number, Uint8Array | null>;
}

export class Inode {
  bytes: Buffer = Buffer.alloc(0);
  size = 0;
  syncedSize = 0;
  /** Changed sector → what it holds on the medium (zeros: nothing, it lies behind the synced size). */
  readonly unsynced: Map<number, Uint8Array> = new Map();
  /** As `unsynced`, but the kernel believes them clean: no sync will write them. */
  readonly forsaken: Map<number, Uint8Array> = new Map();
  readonly inFlight: Set<{ readonly offset: number; readonly bytes: Buffer }> = new Set();
  /** Syncs under way. */
  readonly syncs: Set<Covered> = new Set();

  grow(size: number): void {
    if (size > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(size, 2 * this.bytes.length));
      this.bytes.copy(larger, 0, 0, this.size);
      this.bytes = larger;
    }
    if (size > this.size) this.size = size;
  }

  sector(index: number): Uint8Array {
    if (index * SECTOR >= this.size) return NOTHING;
    const copy = freshSector();
    const end = Math.min((index + 1) * SECTOR, this.size);
    const copied = this.bytes.copy(copy, 0, index * SECTOR, end);
    if (copied < SECTOR) copy.fill(0, copied);
    return copy;
  }

  put(offset: number, bytes: Uint8Array): void {
    const first = Math.floor(offset / SECTOR);
    const last = Math.floor((offset + bytes.length - 1) / SECTOR);
    for (const { sectors } of this.syncs) {
      for (let index = first; index <= last; index++)
        if (sectors.get(index) === null) sectors.set(index, this.sector(index));
    }
    for (let index = first; index <= last; index++) {
      const old = this.forsaken.size === 0 ? undefined : this.forsaken.get(index);
      if (old !== undefined) this.forsaken.delete(index);
      if (!this.unsynced.has(index)) this.unsynced.set(index, old ?? this.sector(index));
    }
    this.grow(offset + bytes.length);
    this.bytes.set(bytes, offset);
  }

  /** Whoever had it open is gone: what was handed over arrives, and nobody waits for a sync. */
  endProcess(): void {
    this.syncs.clear();
    for (const write of this.inFlight) this.put(write.offset, write.bytes);
    this.inFlight.clear();
  }
}

const SECTORS_A_SLAB = 128;
let slab: Buffer = Buffer.allocUnsafeSlow(0);
let slabUsed = 0;

/** Of whatever bytes. A piece of a larger one: a buffer each would cost more than what is done with it. */
function freshSector(): Buffer {
  if (slabUsed === slab.length) {
    slab = Buffer.allocUnsafeSlow(SECTORS_A_SLAB * SECTOR);
    slabUsed = 0;
  }
  slabUsed += SECTOR;
  return slab.subarray(slabUsed - SECTOR, slabUsed);
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

/** A sync begins: it covers what is unsynced now, as it is now. */
export function beginSync(inode: Inode): Covered {
  const sectors = new Map<number, Uint8Array | null>();
  for (const index of inode.unsynced.keys()) sectors.set(index, null);
  const covered = { size: inode.size, sectors };
  inode.syncs.add(covered);
  return covered;
}

/** What a sync has made durable; what was written meanwhile was not. */
export function endSync(inode: Inode, covered: Covered): void {
  inode.syncs.delete(covered);
  inode.syncedSize = Math.max(inode.syncedSize, covered.size);
  for (const [index, bytes] of covered.sectors) {
    if (!inode.unsynced.has(index)) continue;
    if (bytes === null || Buffer.compare(inode.sector(index), bytes) === 0) inode.unsynced.delete(index);
    else inode.unsynced.set(index, bytes);
  }
}

/** A write that is not answered before it is on the medium has arrived, and with it all of the sectors it touched. */
export function syncRange(inode: Inode, offset: number, length: number): void {
  inode.syncedSize = Math.max(inode.syncedSize, Math.min(inode.size, offset + length));
  for (let index = Math.floor(offset / SECTOR); index * SECTOR < offset + length; index++) inode.unsynced.delete(index);
}
