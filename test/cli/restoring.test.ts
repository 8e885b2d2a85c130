/* Whether an archive may be restored: owners that cannot be believed, and deletes that nobody remembers any more. */
import test from 'ava';
import xxhash from 'xxhash-wasm';
import type { ArchivedPartition, Manifest } from '../../src/archive/manifest.js';
import type { Members } from '../../src/cli/archive/asking.js';
import { Restore, type RestoreWorld } from '../../src/cli/archive/restoring.js';
import { PartitaError } from '../../src/client/index.js';
import { hash64From } from '../../src/model/hash.js';

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
