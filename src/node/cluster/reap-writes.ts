/* What reaping asks of the store, each decided at the one moment at which nothing comes between. */
import type { Hash64 } from '../../model/hash.js';
import type { PartitionId } from '../../model/ids.js';
import { compacted } from '../../repair/compact.js';
import type { RecordAt } from '../../repair/part-of-record.js';
import { filterReaped } from '../../repair/reap-filter.js';
import { isHeadOf, keyOfHead } from '../../repair/record-head.js';
import type { Reaping } from '../../storage/reap-storage.js';
import { DROP_RECORD, type KeyPlace, type Stored, WAIT_FOR_EARLIER, WRITE_NOTHING } from '../../storage/storage.js';
import { copyBytes } from '../../versioning/write.js';
import type { Services } from '../services.js';
import { KeyWrite } from './key-write.js';

const NO_BYTES = new Uint8Array(0);

/** Where the key of a record's head is. */
export function placeOfHead({ hash }: Pick<Services, 'hash'>, partition: PartitionId, head: Uint8Array): KeyPlace {
  const key = keyOfHead(head);
  hash.hash(key, 0, key.length);
  return { partition, key, hashHi: hash.hi, hashLo: hash.lo };
}

/** Looks at what is held, and answers when that, and all that led to it, is on the disk. */
export class Look extends KeyWrite {
  readonly #look: (stored: Stored) => void;
  readonly #done: (isSure: boolean) => void;

  constructor(place: KeyPlace, look: (stored: Stored) => void, done: (isSure: boolean) => void) {
    super(place);
    this.#look = look;
    this.#done = done;
  }

  decide(stored: Stored): number {
    this.#look(stored);
    return WAIT_FOR_EARLIER;
  }

  encode(): void {}

  onWritten(): void {
    this.#done(true);
  }

  onRefused(): void {
    this.#done(false);
  }
}

/** Compares, and does its work only if what is stored is still what the owners agreed about. */
abstract class ComparedWrite extends KeyWrite {
  readonly #head: Uint8Array;
  readonly #isNeeded: () => boolean;
  readonly #done: (isWritten: boolean) => void;

  constructor(place: KeyPlace, head: Uint8Array, isNeeded: () => boolean, done: (isWritten: boolean) => void) {
    super(place);
    this.#head = head;
    this.#isNeeded = isNeeded;
    this.#done = done;
  }

  /** What `decide` answers of a record that is the same. */
  protected abstract onSame(record: RecordAt): number;

  decide(stored: Stored): number {
    const { state, bytes, start, end } = stored;
    if (state === 'ok' && isHeadOf(this.#head, bytes, start, end) && !this.#isNeeded()) return this.onSame(stored);
    this.#done(false);
    return WRITE_NOTHING;
  }

  onWritten(): void {
    this.#done(true);
  }

  onRefused(): void {
    this.#done(false);
  }
}

/** Compare and delete. */
export class ReapWrite extends ComparedWrite {
  readonly reaping: Reaping;

  constructor(
    place: KeyPlace,
    head: Uint8Array,
    reaping: Reaping,
    isNeeded: () => boolean,
    done: (isReaped: boolean) => void,
  ) {
    super(place, head, isNeeded, done);
    this.reaping = reaping;
  }

  protected onSame(): number {
    return DROP_RECORD;
  }

  encode(): void {}
}

/** Compare and compact. */
export class CompactWrite extends ComparedWrite {
  readonly #hash: Hash64;
  readonly #learn: (context: Uint8Array) => void;
  #record: Uint8Array = NO_BYTES;

  constructor(
    place: KeyPlace,
    head: Uint8Array,
    { hash, isNeeded, learn }: CompactTerms,
    done: (isCompacted: boolean) => void,
  ) {
    super(place, head, isNeeded, done);
    this.#hash = hash;
    this.#learn = learn;
  }

  protected onSame(record: RecordAt): number {
    const left = compacted(record, this.#hash);
    this.#learn(left.context);
    this.#record = left.record;
    return left.record.length;
  }

  encode(target: Uint8Array, at: number): void {
    copyBytes(this.#record, 0, this.#record.length, target, at);
  }
}

export interface CompactTerms {
  readonly hash: Hash64;
  readonly isNeeded: () => boolean;
  /** These entries are left out, by what the log says next. */
  readonly learn: (context: Uint8Array) => void;
}

/** Takes out of a stored record what others have reaped. */
export class CutWrite extends KeyWrite {
  readonly #services: Services;
  readonly #contexts: readonly Uint8Array[];
  readonly #done: (ending: 'kept' | 'cut' | 'gone' | 'refused') => void;
  #ending: 'cut' | 'gone' = 'gone';
  #record: Uint8Array = NO_BYTES;

  constructor(
    place: KeyPlace,
    services: Services,
    contexts: readonly Uint8Array[],
    done: (ending: 'kept' | 'cut' | 'gone' | 'refused') => void,
  ) {
    super(place);
    this.#services = services;
    this.#contexts = contexts;
    this.#done = done;
  }

  decide({ bytes, start, end }: Stored): number {
    const nothing = { kind: 'as-it-is' } as const;
    const filtered = end > start ? filterReaped({ bytes, start }, this.#contexts, null, this.#services.hash) : nothing;
    if (filtered.kind === 'as-it-is') {
      this.#done('kept');
      return WRITE_NOTHING;
    }
    if (filtered.kind === 'nothing-left') return DROP_RECORD;
    this.#ending = 'cut';
    this.#record = filtered.record;
    return this.#record.length;
  }

  encode(target: Uint8Array, at: number): void {
    copyBytes(this.#record, 0, this.#record.length, target, at);
  }

  onWritten(): void {
    this.#done(this.#ending);
  }

  onRefused(): void {
    this.#done('refused');
  }
}
