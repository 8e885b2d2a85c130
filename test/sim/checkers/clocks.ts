/*
 * A node's hybrid clock never goes back: each version that it mints is stamped above every one that it minted before in
 * this life of its process, and above every one that its disk had kept, whatever its wall clock did.
 */
import type { Evidence, Minted } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkClocks(evidence: Pick<Evidence, 'minted'>): Violation[] {
  const violations: Violation[] = [];
  /** By minting node: the newest stamp of this incarnation, and the newest durable one of this life. */
  const newest: Map<number, Minted> = new Map();
  const kept: Map<number, Minted[]> = new Map();
  for (const version of evidence.minted) {
    if (version.node + 1 !== version.ordinal) continue; // first seen elsewhere: says nothing about the order here
    const before = newest.get(version.ordinal);
    const older = (kept.get(version.ordinal) ?? []).filter(
      (other) => other.life === version.life && other.durableMs < version.atMs,
    );
    const above =
      before !== undefined && before.incarnation === version.incarnation && !isAbove(version, before)
        ? before
        : older.find((other) => !isAbove(version, other));
    if (above !== undefined) {
      violations.push({
        checker: 'clocks',
        key: version.key,
        text: `node ${version.node} stamped ${stamp(version)} at ${Math.round(version.atMs)} ms, after ${stamp(above)}`,
      });
    }
    newest.set(version.ordinal, version);
    kept.set(version.ordinal, keepHighest([...older, version]));
  }
  return violations;
}

/** Only versions that no durable one is above can still matter. */
function keepHighest(versions: readonly Minted[]): Minted[] {
  return versions.filter(
    (version) => !versions.some((other) => other.durableMs <= version.durableMs && isAbove(other, version)),
  );
}

function isAbove(a: Minted, b: Minted): boolean {
  return a.wallMs > b.wallMs || (a.wallMs === b.wallMs && a.logical > b.logical);
}

const stamp = ({ wallMs, logical }: Minted): string => `${wallMs}.${logical}`;
