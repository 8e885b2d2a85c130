/* Planted bugs of forgetting deletes: too soon, by too few, or against what is still on its way. Compiled passages only. */
import type { FaultKind, SimOptions, WorkShape } from '../options.js';
import type { Mutant } from './mutant.js';
import { ringOf, WORK } from './ring-shapes.js';

/** Many keys, each of them left alone for a while after it was deleted. */
const DELETING: WorkShape = {
  ...WORK,
  clients: 4,
  keys: 40,
  thinkMs: 110,
  mix: [15, 4, 8, 0, 4, 0, 0, 25],
  writes: [1],
  reads: [1, 3],
};
const SOON = { retryWindowS: 1, skewMs: 0, lookEveryMs: 100, compactActorsMin: 1 };

const deleting = (faults: readonly FaultKind[], more: Partial<SimOptions> = {}): Partial<SimOptions> =>
  ringOf(5, faults, {
    faultEveryMs: 1_500,
    changeEveryMs: Number.POSITIVE_INFINITY,
    skewMaxMs: 0,
    reap: SOON,
    work: DELETING,
    ...more,
  });

const STUCK: readonly FaultKind[] = ['clog', 'clog', 'one-way'];
const ANY = { kind: 'ring', replicaCount: 3, zones: 1, routing: 'any' } as const;
/** What has been deleted must not be shown by any get from then on, and not only in the end, when owners have met. */
const STRICT: WorkShape = { ...DELETING, strictChance: 1, writes: [2], reads: [2, 3] };
/** Disks are put back, and deletes were acknowledged by all owners. */
const PUT_BACK: Partial<SimOptions> = { nodes: 3, faultEveryMs: 2_000, work: { ...STRICT, writes: [3], reads: [3] } };
const ROUND = 'repair/reap-round.js';
const WRITES = 'node/cluster/reap-writes.js';

export const ownerNotAsked: Mutant = {
  name: 'reap-owner-not-asked',
  what: 'a delete is forgotten though one of its owners was not asked',
  edits: [
    {
      file: ROUND,
      from: 'this.#members = members;',
      to: 'this.#members = members.filter((member) => member !== owners.at(-1));',
    },
  ],
  given: deleting(STUCK),
};

export const othersNotAsked: Mutant = {
  name: 'reap-others-not-asked',
  what: 'a delete is forgotten when its owners agree, whatever hints other members keep',
  edits: [{ file: ROUND, from: 'this.#members = members;', to: 'this.#members = owners;' }],
  given: deleting(['pause', 'isolate', 'one-way'], { cluster: ANY }),
};

export const silenceIsYes: Mutant = {
  name: 'reap-silence-is-yes',
  what: 'a member that does not answer is taken to agree',
  edits: [
    {
      file: ROUND,
      from: "for (const key of this.#keys)\n            this.#object(key, { member, why: 'silent' });",
      to: '',
    },
  ],
  // An owner is away, and then whoever keeps the delete for it.
  given: deleting(['isolate'], { nodes: 4, faultEveryMs: 3_000, work: STRICT }),
};

export const fenceIgnored: Mutant = {
  name: 'fence-ignored',
  what: 'a record is taken though it was read below the fence of the receiver',
  edits: [{ file: 'node/cluster/record-write.js', from: 'if (this.fence < floor)', to: 'if (this.fence < 0)' }],
  given: deleting(['cut-pair', 'clog'], { cluster: ANY, faultEveryMs: 2_500, work: STRICT }),
};

export const reapWithoutCompare: Mutant = {
  name: 'reap-without-compare',
  what: 'an owner that is told to forget a delete drops whatever it has by then',
  edits: [
    {
      file: WRITES,
      from: "if (state === 'ok' && isHeadOf(this.#head, bytes, start, end) && !this.#isNeeded())",
      to: "if (state === 'ok' && (this.reaping !== undefined || isHeadOf(this.#head, bytes, start, end)))",
    },
  ],
  given: deleting(['slow-link', 'clog'], {
    network: { delayMinMs: 10, delayMaxMs: 60, tailMs: 300, tailChance: 0.05, splitChance: 0.1 },
  }),
};

export const compactedBelowLevel: Mutant = {
  name: 'compacted-below-level',
  what: 'records are compacted while nodes may be in the cluster that do not know how',
  edits: [
    {
      file: 'node/cluster/reaper.js',
      from: "if (!isOn(this.#parts.services.ring, 'compaction'))",
      to: 'if (false)',
    },
    {
      file: 'node/cluster/reap-member.js',
      from: "if (compact && ringVersion === services.ring.version && !isOn(services.ring, 'compaction'))",
      to: 'if (false)',
    },
  ],
  given: deleting(['kill', 'isolate'], { upgrade: { beginMs: 10_000, everyMs: 1_000 } }),
  foundBy: ['levels'],
};

export const reapLogNotApplied: Mutant = {
  name: 'reap-log-not-applied',
  what: 'a disk that was put back is told what was reaped since, and keeps it all the same',
  edits: [
    {
      file: 'node/cluster/fences.js',
      from: 'yield* this.apply(partition, logged.entry);',
      to: 'this.#reaps.learn(partition, logged.entry);',
    },
  ],
  given: deleting(['rollback'], PUT_BACK),
};

export const neverBehind: Mutant = {
  name: 'never-behind',
  what: 'a disk that was put back takes over the fence of the others without a question',
  edits: [
    {
      file: 'node/cluster/fences.js',
      from: 'return this.#settled[partition] === 1;',
      to: 'this.#settled[partition] = 1; return true;',
    },
  ],
  given: deleting(['rollback'], PUT_BACK),
};

export const restoredPastTheLog: Mutant = {
  name: 'restored-past-the-log',
  what: 'records of an archive are merged without a look at what was deleted and forgotten since',
  edits: [
    {
      file: 'node/cluster/record-intake.js',
      from: 'write.passesLog = true;',
      to: 'write.passesLog = this.#terms.from > 0;',
    },
    {
      file: 'node/cluster/archive-member.js',
      from: 'const contexts = entries.map(({ context }) => context);',
      to: 'const contexts = [];',
    },
  ],
  given: deleting(['restore'], { faultEveryMs: 1_500 }),
};

export const restoredPastTheEndOfTheLog: Mutant = {
  name: 'restored-past-the-end-of-the-log',
  what: 'records of an archive are merged although what was deleted since is no longer remembered',
  edits: [{ file: 'node/cluster/archive-member.js', from: 'if (forgotten > this.#fence) {', to: 'if (false) {' }],
  given: deleting(['restore'], {
    faultEveryMs: 1_200,
    reap: { retryWindowS: 1, skewMs: 0, lookEveryMs: 100, compactActorsMin: 1, logRetentionMs: 4_000 },
  }),
};

export const reapedTooSoon: Mutant = {
  name: 'reaped-too-soon',
  what: 'a delete is forgotten while puts of what it deleted are still taken',
  edits: [
    {
      file: 'repair/reap-rules.js',
      from: 'return isPast(newestMs(bytes, start), wallMs, rules);',
      to: 'return newestMs(bytes, start) < Infinity;',
    },
    {
      file: 'node/cluster/reaper.js',
      from: 'const olderThanMs = beforeMs - reapAfterMs;',
      to: 'const olderThanMs = beforeMs + 10_000;',
    },
  ],
  given: deleting(['reset', 'pause'], {
    reap: { ...SOON, retryWindowS: 8 },
    work: { ...DELETING, timeoutMs: 300, mix: [20, 10, 6, 20, 6, 20, 20] },
  }),
};
