import type { Sibling, Siblings } from './results.js';

/**
 * Makes one value of several siblings. Must give the same result whatever their order, and the same on every client;
 * merging what was merged already must change nothing. It is a view: nothing is stored until somebody puts.
 */
export type Resolver<T> = (siblings: Siblings<T>, key: Uint8Array) => T;

/**
 * The latest by the clocks of the coordinators; of two with one time, the one whose JSON or bytes sort last. The other
 * values are lost with the next put, so it is for data that may be: caches, last-seen marks.
 */
function lastWriterWins<T>(): Resolver<T> {
  return (siblings) => {
    let latest: Sibling<T> = siblings[0];
    for (const sibling of siblings) {
      if (sibling.writtenMs > latest.writtenMs) latest = sibling;
      else if (sibling.writtenMs === latest.writtenMs && tieBreak(sibling.value) > tieBreak(latest.value))
        latest = sibling;
    }
    return latest.value;
  };
}

/**
 * All items of all lists, one for each key, as the paper's shopping cart (§4.4): additions never get lost, removed items
 * can come back. Items with the same key must be equal. Sorted by key, so that the order of siblings does not show.
 */
function union<T>(keyOf: (item: T) => string): Resolver<readonly T[]> {
  return (siblings) => {
    const items = new Map<string, T>();
    for (const sibling of siblings) for (const item of sibling.value) items.set(keyOf(item), item);
    return [...items].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, item]) => item);
  };
}

function tieBreak(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : (JSON.stringify(value) ?? '');
}

export const resolvers: {
  lastWriterWins<T>(): Resolver<T>;
  union<T>(keyOf: (item: T) => string): Resolver<readonly T[]>;
} = { lastWriterWins, union };
