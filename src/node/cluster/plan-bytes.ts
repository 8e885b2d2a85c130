/*
 * How much a change of the ring moves, for how long, and whether it fits: from what the members have said of their disks
 * (space-survey.ts). Sizes are those of files that are not compacted, so they are rather too large than too small; a size
 * that nobody told is guessed from the others, and the plan says for how many.
 */
import type { PlannedBytes } from '../../model/cluster-facts.js';
import type { RingDocument } from '../../ring/document.js';
import { listed } from './listed.js';
import type { Survey } from './space-survey.js';

/** One replica that is to be somewhere else: of a ring that is not in force. */
export interface PlannedMove {
  readonly partition: number;
  /** NOBODY: that node is lost. */
  readonly from: number;
  readonly to: number;
}

export interface Estimate {
  readonly bytes: PlannedBytes;
  /** To each member, in and out; who is not in it takes or gives nothing. */
  readonly incoming: ReadonlyMap<number, number>;
  readonly outgoing: ReadonlyMap<number, number>;
  /** How long it takes over at most, if nothing else is in the way; who is not in it: that is not known. */
  readonly incomingMs: ReadonlyMap<number, number>;
  readonly warnings: readonly string[];
}

/** A donor has so many compacted copies at a time. */
const COPIES_MAX = 4;
const NEARLY_SHARE = 0.8;

export function estimateOf(
  ring: RingDocument,
  next: Pick<RingDocument, 'members'>,
  moved: readonly PlannedMove[],
  survey: Survey,
  self: number,
): Estimate {
  const sizes = new Sizes(ring, survey);
  const bytesOf = moved.map(({ partition, from }) => sizes.of(partition, from));
  const known = bytesOf.filter((bytes) => bytes !== null);
  const mean = known.length === 0 ? 0 : known.reduce((sum, bytes) => sum + bytes, 0) / known.length;
  const incoming = new Map<number, number>();
  const outgoing = new Map<number, number>();
  const largest = new Map<number, number>();
  for (const [i, { from, to }] of moved.entries()) {
    const bytes = bytesOf[i] ?? mean;
    incoming.set(to, (incoming.get(to) ?? 0) + bytes);
    outgoing.set(from, (outgoing.get(from) ?? 0) + bytes);
    largest.set(from, Math.max(largest.get(from) ?? 0, bytes));
  }
  const incomingMs = timesOf(incoming, survey, self);
  const isKnown = known.length > 0 || moved.length === 0;
  const all = [...incoming.values()].reduce((sum, bytes) => sum + bytes, 0);
  const slowest = [...incoming.keys()].map((ordinal) => incomingMs.get(ordinal));
  const isTimed = isKnown && slowest.every((ms) => ms !== undefined);
  return {
    bytes: {
      moved: isKnown ? Math.round(all) : null,
      guessed: moved.length - known.length,
      ms: isTimed ? Math.max(0, ...slowest.map((ms) => ms ?? 0)) : null,
    },
    incoming,
    outgoing,
    incomingMs,
    warnings: [...receiverWarnings(ring, next, incoming, survey), ...donorWarnings(moved, largest, survey)],
  };
}

class Sizes {
  readonly #ring: RingDocument;
  readonly #told: ReadonlyMap<number, ReadonlyMap<number, number>>;

  constructor(ring: RingDocument, survey: Survey) {
    this.#ring = ring;
    this.#told = new Map(
      [...survey].map(([ordinal, { partitions }]) => [
        ordinal,
        new Map(partitions.map(({ partition, bytes }) => [partition, bytes])),
      ]),
    );
  }

  /** As the giver says; else as the largest of the other owners. Null: none of them has said anything. */
  of(partition: number, from: number): number | null {
    const own = this.#told.get(from);
    if (own !== undefined) return own.get(partition) ?? 0;
    const { owners, replicaCount } = this.#ring;
    const told = owners
      .slice(partition * replicaCount, (partition + 1) * replicaCount)
      .flatMap((owner) => this.#told.get(owner) ?? []);
    return told.length === 0 ? null : Math.max(...told.map((held) => held.get(partition) ?? 0));
  }
}

