/*
 * Can what is there after healing, and what was read on the way, follow from what was asked and answered?
 *
 * The store's clocks have no say in it. A put that was acknowledged may be gone only if somebody *read* it and wrote over
 * it, and what he wrote is accounted for in turn; a context that covers what nobody was shown excuses nothing. And two
 * values may stand beside each other only if neither writer had seen the other's: `replaces`, followed to its end, is
 * what a writer had seen.
 */
import type { FinalState, Operation } from './operation.js';

export type ViolationKind =
  'lost' | 'invented' | 'duplicate' | 'returned' | 'not concurrent' | 'refused yet there' | 'unreadable';

export interface ChaosViolation {
  readonly kind: ViolationKind;
  readonly key: string;
  readonly text: string;
  /** Puts it is about. */
  readonly ids: readonly number[];
}

export interface Verdict {
  readonly violations: readonly ChaosViolation[];
  /** Acknowledged puts that were looked for. */
  readonly acknowledged: number;
  /** How many keys were left with so many siblings. */
  readonly siblings: ReadonlyMap<number, number>;
}

export function checkRun(operations: readonly Operation[], final: readonly FinalState[]): Verdict {
  const byKey: Map<string, Operation[]> = new Map();
  for (const operation of operations) {
    const list = byKey.get(operation.key);
    if (list === undefined) byKey.set(operation.key, [operation]);
    else list.push(operation);
  }
  const states = new Map(final.map((state) => [state.key, state]));
  const siblings: Map<number, number> = new Map();
  const violations: ChaosViolation[] = [];
  for (const [key, ofKey] of byKey) {
    const history = new KeyCheck(key, ofKey);
    for (const operation of ofKey) if (operation.kind === 'get') history.checkGet(operation);
    if (ofKey.some(({ kind }) => kind !== 'get')) history.checkEnd(states.get(key));
    violations.push(...history.violations);
    const count = states.get(key)?.shown?.length ?? 0;
    siblings.set(count, (siblings.get(count) ?? 0) + 1);
  }
  const acknowledged = operations.filter(({ kind, outcome }) => kind === 'put' && outcome === 'ok').length;
  return { violations, acknowledged, siblings };
}

class KeyCheck {
  readonly violations: ChaosViolation[] = [];
  readonly #key: string;
  readonly #writes: Map<number, Operation> = new Map();
  /** Put → writes that replaced it, those that were refused left out. */
  readonly #replacedBy: Map<number, Operation[]> = new Map();
  readonly #seen: Map<number, ReadonlySet<number>> = new Map();

  constructor(key: string, operations: readonly Operation[]) {
    this.#key = key;
    for (const operation of operations) {
      if (operation.kind === 'get') continue;
      this.#writes.set(operation.id, operation);
      if (operation.outcome === 'refused') continue;
      for (const id of operation.replaces) {
        const list = this.#replacedBy.get(id);
        if (list === undefined) this.#replacedBy.set(id, [operation]);
        else list.push(operation);
      }
    }
  }

  checkGet(get: Operation): void {
    this.#checkShown(get.shown, get.strange, get.endMs);
  }

