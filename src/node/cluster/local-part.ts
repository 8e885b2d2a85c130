/* A put of several nodes as the target of its part in the store here: the store knows one kind of target. */
import type { Failure } from '../../model/errors.js';
import type { RecordKeeper } from '../put.js';
import type { PutTarget, PutWork } from '../work.js';

export interface StoredHere {
  onDecided(bytes: number): Failure | null;
  onRecord(bytes: Uint8Array, start: number, end: number): void;
  onStoredHere(): void;
  onRefusedHere(refusal: Failure): void;
  onHeldHere(bytes: number): void;
}

export class LocalPart implements PutTarget, RecordKeeper {
  readonly #put: StoredHere;

  constructor(put: StoredHere) {
    this.#put = put;
  }

  onDecided(bytes: number): Failure | null {
    return this.#put.onDecided(bytes);
  }

  onRecord(bytes: Uint8Array, start: number, end: number): void {
    this.#put.onRecord(bytes, start, end);
  }

  onStored(): void {
    this.#put.onStoredHere();
  }

  onFailure(_put: PutWork, refusal: Failure): void {
    this.#put.onRefusedHere(refusal);
  }

  onHeld(_put: PutWork, bytes: number): void {
    this.#put.onHeldHere(bytes);
  }

  onForwarded(): void {}

  onOver(): void {}
}
