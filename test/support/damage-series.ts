/*
 * Many damages to one store, one at a time, each on a copy: what the engine answered in a child, added up.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import {
  describeDamage,
  judgeAnswers,
  StoreChild,
  withDamage,
  type ChildReply,
  type Damage,
  type Reading,
} from './damage.js';
import { ROOT } from './daemon.js';
import { scopedFolder, type Scope } from './scope.js';
import type { StoreShape } from './store-child.js';

type Ids = Readonly<Record<string, readonly number[]>>;

/** Of all values in stores that are to be damaged. */
export const DAMAGE_SEED = 20_261;

export interface Tally extends Reading {
  damages: number;
  /** Replies by what became of the whole store. */
  flagged: number;
  cut: number;
  refused: number;
  killed: number;
  hung: number;
  /** Damages after which something was missing and neither a suspicion nor a cut said so. */
  silent: Damage[];
  readonly faults: string[];
}

const emptyTally = (): Tally => ({
  damages: 0,
  flagged: 0,
  cut: 0,
  refused: 0,
  killed: 0,
  hung: 0,
  right: 0,
  unknown: 0,
  falseNotFound: 0,
  stale: 0,
  invented: 0,
  silent: [],
  faults: [],
});

/** What one damage did, added up; what is missing in silence is left to the caller to judge. */
function take(tally: Tally, damage: Damage, reply: ChildReply, ids: Ids, names: readonly string[]): void {
  tally.damages += 1;
  switch (reply.reply) {
    case 'killed':
      tally.killed += 1;
      return;
    case 'hung':
      tally.hung += 1;
      tally.faults.push(`${describeDamage(damage)}: the reader hangs`);
      return;
    case 'refused':
      tally.refused += 1;
      if (reply.text.length < 20) tally.faults.push(`${describeDamage(damage)}: refused with "${reply.text}"`);
      return;
    case 'read': {
      const reading = judgeAnswers(DAMAGE_SEED, ids, names, reply.answers);
      for (const key of ['right', 'unknown', 'falseNotFound', 'stale', 'invented'] as const) tally[key] += reading[key];
      if (reply.suspects > 0 || reply.quarantined > 0) tally.flagged += 1;
      if (reply.cut) tally.cut += 1;
      if (reading.invented > 0)
        tally.faults.push(`${describeDamage(damage)}: ${reading.invented} values that nobody put there`);
      if (reading.falseNotFound + reading.stale > 0) tally.silent.push(damage);
      return;
    }
    case 'made':
    case 'scrubbed':
      throw new Error(`The child answered ${reply.reply} to a read`);
  }
}

export function report(name: string, tally: Tally, print: (line: string) => void): void {
  const { damages, right, unknown, falseNotFound, stale, invented, flagged, cut, refused, killed, hung } = tally;
  print(
    `${name}: ${damages} damages: ${flagged} made partitions suspect, ${cut} cut a tail, ${refused} refused, ${killed} killed the reader, ${hung} hung; ` +
      `reads: ${right} right, ${unknown} unknown, ${falseNotFound} false not-found, ${stale} stale, ${invented} invented`,
  );
}

export interface Base {
  readonly directory: string;
  readonly shape: StoreShape;
  readonly ids: Ids;
  readonly names: readonly string[];
}

export class Series {
  readonly #child: StoreChild;
  readonly #scratch: string;
  #copies = 0;
  /** Of all runs. */
  readonly total: Tally = emptyTally();

  constructor(scope: Scope) {
    this.#child = new StoreChild(scope);
    this.#scratch = scopedFolder(scope, 'corruption-copies');
  }

  /** A path that was never used: LMDB knows one environment a path in a process. */
  nextCopy(): string {
    this.#copies += 1;
    return join(this.#scratch, String(this.#copies));
  }

  async run(base: Base, damages: readonly Damage[], before: readonly Damage[] = []): Promise<Tally> {
    const tally = emptyTally();
    const { directory, shape, ids, names } = base;
    for (const damage of damages) {
      const reply = await withDamage(directory, this.nextCopy(), [...before, damage], (copy) =>
        this.#child.ask({ task: 'read', directory: copy, shape, names }),
      );
      take(tally, damage, reply, ids, names);
      take(this.total, damage, reply, ids, names);
    }
    return tally;
  }

  async scrubFinds(base: Base, damage: Damage): Promise<boolean> {
    const reply = await withDamage(base.directory, this.nextCopy(), [damage], (copy) =>
      this.#child.ask({ task: 'scrub', directory: copy, shape: base.shape }),
    );
    return reply.reply === 'killed' || (reply.reply === 'scrubbed' && reply.faults > 0);
  }

  checkFinds(base: Base, damage: Damage): Promise<boolean> {
    return withDamage(base.directory, this.nextCopy(), [damage], (copy) => {
      const words = [join(ROOT, 'bin', 'partita.cjs'), 'check', copy, '--output', 'json'];
      const { status, stdout } = spawnSync(process.execPath, words, { encoding: 'utf8', timeout: 60_000 });
      return Promise.resolve(status === 1 && !(JSON.parse(stdout) as { readonly ok: boolean }).ok);
    });
  }

  /** A store whose puts are all in its log; never closed. */
  async make(directory: string, shape: StoreShape, keys: number, rounds: number, valueBytes: number): Promise<Base> {
    const made = await this.#child.ask({
      task: 'make',
      directory,
      shape,
      keys,
      rounds,
      flushed: false,
      seed: DAMAGE_SEED,
      valueBytes,
    });
    if (made.reply !== 'made') throw new Error(`The store could not be made: ${JSON.stringify(made)}`);
    this.#child.end(); // as a kill -9 would
    return { directory, shape, ids: made.ids, names: Object.keys(made.ids) };
  }
}
