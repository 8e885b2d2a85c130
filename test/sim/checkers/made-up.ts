/* Evidence that nobody ever saw, for checkers to judge. */
import type { Evidence, KeptHint, Minted, RingInForce, StepOfMove, StrangersView } from '../evidence.js';
import { History, type ReadOp, type WriteOp } from '../history.js';
import { hexOf } from '../tools.js';

export const KEY = 'cart';

/** A put id that goes with the write of this number. */
export const putIdOf = (id: number): string => id.toString(16).padStart(24, '0');

export class MadeUp implements Evidence {
  readonly history: History = new History(1);
  readonly minted: Minted[] = [];
  readonly durable: Map<string, Map<number, number>> = new Map();
  readonly final: Map<string, readonly number[] | null> = new Map();
  readonly flips: { node: number; key: string; atMs: number; sinceMs: number; untilMs: number }[] = [];
  doubt: number = Number.NEGATIVE_INFINITY;
  view: Evidence['view'] = {
    isSingleCopy: true,
    replicaCount: 1,
    owners: () => [0],
    replicas: () => [],
    hints: () => [],
    leftovers: () => [],
  };

  byCoordinator: Map<string, Map<number, readonly number[] | null>> = new Map();
  ownersMet: Evidence['ownersMet'] = null;
  handedOff: Evidence['handedOff'] = null;
  afterScrub: Evidence['afterScrub'] = null;
  reaped: Evidence['reaped'] = null;
  afterOneRead: Evidence['afterOneRead'] = new Map();
  lostOwners: number = 0;
  rings: RingInForce[] = [];
  stepsOfMoves: StepOfMove[] = [];
  compactions: { node: number; atMs: number }[] = [];
  strangers: StrangersView = { unhinted: [], dropped: [] };
  brokenHints: KeptHint[] = [];
  counts: Map<string, number> = new Map();
  isUndisturbed: boolean = true;
  wallStartMs: number = 1_000;
  skewMaxMs: number = 100;
  endMs: number = 100_000;

  ownersEver(): readonly number[] {
    return this.view.owners(KEY);
  }

  isPromiseVoid({ startMs }: WriteOp): boolean {
    return startMs <= this.doubt;
  }

  mayBeGone(write: WriteOp): boolean {
    return this.isPromiseVoid(write);
  }

  mayBeUnknown(): boolean {
    return this.doubt > Number.NEGATIVE_INFINITY;
  }

  /** Of those lost, which do not know it. */
  doubtfulOwners: number | null = null;

  ownersDoubtful(): number {
    return this.doubtfulOwners ?? this.ownersLost();
  }

  ownersLost(): number {
    return this.lostOwners;
  }

  /** A write that was acknowledged as durable 5 ms after it began, unless `more` says otherwise. */
  put(id: number, startMs: number, read: readonly number[] = [], more: Partial<WriteOp> = {}): this {
    this.history.write({
      kind: 'put',
      id,
      key: KEY,
      client: 0,
      putId: putIdOf(id),
      read,
      startMs,
      endMs: startMs + 5,
      outcome: 'ok',
      isDurable: true,
      acked: 1,
      w: 1,
      strict: false,
      ttlMs: 0,
      attempts: 1,
      ...more,
    });
    return this;
  }

  /** A get that took 5 ms. */
  get(startMs: number, ids: readonly number[], more: Partial<ReadOp> = {}): this {
    this.history.read({
      key: KEY,
      client: 0,
      startMs,
      endMs: startMs + 5,
      from: 'get',
      r: 1,
      strict: false,
      ids,
      faults: [],
      context: new Uint8Array(0),
      ...more,
    });
    return this;
  }

  mint(id: number, counter: number, more: Partial<Minted> = {}): this {
    const dot = Buffer.alloc(14);
    dot.writeUInt16BE(1, 0);
    dot.writeUInt16BE(counter, 12);
    this.minted.push({
      key: KEY,
      dot: hexOf(dot, 0, 14),
      putId: putIdOf(id),
      node: 0,
      ordinal: 1,
      atMs: id,
      wallMs: 1_000 + id,
      logical: 0,
      incarnation: 1,
      life: 1,
      durableMs: id,
      ...more,
    });
    return this;
  }

  left(ids: readonly number[] | null): this {
    this.final.set(KEY, ids);
    return this;
  }
}

export const texts = (violations: readonly { readonly text: string }[]): readonly string[] =>
  violations.map(({ text }) => text);
