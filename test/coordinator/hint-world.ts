/*
 * A hint book, its log, its owners and a power switch. A put brings one value, a record is a set of values, owners merge.
 * The log is a list of entries of which a prefix is synced; a crash drops the rest and the book, and the next opening reads
 * the log again. Answers to deliveries come late, twice, out of order, or after the crash.
 */
import { fc } from '@fast-check/ava';
import type { Hint, HintBatch, HintBook, HintLimits, HintPort } from '../../src/coordinator/hint-book.js';
import type { PeerView } from '../../src/coordinator/preference.js';
import type { PartitionId } from '../../src/model/ids.js';
import { claim } from './timeline.js';

export type HintStep =
  | { readonly kind: 'put'; readonly key: number; readonly owner: number; readonly bytes: number }
  | { readonly kind: 'sync' | 'deliver' | 'crash' | 'wait' }
  | { readonly kind: 'suspect'; readonly owner: number }
  | { readonly kind: 'arrive'; readonly which: number; readonly again: boolean }
  | { readonly kind: 'end-batch'; readonly which: number; readonly ok: boolean; readonly again: boolean };

const OWNERS = 3;
const index = fc.nat(100);
export const hintSteps: fc.Arbitrary<readonly HintStep[]> = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('put' as const),
        key: fc.nat(3),
        owner: fc.nat(OWNERS - 1),
        bytes: fc.integer({ min: 1, max: 300 }),
      }),
    },
    { weight: 4, arbitrary: fc.constant({ kind: 'sync' as const }) },
    { weight: 4, arbitrary: fc.constant({ kind: 'deliver' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'wait' as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('suspect' as const), owner: fc.nat(OWNERS - 1) }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('arrive' as const), which: index, again: fc.boolean() }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('end-batch' as const),
        which: index,
        ok: fc.boolean(),
        again: fc.boolean(),
      }),
    },
  ),
  { maxLength: 80, size: 'max' },
);

export type MakeBook = (opening: number, peers: PeerView, port: HintPort, limits: HintLimits) => HintBook;

type Entry =
  | { readonly kind: 'hint'; readonly hint: Hint; readonly values: ReadonlySet<number> }
  | { readonly kind: 'removed'; readonly id: number; readonly version: number; readonly partition: PartitionId };

interface Sending {
  readonly hint: Hint;
  readonly version: number;
  readonly values: ReadonlySet<number>;
}

const LIMITS: HintLimits = { bytesMax: 2_500, batchCountMax: 2, batchBytesMax: 400, retryMsMin: 100, retryMsMax: 400 };

export class HintWorld implements HintPort, PeerView {
  readonly #make: MakeBook;
  #book: HintBook;
  #opening = 1;
  #nowMs = 0;
  #log: Entry[] = [];
  #synced = 0;
  /** Hint id → what its record holds: the store beside the book. */
  readonly #records: Map<number, Set<number>> = new Map();
  readonly #owners: Set<string>[] = Array.from({ length: OWNERS }, () => new Set<string>());
  /** What was acknowledged on the strength of a hint: `key:value` of each owner. */
  readonly #promised: Set<string>[] = Array.from({ length: OWNERS }, () => new Set<string>());
  readonly #suspects: boolean[] = Array.from({ length: OWNERS }, () => false);
  #sendings: Sending[] = [];
  #batches: { owner: number; ticket: number }[] = [];
  readonly #underWay: Map<number, number> = new Map();
  #lastValue = 0;

  constructor(make: MakeBook) {
    this.#make = make;
    this.#book = make(this.#opening, this, this, LIMITS);
  }

  run(steps: readonly HintStep[]): void {
    for (const step of steps) {
      this.#nowMs += 1;
      this.#do(step);
      this.#check();
    }
    this.#heal();
  }

  isHealthy(node: number): boolean {
    return this.#suspects[node] !== true;
  }
  putPatienceMs(): number {
    return 0;
  }
  getPatienceMs(): number {
    return 0;
  }
  readCost(): number {
    return 0;
  }
  missed(): void {
    claim(false, 'nobody waits here');
  }

  persist(hint: Hint): void {
    this.#log.push({ kind: 'hint', hint: { ...hint }, values: new Set(this.#records.get(hint.id) ?? []) });
  }

  forget(hint: Hint): void {
    this.#log.push({ kind: 'removed', id: hint.id, version: hint.version, partition: hint.partition });
    this.#records.delete(hint.id);
  }

  deliver(batch: HintBatch): void {
    claim(this.isHealthy(batch.owner), 'nothing is delivered to a suspect owner');
    claim(!this.#underWay.has(batch.owner), 'one batch an owner at a time');
    claim(batch.hints.length > 0 && batch.hints.length <= LIMITS.batchCountMax, 'a batch has a size');
    const bytes = batch.hints.reduce((sum, hint) => sum + hint.bytes, 0);
    claim(batch.hints.length === 1 || bytes <= LIMITS.batchBytesMax, 'a batch has its bytes');
    this.#underWay.set(batch.owner, batch.ticket);
    this.#batches.push({ owner: batch.owner, ticket: batch.ticket });
    for (const hint of batch.hints) {
      claim(hint.owner === batch.owner, 'a hint goes to its owner');
      this.#sendings.push({
        hint: { ...hint },
        version: hint.version,
        values: new Set(this.#records.get(hint.id) ?? []),
      });
    }
  }

