/*
 * A partition that comes to this node comes as a file first (transfers.ts): one owner's whole copy in one piece, so that
 * what is left for anti-entropy is what has been written meanwhile. Nothing rests on the file: where there is none, or
 * where it cannot be had, anti-entropy brings all of it, record by record.
 */
import type { TimerHandle } from '../../env/clock.js';
import { NOBODY, type RingMove } from '../../ring/moves.js';
import type { TransferResult } from '../../transfer/file-receiver.js';
import type { ClusterParts } from './parts.js';

const UNDER_WAY_MAX = 2;
const LOOK_MS = 250;
/** A donor that is silent, or breaks off, is asked again; what has come is not sent twice. */
const ATTEMPTS_MAX = 4;
const RETRY_MS = 1_500;

export interface FileSource {
  fetch(partition: number, donor: number, moveId: number, done: (result: TransferResult) => void): void;
  discardOthers(
    moves: readonly { readonly partition: number; readonly moveId: number }[],
    done: (error: Error | null) => void,
  ): void;
}

interface Awaited {
  readonly move: RingMove;
  attempts: number;
  notBeforeMs: number;
  underWay: boolean;
}

export class FileFetches {
  readonly #parts: ClusterParts;
  readonly #source: FileSource;
  readonly #suspects: () => ReadonlySet<number>;
  /** These partitions are left alone by anti-entropy, until their file has come or is given up. */
  readonly #onAwaited: (partitions: ReadonlySet<number>) => void;
  readonly #awaited: Map<string, Awaited> = new Map();
  #known: ReadonlySet<string> = new Set();
  #timer: TimerHandle | null = null;
  #stopped = false;

  constructor(
    parts: ClusterParts,
    source: FileSource,
    suspects: () => ReadonlySet<number>,
    onAwaited: (partitions: ReadonlySet<number>) => void,
  ) {
    this.#parts = parts;
    this.#source = source;
    this.#suspects = suspects;
    this.#onAwaited = onAwaited;
    this.setRing();
  }

  setRing(): void {
    const { services, self } = this.#parts;
    const nowMs = this.#parts.nowMs();
    const incoming = services.ring.moves.filter(
      ({ to, from, phase }) => to === self && (phase === 'copy' || from === NOBODY),
    );
    const names = new Set(incoming.map(nameOf));
    for (const [name, { underWay }] of this.#awaited) if (!names.has(name) && !underWay) this.#awaited.delete(name);
    const suspects = this.#suspects();
    for (const move of incoming) {
      if (this.#known.has(nameOf(move)) || !suspects.has(move.partition)) continue;
      this.#awaited.set(nameOf(move), { move, attempts: 0, notBeforeMs: nowMs, underWay: false });
    }
    this.#known = names;
    // What is being fetched, or put in its place, is not taken away from under that.
    const underWay = [...this.#awaited.values()].filter((awaited) => awaited.underWay).map(({ move }) => move);
    const moves = [...incoming, ...underWay].map(({ partition, since }) => ({ partition, moveId: since }));
    this.#source.discardOthers(moves, (error) => {
      if (error !== null) services.log.warn('incoming-not-cleared', { error: error.message });
    });
    this.#changed();
    this.#begin();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #begin(): void {
    const nowMs = this.#parts.nowMs();
    let underWay = 0;
    for (const awaited of this.#awaited.values()) if (awaited.underWay) underWay += 1;
    for (const [name, awaited] of this.#awaited) {
      if (underWay >= UNDER_WAY_MAX || this.#stopped) break;
      if (awaited.underWay || nowMs < awaited.notBeforeMs) continue;
      underWay += 1;
      this.#fetch(name, awaited);
    }
    this.#lookLater();
  }

  #fetch(name: string, awaited: Awaited): void {
    const { move } = awaited;
    const donor = this.#donorOf(awaited);
    awaited.underWay = true;
    awaited.attempts += 1;
    const ended = (result: TransferResult | null): void => {
      if (this.#stopped) return;
      awaited.underWay = false;
      awaited.notBeforeMs = this.#parts.nowMs() + RETRY_MS;
      const isOver = result?.kind === 'installed' || result?.kind === 'refused';
      if (isOver || awaited.attempts >= ATTEMPTS_MAX || !this.#known.has(name)) this.#over(name);
      const { partition } = move;
      this.#parts.services.log.debug('file-fetched', { partition, donor, result: result?.kind ?? 'no donor' });
      this.#parts.timers.endOfTurn(() => {
        this.#begin(); // the next one
      });
    };
    if (donor === NOBODY) ended(null);
    else this.#source.fetch(move.partition, donor, move.since, ended);
  }

  #over(name: string): void {
    this.#awaited.delete(name);
    this.#changed();
  }

  /** Whoever gives the partition up; in vain, or where that was lost, its owners in turn. */
  #donorOf({ move, attempts }: Awaited): number {
    const { preferences, links, self } = this.#parts;
    const owners = preferences.ownersOf(move.partition).filter((owner) => owner !== self && owner !== move.from);
    const donors = [...(move.from === NOBODY ? [] : [move.from]), ...owners].filter(
      (node) => links.get(node)?.state === 'ready',
    );
    // The same one twice: after a break it goes on where it was.
    return donors[Math.floor(attempts / 2) % Math.max(1, donors.length)] ?? NOBODY;
  }

  #changed(): void {
    this.#onAwaited(new Set([...this.#awaited.values()].map(({ move }) => move.partition)));
  }

  #lookLater(): void {
    if (this.#timer !== null || this.#stopped || this.#awaited.size === 0) return;
    this.#timer = this.#parts.timers.after(LOOK_MS, () => {
      this.#timer = null;
      this.#begin();
    });
  }
}

function nameOf({ partition, to, since }: RingMove): string {
  return `${partition}/${to}/${since}`;
}
