/* Planted bugs of anti-entropy: trees, meetings, and when a replica counts again. Compiled passages only: see planted.ts. */
import type { Mutant } from './mutant.js';
import { AWAY, ringOf, WORK } from './ring-shapes.js';

const LEAVES = 'storage/engine-leaves.js';
const MEETING = 'node/cluster/owner-meeting.js';
const STRICT_WORK = { ...WORK, strictChance: 1, keys: 8, thinkMs: 60 };
/** Disks are lost, and the next get may be one that must not believe the new one yet. */
const LOSING = ringOf(3, ['lost-disk', 'cut-pair', 'isolate'], {
  faultEveryMs: 1_200,
  partitionCount: 16,
  work: STRICT_WORK,
});

export const treeKeepsOldRecord: Mutant = {
  name: 'tree-keeps-old-record',
  what: 'a record that is merged into one that was there leaves the live tree as it was',
  edits: [
    {
      file: LEAVES,
      from: 'if (live === null)\n            return;',
      to: 'if (live === null || hadOld)\n            return;',
    },
  ],
  given: ringOf(3, AWAY, { work: WORK, repairPeriodMs: 4_000 }),
};

export const storedTreeKeepsOldRecord: Mutant = {
  name: 'stored-tree-keeps-old-record',
  what: 'a flush puts the new record into its leaf and does not take the old one out',
  edits: [
    {
      file: LEAVES,
      from: 'if (entry.oldKind === OLD_HASH)\n                toggleStoredLeaf(bytes, at, entry.oldHi, entry.oldLo, -1);',
      to: '',
    },
  ],
  given: ringOf(3, ['kill', 'restart'], { work: WORK }),
};

export const inFlightIsDifferent: Mutant = {
  name: 'in-flight-is-different',
  what: 'a copy that is on its way to the other owner is taken for one that it lacks',
  edits: [{ file: MEETING, from: 'return services.viewMs() - SETTLE_MS', to: 'return Infinity' }],
  given: ringOf(3, [], {
    faultEveryMs: Number.POSITIVE_INFINITY,
    repairPeriodMs: 500,
    work: { ...WORK, timeoutMs: 3_000 },
    partitionCount: 16,
    network: { delayMinMs: 10, delayMaxMs: 60, tailMs: 100, tailChance: 0.02, splitChance: 0.05 },
  }),
};

export const countsAfterOneMeeting: Mutant = {
  name: 'counts-after-one-meeting',
  what: 'a replica that has lost everything counts again when it has met one of the other owners',
  edits: [
    {
      file: 'repair/exchange-schedule.js',
      from: 'if (sickness.met.size < owned.pairs.length)',
      to: 'if (sickness.met.size < 1)',
    },
  ],
  given: LOSING,
};

export const newStoreCounts: Mutant = {
  name: 'new-store-counts',
  what: 'an empty store in the place of one that was lost says "not found" from its first moment on',
  edits: [{ file: 'storage/engine-open.js', from: 'if (this.#options.hasOtherOwners === true)', to: 'if (false)' }],
  given: LOSING,
};

export const pulledOverwrites: Mutant = {
  name: 'pulled-overwrites',
  what: 'what another owner sends takes the place of what is here instead of being merged with it',
  edits: [
    {
      file: 'node/cluster/record-intake.js',
      from: 'write.start(this, record, 0, record.length);',
      to: 'write.decide = (stored) => RecordWrite.prototype.decide.call(write, { ...stored, bytes: stored.bytes, start: 0, end: 0, hasMark: false }); write.start(this, record, 0, record.length);',
    },
  ],
  given: ringOf(3, AWAY, {
    repairPeriodMs: 1_000,
    faultEveryMs: 500,
    partitionCount: 16,
    work: { ...WORK, writes: [1], keys: 3 },
  }),
};

export const nothingIsPushed: Mutant = {
  name: 'nothing-is-pushed',
  what: 'the owner that begins takes what it lacks, and does not give what the other one lacks',
  edits: [{ file: 'repair/exchange.js', from: 'const push = this.#toPush;', to: 'const push = [];' }],
  given: ringOf(3, ['rollback'], { partitionCount: 16, work: { ...WORK, keys: 200, mix: [5, 20, 20, 0, 5, 0, 0] } }),
};
