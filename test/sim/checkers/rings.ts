/*
 * Rings that nodes have lived by. Of each version there is one, the same on every node; it makes sense; no node goes back
 * to an older one, whatever happened to its process; and from one version to the next nobody becomes an owner who has not
 * taken the partition over, unless he takes the place of one who is no member any more.
 */
import { encodeRing, type RingDocument, ringFault } from '../../../src/ring/document.js';
import type { Evidence, RingInForce } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkRings({ rings }: Pick<Evidence, 'rings'>): Violation[] {
  const violations: Violation[] = [];
  const say = (text: string): void => {
    violations.push({ checker: 'rings', key: '', text });
  };
  const byVersion = new Map<number, RingDocument>();
  const newest = new Map<string, number>();
  for (const inForce of rings) {
    const { node, ring } = inForce;
    const known = byVersion.get(ring.version);
    if (known === undefined) {
      byVersion.set(ring.version, ring);
      const fault = ringFault(ring);
      if (fault !== null) say(`node ${node} has taken over ring ${ring.version}: ${fault}`);
    } else if (known !== ring && !isSame(known, ring)) {
      say(`node ${node} has another ring ${ring.version} than others have`);
    }
    const back = goesBack(newest, inForce);
    if (back !== '') say(back);
  }
  for (const [version, ring] of byVersion) {
    const before = byVersion.get(version - 1);
    if (before === undefined) continue;
    for (const text of intruders(before, ring)) say(text);
  }
  return violations;
}

function isSame(a: RingDocument, b: RingDocument): boolean {
  return Buffer.from(encodeRing(a)).equals(encodeRing(b));
}

/** A disk that was put back may bring an older ring with it. */
function goesBack(newest: Map<string, number>, { node, life, atMs, ring }: RingInForce): string {
  const name = `${node}/${life}`;
  const before = newest.get(name) ?? 0;
  newest.set(name, Math.max(before, ring.version));
  return ring.version >= before
    ? ''
    : `node ${node} has gone back from ring ${before} to ${ring.version} at ${Math.round(atMs)} ms`;
}

/** Owners that were to come by none of the moves of the ring before. */
function intruders(before: RingDocument, { version, owners, members }: RingDocument): readonly string[] {
  const n = before.replicaCount;
  const texts: string[] = [];
  for (let partition = 0; partition < before.partitionCount; partition++) {
    const row = before.owners.slice(partition * n, partition * n + n);
    const gone = row.filter((ordinal) => !members.some((member) => member.ordinal === ordinal)).length;
    const coming = owners.slice(partition * n, partition * n + n).filter((ordinal) => !row.includes(ordinal));
    const unasked = coming.filter(
      (ordinal) =>
        !before.moves.some((move) => move.partition === partition && move.to === ordinal && move.phase === 'copy'),
    );
    if (unasked.length > gone)
      texts.push(
        `ring ${version}: nodes ${unasked.map((ordinal) => ordinal - 1).join()} own partition ${partition}, and have not taken it over`,
      );
  }
  return texts;
}
