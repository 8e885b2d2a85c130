/* Writes of a node to its own store that bring no record from outside: all that they have in common, and the plain drop. */
import type { PartitionId } from '../../model/ids.js';
import { DROP_RECORD, type KeyPlace, type Stored, WRITE_NOTHING, type WriteRequest } from '../../storage/storage.js';

export abstract class KeyWrite implements WriteRequest {
  readonly partition: PartitionId;
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly durable: boolean = true;
  readonly bytesHint: number = 0;
  /** What is written here is not minted here: the mark goes. */
  readonly markActorHi: number = 0;
  readonly markActorLo: number = 0;
  readonly markCounter: number = 0;

  constructor({ partition, key, hashHi, hashLo }: KeyPlace) {
    this.partition = partition;
    this.key = key;
    this.hashHi = hashHi;
    this.hashLo = hashLo;
  }

  abstract decide(stored: Stored): number;
  abstract onWritten(durable: boolean): void;
  abstract onRefused(): void;
  abstract encode(target: Uint8Array, at: number): void;
}

/** Nothing is under the key any more, if `mayGo` says so of what is stored when its turn comes. */
export class KeyDrop extends KeyWrite {
  override readonly durable: boolean = false;
  readonly #mayGo: (stored: Stored) => boolean;
  readonly #done: (ending: 'dropped' | 'kept' | 'refused') => void;

  constructor(
    place: KeyPlace,
    mayGo: (stored: Stored) => boolean,
    done: (ending: 'dropped' | 'kept' | 'refused') => void,
  ) {
    super(place);
    this.#mayGo = mayGo;
    this.#done = done;
  }

  decide(stored: Stored): number {
    if (this.#mayGo(stored)) return DROP_RECORD;
    this.#done('kept');
    return WRITE_NOTHING;
  }

  encode(): void {}

  onWritten(): void {
    this.#done('dropped');
  }

  /** The store takes no writes just now. */
  onRefused(): void {
    this.#done('refused');
  }
}
