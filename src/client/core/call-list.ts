/*
 * The calls under way, to count them and to end them all. An array in which each call knows its place: a Set would do,
 * but its tables, thrown away as calls come and go, point from old memory to new, and kept every finished call alive
 * until the next full collection; that was half of the time of a get.
 */
import type { Call } from './call.js';

export class CallList {
  readonly #calls: Call[] = [];

  get size(): number {
    return this.#calls.length;
  }

  add(call: Call): void {
    call.position = this.#calls.length;
    this.#calls.push(call);
  }

  /** No effect on a call that is not in the list. */
  delete(call: Call): void {
    const { position } = call;
    if (position < 0) return;
    call.position = -1;
    const last = this.#calls.pop();
    if (last === undefined || last === call) return;
    this.#calls[position] = last;
    last.position = position;
  }

  /** As they are now, whatever happens to the list meanwhile. */
  all(): Call[] {
    return [...this.#calls];
  }
}
