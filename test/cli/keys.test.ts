/* partita keys and export, against a scripted admin socket: what is printed, and what is said when something is lacking. */
import { join } from 'node:path';
import test from 'ava';
import type { KeysReply, KeysRequest, ListedKey } from '../../src/model/messages.js';
import { decodeKeys, encodeKeysReply } from '../../src/wire/codec-keys.js';
import { KEYS, KEYS_REPLY, RING_FETCH } from '../../src/wire/kinds.js';
import { isFault } from '../../src/wire/plain.js';
import { failed } from '../support/fake-node.js';
import type { Script } from '../support/fake-node.js';
import { FakeServer } from '../support/fake-server.js';
import { runCli } from '../support/run-cli.js';
import { temporaryFolder } from '../support/temporary.js';

const WRITTEN = 1_700_000_000_000;
const NOTHING = new Uint8Array(0);

const listed = (name: string | Uint8Array, more: Partial<ListedKey> = {}): ListedKey => ({
  key: Buffer.from(name),
  hash: '00000001000000ff',
  partition: 3,
  siblings: 1,
  tombstones: 0,
  expired: 0,
  recordBytes: 100,
  writtenMs: WRITTEN,
  damaged: false,
  ...more,
});

const page = (keys: readonly ListedKey[], more: Partial<KeysReply> = {}): KeysReply => ({
  keys,
  cursor: NOTHING,
  nodeId: 'ab'.repeat(16),
  ringVersion: 1,
  partitionCount: 16,
  selected: 16,
  done: 16,
  suspect: 0,
  records: keys.length,
  ...more,
});

interface Scene {
  readonly admin: readonly string[];
  readonly asked: KeysRequest[];
  readonly data: FakeServer;
}

/** Answers page after page; null: no answer but a refusal. */
async function withAdmin(pages: readonly (KeysReply | null)[], work: (scene: Scene) => Promise<void>): Promise<void> {
  const asked: KeysRequest[] = [];
  const script: Script = (request, peer) => {
    if (request.kind === RING_FETCH) return false;
    if (request.kind !== KEYS) throw new Error('Only keys are asked for');
    const read = decodeKeys(request.body, 0, request.body.length);
    if (isFault(read)) throw new Error(read);
    const reply = pages[asked.length];
    asked.push(read);
    if (reply === undefined || reply === null) peer.fail(request.id, failed('DRAINING', 'The node is stopping'));
    else peer.frame(KEYS_REPLY, request.id, encodeKeysReply(reply));
    return true;
  };
  const folder = temporaryFolder('keys');
  const server = await FakeServer.start(script, join(folder.path, 'admin.sock'));
  const data = await FakeServer.start();
  try {
    await work({ admin: ['--admin', server.address], asked, data });
  } finally {
    await server.stop();
    await data.stop();
    folder.remove();
  }
}

const CURSOR = Buffer.from('01000000030000000100000000', 'hex');

test('keys are shown as they are, or as bytes where they cannot be; one line each', async (t) => {
  const all = page([
    listed('plain'),
    listed('two lines\nand a tab\t', { siblings: 3 }),
    listed('hex:00', { siblings: 0, tombstones: 1 }),
    listed(Buffer.from([0xff, 0x00]), { siblings: 0, expired: 1 }),
    listed('', { damaged: true, siblings: 0, writtenMs: 0, recordBytes: 0 }),
  ]);
  await withAdmin([all, all, all], async ({ admin }) => {
    const raw = await runCli(['keys', ...admin]);
    const at = new Date(WRITTEN).toISOString();
    t.deepEqual(raw.out.trimEnd().split('\n'), [
      `plain\t1\tvalue\t100\t${at}\t3`,
      `hex:74776f206c696e65730a616e6420612074616209\t3\tconflict\t100\t${at}\t3`,
      `hex:6865783a3030\t0\tdeleted\t100\t${at}\t3`,
      `hex:ff00\t0\texpired\t100\t${at}\t3`,
      '(hash 00000001000000ff)\t0\tdamaged\t0\t\t3',
    ]);
    t.is(raw.err, 'From node abababab, which owns 16 of 16 partitions\n');
    const table = await runCli(['keys', ...admin, '-o', 'table']);
    t.regex(table.out, /│ plain .*│ value /);
    t.regex(table.out, /\n5 keys from node abababab, which owns 16 of 16 partitions\n$/);
    t.is(table.err, '');
    const json = JSON.parse((await runCli(['keys', ...admin, '-o', 'json'])).out) as { keys: unknown[] };
    t.like(json, { cursor: null, partitionsListed: 16 });
    t.like(json.keys[1], { key: 'two lines\nand a tab\t', state: 'conflict', siblings: 3 });
    t.like(json.keys[3], { keyBase64: '/wA=', state: 'expired' });
    t.like(json.keys[4], { key: null, state: 'damaged', written: null });
  });
});

