/*
 * A dumb twin of the byte layout (plain objects, sorted strings, DataView), generators of records, and a replica small
 * enough to read: what the tests of this folder share.
 */
import fc from 'fast-check';
import xxhash from 'xxhash-wasm';
import { Prng } from '../../src/lib/prng.js';
import { fromHex } from '../../src/lib/bytes.js';
import { hash64From, type Hash64, type KeyHash } from '../../src/model/hash.js';
import { MergePlan } from '../../src/versioning/merge.js';
import { PutPlan, type PutOutcome } from '../../src/versioning/put.js';
import { checkRecord } from '../../src/versioning/record.js';
import { ContextToken } from '../../src/versioning/token.js';
import { RecordView } from '../../src/versioning/view.js';

export const hash: Hash64 = hash64From(await xxhash());

export const KEY: Uint8Array = Buffer.from('cart/17');

export function keyHashOf(key: Uint8Array): KeyHash {
  hash.hash(key, 0, key.length);
  return { hi: hash.hi, lo: hash.lo };
}

export const KEY_HASH: KeyHash = keyHashOf(KEY);

export interface PlainSibling {
  /** 16 hexadecimal digits. */
  readonly actor: string;
  readonly counter: number;
  readonly tombstone: boolean;
  readonly wallMs: number;
  readonly logical: number;
  readonly expiresMs: number;
  /** 24 hexadecimal digits. */
  readonly putId: string;
  readonly value: string;
}

export interface PlainRecord {
  readonly key: string;
  readonly context: Readonly<Record<string, number>>;
  readonly siblings: readonly PlainSibling[];
  readonly remembered: readonly string[];
  readonly cut: number;
}

export function dotOf(sibling: { readonly actor: string; readonly counter: number }): string {
  return `${sibling.actor}:${sibling.counter.toString(16).padStart(12, '0')}`;
}

/** Bytes as the layout has them, taken literally; nothing is put in order or checked. */
export function encodePlain(record: PlainRecord): Uint8Array {
  const key = Buffer.from(record.key, 'latin1');
  const actors = Object.keys(record.context);
  const parts: Buffer[] = [];
  const fixed = Buffer.alloc(24);
  fixed.writeUInt8(1, 0);
  fixed.writeUInt16BE(key.length, 2);
  fixed.writeUInt16BE(actors.length, 8);
  fixed.writeUInt16BE(record.siblings.length, 10);
  fixed.writeUInt16BE(record.remembered.length, 12);
  fixed.writeUInt32BE(record.cut, 16);
  parts.push(fixed, key);
  for (const actor of actors) {
    const entry = Buffer.alloc(14);
    entry.write(actor, 0, 'hex');
    entry.writeUIntBE(record.context[actor] ?? 0, 8, 6);
    parts.push(entry);
  }
  for (const sibling of record.siblings) {
    const header = Buffer.alloc(48);
    header.write(sibling.actor, 0, 'hex');
    header.writeUIntBE(sibling.counter, 8, 6);
    header.writeUInt8(sibling.tombstone ? 1 : 0, 14);
    header.writeUIntBE(sibling.wallMs, 16, 6);
    header.writeUInt16BE(sibling.logical, 22);
    header.writeBigUInt64BE(BigInt(sibling.expiresMs), 24);
    header.write(sibling.putId, 32, 'hex');
    header.writeUInt32BE(sibling.value.length, 44);
    parts.push(header);
  }
  for (const id of record.remembered) parts.push(Buffer.from(id, 'hex'));
  for (const sibling of record.siblings) parts.push(Buffer.from(sibling.value, 'latin1'));
  return sealed(Buffer.concat([...parts, Buffer.alloc(8)]));
}

/** With the length and the checksum that the bytes ought to have. */
export function sealed(bytes: Buffer): Uint8Array {
  bytes.writeUInt32BE(bytes.length, 4);
  return resealed(bytes);
}

export function resealed(bytes: Buffer): Uint8Array {
  hash.hash(bytes, 0, bytes.length - 8);
  bytes.writeUInt32BE(hash.hi, bytes.length - 8);
  bytes.writeUInt32BE(hash.lo, bytes.length - 4);
  return bytes;
}

