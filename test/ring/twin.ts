/*
 * The dumb twin of placement: shares in fractions of whole numbers, and every table that there is, partition by
 * partition. For tiny rings only.
 */
import type { PlacedMember } from '../../src/ring/shares.js';

interface Fraction {
  readonly over: bigint;
  readonly under: bigint;
}
export interface Limits {
  readonly least: number;
  readonly most: number;
}

const limits = ({ over, under }: Fraction): Limits => {
  return { least: Number(over / under), most: Number((over + under - 1n) / under) };
};

/** Replicas that each member would hold if they could be cut: members over Q are cut down to it, again and again. */
export function shareOf(members: readonly PlacedMember[], q: number, n: number): readonly Fraction[] {
  const isFull = members.map(() => false);
  for (;;) {
    const fullCount = isFull.filter(Boolean).length;
    const open = members.filter((_, i) => isFull[i] === false);
    const capacity = BigInt(open.reduce((sum, member) => sum + member.capacity, 0));
    const shares = members.map((member, i) => {
      if (isFull[i] === true) return { over: BigInt(q), under: 1n };
      return { over: BigInt(q * (n - fullCount)) * BigInt(member.capacity), under: capacity };
    });
    const tooMuch = shares.findIndex(({ over, under }, i) => isFull[i] === false && over > BigInt(q) * under);
    if (tooMuch === -1) return shares;
    isFull[tooMuch] = true;
  }
}

export interface TwinLimits {
  readonly replicas: readonly Limits[];
  readonly tokens: readonly Limits[];
  /** Each with the members in it, by index. */
  readonly zones: readonly (Limits & { readonly of: readonly number[] })[];
}

export function twinLimits(members: readonly PlacedMember[], q: number, n: number): TwinLimits {
  const shares = shareOf(members, q, n);
  const groups = new Map<string, number[]>();
  members.forEach(({ zone, ordinal }, i) => {
    const name = zone === '' ? `own ${ordinal}` : `zone ${zone}`;
    groups.set(name, [...(groups.get(name) ?? []), i]);
  });
  const sum = (of: readonly number[]): Fraction => {
    let total: Fraction = { over: 0n, under: 1n };
    for (const i of of) {
      const { over, under } = shares[i] ?? total;
      total = { over: total.over * under + over * total.under, under: total.under * under };
    }
    return total;
  };
  return {
    replicas: shares.map(limits),
    tokens: shares.map(({ over, under }) => limits({ over, under: under * BigInt(n) })),
    zones: [...groups.values()].map((of) => {
      const { over, under } = sum(of);
      return { of, ...limits({ over, under: under * BigInt(q) }) };
    }),
  };
}

/** All ways to choose `n` of the members for one partition, within the limits of zones. */
function rowsFor(memberCount: number, n: number, { zones }: TwinLimits): readonly number[][] {
  const all: number[][] = [];
  const extend = (row: number[], next: number): void => {
    if (row.length === n) all.push(row);
    else for (let i = next; i < memberCount; i++) extend([...row, i], i + 1);
  };
  extend([], 0);
  return all.filter((row) =>
    zones.every(({ of, least, most }) => {
      const count = row.filter((i) => of.includes(i)).length;
      return least <= count && count <= most;
    }),
  );
}

/** Chooses one of `options` for each partition in every way; the least cost of those whose counts keep the limits. */
function leastCost(
  options: readonly (readonly { readonly takes: readonly number[]; readonly cost: number }[])[],
  counted: readonly Limits[],
): number {
  let reached = new Map([[counted.map(() => 0).join(), 0]]);
  for (const choices of options) {
    const next = new Map<string, number>();
    for (const [state, cost] of reached) {
      for (const choice of choices) {
        const counts = state.split(',').map(Number);
        for (const i of choice.takes) counts[i] = (counts[i] ?? 0) + 1;
        if (counts.some((count, i) => count > (counted[i]?.most ?? 0))) continue;
        const key = counts.join();
        next.set(key, Math.min(next.get(key) ?? Infinity, cost + choice.cost));
      }
    }
    reached = next;
  }
  let best = Infinity;
  for (const [state, cost] of reached) {
    const counts = state.split(',').map(Number);
    if (counts.every((count, i) => count >= (counted[i]?.least ?? 0))) best = Math.min(best, cost);
  }
  return best;
}

/** Fewest replicas that a balanced table gives to nodes that did not hold them; Infinity: there is no balanced table. */
export function twinFewestMoves(
  before: readonly (readonly number[])[],
  members: readonly PlacedMember[],
  n: number,
): number {
  const limits = twinLimits(members, before.length, n);
  const rows = rowsFor(members.length, n, limits);
  const options = before.map((old) =>
    rows.map((takes) => {
      return { takes, cost: takes.filter((i) => !old.includes(members[i]?.ordinal ?? 0)).length };
    }),
  );
  return leastCost(options, limits.replicas);
}

/** Fewest rows whose first owner changes, when the rows are given. */
export function twinFewestTokenChanges(
  before: readonly (readonly number[])[],
  rows: readonly (readonly number[])[],
  members: readonly PlacedMember[],
  n: number,
): number {
  const options = rows.map((row, partition) =>
    row.map((ordinal) => {
      const takes = [members.findIndex((member) => member.ordinal === ordinal)];
      return { takes, cost: before[partition]?.[0] === ordinal ? 0 : 1 };
    }),
  );
  return leastCost(options, twinLimits(members, rows.length, n).tokens);
}
