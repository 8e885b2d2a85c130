/*
 * The ring that this node lives by, and how it comes by a newer one (§4.8): decided by the voters (ring-log.ts), or heard
 * of from a node that names a newer version.
 *
 *   decided, or fetched ─▶ checked ─▶ partitions that come to this node are suspect, on the disk ─▶ the ring is on the disk
 *   ─▶ everything that knows the ring is told, in one turn
 *
 * The order matters: a node that is to own a partition must not answer for it after a crash as if it had it all along.
 * Versions may be skipped: what a node has to do follows from the ring alone, and from what it holds.
 *
 * A ring is named by the hash of the bytes that were agreed on, so those are kept and passed on as they came: encoded
 * anew by another release they may be other bytes, and two nodes with one ring would seem to have two.
 */
import type { TimerHandle } from '../../env/clock.js';
import { type Flow, run, wait } from '../../lib/flow.js';
import { decodeRing, type RingDocument } from '../../ring/document.js';
import { NOBODY } from '../../ring/moves.js';
import { SUSPICIONS } from '../../storage/partition.js';
import type { ReplicaStorage } from '../../storage/replica-storage.js';
import type { ClusterParts } from './parts.js';
import type { InstalledRing, RingLogHost } from './ring-log.js';

/** How often it is looked whether another node has named a newer ring. */
const LOOK_MS = 500;
const AGAIN_MS = 1_000;

/** Keeps the newest ring document of this node, whatever happens to the process. */
export interface RingKeeper {
  /** The bytes of the ring that the node has started with, as they were agreed on. */
  readonly kept: Uint8Array;
  save(document: Uint8Array, done: (error: Error | null) => void): void;
}

export interface MembershipWorld {
  readonly parts: ClusterParts;
  readonly replicas: ReplicaStorage;
  readonly keeper: RingKeeper;
  /** Asks another member for its ring; `install` follows if that is newer. */
  learnFrom(ordinal: number): void;
  /** These partitions come to this node: they stay suspect though they are not its own yet. */
  expect(partitions: readonly number[]): void;
  /** From now on this ring is in force. */
  apply(ring: RingDocument): void;
  /** The ring names this node no more. */
  onRemoved(version: number): void;
}

/** A ring that is to come into force. */
interface Arrived {
  readonly ring: RingDocument;
  readonly document: Uint8Array;
}

export class Membership implements RingLogHost {
  readonly #world: MembershipWorld;
  #document: Uint8Array;
  #next: Arrived | null = null;
  #isInstalling = false;
  /** Why the last one was refused, that came from outside: it is fetched again and again, and told of once. */
  #refused: string | null = null;
  #waiting: (() => void)[] = [];
  #timer: TimerHandle | null = null;
  #stopped = false;

  constructor(world: MembershipWorld) {
    this.#world = world;
    this.#document = world.keeper.kept;
    this.#lookLater();
  }