/** Each member takes over at the rate of its own background work; of who joins it is not known, and taken to be as here. */
function timesOf(incoming: ReadonlyMap<number, number>, survey: Survey, self: number): ReadonlyMap<number, number> {
  const times = new Map<number, number>();
  for (const [ordinal, bytes] of incoming) {
    const rate = (survey.get(ordinal) ?? survey.get(self))?.bytesPerSecond ?? 0;
    if (rate > 0) times.set(ordinal, Math.ceil((1_000 * bytes) / rate));
  }
  return times;
}

function receiverWarnings(
  ring: RingDocument,
  next: Pick<RingDocument, 'members'>,
  incoming: ReadonlyMap<number, number>,
  survey: Survey,
): readonly string[] {
  const receivers = next.members.filter(({ ordinal }) => incoming.has(ordinal)).map(({ ordinal }) => ordinal);
  const unknown = receivers.filter((ordinal) => !survey.has(ordinal));
  const isMember = (ordinal: number): boolean => ring.members.some((member) => member.ordinal === ordinal);
  return [
    ...unknownWarning(unknown.filter(isMember), 'could not be asked', incoming),
    ...unknownWarning(
      unknown.filter((ordinal) => !isMember(ordinal)),
      'cannot be asked before they are in the ring',
      incoming,
    ),
    ...receivers.flatMap((ordinal) => roomWarning(ordinal, incoming.get(ordinal) ?? 0, survey)),
  ];
}

function unknownWarning(
  ordinals: readonly number[],
  why: string,
  incoming: ReadonlyMap<number, number>,
): readonly string[] {
  if (ordinals.length === 0) return [];
  const most = Math.max(...ordinals.map((ordinal) => incoming.get(ordinal) ?? 0));
  const comes =
    most > 0
      ? `about ${mebi(most)} come to ${ordinals.length === 1 ? 'it' : 'one of them'}`
      : 'what comes is not known';
  return [`How much space there is on ${listed(ordinals)} ${why}; ${comes}: look at the disk before you commit`];
}

function roomWarning(ordinal: number, bytes: number, survey: Survey): readonly string[] {
  const room = survey.get(ordinal);
  if (room === undefined) return [];
  const left = room.freeBytes - room.keptBytes;
  const what = `about ${mebi(bytes)} come to it, and it has ${mebi(room.freeBytes)} free, of which it keeps ${mebi(room.keptBytes)}`;
  if (bytes > left)
    return [
      `Node ${ordinal} has not enough space: ${what}; it would refuse writes before it is done. Give it a larger disk or a smaller capacity, or have more nodes join with it`,
    ];
  return bytes > NEARLY_SHARE * left ? [`Node ${ordinal} will have little space left: ${what}`] : [];
}

/** Who gives a partition makes a copy of it first, and a few of them at a time. */
function donorWarnings(
  moved: readonly PlannedMove[],
  largest: ReadonlyMap<number, number>,
  survey: Survey,
): readonly string[] {
  const warnings: string[] = [];
  for (const [ordinal, bytes] of [...largest].sort(([a], [b]) => a - b)) {
    const room = survey.get(ordinal);
    if (room === undefined) continue;
    const copies = Math.min(COPIES_MAX, moved.filter(({ from }) => from === ordinal).length);
    if (copies * bytes > room.freeBytes - room.keptBytes)
      warnings.push(
        `Node ${ordinal} makes copies of what it gives, up to ${copies} at a time and ${mebi(bytes)} each, and has ${mebi(room.freeBytes)} free, of which it keeps ${mebi(room.keptBytes)}: it would refuse writes meanwhile`,
      );
  }
  return warnings;
}

function mebi(bytes: number): string {
  const value = bytes / 1_048_576;
  return value < 10
    ? `${value.toFixed(1)} MiB`
    : value < 10_240
      ? `${value.toFixed(0)} MiB`
      : `${(value / 1_024).toFixed(0)} GiB`;
}
