/*
 * The attempts of calls: where the next one goes, when it is due, and what follows from the end of one.
 *
 * An attempt that says nothing for too long (attempt-limit.ts) is set aside, and the next node of the list gets the call
 * too; several may be under way in the end. An answer to any of them ends the call. An error of one ends it only if it
 * refuses the request as such, or if no other is left that might do better.
 */
import type { Clock, Timers } from '../../env/clock.js';
import type { DeadlineWheel } from '../../lib/deadline-wheel.js';
import { BUDGET_MS_MAX } from '../../model/limits.js';
import type { Counters } from '../counters.js';
import { OverloadedError, PartitaError } from '../errors.js';
import type { AttemptLimit } from './attempt-limit.js';
import type { Call, OperationName } from './call.js';
import { detailsOf, isFinal, lastWord, silenceError } from './endings.js';
import type { Link } from './link.js';
import type { Peer } from './peer.js';
import type { Retries } from './retries.js';
import type { Routes } from './routes.js';

/** When a silent attempt could not be followed by another. */
const AGAIN_MS = 50;

/** ClientCore, as far as it is needed here. */
export interface AttemptsOwner {
  readonly isClosed: boolean;
  /** The call is in nobody's hands any more. */
  fail(call: Call, error: PartitaError): void;
  onRetry(operation: OperationName, attempt: number, cause: PartitaError): void;
}

export interface AttemptsParts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly wheel: DeadlineWheel;
  readonly routes: Routes;
  readonly retries: Retries;
  readonly limit: AttemptLimit;
  readonly counters: Counters;
}

export class Attempts {
  readonly #owner: AttemptsOwner;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #wheel: DeadlineWheel;
  readonly #routes: Routes;
  readonly #retries: Retries;
  readonly #limit: AttemptLimit;
  readonly #counters: Counters;
  /** Calls that have waited for too long, as they were then. */
  #suspects: { readonly call: Call; readonly looks: number }[] = [];

  constructor(owner: AttemptsOwner, parts: AttemptsParts) {
    this.#owner = owner;
    this.#clock = parts.clock;
    this.#timers = parts.timers;
    this.#wheel = parts.wheel;
    this.#routes = parts.routes;
    this.#retries = parts.retries;
    this.#limit = parts.limit;
    this.#counters = parts.counters;
  }

  /** Begins the call's next attempt. */
  dispatch(call: Call, nowMs: number): void {
    const peer = this.#routes.pick(call);
    call.peer = peer;
    call.attempts += 1;
    const link = peer.waiting.size === 0 ? peer.linkWithRoom() : null;
    if (link !== null) {
      this.send(peer, link, call, nowMs);
      return;
    }
    call.state = 'waiting';
    this.#lookAfter(call, nowMs);
    if (peer.enqueue(call)) return;
    const text = `${peer.waiting.size} calls wait for ${peer.address} already; slow down, or raise maxWaitingPerNode`;
    this.#giveUp(call, new OverloadedError('OVERLOADED', text, { ...detailsOf(call), retryable: true }));
  }

  /** The peer's turn has come for a call that has waited. */
  send(peer: Peer, link: Link, call: Call, nowMs: number): void {
    const { operation } = call;
    const budgetMs = Math.max(1, Math.min(BUDGET_MS_MAX, Math.floor(call.endMs - nowMs)));
    const bytes = operation.measure(budgetMs, this.#routes.ringVersion, call.sends > 0, link.sentMs(nowMs));
    if (!link.send(call, operation, bytes)) {
      const text = `A ${operation.name} takes a frame of ${bytes} bytes, and ${peer.address} accepts bodies up to ${link.bodyBytesMax}`;
      this.#giveUp(call, new PartitaError('TOO_LARGE', text, detailsOf(call)));
      return;
    }
    call.state = 'sent';
    call.sends += 1;
    call.sentMs = nowMs;
    this.#counters.sent += 1;
    this.#lookAfter(call, nowMs);
  }

  #limitMs({ operation, startedMs, endMs }: Call): number {
    return this.#limit.limitMs(operation.replyKind, endMs - startedMs);
  }

