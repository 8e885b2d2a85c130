/* Planted bugs of hinted handoff: who keeps what for whom, and until when. Compiled passages only: see planted.ts. */
import type { WorkShape } from '../options.js';
import type { Mutant } from './mutant.js';
import { AWAY, LAZY_DISK, ringOf, WORK } from './ring-shapes.js';

/** Many keys, and nobody reads: no repair brings what a hint was to bring. */
const PUTS: WorkShape = { ...WORK, keys: 40, thinkMs: 400, mix: [0, 0, 20, 0, 0, 0, 0] };
const KEEPER = 'node/cluster/hint-keeper.js';

export const hintBeforeSync: Mutant = {
  name: 'hint-before-sync',
  what: 'a copy that is kept for an owner is called durable while it and its hint are in the buffer',
  edits: [
    {
      file: 'node/cluster/peer-server.js',
      from: 'write.durable = view.durable || write.hintFor.length > 0;',
      to: 'write.durable = view.durable && write.hintFor.length === 0;',
    },
    {
      file: 'node/cluster/peer-server.js',
      from: 'reply.durable = durable;',
      to: 'reply.durable = durable || write.hintFor.length > 0;',
    },
  ],
  given: ringOf(5, AWAY, { engine: LAZY_DISK, work: { ...WORK, durableChance: 1, writes: [3] } }),
};

export const hintGoneBeforeDelivery: Mutant = {
  name: 'hint-gone-before-delivery',
  what: 'a hint is deleted when its record is sent, and not when the owner has it',
  edits: [
    {
      file: KEEPER,
      from: 'this.#parts.services.storage.read(new HintedRecord(this, hint.id, hint.version, place));',
      to: 'this.#parts.services.storage.read(new HintedRecord(this, hint.id, hint.version, place)); this.#book.acked(hint.id, hint.version);',
    },
  ],
  given: ringOf(5, ['flapping', 'reset', 'clog'], { faultEveryMs: 500, work: PUTS }),
};

export const hintGoneByStaleAck: Mutant = {
  name: 'hint-gone-by-stale-ack',
  what: 'an ack of what a hint was when it was sent deletes it, though more has been merged into it since',
  edits: [
    {
      file: 'coordinator/hint-book.js',
      from: 'if (entry === undefined || entry.version !== version)',
      to: 'if (entry === undefined)',
    },
  ],
  given: ringOf(5, AWAY, { work: { ...WORK, keys: 1, thinkMs: 40 } }),
};

export const copyDroppedTooSoon: Mutant = {
  name: 'copy-dropped-too-soon',
  what: "a fallback drops its copy with one owner's hint, while it still keeps another's",
  edits: [{ file: KEEPER, from: ' || this.#book.keeps(name);', to: ';' }],
  given: ringOf(5, AWAY, { faultEveryMs: 400, work: { ...WORK, keys: 2 } }),
};

export const noHintOfOwn: Mutant = {
  name: 'no-hint-of-own',
  what: 'a coordinator that runs out of stand-ins keeps no hint itself',
  edits: [
    {
      file: 'node/cluster/cluster-put.js',
      from: 'write.start(UNTOLD, this.#record, 0, this.#record.length);',
      to: 'void UNTOLD;',
    },
  ],
  given: ringOf(3, AWAY, { work: WORK }),
};

export const hintForAnother: Mutant = {
  name: 'hint-for-another',
  what: 'a fallback is told the wrong owner for whom it keeps the copy',
  edits: [
    {
      file: 'node/cluster/cluster-put.js',
      from: 'head.hintFor = hintFor < 0 ? 0 : hintFor;',
      to: 'head.hintFor = hintFor < 0 ? 0 : this.#parts.preferences.of(this.#local.partition).nodes.find((owner) => owner !== hintFor);',
    },
  ],
  given: ringOf(5, AWAY, { work: WORK }),
};

export const hintsLostOverRestart: Mutant = {
  name: 'hints-lost-over-restart',
  what: 'a node that starts again knows nothing of the hints that it had kept',
  edits: [{ file: KEEPER, from: 'this.#book.restore(hint);', to: 'void hint;' }],
  // Owners only: what a stand-in holds of a partition that is not its own is met with its owners after a start.
  given: ringOf(3, ['isolate', 'cut-pair', 'restart', 'kill'], {
    faultEveryMs: 400,
    work: { ...PUTS, writes: [1] },
  }),
};

export const hintRestoredAsUnsynced: Mutant = {
  name: 'hint-restored-as-unsynced',
  what: 'a hint that was on the disk is restored as one that waits for its first sync',
  edits: [{ file: 'coordinator/hint-book.js', from: 'durableVersion: hint.version };', to: 'durableVersion: 0 };' }],
  given: ringOf(5, [...AWAY, 'restart', 'kill'], { work: WORK }),
};

export const blockSharedByPuts: Mutant = {
  name: 'block-shared-by-puts',
  what: "a put's record lies where the next put lays its own, though a fallback may yet be sent it",
  edits: [
    {
      file: 'node/cluster/cluster-put.js',
      from: 'let block = this.#block;',
      to: 'let block = ClusterPut.block ?? NOTHING;',
    },
    { file: 'node/cluster/cluster-put.js', from: 'this.#block = block;', to: 'ClusterPut.block = block;' },
  ],
  given: ringOf(5, AWAY, { work: WORK }),
};
