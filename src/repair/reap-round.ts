/*
 * One attempt to forget the deletes of some keys of a partition, from the question to the order (DESIGN §8).
 *
 *   ask every member ──all yes──▶ propose fence g+1 to every member ──all yes──▶ order the owners ──▶ over
 *         └── no, or silence ──────────────┴──▶ over: told for each key, and whom it waits for
 *
 * The first question changes nothing anywhere. It is there so that a member which is away costs no fence: each fence makes
 * messages on their way be sent again. Only the second one counts: a member makes the fence durable, and then says what
 * it holds. Whatever was sent before is refused from then on, so what nobody holds now, nobody will ever hold again.
 *
 * A member that does not answer is never skipped, owner or not: it may keep a hint with the very value that was deleted.
 * An order is for the opening of the owner's store that said yes: a restart in between makes it void.
 */
import { assert } from '../lib/assert.js';
import { verdictOf, YES, type ReapVerdict } from './reap-verdict.js';

export interface ReapAnswer {
  /** The fence below which it refuses. */
  readonly fence: number;
  /** Of its store. */
  readonly opening: number;
  /** One a key, as numbers. */
  readonly verdicts: Uint8Array;
}

/** Keys are named by their place in the list that the round began with. */
export interface ReapPort {
  /** `fence` 0: would you? Reports `answered` or `failed`. */
  ask(round: ReapRound, member: number, fence: number, keys: readonly number[]): void;
  /** Compare and delete. Reports nothing. */
  order(round: ReapRound, owner: number, fence: number, opening: number, keys: readonly number[]): void;
  /** Once, last. */
  ended(round: ReapRound): void;
}

/** Why a key stays. */
export interface Objection {
  readonly member: number;
  readonly why: ReapVerdict | 'silent';
}

interface Heard {
  readonly member: number;
  answer: ReapAnswer | null;
}

export class ReapRound {
  readonly keyCount: number;
  /** Key → who objects; none: it was ordered. Complete when the round has ended. */
  readonly objections: Map<number, Objection[]> = new Map();
  /** Keys that the owners were told to forget, and at which fence. */
  ordered: readonly number[] = [];
  fence: number = 0;
  readonly #members: readonly number[];
  readonly #owners: readonly number[];
  readonly #port: ReapPort;
  #phase: 'new' | 'asking' | 'proposing' | 'over' = 'new';
  #keys: readonly number[];
  #waiting: Map<number, Heard> = new Map();

  /** Every member of the ring, the proposer too, and who of them owns the partition. */
  constructor(keyCount: number, members: readonly number[], owners: readonly number[], port: ReapPort) {
    assert(
      owners.every((owner) => members.includes(owner)),
      'owners are members',
    );
    this.keyCount = keyCount;
    this.#keys = Array.from({ length: keyCount }, (_, key) => key);
    this.#members = members;
    this.#owners = owners;
    this.#port = port;
  }

  get isOver(): boolean {
    return this.#phase === 'over';
  }

  start(): void {
    assert(this.#phase === 'new', 'a round starts once');
    this.#phase = 'asking';
    this.#askAll(0);
  }

  /** `fence`: the one asked with. An answer to what is no longer asked changes nothing. */
  answered(member: number, fence: number, answer: ReapAnswer): void {
    const heard = this.#pending(member, fence);
    if (heard === null) return;
    const complete = answer.verdicts.length === this.#keys.length;
    if (!complete) {
      this.failed(member, fence);
      return;
    }
    heard.answer = answer;
    this.#keys.forEach((key, place) => {
      const verdict = answer.verdicts[place] as number;
      if (verdict !== YES) this.#object(key, { member, why: verdictOf(verdict) });
    });
    this.#goOn();
  }

  /** No answer came, or none that can be used. */
  failed(member: number, fence: number): void {
    if (this.#pending(member, fence) === null) return;
    for (const key of this.#keys) this.#object(key, { member, why: 'silent' });
    this.#waiting.delete(member);
    this.#goOn();
  }

  /** The ring has changed, or the node stops. */
  abandon(): void {
    if (this.#phase !== 'over') this.#end();
  }

  #pending(member: number, fence: number): Heard | null {
    if (this.#phase !== 'asking' && this.#phase !== 'proposing') return null;
    const heard = fence === this.fence ? this.#waiting.get(member) : undefined;
    return heard === undefined || heard.answer !== null ? null : heard;
  }

  #askAll(fence: number): void {
    this.fence = fence;
    this.#waiting = new Map(this.#members.map((member) => [member, { member, answer: null }]));
    const keys = this.#keys;
    for (const member of this.#members) this.#port.ask(this, member, fence, keys);
  }

  #object(key: number, objection: Objection): void {
    const known = this.objections.get(key);
    if (known === undefined) this.objections.set(key, [objection]);
    else known.push(objection);
  }

  #goOn(): void {
    for (const { answer } of this.#waiting.values()) if (answer === null) return;
    const agreed = this.#keys.filter((key) => !this.objections.has(key));
    if (agreed.length === 0) this.#end();
    else if (this.#phase === 'asking') this.#propose(agreed);
    else this.#orderAll(agreed);
  }

  #propose(keys: readonly number[]): void {
    let highest = 0;
    for (const { answer } of this.#waiting.values()) highest = Math.max(highest, answer?.fence ?? 0);
    this.#phase = 'proposing';
    this.#keys = keys;
    this.#askAll(highest + 1);
  }

  #orderAll(keys: readonly number[]): void {
    const heard = this.#waiting;
    this.ordered = keys;
    this.#phase = 'over';
    for (const owner of this.#owners) {
      this.#port.order(this, owner, this.fence, heard.get(owner)?.answer?.opening ?? 0, keys);
    }
    this.#port.ended(this);
  }

  #end(): void {
    this.#phase = 'over';
    this.#port.ended(this);
  }
}
