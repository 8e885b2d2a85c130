/*
 * Planted bugs of members that come and go: what voters remember, when a replica has been taken over, and what becomes of
 * copies and hints that the ring has taken away. Compiled passages only: see planted.ts.
 */
import type { FaultKind, SimOptions } from '../options.js';
import type { Edit, Mutant } from './mutant.js';
import { AWAY, LAZY_DISK, ringOf, WORK } from './ring-shapes.js';

const DRIVER = 'node/cluster/move-driver.js';
const MEMBERSHIP = 'node/cluster/membership.js';
const CLUSTER = 'node/cluster/cluster.js';
const RING_LOG = 'node/cluster/ring-log.js';

/** Somebody joins or leaves all the time. */
const changing = (faults: readonly FaultKind[], more: Partial<SimOptions> = {}): Partial<SimOptions> =>
  ringOf(4, faults, { changeEveryMs: 4_000, work: WORK, ...more });

const CALM: Partial<SimOptions> = { faultEveryMs: Number.POSITIVE_INFINITY };
/** Keeping a ring takes a while, and hearing of it does not. */
const SLOW_DISK: Partial<SimOptions> = {
  engine: { ...LAZY_DISK, diskDelayMs: 20 },
  network: { delayMinMs: 0.5, delayMaxMs: 4, tailMs: 50, tailChance: 0.02, splitChance: 0.05 },
};
const SLOW_NETWORK: Partial<SimOptions> = {
  network: { delayMinMs: 10, delayMaxMs: 80, tailMs: 700, tailChance: 0.05, splitChance: 0.05 },
};

/** There is nobody else who would know. */
const ONE_OWNER: Partial<SimOptions> = { cluster: { kind: 'ring', replicaCount: 1, zones: 1, routing: 'ring' } };

export const oneVoteDecides: Mutant = {
  name: 'one-vote-decides',
  what: 'a ring is decided on as soon as one of the voters has accepted it',
  edits: [
    {
      file: 'membership/ring-proposer.js',
      from: 'return isBlank ? voters.length : Math.floor(voters.length / 2) + 1;',
      to: 'return isBlank ? voters.length : 1;',
    },
  ],
  given: changing(AWAY, { changeEveryMs: 2_000 }),
};

export const acceptorForgets: Mutant = {
  name: 'acceptor-forgets',
  what: 'a voter that starts again has its id, and has forgotten what it has promised and accepted',
  edits: [
    {
      file: RING_LOG,
      from: 'this.#newAcceptor(store.acceptorId, store.state);',
      to: 'this.#newAcceptor(store.acceptorId, null);',
    },
  ],
  // All of them go down when one has the ring on its disk and the others do not; it comes back late.
  given: changing(['all-down'], { ...SLOW_DISK, ...SLOW_NETWORK, nodes: 3, changeEveryMs: 300, faultEveryMs: 2_500 }),
};

export const dropsWithoutGoingHome: Mutant = {
  name: 'drops-without-going-home',
  what: 'a node drops what it holds of a partition that the ring has taken away, without asking whether the owners have it',
  edits: [{ file: 'node/cluster/departures.js', from: 'if (owners.every(', to: 'if (true || owners.every(' }],
  // Many keys, and nobody reads: nothing is claimed of a put that somebody may have replaced.
  given: changing(['isolate', 'cut-pair'], {
    faultEveryMs: 2_000,
    work: { ...WORK, keys: 400, writes: [1], mix: [2, 0, 20, 0, 0, 0, 0] },
  }),
};

export const countsHalfAHandover: Mutant = {
  name: 'counts-half-a-handover',
  what: 'a strict put counts an owner whose place changes hands, whether or not the other of the two has it',
  edits: [
    {
      file: 'coordinator/replicated-put.js',
      from: 'return other < 0 || this.#hasIt(this.#asked.rowOf(other));',
      to: 'return true;',
    },
  ],
  given: changing(['clog', 'slow-link', 'cut-pair', 'one-way'], {
    ...SLOW_NETWORK,
    changeEveryMs: 2_000,
    faultEveryMs: 1_000,
    work: { ...WORK, keys: 20, thinkMs: 60, timeoutMs: 3_000, strictChance: 1 },
  }),
};

export const dropsWhatCameMeanwhile: Mutant = {
  name: 'drops-what-came-meanwhile',
  what: 'a partition that the ring has taken away goes as a whole, with what has come since and is kept for its owners as hints',
  edits: [
    {
      file: 'node/cluster/departure-drop.js',
      from: 'isValid() && parts.hints.noneOutstanding(partition)',
      to: 'isValid()',
    },
  ],
  given: changing(['isolate', 'cut-pair'], { faultEveryMs: 2_000, work: { ...WORK, keys: 40, writes: [1] } }),
};

export const settlesUncompared: Mutant = {
  name: 'settles-uncompared',
  what: 'a node says that it has taken a partition over before it has compared it with all of its owners',
  edits: [
    {
      file: DRIVER,
      from: 'if (!this.#hasInherited(move) || suspects.has(partition))',
      to: 'if (!this.#hasInherited(move))',
    },
    {
      file: DRIVER,
      from: 'return this.#catching.hasMetAll(partition, incoming.finalMs);',
      to: 'return true;',
    },
  ],
  given: changing([], CALM),
};

export const arrivesTrusted: Mutant = {
  name: 'arrives-trusted',
  what: 'a partition that comes to a node is believed there from the first moment on',
  edits: [{ file: MEMBERSHIP, from: 'for (const partition of arriving) {', to: 'for (const partition of []) {' }],
  given: changing([], CALM),
};

