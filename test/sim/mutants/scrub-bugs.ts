/* Planted bugs of the scrub, of what it compares, and of what is done about its findings. Compiled passages only. */
import type { Mutant } from './mutant.js';
import { ringOf, WORK } from './ring-shapes.js';

const ROTTING = ringOf(4, ['rot-file', 'restart'], {
  faultEveryMs: 400,
  scrubPeriodMs: 20_000,
  work: { ...WORK, keys: 20, mix: [10, 20, 10, 2, 10, 0, 0] },
});
const CALM = ringOf(3, ['kill', 'pause'], { scrubPeriodMs: 20_000, work: WORK });

export const scrubSkipsLastEntry: Mutant = {
  name: 'scrub-skips-last-entry',
  what: 'the scrub does not look at the last entry of a file',
  edits: [
    {
      file: 'workers/walk.js',
      from: 'this.#take(itsLeaf, key, value, isFound);',
      to: 'if (key !== entries[entries.length - 1].key || !isRecordKey(key)) this.#take(itsLeaf, key, value, isFound);',
    },
  ],
  given: CALM,
  foundBy: ['tree', 'scrubbed'],
};

export const scrubBelievesLast: Mutant = {
  name: 'scrub-believes-last',
  what: 'the scrub believes the last record of a file without looking at its checksum',
  edits: [
    {
      file: 'workers/walk.js',
      from: 'if (!isFound || !isGoodEntry(key, value, hash, digest)) {',
      to: 'if ((this.last = this.#snapshot.scan(key, 1).length === 0, !this.last) && !isGoodEntry(key, value, hash, digest)) {',
    },
  ],
  given: { ...ROTTING, work: { ...WORK, keys: 4, mix: [10, 10, 5, 2, 10, 0, 0] } },
  foundBy: ['tree', 'scrubbed'],
};

export const treeNotUpdatedOnFlush: Mutant = {
  name: 'tree-not-updated-on-flush',
  what: 'a flush writes records and leaves the stored tree as it was',
  edits: [
    {
      file: 'storage/flusher.js',
      from: 'leaves.applyAll(partition, frozenOrder, frozenFlushed, until, this.#groups);',
      to: 'this.#groups.clear();',
    },
  ],
  given: CALM,
  foundBy: ['tree'],
};

export const oldStaysInTree: Mutant = {
  name: 'old-stays-in-tree',
  what: 'a record that is replaced is not taken out of its leaf',
  edits: [
    {
      file: 'storage/engine-leaves.js',
      from: 'if (entry.oldKind === OLD_HASH)',
      to: 'if (entry.oldKind === OLD_HASH && entry.dropped)',
    },
  ],
  given: CALM,
  foundBy: ['tree'],
};

export const damageForgotten: Mutant = {
  name: 'damage-forgotten',
  what: 'a record that is found damaged is counted, and nobody is asked for a good one',
  edits: [
    {
      file: 'node/cluster/damaged-records.js',
      from: 'this.#take(place);',
      to: 'void place;',
    },
  ],
  given: ROTTING,
  foundBy: ['scrubbed'],
};
