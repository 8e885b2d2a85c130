/* What `--what-if` asks for. */
import type { Wish } from '../balance/forecast.js';
import { nodeId } from '../model/ids.js';
import { PARTITIONS_MAX } from '../model/limits.js';
import type { RingDocument } from '../ring/document.js';
import type { RingEdit } from '../ring/edits.js';
import { CAPACITY_MAX } from '../ring/shares.js';
import { memberMeant } from './cluster-asking.js';
import { parseWhole } from './durations.js';
import { UsageError } from './io.js';

const OPTION = '--what-if';

/** null: nothing is asked. Throws UsageError. */
export function wishOf(words: readonly string[], ring: RingDocument): Wish | null {
  if (words.length === 0) return null;
  const cuts = words.filter((word) => word.startsWith('q='));
  if (cuts.length === 0) return { kind: 'members', edits: words.map((word, index) => editOf(word, index, ring)) };
  const [only] = cuts;
  if (words.length > 1 || only === undefined)
    throw new UsageError(`${OPTION}: q=PARTITIONS goes with no other change: ask for one of them after the other`);
  return { kind: 'partitions', partitionCount: parseWhole(only.slice(2), `${OPTION} q=`, 1, PARTITIONS_MAX) };
}

function editOf(word: string, index: number, ring: RingDocument): RingEdit {
  if (word.startsWith('leave='))
    return { kind: 'leave', ordinal: memberMeant(word.slice('leave='.length), ring.members).ordinal };
  const [verb, ...parts] = word.split(',');
  if (verb !== 'join')
    throw new UsageError(
      `${OPTION}: ${JSON.stringify(word)} is none of join[,capacity=N][,zone=NAME], leave=NODE and q=PARTITIONS`,
    );
  let capacity = usualCapacity(ring);
  let zone = '';
  for (const part of parts) {
    const [name, value] = [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)];
    if (name === 'capacity') capacity = parseWhole(value, `${OPTION} join,capacity=`, 1, CAPACITY_MAX);
    else if (name === 'zone' && value !== '') zone = value;
    else throw new UsageError(`${OPTION}: join,${part}: after join can be capacity=N and zone=NAME`);
  }
  const place = `what-if-${index}:1`;
  return { kind: 'join', nodeId: idOf(index), address: place, peerAddress: place, zone, capacity };
}

/** Of no node: ids are drawn, and none begins with so many zeros. */
function idOf(index: number): RingDocument['members'][number]['nodeId'] {
  return nodeId(index.toString(16).padStart(32, '0'));
}

/** The middle one: a node that is bought now is mostly as the others. */
function usualCapacity({ members }: RingDocument): number {
  const sorted = members.map(({ capacity }) => capacity).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 1;
}