  #do(step: HintStep): void {
    switch (step.kind) {
      case 'put':
        this.#put(step.key, step.owner, step.bytes);
        return;
      case 'sync':
        this.#sync();
        return;
      case 'deliver':
        for (const owner of [...this.#book.owners()]) this.#book.deliver(owner, this.#nowMs);
        return;
      case 'crash':
        this.#crash();
        return;
      case 'wait':
        this.#nowMs += 150;
        return;
      case 'suspect':
        this.#suspects[step.owner] = this.#suspects[step.owner] !== true;
        return;
      case 'arrive':
        this.#arrive(step.which, step.again);
        return;
      case 'end-batch':
        this.#endBatch(step.which, step.ok, step.again);
    }
  }

  #put(key: number, owner: number, bytes: number): void {
    const name = `k${key}`;
    const before = this.#book.bytes;
    const hint = this.#book.add(partitionOf(name), name, owner, bytes, this.#nowMs);
    if (hint === null) {
      claim(this.#book.bytes === before, 'a refused hint changes nothing');
      return;
    }
    this.#lastValue += 1;
    const values = this.#records.get(hint.id) ?? new Set();
    values.add(this.#lastValue);
    this.#records.set(hint.id, values);
    // The entry is in the log already, the record's bytes go with it.
    const entry = this.#log.at(-1) as Entry;
    claim(entry.kind === 'hint' && entry.hint.version === hint.version, 'adding is a log entry');
    this.#log[this.#log.length - 1] = { ...(entry as Entry & { kind: 'hint' }), values: new Set(values) };
  }

  #sync(): void {
    for (const entry of this.#log.slice(this.#synced)) {
      this.#synced += 1;
      if (entry.kind === 'removed') {
        this.#book.forgotten(entry.partition);
        continue;
      }
      this.#book.durable(entry.hint.id, entry.hint.version);
      for (const value of entry.values) this.#promised[entry.hint.owner]?.add(`${entry.hint.key}:${value}`);
    }
  }

  #arrive(which: number, again: boolean): void {
    if (this.#sendings.length === 0) return;
    const at = which % this.#sendings.length;
    const { hint, version, values } = this.#sendings[at] as Sending;
    if (!again) this.#sendings.splice(at, 1);
    for (const value of values) this.#owners[hint.owner]?.add(`${hint.key}:${value}`);
    this.#book.acked(hint.id, version);
  }

  #endBatch(which: number, ok: boolean, again: boolean): void {
    if (this.#batches.length === 0) return;
    const at = which % this.#batches.length;
    const { owner, ticket } = this.#batches[at] as { owner: number; ticket: number };
    if (!again) this.#batches.splice(at, 1);
    if (this.#underWay.get(owner) === ticket) this.#underWay.delete(owner);
    this.#book.batchEnded(owner, ticket, ok, this.#nowMs);
  }

  /** What the log says after a crash just now: hints by id. */
  #durableHints(): Map<number, Entry & { kind: 'hint' }> {
    const hints = new Map<number, Entry & { kind: 'hint' }>();
    for (const entry of this.#log.slice(0, this.#synced)) {
      if (entry.kind === 'hint') hints.set(entry.hint.id, entry);
      else if (hints.get(entry.id)?.hint.version === entry.version) hints.delete(entry.id);
    }
    return hints;
  }

  #crash(): void {
    const hints = this.#durableHints();
    this.#log = this.#log.slice(0, this.#synced);
    this.#records.clear();
    this.#underWay.clear();
    this.#batches = [];
    this.#opening += 1;
    this.#book = this.#make(this.#opening, this, this, LIMITS);
    for (const [id, { hint, values }] of hints) {
      this.#records.set(id, new Set(values));
      this.#book.restore(hint);
    }
  }

  #check(): void {
    const hints = this.#durableHints();
    const held = [...hints.values()];
    for (let owner = 0; owner < OWNERS; owner++) {
      for (const promise of this.#promised[owner] ?? []) {
        const inLog = held.some(
          ({ hint, values }) => hint.owner === owner && [...values].some((value) => `${hint.key}:${value}` === promise),
        );
        claim(inLog || this.#owners[owner]?.has(promise) === true, `${promise} for ${owner} was promised and is gone`);
      }
    }
    for (const { hint } of held) {
      claim(!this.#book.noneOutstanding(hint.partition), 'a crash now would bring back a hint that was denied');
    }
    claim(this.#book.bytes <= LIMITS.bytesMax || this.#opening > 1, 'hints stay within their bound');
    let bytes = 0;
    for (const owner of this.#book.owners()) bytes += this.#book.kept(owner)?.bytes ?? 0;
    claim(bytes === this.#book.bytes, 'bytes add up over the owners');
    claim(this.#book.count > 0 || bytes === 0, 'no hint, no bytes');
  }

  /** Owners come back, batches end, acks arrive: everything goes home, and the book says so. */
  #heal(): void {
    this.#suspects.fill(false);
    for (let round = 0; round < 60 && this.#book.count > 0; round++) {
      this.#nowMs += 500;
      this.#sync();
      while (this.#sendings.length > 0) this.#arrive(0, false);
      while (this.#batches.length > 0) this.#endBatch(0, true, false);
      for (const owner of [...this.#book.owners()]) this.#book.deliver(owner, this.#nowMs);
    }
    this.#sync();
    this.#check();
    claim(this.#book.count === 0 && this.#book.bytes === 0, 'all hints go home');
    for (let key = 0; key <= 3; key++) claim(this.#book.noneOutstanding(partitionOf(`k${key}`)), 'and none is left');
  }
}

function partitionOf(key: string): PartitionId {
  return (key.charCodeAt(1) % 2) as PartitionId;
}
