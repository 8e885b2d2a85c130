/* What an archive says of itself: nothing of it is believed that is not as it was written, nor taken for a path. */
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import {
  type ArchivedPartition,
  decodeManifest,
  decodePartition,
  encodeManifest,
  encodePartition,
  type Manifest,
} from '../../src/archive/manifest.js';
import { archiveName, isArchiveName, partitionFileName, unfinishedFileName } from '../../src/archive/names.js';
import { DIGEST } from '../../src/cli/archive/target.js';

const NAME = '2026-11-23T23-45-00Z-1a2b3c';

const FILE = {
  ...{ archive: '', bytes: 1_048_577, sha256: 'ab'.repeat(32), chunkBytes: 1_048_576 },
  chunks: '00112233445566778899aabbccddeeff',
};

function partitionAt(partition: number, more: Partial<ArchivedPartition> = {}): ArchivedPartition {
  return {
    ...{ partition, complete: true, note: '', records: 3, values: 3, tombstones: 1, conflicts: 1 },
    ...{ root: '0123456789abcdef', fence: 9, donor: 2, met: [1, 3], missed: [], takenAt: '2026-11-23T23:46:00.000Z' },
    file: FILE,
    ...more,
  };
}

function manifestOf(more: Partial<Manifest> = {}): Manifest {
  return {
    ...{ format: 1, name: NAME, since: '', complete: true, cluster: 'partita', clusterId: 'c0ffee', ringVersion: 7 },
    ...{
      begunAt: '2026-11-23T23:45:00.000Z',
      endedAt: '2026-11-23T23:46:00.000Z',
      partitionCount: 16,
      replicaCount: 3,
    },
    members: [{ ordinal: 1, nodeId: '00'.repeat(16), address: '127.0.0.1:7700' }],
    wanted: [0, 5],
    partitions: [partitionAt(0), partitionAt(5, { file: null, records: 0 })],
    ...more,
  };
}

function faultOf(manifest: unknown): string {
  const decoded = decodeManifest(encodeManifest(manifest as Manifest, DIGEST), DIGEST);
  return 'fault' in decoded ? decoded.fault : '';
}

test('a manifest and a line of progress are read as they were written', (t) => {
  const manifest = manifestOf();
  t.deepEqual(decodeManifest(`${encodeManifest(manifest, DIGEST)}\n`, DIGEST), manifest);
  const partition = partitionAt(7);
  t.deepEqual(decodePartition(encodePartition(partition, DIGEST), DIGEST), partition);
  t.like(decodeManifest(encodePartition(partition, DIGEST), DIGEST), { fault: 'It does not begin as one' });
});

testProp('one bit anywhere is found', [fc.nat(), fc.integer({ min: 0, max: 7 })], (t, place, bit) => {
  const bytes = Buffer.from(encodeManifest(manifestOf(), DIGEST));
  const at = place % bytes.length;
  bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at);
  t.true('fault' in decodeManifest(bytes.toString('utf8'), DIGEST));
});

testProp('what a crash has cut off is no line', [fc.nat()], (t, place) => {
  const line = encodePartition(partitionAt(3), DIGEST);
  t.true('fault' in decodePartition(line.slice(0, place % line.length), DIGEST));
});

testProp('no text is taken for an archive, nor breaks anything', [fc.string(), fc.json()], (t, text, json) => {
  t.true('fault' in decodeManifest(text, DIGEST));
  t.not(faultOf(JSON.parse(json)), '');
});

test('names that lead elsewhere are none', (t) => {
  for (const name of [
    '..',
    '../x',
    '/etc',
    `${NAME}/..`,
    `${NAME}\n`,
    `x${NAME}`,
    NAME.toUpperCase(),
    '',
    `${NAME}\0`,
  ]) {
    t.false(isArchiveName(name), name);
    if (name !== '') t.not(faultOf(manifestOf({ since: name })), '', name);
    t.not(faultOf(manifestOf({ name })), '', name);
    const file = { ...FILE, archive: name };
    if (name !== '') t.not(faultOf(manifestOf({ partitions: [partitionAt(0, { file })] })), '', name);
  }
  t.true(isArchiveName(archiveName('2026-11-23T23:45:00.123Z', 0x1a2b3c)));
  t.is(archiveName('2026-11-23T23:45:00.123Z', 0x1a2b3c), NAME);
  t.deepEqual([partitionFileName(77), unfinishedFileName(4_095)], ['004d.mdb', '0fff.part']);
});

for (const [what, wrong] of [
  ['another format', { format: 2 }],
  ['no partitions at all', { partitionCount: 0 }],
  ['too many of them', { partitionCount: 1_000_000 }],
  ['a partition that there is not', { partitions: [partitionAt(16)] }],
  ['a partition twice', { partitions: [partitionAt(3), partitionAt(3)] }],
  ['a negative count', { partitions: [partitionAt(3, { records: -1 })] }],
  ['a root of other digits', { partitions: [partitionAt(3, { root: 'g'.repeat(16) })] }],
  [
    'chunks that are not as many as the bytes',
    { partitions: [partitionAt(3, { file: { ...FILE, bytes: 3_000_000 } })] },
  ],
  ['no truth', { complete: 'yes' }],
] as const) {
  test(`it says ${what}`, (t) => {
    t.not(faultOf(manifestOf(wrong as Partial<Manifest>)), '');
  });
}
