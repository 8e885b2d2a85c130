/*
 * What clients did to a store and were told, and whether what is there now can follow from it.
 *
 * The checker does not believe the store's own clocks. "An acknowledged write may be gone if a later one's context covers
 * its dot" would accept a store whose counters went backwards, and that is the very bug that loses data. So the history
 * keeps what clients *read*: a write may be gone only if somebody read that value (or wrote it and was told that it stood
 * alone) before he wrote over it.
 *
 * An outcome is one of
 *   acked     the store said yes: it is there, or was read and then overwritten
 *   unknown   no answer, or one that says so: it may be there, or not
 *   refused   the store said no, and that nothing happened: it is never seen
 * and a write of unknown outcome that a check after a restart did not find is dead: it must never come back.
 */
import { readStamp } from './stamp.js';

export type Outcome = 'under-way' | 'acked' | 'unknown' | 'refused';

export interface Write {
  readonly id: number;
  readonly key: string;
  readonly kind: 'put' | 'delete';
  /** Ids of the puts whose values the writer knew and told the store that it replaces. */
  readonly replaces: readonly number[];
  outcome: Outcome;
}

export interface Violation {
  readonly kind: 'lost' | 'invented' | 'duplicate' | 'resurrected' | 'refused-yet-applied' | 'unreadable';
  readonly key: string;
  readonly text: string;
}

/** What is visible under a key: the values of all siblings; null if the store could not say. */
export type Visible = readonly Uint8Array[] | null;

export class KeyHistory {
  readonly key: string;
  readonly seed: number;
  /** Of every write that may still matter; older ones have been accounted for and left only their id behind. */
  readonly writes: Map<number, Write> = new Map();
  /** Accounted for in an earlier check: replaced, or of unknown outcome and not there. Seen again, they are a violation. */
  readonly dead: Set<number> = new Set();

  constructor(seed: number, key: string) {
    this.seed = seed;
    this.key = key;
  }

  /** Ids behind visible values, with what is wrong with them: to be asked of every single read. */
  identify(values: readonly Uint8Array[]): {
    readonly ids: readonly number[];
    readonly violations: readonly Violation[];
  } {
    const ids: number[] = [];
    const violations: Violation[] = [];
    const say = (kind: Violation['kind'], text: string): void => {
      violations.push({ kind, key: this.key, text });
    };
    for (const value of values) {
      const stamp = readStamp(this.seed, this.key, value);
      if ('fault' in stamp) {
        say('invented', `a value of ${value.length} bytes: ${stamp.fault}`);
        continue;
      }
      const write = this.writes.get(stamp.id);
      if (ids.includes(stamp.id)) say('duplicate', `put ${stamp.id} is there twice`);
      ids.push(stamp.id);
      if (this.dead.has(stamp.id))
        say('resurrected', `put ${stamp.id} had been replaced or was not there after a restart`);
      else if (write === undefined) say('invented', `put ${stamp.id} was never sent for this key`);
      else if (write.outcome === 'refused')
        say('refused-yet-applied', `put ${stamp.id} was refused, without outcomeUnknown`);
    }
    return { ids, violations };
  }

  /** Is what is visible now, with nothing under way, what these writes may have left? */
  check(visible: Visible): readonly Violation[] {
    if (visible === null) return [{ kind: 'unreadable', key: this.key, text: 'the store could not say what is there' }];
    const { ids, violations } = this.identify(visible);
    const present = new Set(ids);
    const found: Violation[] = [...violations];
    for (const write of this.writes.values()) {
      if (write.outcome !== 'acked') continue;
      if (write.kind === 'put' && !this.#isAccountedFor(write.id, present)) {
        found.push({
          kind: 'lost',
          key: this.key,
          text: `put ${write.id} was acknowledged, and nobody who read it wrote over it`,
        });
      }
      for (const id of write.replaces) {
        if (!present.has(id) || this.dead.has(id)) continue;
        found.push({
          kind: 'resurrected',
          key: this.key,
          text: `put ${id} is there, though ${write.kind} ${write.id} replaced it`,
        });
      }
    }
    return found;
  }

  /** There, or replaced by a write of somebody who knew it, which itself is accounted for. Replacements come later, so this ends. */
  #isAccountedFor(id: number, present: ReadonlySet<number>): boolean {
    if (present.has(id)) return true;
    for (const write of this.writes.values()) {
      if (write.outcome === 'refused' || !write.replaces.includes(id)) continue;
      if (write.kind === 'delete' || this.#isAccountedFor(write.id, present)) return true;
    }
    return false;
  }

  /**
   * After a check that found nothing: what was seen is as good as acknowledged (a client has read it), what was not seen
   * is gone for good, and what is accounted for need not be kept.
   */
  settle(visible: readonly Uint8Array[]): void {
    const present = new Set(this.identify(visible).ids);
    for (const write of this.writes.values()) {
      if (present.has(write.id)) {
        write.outcome = 'acked';
        continue;
      }
      this.dead.add(write.id);
      this.writes.delete(write.id);
    }
  }
}

/** The histories of all keys of a run. */
export class History {
  readonly seed: number;
  readonly keys: Map<string, KeyHistory> = new Map();
  #lastId = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  of(key: string): KeyHistory {
    let history = this.keys.get(key);
    if (history === undefined) {
      history = new KeyHistory(this.seed, key);
      this.keys.set(key, history);
    }
    return history;
  }

  begin(key: string, kind: Write['kind'], replaces: readonly number[]): Write {
    this.#lastId += 1;
    const write: Write = { id: this.#lastId, key, kind, replaces, outcome: 'under-way' };
    this.of(key).writes.set(write.id, write);
    return write;
  }
}
