/*
 * The dumb twin of a store with hints: everything that was appended, in its order. The log is one, so what a restart finds
 * must be what some beginning of that list leaves behind, records and hints together, and no beginning that is shorter
 * than what was acknowledged.
 */
import type { Hint } from '../../src/coordinator/hint-book.js';
import type { Ack } from '../../src/storage/hint-storage.js';
import { partitionId } from '../../src/model/ids.js';
import type { World } from './engine-world.js';

interface State {
  readonly records: Map<string, string>;
  /** By owner and key. */
  readonly hints: Map<string, Hint>;
}

interface Step {
  readonly apply: (state: State) => void;
  /** Is it as safe as the crash demands? */
  readonly safe: (lostPower: boolean) => boolean;
}

export class TestAck implements Ack {
  readonly durable: boolean;
  state: 'waiting' | 'written' | 'durable' = 'waiting';

  constructor(durable: boolean) {
    this.durable = durable;
  }

  onWritten(durable: boolean): void {
    if (this.state !== 'waiting') throw new Error('Told twice');
    if (this.durable && !durable) throw new Error('Told too early');
    this.state = durable ? 'durable' : 'written';
  }
}

export class HintsTwin {
  readonly #world: World;
  /** What is known to be there, and what was appended since. */
  #base: State = { records: new Map(), hints: new Map() };
  #steps: Step[] = [];
  #now: State = { records: new Map(), hints: new Map() };
  #counter = 0;
  /** Every key that a record was ever written under. */
  readonly #names: Set<string> = new Set();

  constructor(world: World) {
    this.#world = world;
  }

  get hints(): ReadonlyMap<string, Hint> {
    return this.#now.hints;
  }

  keep(name: string, owner: number, durable = true): TestAck {
    const at = `${owner} ${name}`;
    this.#counter += 1;
    const version = this.#world.opening * 2 ** 32 + this.#counter;
    const known = this.#now.hints.get(at);
    const hint: Hint = {
      id: known?.id ?? version,
      partition: partitionId(this.#world.partitionOf(name), this.#world.partitionCount),
      key: name,
      owner,
      version,
      bytes: 100 + this.#counter,
      sinceMs: known?.sinceMs ?? this.#world.time.wallMs(),
    };
    const ack = new TestAck(durable);
    this.#world.up().hints.keep(hint, ack);
    this.#add(ack, ({ hints }) => hints.set(at, hint));
    return ack;
  }

  /** Of a hint that is not kept: nothing. */
  drop(name: string, owner: number): TestAck | null {
    const at = `${owner} ${name}`;
    const hint = this.#now.hints.get(at);
    if (hint === undefined) return null;
    const ack = new TestAck(false);
    this.#world.up().hints.drop(hint, ack);
    this.#add(ack, ({ hints }) => hints.delete(at), true);
    return ack;
  }

  /** Puts `bytes` of a value, or drops the record where there are none; `meanwhile` runs inside `decide`. */
  write(name: string, bytes: number | null, meanwhile: () => void = () => undefined): void {
    this.#counter += 1;
    this.#names.add(name);
    const value = bytes === null ? null : `${name}/${this.#counter}/`.padEnd(bytes, '.');
    this.#world.write(name, value, this.#counter, false, (stored, write) => {
      const expected = this.#now.records.has(name) ? 'ok' : 'absent';
      if (stored.state !== expected) throw new Error(`A write to ${name} saw ${stored.state} instead of ${expected}`);
      if (stored.state === 'absent' && stored.hasMark) throw new Error('There is a mark of nothing');
      meanwhile();
      const safe = (lostPower: boolean): boolean =>
        write.state === 'acked' && (write.ackedDurable || !lostPower) && !(value === null && expected === 'absent');
      this.#push({
        safe,
        apply: ({ records }) => (value === null ? records.delete(name) : records.set(name, value)),
      });
    });
  }

  /** The node is up: reads answer what was placed last. */
  check(): void {
    for (const name of this.#names) {
      const read = this.#world.get(name);
      const expected = this.#now.records.get(name);
      if (read.state === 'unknown') throw new Error(`${name} is unknown: ${read.reason}`);
      if ((read.state === 'ok' ? read.value : undefined) !== expected) throw new Error(`${name} reads wrongly`);
    }
  }

  /** The node came up again. */
  settle(): void {
    const hints = this.#world.up().hints.restored();
    const sorted = [...hints].sort((a, b) => a.sinceMs - b.sinceMs || a.id - b.id);
    if (hints.some((hint, i) => hint !== sorted[i])) throw new Error('Hints do not come back oldest first');
    const found: State = { records: new Map(), hints: new Map() };
    for (const hint of hints) {
      const at = `${hint.owner} ${hint.key}`;
      if (found.hints.has(at)) throw new Error(`Two hints of one key and owner: ${at}`);
      found.hints.set(at, hint);
    }
    for (const name of this.#names) {
      const read = this.#world.get(name);
      if (read.state === 'unknown') throw new Error(`${name} is unknown: ${read.reason}`);
      if (read.state === 'ok') found.records.set(name, read.value);
    }
    this.#fit(found);
    this.#base = found;
    this.#now = { records: new Map(found.records), hints: new Map(found.hints) };
    this.#steps = [];
    this.#world.lostPower = false;
  }

  #fit(found: State): void {
    const { lostPower } = this.#world;
    const least = this.#steps.findLastIndex((step) => step.safe(lostPower)) + 1;
    const state: State = { records: new Map(this.#base.records), hints: new Map(this.#base.hints) };
    const text = textOf(found);
    for (let taken = 0; ; taken++) {
      if (taken >= least && textOf(state) === text) return;
      const step = this.#steps[taken];
      if (step === undefined) break;
      step.apply(state);
    }
    throw new Error(
      `No beginning of at least ${least} of ${this.#steps.length} steps leaves ${text}; all of them leave ${textOf(state)}`,
    );
  }

  #add(ack: TestAck, apply: (state: State) => void, durably = false): void {
    const safe = (lostPower: boolean): boolean => {
      if (durably && ack.state === 'written') throw new Error('Told of a removal that is not on the disk');
      return ack.state === 'durable' || (ack.state === 'written' && !lostPower);
    };
    this.#push({ safe, apply });
  }

  #push(step: Step): void {
    this.#steps.push(step);
    step.apply(this.#now);
  }
}

function textOf({ records, hints }: State): string {
  const values = [...records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => [name, value.trim()]);
  const kept = [...hints.values()]
    .sort((a, b) => a.id - b.id)
    .map(({ id, version, key, owner, partition, bytes, sinceMs }) => [
      id,
      version,
      key,
      owner,
      partition,
      bytes,
      sinceMs,
    ]);
  return JSON.stringify([values.map(([name, value]) => [name, value?.slice(0, 30)]), kept]);
}