export function decodePlain(bytes: Uint8Array): PlainRecord {
  const fault = checkRecord(bytes, 0, bytes.length, hash, null);
  if (fault !== null) throw new Error(`Not a record: ${fault}`);
  const view = Buffer.from(bytes);
  let at = 24 + view.readUInt16BE(2);
  const key = view.toString('latin1', 24, at);
  const context: Record<string, number> = {};
  for (let i = view.readUInt16BE(8); i > 0; i--, at += 14) {
    context[view.toString('hex', at, at + 8)] = view.readUIntBE(at + 8, 6);
  }
  const headers = at;
  at += 48 * view.readUInt16BE(10);
  const remembered: string[] = [];
  for (let i = view.readUInt16BE(12); i > 0; i--, at += 12) remembered.push(view.toString('hex', at, at + 12));
  const siblings: PlainSibling[] = [];
  for (let header = headers; siblings.length < view.readUInt16BE(10); header += 48) {
    const end = at + view.readUInt32BE(header + 44);
    siblings.push({
      actor: view.toString('hex', header, header + 8),
      counter: view.readUIntBE(header + 8, 6),
      tombstone: view.readUInt8(header + 14) === 1,
      wallMs: view.readUIntBE(header + 16, 6),
      logical: view.readUInt16BE(header + 22),
      expiresMs: Number(view.readBigUInt64BE(header + 24)),
      putId: view.toString('hex', header + 32, header + 44),
      value: view.toString('latin1', at, end),
    });
    at = end;
  }
  return { key, context, siblings, remembered, cut: view.readUInt32BE(16) };
}

/** The normal form of remembered ids, said in four lines. */
export function normalForm(ids: readonly string[], cut: number): { remembered: string[]; cut: number } {
  const all = [...new Set(ids)].sort();
  const dropped = all.slice(0, -16).map(secondsOf);
  const kept = all.slice(-16);
  const oldest = kept.length === 0 ? 0 : secondsOf(kept[kept.length - 1] ?? '') - 60;
  const greatestCut = Math.max(cut, ...dropped);
  return { remembered: kept.filter((id) => secondsOf(id) >= oldest), cut: greatestCut < oldest ? 0 : greatestCut };
}

export function secondsOf(putId: string): number {
  return Number.parseInt(putId.slice(0, 8), 16);
}

/** merge, said with objects. */
export function mergePlain(a: PlainRecord, b: PlainRecord): PlainRecord {
  const context: Record<string, number> = {};
  for (const actor of [...new Set([...Object.keys(a.context), ...Object.keys(b.context)])].sort()) {
    context[actor] = Math.max(a.context[actor] ?? 0, b.context[actor] ?? 0);
  }
  const survives = (sibling: PlainSibling, other: PlainRecord): boolean =>
    other.siblings.some((s) => dotOf(s) === dotOf(sibling)) || sibling.counter > (other.context[sibling.actor] ?? 0);
  const kept = new Map<string, PlainSibling>();
  for (const sibling of a.siblings) if (survives(sibling, b)) kept.set(dotOf(sibling), sibling);
  for (const sibling of b.siblings) if (survives(sibling, a)) kept.set(dotOf(sibling), sibling);
  const siblings = [...kept.keys()].sort().map((dot) => kept.get(dot) as PlainSibling);
  const ids = normalForm([...a.remembered, ...b.remembered], Math.max(a.cut, b.cut));
  return { key: a.key, context, siblings, ...ids };
}

export function mergeBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const plan = new MergePlan();
  switch (plan.plan(a, 0, b, 0)) {
    case 'same-as-a':
      return a;
    case 'same-as-b':
      return b;
    case 'new': {
      const bytes = new Uint8Array(plan.size);
      plan.encode(bytes, 0, hash);
      return bytes;
    }
    case 'too-large':
      throw new Error('Too large');
  }
}

export const ACTORS: readonly string[] = [
  '0000000000000001',
  '0001000000000000',
  '7fffffffffffffff',
  '8000000000000000',
  'ffff00000000ffff',
];

