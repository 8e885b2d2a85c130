/*
 * The bytes of records and contexts as released, in test/golden: what is on disks and in clients' hands must be read, and
 * written, the same for ever. PARTITA_GOLDEN=write rewrites the files; review that diff as one reviews a format change.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { fromHex, toHex } from '../../src/lib/bytes.js';
import { describeRecord } from '../../src/versioning/describe.js';
import { checkRecord } from '../../src/versioning/record.js';
import { ContextToken } from '../../src/versioning/token.js';
import { hash, id, KEY, KEY_HASH, mergeBytes, NOW_MS, Replica, show } from './support.js';

const NOW_S = NOW_MS / 1_000;

interface Golden {
  readonly name: string;
  readonly hex: string;
  /** What it means: checked as well, so that a reader of another language can trust it. */
  readonly reads: unknown;
}

function file(name: string): URL {
  return new URL(`../../../test/golden/${name}`, import.meta.url);
}

function put(at: Replica, value: string | undefined, n: number, token?: Uint8Array): void {
  at.put({ value, id: id(NOW_S + n, n), ...(token !== undefined && { token }) });
}

function one(): Replica {
  const replica = new Replica(1, 1);
  put(replica, 'one', 1);
  return replica;
}

function overwritten(): Replica {
  const replica = one();
  put(replica, 'two', 2, replica.read().token);
  return replica;
}

function deleted(): Replica {
  const replica = overwritten();
  put(replica, undefined, 3, replica.read().token);
  return replica;
}

function siblings(): Replica {
  const replica = overwritten();
  const other = new Replica(0xfffe, 2);
  put(other, 'elsewhere', 4, one().read().token);
  replica.receive(other.record);
  return replica;
}

function cut(): Replica {
  const replica = one();
  for (let n = 2; n <= 18; n++) put(replica, `v${n}`, n, replica.read().token);
  return replica;
}

const MAKERS: readonly [string, () => Replica][] = [
  ['one value', one],
  ['overwritten once: the put before is remembered', overwritten],
  ['deleted: a tombstone', deleted],
  ['two siblings, one of them minted by node 65534', siblings],
  ['overwritten 17 times within a window: 16 remembered, and a cut', cut],
];

function records(): Golden[] {
  return MAKERS.map(([name, make]) => {
    const { record } = make();
    return { name, hex: toHex(record), reads: describeRecord(record, 0, NOW_MS) };
  });
}

function readToken(bytes: Uint8Array): unknown {
  const token = new ContextToken();
  const fault = token.decode(bytes, 0, bytes.length, hash, KEY_HASH);
  return { fault, actors: token.entryCount, putIds: token.idCount };
}

function tokens(): Golden[] {
  return MAKERS.map(([name, make]) => {
    const { token } = show(make().record);
    return { name: `context of: ${name}`, hex: toHex(token), reads: readToken(token) };
  });
}

function compare(name: string, made: readonly Golden[]): readonly Golden[] {
  if (process.env['PARTITA_GOLDEN'] === 'write') {
    writeFileSync(file(name), `${JSON.stringify({ format: 1, key: KEY.toString(), items: made }, null, 2)}\n`);
  }
  const golden = JSON.parse(readFileSync(file(name), 'utf8')) as { readonly items: readonly Golden[] };
  return golden.items;
}

test('Records are the bytes that they have been since the first release', (t) => {
  const made = records();
  t.deepEqual(compare('records.json', made), made);
});

test('Contexts are the bytes that they have been since the first release', (t) => {
  const made = tokens();
  t.deepEqual(compare('tokens.json', made), made);
});

test('Released records are read, checked and merged as ever', (t) => {
  const golden = compare('records.json', records()).map(({ hex, reads }) => ({ bytes: fromHex(hex), reads }));
  for (const { bytes, reads } of golden) {
    t.is(checkRecord(bytes, 0, bytes.length, hash, KEY), null);
    t.deepEqual(describeRecord(bytes, 0, NOW_MS), reads as ReturnType<typeof describeRecord>);
  }
  const [first, second, third] = golden.map(({ bytes }) => bytes) as [Uint8Array, Uint8Array, Uint8Array];
  t.is(toHex(mergeBytes(mergeBytes(first, third), second)), toHex(third));
});
