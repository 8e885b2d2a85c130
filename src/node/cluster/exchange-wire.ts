/*
 * One member's answers to the questions of a meeting, decoded. Every question ends in one call of `done` or `failed`,
 * later or at once; who asks has one question under way at a time, or tells them apart by himself.
 */
import type { LeavesReply, PullReply, TreeReply } from '../../model/exchange-messages.js';
import type { Failure } from '../../model/errors.js';
import type { KeyHash } from '../../model/hash.js';
import type { Stretch } from '../../repair/exchange.js';
import {
  decodeLeavesReply,
  decodePullReply,
  decodeTreeReply,
  encodeLeaves,
  encodePull,
  encodeTree,
  PULLED_MAX,
} from '../../wire/codec-exchange.js';
import { LEAVES, PULL, TREE } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { BodyAsker, Unanswered } from '../peers/request.js';
import type { ExchangeMeters } from './exchange-meters.js';
import type { ClusterParts } from './parts.js';

/** A peer gives its slices to many; and what it reads may be cold. */
export const ASK_TIMEOUT_MS = 20_000;

export class ExchangePeer {
  readonly peer: number;
  readonly #parts: ClusterParts;
  readonly #meters: ExchangeMeters;
  readonly #partition: number;

  constructor(parts: ClusterParts, meters: ExchangeMeters, partition: number, peer: number) {
    this.#parts = parts;
    this.#meters = meters;
    this.#partition = partition;
    this.peer = peer;
  }

  tree(level: number, parents: readonly number[], done: (reply: TreeReply) => void, failed: Failed): void {
    this.#ask(TREE, encodeTree({ ...this.#head(), level, parents }), decodeTreeReply, done, failed);
  }

  leaves(stretch: Stretch, done: (reply: LeavesReply) => void, failed: Failed): void {
    this.#ask(LEAVES, encodeLeaves({ ...this.#head(), ...stretch }), decodeLeavesReply, done, failed);
  }

  /** Of the first PULLED_MAX of `hashes`, which ascend. */
  pull(hashes: readonly KeyHash[], done: (reply: PullReply) => void, failed: Failed): void {
    const body = encodePull({ ...this.#head(), hashes: hashes.slice(0, PULLED_MAX) });
    this.#ask(PULL, body, decodePullReply, done, failed);
  }

  #head(): { readonly partition: number; readonly ringVersion: number; readonly budgetMs: number } {
    const { ringVersion } = this.#parts.preferences;
    return { partition: this.#partition, ringVersion, budgetMs: ASK_TIMEOUT_MS };
  }

  #ask<T extends object>(
    kind: number,
    body: Uint8Array,
    decode: (bytes: Uint8Array, start: number, end: number) => T | string,
    done: (reply: T) => void,
    failed: Failed,
  ): void {
    const asker = new Answer(this.#meters, decode, done, failed);
    this.#meters.noteOut(body.length);
    const request = this.#parts.links.get(this.peer)?.ask(kind, body, ASK_TIMEOUT_MS, asker, 0) ?? null;
    if (request === null) failed('It cannot be reached');
  }
}

type Failed = (text: string) => void;

class Answer<T extends object> implements BodyAsker {
  readonly #meters: ExchangeMeters;
  readonly #decode: (bytes: Uint8Array, start: number, end: number) => T | string;
  readonly #done: (reply: T) => void;
  readonly #failed: Failed;

  constructor(
    meters: ExchangeMeters,
    decode: (bytes: Uint8Array, start: number, end: number) => T | string,
    done: (reply: T) => void,
    failed: Failed,
  ) {
    this.#meters = meters;
    this.#decode = decode;
    this.#done = done;
    this.#failed = failed;
  }

  onAnswered(_from: number, _tag: number, bytes: Uint8Array, start: number, end: number): void {
    this.#meters.noteIn(end - start);
    const reply = this.#decode(bytes, start, end);
    if (isFault(reply)) this.#failed(`Its answer cannot be read: ${reply}`);
    else this.#done(reply);
  }

  onRefused(_from: number, _tag: number, refusal: Failure): void {
    this.#failed(refusal.text);
  }

  onUnanswered(_from: number, _tag: number, why: Unanswered): void {
    this.#failed(why === 'timeout' ? `It did not answer within ${ASK_TIMEOUT_MS} ms` : 'The connection was lost');
  }
}