/** Ids around the edges of the retry window, of 32 bits, and of the 16 that are kept. */
export const putIds: fc.Arbitrary<string> = fc
  .tuple(fc.constantFrom(0, 1, 59, 60, 61, 100, 120, 121, 160, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat(7))
  .map(([seconds, random]) => seconds.toString(16).padStart(8, '0') + random.toString(16).padStart(16, '0'));

const rememberedIds = fc
  .tuple(fc.array(putIds, { maxLength: 40 }), fc.constantFrom(0, 0, 1, 59, 60, 100, 121))
  .map(([ids, cut]) => {
    const normal = normalForm(ids, 0);
    const newest = normal.remembered.at(-1);
    const isPossible = newest !== undefined && cut <= secondsOf(newest);
    return isPossible ? normalForm(normal.remembered, Math.max(cut, normal.cut)) : normal;
  });

/** The one version that a dot names, whichever replica holds it; `salt` above 0 makes a version that breaks that. */
export function versionOf(actor: string, counter: number, salt: number): PlainSibling {
  const n = (ACTORS.indexOf(actor) + 1) * 16 + counter;
  const tombstone = n % 5 === 0;
  return {
    actor,
    counter,
    tombstone,
    wallMs: 1_700_000_000_000 + n,
    logical: n % 3,
    expiresMs: n % 4 === 0 ? 1_700_000_000_000 : 0,
    putId: `0000${(n % 7).toString(16).padStart(4, '0')}00000000000000aa`,
    value: tombstone ? '' : 'v'.repeat(n % 9) + String(n) + 's'.repeat(salt),
  };
}

/** Records of one key that any number of replicas could hold: all laws must hold between them. */
export function records(saltMax = 0): fc.Arbitrary<PlainRecord> {
  const entry = fc.record({ counter: fc.integer({ min: 0, max: 4 }), alive: fc.nat(31), salt: fc.nat(saltMax) });
  return fc.tuple(fc.tuple(...ACTORS.map(() => entry)), rememberedIds).map(([entries, ids]) => {
    const context: Record<string, number> = {};
    const siblings: PlainSibling[] = [];
    entries.forEach(({ counter, alive, salt }, i) => {
      const actor = ACTORS[i] as string;
      if (counter > 0) context[actor] = counter;
      for (let n = 1; n <= counter; n++) if ((alive >> n) & 1) siblings.push(versionOf(actor, n, salt));
    });
    return { key: KEY.toString(), context, siblings, ...ids };
  });
}

export interface Put {
  readonly value: string | undefined;
  readonly id: string;
  readonly token?: Uint8Array;
  readonly retry?: boolean;
}

/** A put id of second `seconds`. */
export function id(seconds: number, n: number): string {
  return seconds.toString(16).padStart(8, '0') + n.toString(16).padStart(16, '0');
}

export const NOW_MS = 1_700_000_000_000;

export interface Shown {
  readonly values: string[];
  readonly token: Uint8Array;
}

/** One store and one key: its record, its mark, and what the rules of the mark say about forgetting. */
export class Replica {
  record: Uint8Array = new Uint8Array(0);
  hasMark: boolean = false;
  markActorHi: number = 0;
  markActorLo: number = 0;
  markCounter: number = 0;
  readonly plan: PutPlan;

  constructor(ordinal: number, seed: number, recordBytesMax = 1_000_000) {
    this.plan = new PutPlan(new Prng(seed), ordinal, recordBytesMax);
  }

  get bytes(): Uint8Array {
    return this.record;
  }

  readonly start: number = 0;

  get end(): number {
    return this.record.length;
  }

  put(put: Put): PutOutcome {
    const token = new ContextToken();
    if (put.token !== undefined) {
      const fault = token.decode(put.token, 0, put.token.length, hash, KEY_HASH);
      if (fault !== '') throw new Error(fault);
    }
    const outcome = this.plan.decide(this, {
      key: KEY,
      value: put.value === undefined ? undefined : Buffer.from(put.value),
      putId: fromHex(put.id),
      retry: put.retry ?? false,
      token: put.token === undefined || put.token.length === 0 ? null : token,
      wallMs: NOW_MS,
      logical: 0,
      expiresMs: 0,
    });
    if (outcome === 'write' || outcome === 'known-in-part') this.#write();
    return outcome;
  }

  #write(): void {
    // A margin on both sides: an encoder that writes one byte too many, or too few, is seen.
    const target = new Uint8Array(this.plan.size + 16).fill(0xa5);
    this.plan.encode(target, 8, hash);
    const edges = [...target.subarray(0, 8), ...target.subarray(8 + this.plan.size)];
    if (edges.some((byte) => byte !== 0xa5)) throw new Error('Written outside');
    this.record = target.slice(8, 8 + this.plan.size);
    const fault = checkRecord(this.record, 0, this.record.length, hash, KEY);
    if (fault !== null) throw new Error(`A put made a bad record: ${fault}`);
    this.hasMark = this.plan.markCounter > 0;
    this.markActorHi = this.plan.markActorHi;
    this.markActorLo = this.plan.markActorLo;
    this.markCounter = this.plan.markCounter;
  }

  /** Hears of another's record. Merging keeps the mark: whether it still holds is judged by the next put. */
  receive(record: Uint8Array): void {
    if (record.length === 0) return;
    this.record = this.record.length === 0 ? record : mergeBytes(this.record, record);
  }

  /** Reap, delivered hint, damaged record, replaced file: the copy goes, and the mark with it. */
  forget(): void {
    this.record = new Uint8Array(0);
    this.hasMark = false;
  }

  /** A new opening of the store: the record stays, marks of earlier openings are void. */
  reopen(): void {
    this.hasMark = false;
  }

  read(nowMs: number = NOW_MS): Shown {
    return show(this.record, nowMs);
  }
}

export function show(record: Uint8Array, nowMs: number = NOW_MS): Shown {
  if (record.length === 0) return { values: [], token: new Uint8Array(0) };
  const view = new RecordView();
  view.show(record, 0, nowMs);
  const values: string[] = [];
  for (let i = 0; i < view.shownCount; i++) {
    const at = view.valueStart(i);
    values.push(Buffer.from(record.subarray(at, at + view.valueBytes(i))).toString());
  }
  const token = new Uint8Array(view.tokenBytes);
  view.encodeToken(token, 0, hash, KEY_HASH);
  return { values, token };
}
