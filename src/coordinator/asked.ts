/*
 * Whom one put or get has asked, and what became of it: a table of a few rows that is used again by the next request.
 *
 *   node   stands for   state
 *     4         4       durable        an owner, for itself
 *     9         9       slow           an owner that has not answered in time; it may still
 *     2         9       pending        the fallback that was asked in its place
 *
 * A node has one row at most, so whatever counts rows counts distinct nodes once.
 *
 * Requests are pooled, and answers come late, twice, or never. Therefore each question has a *ticket*, a number that
 * holds the row and the generation of the table: an answer to an earlier user of the object finds no row.
 */
import { assert } from '../lib/assert.js';
import type { ErrorCode } from '../model/errors.js';

/**
 * Why a node that was asked did not do it.
 * `unsent`: the request never left (no connection, a full queue). An error code: the node refused, and did nothing.
 * Both mean that nothing was stored there. `lost`: the connection broke, or the node said that it does not know: it may
 * have been stored.
 */
export type Fault = 'unsent' | 'lost' | ErrorCode;

/** `slow`: not answered within the time that one waits before asking another. */
export type AskedState<Answer extends string> = 'pending' | 'slow' | Fault | Answer;

/** More than this many nodes are never asked for one request. */
export const ASKED_MAX = 64;
/** Tickets stay small integers. A ticket comes round again after 16 million requests of one pooled object. */
const GENERATIONS = 2 ** 24;

export class Asked<Answer extends string> {
  count: number = 0;
  #generation: number = 0;
  readonly #nodes: number[] = [];
  readonly #standsFor: number[] = [];
  readonly #slowAtMs: number[] = [];
  readonly #states: AskedState<Answer>[] = [];
  readonly #isDisowned: boolean[] = [];

  /** Empty again; all tickets given out so far lead nowhere from now on. */
  reset(): void {
    this.count = 0;
    this.#generation = (this.#generation + 1) % GENERATIONS;
  }

  get isFull(): boolean {
    return this.count === ASKED_MAX;
  }

  /** Adds a row and answers its ticket. `standsFor` is the node itself if it is asked as an owner. */
  add(node: number, standsFor: number, slowAtMs: number): number {
    assert(this.count < ASKED_MAX, 'no more nodes are asked than the table holds');
    const row = this.count;
    this.#nodes[row] = node;
    this.#standsFor[row] = standsFor;
    this.#slowAtMs[row] = slowAtMs;
    this.#states[row] = 'pending';
    this.#isDisowned[row] = false;
    this.count += 1;
    return this.#generation * ASKED_MAX + row;
  }

  /** The row of a ticket; -1: none, it is of an earlier request. */
  row(ticket: number): number {
    const row = ticket % ASKED_MAX;
    return (ticket - row) / ASKED_MAX === this.#generation && row < this.count ? row : -1;
  }

  /** The row of a node; -1: it was not asked. */
  rowOf(node: number): number {
    for (let row = 0; row < this.count; row++) if (this.#nodes[row] === node) return row;
    return -1;
  }

  node(row: number): number {
    return this.#nodes[row] as number;
  }

  /** The owner for which the node was asked: itself, or the one that it stands in for. */
  standsFor(row: number): number {
    return this.#standsFor[row] as number;
  }

  isOwnerRow(row: number): boolean {
    return this.#nodes[row] === this.#standsFor[row] && this.#isDisowned[row] !== true;
  }

  /** Asked as an owner, it says that it is none any more. */
  disown(row: number): void {
    this.#isDisowned[row] = true;
  }

  state(row: number): AskedState<Answer> {
    return this.#states[row] as AskedState<Answer>;
  }

  set(row: number, state: AskedState<Answer>): void {
    this.#states[row] = state;
  }

  /** May still answer. */
  isOpen(row: number): boolean {
    const state = this.#states[row];
    return state === 'pending' || state === 'slow';
  }

  /** One row that has been pending for too long: it is slow from now on. -1: there is none left. */
  takeSlow(nowMs: number): number {
    for (let row = 0; row < this.count; row++) {
      if (this.#states[row] !== 'pending' || (this.#slowAtMs[row] as number) > nowMs) continue;
      this.#states[row] = 'slow';
      return row;
    }
    return -1;
  }

  /** When the next row becomes slow; Infinity: none will. */
  nextSlowMs(): number {
    let next = Infinity;
    for (let row = 0; row < this.count; row++) {
      if (this.#states[row] === 'pending' && (this.#slowAtMs[row] as number) < next) {
        next = this.#slowAtMs[row] as number;
      }
    }
    return next;
  }
}
