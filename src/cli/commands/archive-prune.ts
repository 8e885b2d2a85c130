/* partita archive prune TARGET --keep N: throws away old archives, but none that a newer one refers to. */
import { planPruning } from '../../archive/plan.js';
import { archivesIn, removeArchive } from '../archive/target.js';
import { parseWhole } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { formatOf, printJson, printLines } from '../output.js';
import type { CommonOptions } from '../session.js';
import { locked } from './archive-create.js';

export type ArchivePruneOptions = Pick<CommonOptions, 'output'> & { readonly keep?: string; readonly dryRun?: boolean };

const KEEP_MAX = 100_000;

export async function runArchivePrune(io: Io, target: string, options: ArchivePruneOptions): Promise<number> {
  if (options.keep === undefined) throw new UsageError('--keep: say how many complete archives are to stay');
  const keep = parseWhole(options.keep, '--keep', 1, KEEP_MAX);
  const found = await archivesIn(target);
  const manifests = found.flatMap(({ manifest }) => ('fault' in manifest ? [] : [manifest]));
  const { removed, needed } = planPruning(manifests, keep);
  const unreadable = found.filter(({ manifest }) => 'fault' in manifest).map(({ name }) => name);
  if (options.dryRun !== true) {
    const lock = locked(target);
    try {
      for (const archive of found) if (removed.includes(archive.name)) await removeArchive(target, archive);
    } finally {
      lock.release();
    }
  }
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { removed, needed, unreadable });
  else if (format === 'raw')
    printLines(io, [
      ...removed.map((name) => ['removed', name]),
      ...needed.map(({ name, by }) => ['needed', name, by]),
      ...unreadable.map((name) => ['unreadable', name]),
    ]);
  else {
    const verb = options.dryRun === true ? 'would be removed' : 'removed';
    for (const name of removed) io.out(`${name}: ${verb}\n`);
    for (const { name, by } of needed) io.out(`${name}: stays, as ${by} refers to it\n`);
    for (const name of unreadable)
      io.out(`${name}: stays, as its manifest cannot be read; look at it, and remove it by hand\n`);
    if (removed.length + needed.length + unreadable.length === 0) io.out('Nothing to remove\n');
  }
  return EXIT_DONE;
}
