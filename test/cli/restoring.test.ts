/* Whether an archive may be restored: owners that cannot be believed, and deletes that nobody remembers any more. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import xxhash from 'xxhash-wasm';
import type { ArchivedPartition, Manifest } from '../../src/archive/manifest.js';
import { partitionFileName } from '../../src/archive/names.js';
import type { Members } from '../../src/cli/archive/asking.js';
import { Restore, type Restored, type RestoreWorld } from '../../src/cli/archive/restoring.js';
import { PartitaError } from '../../src/client/index.js';
import { hash64From } from '../../src/model/hash.js';
import { temporaryFolder } from '../support/temporary.js';

const HASH = hash64From(await xxhash());

interface Told {
  readonly trimmedAt?: number;
  readonly isSuspect?: boolean;
  readonly isAway?: boolean;
}

function restoreOf(told: readonly Told[], more: Partial<RestoreWorld> = {}, clusterId: string = 'a'): Restore {
  const members = {
    facts: { clusterId },
    ring: { partitionCount: 16, replicaCount: told.length },
    ownersOf: () => told.map((_, i) => i + 1),
    state: (owner: number) => {
      const { trimmedAt = 0, isSuspect = false, isAway = false } = told[owner - 1] as Told;
      if (isAway) return Promise.reject(new PartitaError('UNAVAILABLE', 'it is away'));
      return Promise.resolve({ trimmedAt, isSuspect });
    },
  } as unknown as Members;
  const manifest = { clusterId: 'a', partitionCount: 16, name: 'x' } as Manifest;
  return new Restore({
    ...{
      members,
      manifest,
      target: '/nowhere',
      hash: HASH,
      mayResurrect: false,
      patienceMs: 0,
      prefix: null,
      key: null,
    },
    onRecords: () => undefined,
    ...more,
  });
}

const ARCHIVED = [{ partition: 3, fence: 7, file: {} } as unknown as ArchivedPartition];

test('owners that remember all that was deleted since the archive', async (t) => {
  await t.notThrowsAsync(restoreOf([{ trimmedAt: 7 }, {}, { trimmedAt: 6 }]).check(ARCHIVED));
});

test('one owner that has forgotten some of it', async (t) => {
  const told = [{}, { trimmedAt: 8 }, {}];
  const error = await t.throwsAsync(restoreOf(told).check(ARCHIVED));
  t.regex(error?.message ?? '', /older than what node 2 remembers of deletes in partition 3 .*--may-resurrect/);
  await t.notThrowsAsync(restoreOf(told, { mayResurrect: true }).check(ARCHIVED));
});

test('an archive of another cluster is older than anything that was forgotten', async (t) => {
  await t.notThrowsAsync(restoreOf([{}, {}, {}], {}, 'b').check(ARCHIVED));
  await t.throwsAsync(restoreOf([{ trimmedAt: 1 }, {}, {}], {}, 'b').check(ARCHIVED), { message: /--may-resurrect/ });
});

test('less than a majority of owners that can be believed', async (t) => {
  await t.notThrowsAsync(restoreOf([{}, {}, { isAway: true }]).check(ARCHIVED));
  const error = await t.throwsAsync(restoreOf([{}, { isSuspect: true }, { isAway: true }]).check(ARCHIVED));
  t.regex(error?.message ?? '', /1 of the 3 owners of partition 3 can be reached and believed; nothing was restored/);
});

const NAME = '2026-11-24T03-56-30Z-699130';
const WHOLE = {
  ...{ partition: 3, fence: 7, records: 5, root: '0000000000000001' },
  file: { archive: '', bytes: 4, chunkBytes: 4, chunks: '00'.repeat(8), sha256: 'ab'.repeat(32) },
} as unknown as ArchivedPartition;
const EMPTY = { trimmedAt: 0, isSuspect: false, rootHi: 0, rootLo: 0, records: 0, fence: 7 };

interface Sent {
  readonly asked: readonly string[];
  readonly restored: Partial<Restored>;
}

/** An owner that answers `state`, and `after` once it was asked to take the file, of which no answer comes. */
async function sent(t: ExecutionContext, state: object, after: object = {}): Promise<Sent> {
  const { path: target, remove } = temporaryFolder('restoring');
  t.teardown(remove);
  mkdirSync(join(target, NAME));
  writeFileSync(join(target, NAME, partitionFileName(3)), 'file');
  const asked: string[] = [];
  const members = {
    facts: { clusterId: 'a' },
    ring: { partitionCount: 16, replicaCount: 1 },
    ownersOf: () => [1],
    state: () => Promise.resolve({ ...EMPTY, ...state, ...(asked.includes('take') ? after : {}) }),
    restoreOpen: () => {
      asked.push('open');
      return Promise.resolve({ chunks: new Uint8Array([1]), pieceBytes: 4 });
    },
    restoreTake: () => {
      asked.push('take');
      return Promise.reject(new PartitaError('TIMEOUT', 'lost'));
    },
  } as unknown as Members;
  const manifest = { clusterId: 'a', partitionCount: 16, name: NAME } as Manifest;
  const restore = restoreOf([{}], { members, manifest, target });
  await restore.check([WHOLE]);
  const restored: Partial<Restored> = await restore.restore(WHOLE).catch(() => ({})); // what is there is no file of records
  return { asked, restored };
}

test('a file goes to nobody who has not said that it takes one, or has forgotten deletes since', async (t) => {
  t.deepEqual((await sent(t, {})).asked, [], 'as builds answer that know no files');
  t.deepEqual((await sent(t, { takesFile: false })).asked, []);
  t.deepEqual((await sent(t, { takesFile: true, fence: 8 })).asked, []);
  t.deepEqual((await sent(t, { takesFile: true })).asked, ['open', 'take']);
});

test('whose answer was lost is asked how the partition stands', async (t) => {
  const there = await sent(t, { takesFile: true }, { rootLo: 1, records: 5 });
  t.like(there.restored, { files: 1, merged: 5, records: 5 });
  const notThere = await sent(t, { takesFile: true }, { rootLo: 1, records: 4 });
  t.deepEqual(notThere.restored, {}, 'it is to get the records');
});