export const noDualWrites: Mutant = {
  name: 'no-dual-writes',
  what: 'while a partition moves only its owners are written to',
  edits: [
    {
      file: 'node/cluster/cluster-put.js',
      from: 'if (this.#preference.handovers.length > 0 && !this.#terms.strict)',
      to: 'if (this.isDualWritten)',
    },
  ],
  given: changing([], { ...CALM, work: { ...WORK, keys: 40 } }),
};

export const strangersWriteUnhinted: Mutant = {
  name: 'strangers-write-unhinted',
  what: 'what comes to a node that is no owner any more is stored there, and nobody is told of it',
  edits: [
    {
      file: 'node/cluster/record-write.js',
      from: 'this.hintFor = preferences.ownersOf(this.partition);',
      to: 'void preferences;',
    },
    {
      file: 'node/cluster/cluster-put.js',
      from: 'return hints.addForOwners(partition, name, bytes) ? null : NO_ROOM;',
      to: 'return null;',
    },
  ],
  given: changing(['slow-link', 'clog', 'pause'], {
    ...SLOW_NETWORK,
    work: { ...WORK, keys: 20, writes: [1], timeoutMs: 3_000 },
  }),
};

export const hintsOfTheGoneForgotten: Mutant = {
  name: 'hints-of-the-gone-forgotten',
  what: 'what is kept for a node that owns it no more is not sent to those who do',
  edits: [
    {
      file: 'node/cluster/hint-keeper.js',
      from: 'if (this.addForOwners(partition, key, bytes))',
      to: 'if (bytes >= 0)',
    },
  ],
  // Nobody reads, and what is kept for the only owner is nowhere else.
  given: changing(['cut-pair', 'cut-pair', 'clog'], {
    ...ONE_OWNER,
    engine: { ...LAZY_DISK, durability: { kind: 'always' } },
    faultEveryMs: 1_000,
    changeEveryMs: 1_500,
    work: { ...WORK, keys: 40, thinkMs: 400, writes: [1], mix: [0, 0, 20, 0, 0, 0, 0] },
  }),
};

/** As reap-bugs.ts has them; and what has been forgotten comes back with archives. */
const DELETING: Partial<SimOptions> = {
  ...ONE_OWNER,
  movesFiles: false,
  skewMaxMs: 0,
  reap: { retryWindowS: 1, skewMs: 0, lookEveryMs: 100, compactActorsMin: 1 },
  work: {
    ...WORK,
    keys: 40,
    thinkMs: 110,
    mix: [15, 4, 8, 0, 4, 0, 0, 25],
    strictChance: 1,
  },
};

export const reapsWhileMoving: Mutant = {
  name: 'reaps-while-moving',
  what: 'deletes are forgotten while the partition is on its way to another node',
  edits: [{ file: 'node/cluster/preferences.js', from: 'return this.#moving.has(partition);', to: 'return false;' }],
  given: changing(['restore'], { ...DELETING, ...SLOW_NETWORK, changeEveryMs: 2_000, faultEveryMs: 1_500 }),
};

export const reapLogNotInherited: Mutant = {
  name: 'reap-log-not-inherited',
  what: 'who takes a partition over does not learn which deletes its owners have forgotten',
  edits: [
    {
      file: DRIVER,
      from: 'this.#parts.fences.inherit(move.partition, (error) => {',
      to: '((_, done) => done(null))(move.partition, (error) => {',
    },
  ],
  given: changing(['restore'], { ...DELETING, changeEveryMs: 2_000, faultEveryMs: 1_500 }),
};

export const ringBeforeDisk: Mutant = {
  name: 'ring-before-disk',
  what: 'a ring is in force before it is on the disk',
  edits: [
    {
      file: MEMBERSHIP,
      from: 'yield* wait((done) => {\n            keeper.save(document, done);\n        });',
      to: '',
    },
    {
      file: MEMBERSHIP,
      from: 'this.#world.onRemoved(version);',
      to: 'this.#world.onRemoved(version);\n        yield* wait((done) => {\n            keeper.save(document, done);\n        });',
    },
  ],
  given: changing(['power'], { ...SLOW_DISK, faultEveryMs: 1_500, changeEveryMs: 1_500 }),
};

const keepsOld = (
  name: string,
  part: string,
  what: string,
): Pick<Mutant, 'name' | 'what'> & { readonly edits: Edit[] } => ({
  name,
  what,
  edits: [{ file: CLUSTER, from: `this.${part}.setRing(ring);`, to: '' }],
});

export const preferencesKeepOldRing: Mutant = {
  ...keepsOld(
    'preferences-keep-old-ring',
    'preferences',
    'a node goes on to ask and write to the owners of the ring that it began with',
  ),
  given: changing(AWAY),
};

export const linksKeepOldRing: Mutant = {
  ...keepsOld('links-keep-old-ring', 'links', 'a node that has a new ring goes on with the connections of the old one'),
  given: changing(AWAY),
};

export const olderRingTaken: Mutant = {
  name: 'older-ring-taken',
  what: 'word of a ring that comes late takes the place of a newer one',
  edits: [
    { file: RING_LOG, from: 'if (document !== null && version > ring.version)', to: 'if (document !== null)' },
    { file: MEMBERSHIP, from: 'if (ring.version <= version)', to: 'if (ring.version === version)' },
  ],
  given: changing(['clog', 'slow-link'], { ...SLOW_NETWORK, changeEveryMs: 1_500, faultEveryMs: 2_500 }),
};
