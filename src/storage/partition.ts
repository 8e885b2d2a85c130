/*
 * What the engine knows of one partition: its buffer, its file, and how far the two can be believed.
 */
import type { PartitionFile } from '../env/partition-file.js';
import { assert } from '../lib/assert.js';
import type { LeafTree } from '../repair/merkle.js';
import { Warmth } from './engine-warmth.js';
import type { ReadRequest, WriteRequest } from './storage.js';
import { PartitionFence } from './partition-fence.js';
import { PartitionBuffer } from './write-buffer.js';

/**
 * Why a partition may lack what it once acknowledged. Every read of it answers `unknown` until it was healed from other
 * replicas; the numbers are in the partition table.
 */
export const SUSPICIONS = {
  none: 0,
  logDamaged: 1,
  fileMissing: 2,
  fileOlder: 3,
  fileForeign: 4,
  fileDamaged: 5,
  fileKilled: 6,
  tableLost: 7,
  logBehind: 8,
  storeNew: 9,
} as const;
export type Suspicion = (typeof SUSPICIONS)[keyof typeof SUSPICIONS];

const TEXTS: Readonly<Record<Suspicion, string>> = {
  [SUSPICIONS.none]: '',
  [SUSPICIONS.logDamaged]: 'Acknowledged entries of the commit log are damaged',
  [SUSPICIONS.fileMissing]: 'The partition file is gone',
  [SUSPICIONS.fileOlder]: 'The partition file is older than what was flushed to it',
  [SUSPICIONS.fileForeign]: 'The partition file belonged to another node or installation and was set aside',
  [SUSPICIONS.fileDamaged]: 'The partition file is damaged',
  [SUSPICIONS.fileKilled]: 'The partition file killed the process that read it and was set aside',
  [SUSPICIONS.tableLost]: 'The partition table is lost, so nothing tells whether the file is the newest',
  [SUSPICIONS.storeNew]: 'The store is new and has not met the other owners yet',
  [SUSPICIONS.logBehind]: 'The commit log ends before what was flushed to the partition file',
};

export function suspicionText(suspicion: Suspicion): string {
  return TEXTS[suspicion];
}

export function isSuspicion(value: number): value is Suspicion {
  return Object.hasOwn(TEXTS, value);
}

/** Requests that wait for one key of a cold file, in the order in which they came. */
export interface ColdKey {
  readonly storageKey: Uint8Array;
  readonly requests: (ReadRequest | WriteRequest)[];
}

export class Partition {
  readonly id: number;
  readonly buffer: PartitionBuffer = new PartitionBuffer();
  /** null: nothing was ever flushed; the file is made by the first flush. */
  file: PartitionFile | null = null;
  /** Drawn when the file was made here; 0: no file. */
  installation: number = 0;
  /** Every entry of this partition up to here is in the file. */
  appliedLsn: number = 0;
  suspicion: Suspicion = SUSPICIONS.none;
  /** How often it was made suspect since the start. */
  doubts: number = 0;
  /**
   * False: its file is known to be broken, so what is read from it may be older than what this opening wrote, and so may
   * its mark. What else earlier openings lost says nothing of marks: those of earlier openings are void anyway.
   */
  marksHold: boolean = true;
  /** What a mark must bear to hold: of this opening of this store, and of the file's installation if that is later. */
  markTag: number = 0;
  readonly fence: PartitionFence = new PartitionFence();
  /** Its file is being dropped or replaced: nothing is flushed meanwhile, and no other such thing begun. */
  moving: boolean = false;
  /** The log must not forget from here on, beside what the buffer needs; 0: nothing. */
  heldLsn: number = 0;
  /** Reads of the pool, and copies, that are under way: while there are any the file is not closed. */
  tasks: number = 0;
  /** Frozen maps dropped so far: a read that was under way meanwhile may have looked too early. */
  flushes: number = 0;
  /** Leaves with the buffer's records in; null until somebody asks, and again when they cannot be kept exactly. */
  live: LeafTree | null = null;
  readonly warmth: Warmth = new Warmth();
  /** Keys whose cold read goes to the pool at the end of this turn, and those that are there. */
  coldToSend: Map<string, ColdKey> = new Map();
  readonly coldUnderWay: Map<string, ColdKey> = new Map();

  constructor(id: number) {
    this.id = id;
  }

  /** When everything that an opening can find has been found. */
  drawConclusions(): void {
    if (this.suspicion !== SUSPICIONS.none) this.fence.forget();
    if (this.suspicion === SUSPICIONS.fileDamaged && this.file !== null) this.marksHold = false;
  }

  /** For those who know that there is one. */
  openFile(): PartitionFile {
    assert(this.file !== null, 'the partition has a file');
    return this.file;
  }
}
