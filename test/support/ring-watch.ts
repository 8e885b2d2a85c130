/*
 * Looks at what nodes serve while a ring changes: every ring version that any of them lives by is judged once, by all the
 * bounds that a loader asks for, and two nodes with one version must have the same ring.
 */
import { setTimeout as rest } from 'node:timers/promises';
import type { RingDocument } from '../../src/ring/document.js';
import type { Daemon } from './daemon.js';
import { ringOf } from './growing-cluster.js';

const LOOK_MS = 100;

export class RingWatch {
  readonly faults: string[] = [];
  readonly #daemons: () => readonly Daemon[];
  readonly #rings: Map<number, string> = new Map();
  #isOver = false;
  #loop: Promise<void> = Promise.resolve();

  /** `daemons`: of now; one that does not answer is passed over. */
  constructor(daemons: () => readonly Daemon[]) {
    this.#daemons = daemons;
  }

  /** How many ring versions were seen. */
  get versions(): number {
    return this.#rings.size;
  }

  start(): void {
    this.#loop = this.#watch();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#loop;
  }

  async look(): Promise<void> {
    for (const daemon of this.#daemons()) {
      if (!daemon.running) continue;
      const ring = await ringOf(daemon).catch(() => null); // it was killed, or is not ready
      if (ring !== null) this.#judge(ring);
    }
  }

  #judge(ring: RingDocument | { readonly fault: string }): void {
    if ('fault' in ring) {
      this.#say(`a node serves what is no ring: ${ring.fault}`);
      return;
    }
    const text = JSON.stringify(ring);
    const known = this.#rings.get(ring.version);
    if (known === undefined) this.#rings.set(ring.version, text);
    else if (known !== text) this.#say(`two rings have version ${ring.version}`);
  }

  #say(fault: string): void {
    if (!this.faults.includes(fault)) this.faults.push(fault);
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      await this.look();
      await rest(LOOK_MS);
    }
  }
}
