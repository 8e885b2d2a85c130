/*
 * What clients did and were told, over a whole run. Nothing in it comes from the server's own clocks: a write says which
 * values its client had *read*, and by that alone it is judged what may be gone.
 *
 * An outcome is one of
 *   ok        the store said yes
 *   unknown   no answer (yet), or one that says that it may have happened
 *   refused   the store, or the client's own library, said that it did not happen and never will
 */

export type Outcome = 'ok' | 'unknown' | 'refused';

export interface WriteOp {
  readonly kind: 'put' | 'delete';
  readonly id: number;
  readonly key: string;
  readonly client: number;
  /** 24 hexadecimal digits. */
  readonly putId: string;
  /** Ids of the puts whose values the writer had before its eyes when it was given the context that it wrote with. */
  readonly read: readonly number[];
  readonly startMs: number;
  /** Of the newest answer; Infinity: there was none. */
  endMs: number;
  outcome: Outcome;
  /** An answer said that it is on disks; if not, a power cut may take it. */
  isDurable: boolean;
  /** Replicas that the answer names. */
  acked: number;
  /** What it asked for: W, and whether only owners count. */
  readonly w: number;
  readonly strict: boolean;
  /** How long it lives; 0: for ever. */
  readonly ttlMs: number;
  /** How often it was asked for, by the application; the library retries on its own. */
  attempts: number;
}

/** A reply that carried versions, a context, or both: of a get, or of a put that stood alone. */
export interface ReadOp {
  readonly key: string;
  readonly client: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly from: 'get' | 'put';
  /** What a get asked for: R, and whether only owners count. */
  readonly r: number;
  readonly strict: boolean;
  /** Puts whose values were shown, in order; `faults`: what was shown and no put wrote. */
  readonly ids: readonly number[];
  readonly faults: readonly string[];
  readonly context: Uint8Array;
}

export class KeyHistory {
  readonly key: string;
  readonly writes: Map<number, WriteOp> = new Map();
  readonly reads: ReadOp[] = [];
  /** Put → writes whose client had read it. */
  readonly readers: Map<number, WriteOp[]> = new Map();

  constructor(key: string) {
    this.key = key;
  }

  add(write: WriteOp): void {
    this.writes.set(write.id, write);
    for (const id of write.read) {
      const readers = this.readers.get(id);
      if (readers === undefined) this.readers.set(id, [write]);
      else readers.push(write);
    }
  }

  readersOf(id: number): readonly WriteOp[] {
    return this.readers.get(id) ?? [];
  }
}

export class History {
  readonly seed: number;
  readonly keys: Map<string, KeyHistory> = new Map();
  readonly byPutId: Map<string, WriteOp> = new Map();
  #lastId = 0;
  operations = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  of(key: string): KeyHistory {
    let history = this.keys.get(key);
    if (history === undefined) {
      history = new KeyHistory(key);
      this.keys.set(key, history);
    }
    return history;
  }

  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  write(write: WriteOp): WriteOp {
    this.operations += 1;
    this.of(write.key).add(write);
    this.byPutId.set(write.putId, write);
    return write;
  }

  read(read: ReadOp): void {
    if (read.from === 'get') this.operations += 1;
    this.of(read.key).reads.push(read);
  }
}