  /** Again when its latest attempt, begun or looked at now, has been silent for too long. */
  #lookAfter(call: Call, nowMs: number, afterMs: number = this.#limitMs(call)): void {
    this.#wheel.remove(call);
    call.looks += 1;
    call.deadlineMs = Math.min(call.endMs, nowMs + afterMs);
    this.#wheel.add(call);
  }

  /** It may be us who stood still: what has arrived meanwhile is read before anybody is called silent. */
  suspect(call: Call): void {
    call.deadlineMs = call.endMs;
    this.#wheel.add(call);
    this.#suspects.push({ call, looks: call.looks });
    if (this.#suspects.length > 1) return;
    this.#timers.endOfTurn(() => {
      const suspects = this.#suspects;
      this.#suspects = [];
      for (const { call: suspect, looks } of suspects) {
        if (suspect.state !== 'done' && suspect.looks === looks) this.#onSilence(suspect);
      }
    });
  }

  #onSilence(call: Call): void {
    const nowMs = this.#clock.monotonicMs();
    const limitMs = this.#limitMs(call);
    if (call.state === 'sent') call.link?.doubt(call.sentMs);
    if (!this.#retries.isMovable(call)) return;
    if (!this.#retries.mayMove(call, limitMs, nowMs)) {
      this.#lookAfter(call, nowMs, Math.min(limitMs, AGAIN_MS)); // a node may come back, or the budget
      return;
    }
    const why = silenceError(call, limitMs);
    call.lastFailure = why;
    this.#counters.retries += 1;
    if (call.state === 'sent') this.#counters.hedges += 1;
    call.peer?.waiting.delete(call);
    call.setAside();
    this.#owner.onRetry(call.operation.name, call.attempts + 1, why);
    this.dispatch(call, nowMs);
  }

  /**
   * An attempt has failed; its call is under way. `wasLatest`: it was the one that the call's state tells of. If not, that
   * one goes on.
   */
  failed(call: Call, error: PartitaError, wasLatest: boolean, wasSent: boolean): void {
    call.lastFailure = error;
    const mayHaveDone = error.outcomeUnknown || error.code === 'CONNECTION' || error.code === 'PROTOCOL';
    if (call.operation.writes && wasSent && mayHaveDone) call.maybeDone = true;
    if (isFinal(error)) this.#failAll(call, error);
    else if (!wasLatest) return;
    else if (!this.#owner.isClosed && this.#retries.mayRetry(call, error, wasSent)) this.#retryLater(call, error);
    else this.#giveUp(call, error);
  }

  #retryLater(call: Call, error: PartitaError): void {
    const delayMs = this.#retries.delayMs(call, error);
    call.state = 'backing-off';
    this.#counters.retries += 1;
    this.#owner.onRetry(call.operation.name, call.attempts + 1, error);
    call.backoff = this.#timers.after(delayMs, () => {
      call.backoff = null;
      this.dispatch(call, this.#clock.monotonicMs());
    });
  }

  /** The latest attempt is over, and there will be no other: the call ends, unless an earlier one may still be answered. */
  #giveUp(call: Call, error: PartitaError): void {
    if (call.fallBack()) this.#lookAfter(call, this.#clock.monotonicMs());
    else this.#failAll(call, error);
  }

  /** The call leaves whoever holds it. */
  release(call: Call): void {
    call.backoff?.cancel();
    call.backoff = null;
    if (call.state === 'waiting') call.peer?.waiting.delete(call);
    const { link, earlier } = call;
    if (link === null && earlier.length === 0) return;
    if (call.operation.writes) call.maybeDone = true;
    call.link = null;
    link?.abandon(call.requestId);
    for (const attempt of earlier) attempt.link.abandon(attempt.requestId);
    call.earlier = [];
  }

  #failAll(call: Call, error: PartitaError): void {
    this.release(call);
    this.#owner.fail(call, lastWord(call, error));
  }
}