  ring(): InstalledRing {
    const { version, voters } = this.#world.parts.services.ring;
    return { version, voters, document: this.#document };
  }

  faultOf(document: Uint8Array): string {
    const { ring: current } = this.#world.parts.services;
    const ring = decodeRing(document, this.#world.parts.services.build);
    if ('fault' in ring) return ring.fault;
    if (ring.version !== current.version + 1)
      return `it has version ${ring.version}, and ${current.version} is in force`;
    return strangerFault(current, ring) ?? '';
  }

  /** Whoever decided on it, or has it, says that this is a ring: it is looked at all the same. */
  install(document: Uint8Array): void {
    const { services } = this.#world.parts;
    const ring = decodeRing(document, services.build);
    const fault = 'fault' in ring ? ring.fault : strangerFault(services.ring, ring);
    if (fault !== null || 'fault' in ring) {
      if (fault !== this.#refused) services.log.error('ring-refused', { fault: fault ?? '' });
      this.#refused = fault;
      return;
    }
    const { version } = this.#next?.ring ?? services.ring;
    if (ring.version === version && !isSame(this.#next?.document ?? this.#document, document)) {
      const text = 'Two rings have the same version, which must never be: stop changing the ring, and compare them';
      services.log.error('two-rings', { version: ring.version, text });
    }
    if (ring.version <= version) return;
    this.#next = { ring, document };
    this.#installNext();
  }

  /** Tells when a ring that was decided on is in force here, or cannot be kept now; at once where it is. */
  whenInForce(version: number, tell: () => void): void {
    if (this.#next === null || this.#next.ring.version < version) tell();
    else this.#waiting.push(tell);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #installNext(): void {
    const next = this.#next;
    if (next === null || this.#isInstalling || this.#stopped) return;
    this.#isInstalling = true;
    const { parts } = this.#world;
    run(this.#installing(next), (error) => {
      this.#isInstalling = false;
      for (const tell of this.#waiting.splice(0)) tell();
      if (this.#stopped) return;
      if (error !== null) {
        parts.services.log.error('ring-not-kept', { version: next.ring.version, error: error.message });
        parts.timers.after(AGAIN_MS, () => {
          this.#installNext();
        });
        return;
      }
      if (this.#next === next) this.#next = null;
      this.#installNext();
    });
  }

  *#installing({ ring, document }: Arrived): Flow<void> {
    const { parts, replicas, keeper } = this.#world;
    const arriving = this.#arriving(ring);
    this.#world.expect(arriving);
    for (const partition of arriving) {
      yield* wait<void>((done) => {
        replicas.suspect(partition, SUSPICIONS.storeNew, done);
      });
    }
    yield* wait<void>((done) => {
      keeper.save(document, done);
    });
    if (this.#stopped) return;
    this.#document = document;
    const { version, change } = ring;
    parts.services.log.info('ring-changed', { version, change, moves: ring.moves.length });
    if (ring.members.some(({ ordinal }) => ordinal === parts.self)) this.#world.apply(ring);
    else {
      this.stop(); // nothing can follow, and it would be fetched again and again
      this.#world.onRemoved(version);
    }
  }

  /** Partitions that this node is to own by moves that it has not known: what it holds of them may be anything. */
  #arriving(ring: RingDocument): readonly number[] {
    const { services, self } = this.#world.parts;
    const known = new Set(incomingOf(services.ring, self).map(({ name }) => name));
    const arriving = new Set(
      incomingOf(ring, self).flatMap(({ name, partition }) => (known.has(name) ? [] : [partition])),
    );
    // A node that was put back to an earlier day may have become an owner since, and have forgotten it.
    const had = heldBy(services.ring, self);
    for (const partition of heldBy(ring, self)) if (!had.has(partition)) arriving.add(partition);
    return [...arriving].sort((a, b) => a - b);
  }

  #lookLater(): void {
    this.#timer = this.#world.parts.timers.after(LOOK_MS, () => {
      this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    const { links, services } = this.#world.parts;
    let newest = (this.#next?.ring ?? services.ring).version;
    let whom = 0;
    for (const { ordinal, state, ringVersion } of links.status()) {
      if (state !== 'ready' || ringVersion <= newest) continue;
      newest = ringVersion;
      whom = ordinal;
    }
    if (whom > 0) this.#world.learnFrom(whom);
  }
}

/** Moves that end with this node as an owner that has to catch up. */
function incomingOf(
  { moves }: RingDocument,
  self: number,
): readonly { readonly name: string; readonly partition: number }[] {
  return moves
    .filter(({ from, to, phase }) => to === self && (phase === 'copy' || from === NOBODY))
    .map(({ partition, since }) => ({ name: `${partition}/${since}`, partition }));
}

/** Partitions that a node owns, or is to own. */
function heldBy({ owners, replicaCount, moves }: RingDocument, self: number): ReadonlySet<number> {
  const held = new Set<number>();
  owners.forEach((ordinal, at) => {
    if (ordinal === self) held.add(Math.floor(at / replicaCount));
  });
  for (const { partition, to } of moves) if (to === self) held.add(partition);
  return held;
}

/** Why a ring cannot follow upon this one, or null. */
function strangerFault(ours: RingDocument, theirs: RingDocument): string | null {
  if (theirs.clusterId !== ours.clusterId) return `it is of the cluster with id ${theirs.clusterId}`;
  if (theirs.partitionCount !== ours.partitionCount || theirs.replicaCount !== ours.replicaCount)
    return 'Q and N never change, and it has others';
  if (theirs.version > ours.version && theirs.level < ours.level)
    return `it is at feature level ${theirs.level}, and ${ours.level} is in force`;
  return null;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