test('a listing goes on from page to page and stops at its limit with a cursor; a doubtful one says so', async (t) => {
  const more = { cursor: CURSOR, done: 3, suspect: 2 };
  await withAdmin([page([listed('a')], more), page([], more), page([listed('b')], more)], async ({ admin, asked }) => {
    const raw = await runCli(['keys', ...admin, '--limit', '2', '--prefix', 'x', '--first-owner', '--all']);
    t.deepEqual(
      asked.map(({ limit }) => limit),
      [2, 1, 1],
    );
    t.deepEqual(
      asked.map(({ cursor }) => cursor.length),
      [0, 13, 13],
    );
    t.like(asked[2], { firstOwner: true, all: true, partition: null });
    t.deepEqual(Buffer.from(asked[2]?.prefix ?? NOTHING), Buffer.from('x'));
    t.deepEqual(raw.err.split('\n'), [
      'From node abababab, which is the first owner of 16 of 16 partitions',
      '2 of them may lack keys: damaged or lost here, and not yet healed from other owners; ask another owner too',
      `There is more: --cursor ${CURSOR.toString('base64url')}`,
      '',
    ]);
  });
  await withAdmin([page([])], async ({ admin, asked }) => {
    await runCli(['keys', ...admin, '--cursor', CURSOR.toString('base64url'), '--partition', '7']);
    t.like(asked[0], { partition: 7 });
    t.deepEqual(Buffer.from(asked[0]?.cursor ?? NOTHING), CURSOR);
  });
});

test('progress is for those who watch, on standard error, and is gone at the end', async (t) => {
  const more = { cursor: CURSOR, done: 3, records: 100 };
  await withAdmin([page([listed('a')], more), page([listed('b')], { records: 50 })], async ({ admin }) => {
    const ran = await runCli(['keys', ...admin], { isErrTTY: true });
    t.deepEqual(
      ran.out.split('\n').map((line) => line.split('\t')[0]),
      ['a', 'b', ''],
    );
    t.deepEqual(ran.err.split('\r\u001b[K'), [
      '',
      '3 of 16 partitions, 100 keys looked at',
      '16 of 16 partitions, 150 keys looked at',
      'From node abababab, which owns 16 of 16 partitions\n',
    ]);
  });
});

test('what is asked wrongly is refused before anybody is asked', async (t) => {
  await withAdmin([], async ({ admin, asked }) => {
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [['--cursor', 'not/base64url'], /^error: --cursor: not a cursor as this command prints it/],
      [['--partition', '5000'], /^error: --partition: "5000" is not a whole number from 0 to 4095/],
      [['--limit', '0'], /^error: --limit: "0" is not a whole number/],
      [['--prefix', 'a', '--prefix-base64', 'YQ=='], /^error: --prefix and --prefix-base64: give one of them/],
      [['--prefix-base64', '!'], /^error: --prefix-base64: not base64/],
    ];
    for (const [words, message] of wrong) {
      const { code, err } = await runCli(['keys', ...admin, ...words]);
      t.is(code, 2, words.join(' '));
      t.regex(err, message);
    }
    t.is(asked.length, 0);
  });
});

test('an export that is not whole says so, says how to go on, and fails', async (t) => {
  const doubtful = page([listed('here'), listed('', { damaged: true })], { suspect: 1 });
  await withAdmin([doubtful], async ({ admin, data }) => {
    await runCli(['put', 'here', 'v', '-s', data.address]);
    const ran = await runCli(['export', ...admin, '-s', data.address]);
    t.is(ran.code, 1);
    t.like(JSON.parse(ran.out), { key: 'here', siblings: [{ value: 'v' }] });
    const lines = ran.err.trimEnd().split('\n');
    t.is(lines.length, 4);
    t.regex(
      lines[0] ?? '',
      /^error: a damaged record in partition 3, hash 00000001000000ff: its key cannot be read here/,
    );
    t.regex(lines[1] ?? '', /^1 key with 1 version, \d+ bytes, from 16 of 16 partitions, listed by node abababab$/);
    t.regex(lines[2] ?? '', /^error: the export may lack keys: 1 of these partitions/);
    t.is(lines[3], 'error: 1 key could not be exported: see above');
  });
  await withAdmin([page([listed('here')], { cursor: CURSOR, done: 3 }), null], async ({ admin, data }) => {
    await runCli(['put', 'here', 'v', '-s', data.address]);
    const ran = await runCli(['export', ...admin, '-s', data.address]);
    t.is(ran.code, 1);
    t.is(ran.out.trimEnd().split('\n').length, 1);
    t.regex(ran.err, /^error: export: The node is stopping/);
    t.true(ran.err.includes('ended after 1 key with 1 version, '));
    t.true(ran.err.includes(`with --cursor ${CURSOR.toString('base64url')}\n`));
  });
});

test('an import that cannot go on stops, says where, and that it may be repeated', async (t) => {
  const stdin = Buffer.from('{"key":"a","siblings":[{"value":"v"}]}\n'.repeat(3));
  const nobody = await runCli(['import', '-s', '127.0.0.1:1'], { stdin });
  t.is(nobody.code, 4);
  t.regex(nobody.err, /\nerror: line 1: .*127\.0\.0\.1:1.*\nerror: stopped there\. Import the same file again: /);
  const terminal = await runCli(['import']);
  t.is(terminal.code, 2);
  t.regex(terminal.err, /^error: nothing to import: give the file on standard input/);
  t.regex(
    (await runCli(['import', '--file', '/no/such/file'])).err,
    /^error: --file: cannot read \/no\/such\/file: ENOENT/,
  );
});
