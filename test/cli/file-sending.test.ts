/* A file of an archive on its way to an owner: what is sent, and what is done about every refusal. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import xxhash from 'xxhash-wasm';
import type { ArchivedFile, ArchivedPartition, Manifest } from '../../src/archive/manifest.js';
import { partitionFileName } from '../../src/archive/names.js';
import { SentFile, type SendingWorld } from '../../src/cli/archive/file-sending.js';
import { PartitaError } from '../../src/client/index.js';
import { hash64From } from '../../src/model/hash.js';
import type { RestoreOpen, RestorePiece } from '../../src/model/restore-messages.js';
import { temporaryFolder } from '../support/temporary.js';

const HASH = hash64From(await xxhash());
const BYTES = Buffer.from(Array.from({ length: 2_500 }, (_, i) => i % 251));
const CHUNKS = 3;
const NAME = '2026-11-24T03-56-30Z-699130';

interface Scene {
  readonly sent: SentFile;
  readonly opened: Omit<RestoreOpen, 'budgetMs'>[];
  readonly pieces: Omit<RestorePiece, 'budgetMs'>[];
  takes: number;
}

function scene(
  t: ExecutionContext,
  refuses: Partial<Record<'open' | 'piece' | 'take', PartitaError>> = {},
  there: readonly number[] = [0, 0, 0],
): Scene {
  const { path: target, remove } = temporaryFolder('sending');
  t.teardown(remove);
  mkdirSync(join(target, NAME));
  writeFileSync(join(target, NAME, partitionFileName(3)), BYTES);
  const file = { archive: '', bytes: BYTES.length, sha256: 'ab'.repeat(32), chunkBytes: 1_000 } as ArchivedFile;
  const archived = { partition: 3, records: 9, root: '0102030405060708', fence: 4 } as ArchivedPartition;
  const members: SendingWorld['members'] = {
    restoreOpen: (_owner, open) => {
      if (refuses.open !== undefined) return Promise.reject(refuses.open);
      made.opened.push(open);
      return Promise.resolve({ chunks: new Uint8Array(there), pieceBytes: 400 });
    },
    restorePiece: (_owner, piece) => {
      if (refuses.piece !== undefined) return Promise.reject(refuses.piece);
      made.pieces.push(piece);
      return Promise.resolve();
    },
    restoreTake: () => {
      if (refuses.take !== undefined) return Promise.reject(refuses.take);
      made.takes += 1;
      return Promise.resolve(made.takes === 3);
    },
  };
  const manifest = { name: NAME, clusterId: 'c' } as Manifest;
  const whole = { ...file, chunks: '00'.repeat(8 * CHUNKS) };
  const sent = new SentFile({ members, target, manifest, hash: HASH }, archived, whole);
  const made: Scene = { sent, opened: [], pieces: [], takes: 0 };
  return made;
}

test('what is there is not sent again, the rest is, in pieces as large as the owner likes', async (t) => {
  const { sent, opened, pieces } = scene(t, {}, [0, 1, 0]);
  t.true(await sent.send(2));
  t.like(opened[0], { partition: 3, clusterId: 'c', restoreId: 0xabab_abab_abab });
  t.like(opened[0]?.file, { fence: 4, records: 9, rootHi: 0x01020304, rootLo: 0x05060708, bytes: 2_500 });
  const places = pieces.map(({ offset, bytes }) => [offset, bytes.length]).sort(([a = 0], [b = 0]) => a - b);
  t.deepEqual(places, [
    [0, 400],
    [400, 400],
    [800, 200],
    [2_000, 400],
    [2_400, 100],
  ]);
  for (const { offset, bytes } of pieces)
    t.deepEqual(Buffer.from(bytes), BYTES.subarray(offset, offset + bytes.length));
});

test('it is asked for until it is taken', async (t) => {
  const made = scene(t);
  t.true(await made.sent.take(2));
  t.is(made.takes, 3);
});

for (const code of ['INVALID_ARGUMENT', 'PROTOCOL', 'UNAVAILABLE', 'TIMEOUT', 'INTERNAL'] as const) {
  test(`who refuses with ${code} gets the records`, async (t) => {
    const refusal = new PartitaError(code, 'no');
    t.false(await scene(t, { open: refusal }).sent.send(2));
    t.false(await scene(t, { piece: refusal }).sent.send(2));
    t.false(await scene(t, { take: refusal }).sent.take(2));
  });
}

test('a disk that is full is told of, and whose it is', async (t) => {
  const full = new PartitaError('DISK_FULL', 'there is room for 7');
  const expected = { message: /node 2 has no room: there is room for 7\. Nothing is lost/ };
  await t.throwsAsync(scene(t, { open: full }).sent.send(2), expected);
  await t.throwsAsync(scene(t, { piece: full }).sent.send(2), expected);
  await t.throwsAsync(scene(t, { take: full }).sent.take(2), expected);
});
