/* Storages and requests that pass everything on: a planted bug overrides the one method that is wrong. */
import type { Failure } from '../../../src/model/errors.js';
import type { PartitionId } from '../../../src/model/ids.js';
import type { ScanRequest } from '../../../src/storage/scan.js';
import type { Reaping } from '../../../src/storage/reap-storage.js';
import type { ReadRequest, Storage, StorageStatus, Stored, WriteRequest } from '../../../src/storage/storage.js';

export class PassingStorage implements Storage {
  protected readonly inner: Storage;

  constructor(inner: Storage) {
    this.inner = inner;
  }

  read(request: ReadRequest): void {
    this.inner.read(request);
  }

  write(request: WriteRequest): void {
    this.inner.write(request);
  }

  scan(request: ScanRequest): void {
    this.inner.scan(request);
  }

  status(): StorageStatus {
    return this.inner.status();
  }

  close(done: (error: Error | null) => void): void {
    this.inner.close(done);
  }
}

export class PassingWrite implements WriteRequest {
  protected readonly inner: WriteRequest;

  constructor(inner: WriteRequest) {
    this.inner = inner;
  }

  get partition(): PartitionId {
    return this.inner.partition;
  }
  get key(): Uint8Array {
    return this.inner.key;
  }
  get hashHi(): number {
    return this.inner.hashHi;
  }
  get hashLo(): number {
    return this.inner.hashLo;
  }
  get durable(): boolean {
    return this.inner.durable;
  }
  get bytesHint(): number {
    return this.inner.bytesHint;
  }
  get reaping(): Reaping | undefined {
    return this.inner.reaping;
  }
  get markActorHi(): number {
    return this.inner.markActorHi;
  }
  get markActorLo(): number {
    return this.inner.markActorLo;
  }
  get markCounter(): number {
    return this.inner.markCounter;
  }

  decide(stored: Stored): number {
    return this.inner.decide(stored);
  }

  encode(target: Uint8Array, at: number): void {
    this.inner.encode(target, at);
  }

  onWritten(durable: boolean): void {
    this.inner.onWritten(durable);
  }

  onRefused(failure: Failure): void {
    this.inner.onRefused(failure);
  }
}

/** The key's bytes may move while a read waits for a cold file, so they are asked for each time. */
export class PassingRead implements ReadRequest {
  readonly #inner: ReadRequest;
  readonly #onRead: (stored: Stored) => void;

  constructor(inner: ReadRequest, onRead: (stored: Stored) => void) {
    this.#inner = inner;
    this.#onRead = onRead;
  }

  get partition(): PartitionId {
    return this.#inner.partition;
  }
  get key(): Uint8Array {
    return this.#inner.key;
  }
  get hashHi(): number {
    return this.#inner.hashHi;
  }
  get hashLo(): number {
    return this.#inner.hashLo;
  }

  onRead(stored: Stored): void {
    this.#onRead(stored);
  }
}

/** A write whose record is changed before it takes its place. */
export class EditedWrite extends PassingWrite {
  readonly #edit: (bytes: Uint8Array, stored: Stored) => Uint8Array;
  #edited: Uint8Array | null = null;

  constructor(inner: WriteRequest, edit: (bytes: Uint8Array, stored: Stored) => Uint8Array) {
    super(inner);
    this.#edit = edit;
  }

  override decide(stored: Stored): number {
    const size = this.inner.decide(stored);
    if (size <= 0) return size;
    const bytes = new Uint8Array(size);
    this.inner.encode(bytes, 0);
    this.#edited = this.#edit(bytes, stored);
    return this.#edited.length;
  }

  override encode(target: Uint8Array, at: number): void {
    if (this.#edited !== null) target.set(this.#edited, at);
  }
}

/** A storage that wraps every write. */
export function wrappingWrites(wrap: (request: WriteRequest) => WriteRequest): (inner: Storage) => Storage {
  return (inner) =>
    new (class extends PassingStorage {
      override write(request: WriteRequest): void {
        this.inner.write(wrap(request));
      }
    })(inner);
}

/** What is stored, with some of it said otherwise. */
export function storedWith(stored: Stored, changes: Partial<Stored>): Stored {
  const { state, reason, damaged, moving, bytes, start, end, owned, from } = stored;
  const { hasMark, markActorHi, markActorLo, markCounter } = stored;
  const mark = { hasMark, markActorHi, markActorLo, markCounter };
  return { state, reason, damaged, moving, bytes, start, end, owned, from, ...mark, ...changes };
}
