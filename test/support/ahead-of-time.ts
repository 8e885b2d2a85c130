/* The time of real daemons that were started with test/support/hurried-time. */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Until every process has looked. */
const LOOKED_AFTER_MS = 500;

export class AheadOfTime {
  /** For the environment of a daemon, or of a command that is to have the same time. */
  readonly env: Readonly<Record<string, string>>;
  readonly #file: string;
  #aheadMs = 0;

  /** `haste`: so many times as fast run timers of a minute or more. */
  constructor(folder: string, haste: number) {
    const hook = fileURLToPath(new URL('./hurried-time.js', import.meta.url));
    this.#file = join(folder, 'ahead-ms');
    this.env = {
      NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --import ${hook}`.trim(),
      HURRIED_CLOCK: this.#file,
      HURRIED_TIMERS: String(haste),
    };
  }

  /** For all of them at once, but for what clocks may be apart anyhow. */
  async pass(ms: number): Promise<void> {
    this.#aheadMs += ms;
    writeFileSync(`${this.#file}.part`, String(this.#aheadMs));
    renameSync(`${this.#file}.part`, this.#file);
    await rest(LOOKED_AFTER_MS);
  }
}
