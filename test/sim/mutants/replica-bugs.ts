/* Planted bugs of replicas and those who ask them: what counts, what is sent, what is repaired. Compiled passages only. */
import type { Mutant } from './mutant.js';
import { AWAY, LAZY_DISK, ringOf, WORK } from './ring-shapes.js';

const STRICT = { ...WORK, strictChance: 1 };

export const ackCountedTwice: Mutant = {
  name: 'ack-counted-twice',
  what: "the coordinator's own copy counts as two of W",
  edits: [
    {
      file: 'coordinator/replicated-put.js',
      from: 'if (this.#isCounted(row))\n                count += 1;\n        return count;',
      to: 'if (this.#isCounted(row))\n                count += row === 0 ? 2 : 1;\n        return count;',
    },
  ],
  given: ringOf(5, AWAY, { work: WORK }),
};

export const bufferPassesForDisk: Mutant = {
  name: 'buffer-passes-for-disk',
  what: 'a replica says durable of what is in its buffer',
  edits: [{ file: 'node/cluster/peer-server.js', from: 'reply.durable = durable;', to: 'reply.durable = true;' }],
  given: ringOf(5, ['power', 'kill', 'quorum-down'], {
    engine: LAZY_DISK,
    work: { ...WORK, durableChance: 0.5, writes: [3] },
  }),
};

export const standInPassesForOwner: Mutant = {
  name: 'stand-in-passes-for-owner',
  what: 'a put that wants owners counts fallbacks',
  edits: [
    {
      file: 'coordinator/replicated-put.js',
      from: 'return !this.#strict || (this.#asked.isOwnerRow(row) && !this.copyIsExtra(row));',
      to: 'return true;',
    },
  ],
  given: ringOf(5, AWAY, { work: STRICT }),
};

export const oneAnswerLess: Mutant = {
  name: 'one-answer-less',
  what: 'a get of R nodes is answered when R - 1 of them have',
  edits: [
    {
      file: 'coordinator/replicated-get.js',
      from: 'if (this.#count() >= this.r)',
      to: 'if (this.#count() >= Math.max(1, this.r - 1))',
    },
  ],
  given: ringOf(5, AWAY, { work: STRICT }),
};

export const unknownCounts: Mutant = {
  name: 'unknown-counts',
  what: 'a node that cannot say what it holds counts towards R',
  edits: [
    {
      file: 'coordinator/replicated-get.js',
      from: "if (state === 'found' || state === 'absent')\n                count += 1;",
      to: "if (state === 'found' || state === 'absent' || state === 'unknown')\n                count += 1;",
    },
  ],
  given: ringOf(4, ['rot-file', 'restart'], {
    cluster: { kind: 'ring', replicaCount: 1, zones: 1, routing: 'ring' },
    work: { ...STRICT, keys: 20, mix: [40, 10, 5, 2, 10, 0, 0] },
  }),
};

export const maybeSaidNever: Mutant = {
  name: 'maybe-said-never',
  what: 'a put that found too few nodes tells its client that nobody has it',
  edits: [
    {
      file: 'coordinator/replicated-put.js',
      from: "return this.outcome === 'too-few';",
      to: 'return false;',
    },
  ],
  given: ringOf(4, [...AWAY, 'quorum-down'], { work: { ...STRICT, writes: [3] } }),
};

export const replacedNotMerged: Mutant = {
  name: 'replaced-not-merged',
  what: 'a replica replaces what it has by what it is sent',
  edits: [
    {
      file: 'node/cluster/record-write.js',
      from: 'if (stored.end > stored.start) {',
      to: 'if (stored.end < stored.start) {',
    },
  ],
  given: ringOf(5, AWAY, { work: WORK }),
};

export const olderRecordRepairs: Mutant = {
  name: 'older-record-repairs',
  what: 'read repair sends what was found first, and not what all answers came to',
  edits: [
    {
      file: 'node/cluster/cluster-get.js',
      from: 'if (this.#recordBytes === 0) {',
      to: 'if (this.#recordBytes === 0) { this.first = copyOf(bytes, start, end);',
    },
    {
      file: 'node/cluster/cluster-get.js',
      from: 'this.#parts.repairs.send(this, copyOf(this.#record, 0, this.#recordBytes), node, this.#fence);',
      to: 'this.#parts.repairs.send(this, this.first, node, this.#fence);',
    },
  ],
  given: ringOf(4, ['rollback'], {
    faultEveryMs: 2_500,
    changeEveryMs: Number.POSITIVE_INFINITY,
    meetsLast: true,
    work: { ...WORK, keys: 40, mix: [5, 5, 5, 0, 0, 0, 0] },
  }),
  foundBy: ['convergence'],
};

export const absentNotRepaired: Mutant = {
  name: 'absent-not-repaired',
  what: 'an owner that has nothing is not stale',
  edits: [{ file: 'coordinator/replicated-get.js', from: "(isAnswered && state === 'absent') ||", to: '' }],
  // Keys of which an owner that was put back has nothing, and that are seldom put again.
  given: ringOf(4, ['rollback'], {
    faultEveryMs: 2_500,
    changeEveryMs: Number.POSITIVE_INFINITY,
    meetsLast: true,
    work: { ...WORK, keys: 40, mix: [20, 0, 5, 0, 0, 0, 0] },
  }),
  foundBy: ['convergence'],
};

export const lateAnswersTaken: Mutant = {
  name: 'late-answers-taken',
  what: 'a late answer to a question that was given up is taken for the answer to a later one',
  edits: [
    {
      file: 'lib/request-slots.js',
      from: 'this.#waiting[slot] = null;\n        this.#abandoned += 1;',
      to: 'this.#waiting[slot] = null;\n        this.#free[this.#freeCount++] = slot;',
    },
    {
      file: 'lib/request-slots.js',
      from: 'if (slot >= this.capacity || this.#ids[slot] !== id)\n            return undefined;',
      to: 'if (this.#waiting[slot] === null) return null;',
    },
  ],
  given: ringOf(4, ['pause', 'slow-link', 'clog'], { work: { ...WORK, timeoutMs: 300 } }),
};

export const forwardedAnew: Mutant = {
  name: 'forwarded-anew',
  what: 'a put that is handed on a second time gets another id',
  edits: [
    {
      file: 'node/cluster/forwarding.js',
      from: 'retry: this.#request.retry || this.mayHaveHappened };',
      to: 'retry: this.#request.retry || this.mayHaveHappened }; if (this.mayHaveHappened) { request.putId = request.putId.slice(); request.putId[11] ^= 1; }',
    },
  ],
  given: ringOf(5, AWAY, {
    cluster: { kind: 'ring', replicaCount: 3, zones: 1, routing: 'any' },
    work: { ...WORK, timeoutMs: 3_000 },
  }),
};
