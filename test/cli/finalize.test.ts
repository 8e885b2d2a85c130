/* partita cluster finalize, against a node that says what the test wants. */
import test from 'ava';
import type { CommitFacts } from '../../src/model/cluster-facts.js';
import { encodeRing } from '../../src/ring/document.js';
import { documentOf, members, tableOf } from '../ring/rings.js';
import { type Facts, run } from '../support/told-cluster.js';

const RING = { ...documentOf(tableOf(members(3, 3), 8, 3)), version: 7, level: 2 };
const raw = JSON.parse(Buffer.from(encodeRing(RING)).toString()) as unknown;
const STATUS = { level: 1 };
const DONE: CommitFacts = { kind: 'done', text: 'Ring version 7 is in force', ring: raw, version: 7, joined: [] };

const finalize = (facts: Facts, ...words: readonly string[]): ReturnType<typeof run> =>
  run(facts, 'cluster', 'finalize', ...words);

test('done: the version and the level, in words and for programs', async (t) => {
  const facts = { status: STATUS, finalize: DONE };
  const ran = await finalize(facts, '-o', 'table');
  t.deepEqual([ran.code, ran.err], [0, '']);
  t.is(
    ran.out,
    'Ring version 7 is in force. The cluster is at feature level 2; releases that do not understand it cannot be used any more\n',
  );
  t.is((await finalize(facts)).out, 'version\t7\nlevel\t2\n');
  t.deepEqual(JSON.parse((await finalize(facts, '-o', 'json')).out), { version: 7, level: 2 });
});

test('refused: why, once', async (t) => {
  const text = 'The level is not raised: node 3 cannot be reached';
  const { code, out, err, asked } = await finalize({ status: STATUS, finalize: { ...DONE, kind: 'refused', text } });
  t.deepEqual([code, out, err], [1, '', `error: cluster finalize: ${text}\n`]);
  t.is(asked.filter(({ action }) => action === 'finalize').length, 1);
});

test('a step of a move that comes first is not the end of it; somebody else who has raised the level is', async (t) => {
  const conflict = { ...DONE, kind: 'conflict', text: 'Another change came first' };
  const often = await finalize({ status: STATUS, finalize: conflict });
  t.is(often.code, 1);
  t.is(often.asked.filter(({ action }) => action === 'finalize').length, 8);
  const silent = await finalize({ status: STATUS, finalize: { ...conflict, kind: 'unknown', text: 'Nobody knows' } });
  t.deepEqual([silent.code, silent.err], [4, 'error: cluster finalize: Nobody knows\n']);
  t.is(silent.asked.filter(({ action }) => action === 'finalize').length, 1, 'it may be decided yet');
});
