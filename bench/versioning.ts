/*
 * What does it cost to make a new version of a key, and to read one? Per operation, of 1 KiB values, on one thread: the
 * put rule with its encoding, a merge, the check of a record, the view with its context; and the hash alone beside them,
 * since each of the first three contains one. Best of some rounds: the others measure the neighbours on the machine.
 *
 *   node dist/bench/versioning.js
 */
import xxhash from 'xxhash-wasm';
import { Prng } from '../src/lib/prng.js';
import { hash64From } from '../src/model/hash.js';
import { MergePlan } from '../src/versioning/merge.js';
import { PutPlan, type LocalRecord, type PutCommand } from '../src/versioning/put.js';
import { checkRecord } from '../src/versioning/record.js';
import { ContextToken } from '../src/versioning/token.js';
import { RecordView } from '../src/versioning/view.js';

const OPERATIONS = 100_000;
const ROUNDS = 7;

const hash = hash64From(await xxhash());
const key = Buffer.from('customer/000017/cart');
const value = Buffer.alloc(1_024, 0x61);
const arena = Buffer.allocUnsafe(65_536);
const plan = new PutPlan(new Prng(1), 1, 1_000_000_000);
const view = new RecordView();
hash.hash(key, 0, key.length);
const keyHash = { hi: hash.hi, lo: hash.lo };

function command(n: number, token: ContextToken | null): PutCommand {
  const putId = Buffer.alloc(12);
  putId.writeUInt32BE(1_700_000_000 + n, 0);
  return { key, value, putId, retry: false, token, wallMs: 1_700_000_000_000, logical: 0, expiresMs: 0 };
}

const none: LocalRecord = {
  bytes: arena,
  start: 0,
  end: 0,
  hasMark: false,
  markActorHi: 0,
  markActorLo: 0,
  markCounter: 0,
};

function stored(at: number): LocalRecord {
  plan.encode(arena, at, hash);
  return { ...plan, bytes: arena, start: at, end: at + plan.size, hasMark: true };
}

function tokenOf(record: LocalRecord): ContextToken {
  view.show(record.bytes, record.start, 0);
  const bytes = Buffer.alloc(view.tokenBytes);
  view.encodeToken(bytes, 0, hash, keyHash);
  const token = new ContextToken();
  const fault = token.decode(bytes, 0, bytes.length, hash, keyHash);
  if (fault !== '') throw new Error(fault);
  return token;
}

/** Nanoseconds an operation. */
function measure(what: string, operation: () => void): void {
  let best = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    for (let i = 0; i < OPERATIONS; i++) operation();
    best = Math.min(best, Number(process.hrtime.bigint() - start) / OPERATIONS);
  }
  process.stdout.write(`${what.padEnd(54)} ${best.toFixed(0).padStart(6)} ns\n`);
}

plan.decide(none, command(1, null));
const first = stored(0);
const firstToken = tokenOf(first);
plan.decide(first, command(2, firstToken));
const second = stored(4_096);
const secondToken = tokenOf(second);
const merge = new MergePlan();
const third = command(3, secondToken);
const blank = command(3, null);
const target = Buffer.allocUnsafe(8_192);
const elsewhere = new PutPlan(new Prng(2), 2, 1_000_000_000);
elsewhere.decide(none, command(4, null));
elsewhere.encode(arena, 8_192, hash);
const tokenBytes = secondToken.bytes;

measure('hash of the record alone', () => {
  hash.hash(arena, second.start, second.end - 8);
});
measure('put, nothing stored', () => {
  plan.decide(none, blank);
  plan.encode(target, 0, hash);
});
measure('put, one version, covered, mark holds', () => {
  plan.decide(second, third);
  plan.encode(target, 0, hash);
});
measure('put, one version, not covered (becomes two)', () => {
  plan.decide(second, blank);
  plan.encode(target, 0, hash);
});
measure('merge, the second replaces the first', () => {
  merge.plan(first.bytes, first.start, arena, second.start);
});
measure('merge of two siblings, encoded', () => {
  merge.plan(arena, second.start, arena, 8_192);
  merge.encode(target, 0, hash);
});
measure('check of a record', () => {
  checkRecord(arena, second.start, second.end, hash, key);
});
measure('view and its context', () => {
  view.show(arena, second.start, 0);
  view.encodeToken(target, 0, hash, keyHash);
});
measure('context decoded', () => {
  secondToken.decode(tokenBytes, 0, tokenBytes.length, hash, keyHash);
});