  checkEnd(state: FinalState | undefined): void {
    if (state?.shown === undefined || state.shown === null) {
      this.#say('unreadable', [], `nobody could say what is there: ${state?.strange.join('; ') ?? 'it was not read'}`);
      return;
    }
    this.#checkShown(state.shown, state.strange, Number.POSITIVE_INFINITY);
    const present = new Set(state.shown);
    const accounted: Map<number, boolean> = new Map();
    for (const write of this.#writes.values()) {
      if (write.outcome !== 'ok') continue;
      if (write.kind === 'put' && !this.#isAccountedFor(write.id, present, accounted))
        this.#say(
          'lost',
          [write.id],
          `${this.#describe(write)} was acknowledged, and nobody who read it wrote over it`,
        );
      for (const id of this.#seenBy(write.id))
        if (present.has(id))
          this.#say('returned', [id, write.id], `put ${id} is there, which ${this.#describe(write)} replaced`);
    }
  }

  #checkShown(shown: readonly number[], strange: readonly string[], atMs: number): void {
    const when = Number.isFinite(atMs) ? `in a get at ${Math.round(atMs)}` : 'at the end';
    for (const text of strange) this.#say('invented', [], `${when}: ${text}`);
    shown.forEach((id, i) => {
      const write = this.#writes.get(id);
      if (shown.indexOf(id) !== i) this.#say('duplicate', [id], `put ${id} is shown twice ${when}`);
      else if (write?.kind !== 'put') this.#say('invented', [id], `${when}: put ${id} was never sent for this key`);
      else if (write.startMs > atMs) this.#say('invented', [id], `${when}: put ${id} was not sent yet`);
      else if (write.outcome === 'refused')
        this.#say(
          'refused yet there',
          [id],
          `${this.#describe(write)} was refused (${write.code}), and is shown ${when}`,
        );
    });
    for (const id of shown)
      for (const other of this.#seenBy(id))
        if (other !== id && shown.includes(other))
          this.#say(
            'not concurrent',
            [other, id],
            `put ${other} is shown beside put ${id} ${when}, whose writer had seen it`,
          );
  }

  /** There, or replaced by a write of somebody who had read it, which is accounted for itself. */
  #isAccountedFor(id: number, present: ReadonlySet<number>, known: Map<number, boolean>): boolean {
    const before = known.get(id);
    if (before !== undefined) return before;
    known.set(id, false); // writers have seen only what was there before them, so nobody comes here again meanwhile
    const isIt =
      present.has(id) ||
      (this.#replacedBy.get(id) ?? []).some(
        (write) => write.kind === 'delete' || this.#isAccountedFor(write.id, present, known),
      );
    known.set(id, isIt);
    return isIt;
  }

  /** All that the writer of `id` had seen, and those whom he had read, and so on. */
  #seenBy(id: number): ReadonlySet<number> {
    const before = this.#seen.get(id);
    if (before !== undefined) return before;
    const seen: Set<number> = new Set();
    this.#seen.set(id, seen);
    for (const replaced of this.#writes.get(id)?.replaces ?? []) {
      seen.add(replaced);
      for (const further of this.#seenBy(replaced)) seen.add(further);
    }
    return seen;
  }

  #describe({ kind, id, stream, startMs, endMs, node, attempts, outcome }: Operation): string {
    const times = `${Math.round(startMs)}–${Math.round(endMs)}`;
    return `${kind} ${id} (${stream}, ${times}, ${outcome} by ${node} in attempt ${attempts})`;
  }

  #say(kind: ViolationKind, ids: readonly number[], text: string): void {
    this.violations.push({ kind, key: this.#key, ids, text });
  }
}

/**
 * The checker on trial: the end of a run, with one acknowledged value taken away, must be found wanting. Answers null
 * when it is, or why the trial could not be held.
 */
export function catchesLoss(operations: readonly Operation[], final: readonly FinalState[]): string | null {
  const acked = new Set(operations.filter((one) => one.kind === 'put' && one.outcome === 'ok').map((one) => one.id));
  for (const state of final) {
    const victim = state.shown?.find((id) => acked.has(id));
    if (victim === undefined) continue;
    const forged = final.map((one) =>
      one === state ? { ...state, shown: (state.shown ?? []).filter((id) => id !== victim) } : one,
    );
    const found = checkRun(operations, forged).violations.some(
      (one) => one.kind === 'lost' && one.ids.includes(victim),
    );
    return found ? null : `put ${victim} was taken away from the end of ${state.key}, and nothing was said`;
  }
  return 'nothing that was acknowledged is there';
}

/** The same for what comes back: a key whose last value was deleted, shown with that value once more. */
export function catchesReturn(operations: readonly Operation[], final: readonly FinalState[]): string | null {
  const empty = new Set(final.filter(({ shown }) => shown?.length === 0).map(({ key }) => key));
  const removal = operations.findLast(
    ({ kind, outcome, key, replaces }) =>
      kind === 'delete' && outcome === 'ok' && replaces.length > 0 && empty.has(key),
  );
  const victim = removal?.replaces[0];
  if (removal === undefined || victim === undefined) return 'no key is empty at the end because it was deleted';
  const forged = final.map((one) => (one.key === removal.key ? { ...one, shown: [victim] } : one));
  const found = checkRun(operations, forged).violations.some(
    (one) => one.kind === 'returned' && one.ids.includes(victim),
  );
  return found ? null : `put ${victim} was shown once more under ${removal.key}, and nothing was said`;
}
