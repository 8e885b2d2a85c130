/*
 * partita restore TARGET: what an archive holds, into a cluster of any size and any number of partitions, empty or alive.
 *
 * First everything that is meant is verified, and the cluster asked whether it may; then files go to owners that have nothing
 * of a partition, and records to all others; at the end they are looked for, or the roots of whole partitions compared.
 */
import xxhash from 'xxhash-wasm';
import type { ArchivedPartition, Manifest } from '../../archive/manifest.js';
import { hash64From } from '../../model/hash.js';
import type { Hash64 } from '../../model/hash.js';
import { partitionBits, partitionOf } from '../../ring/partition.js';
import { type AskingOptions, Members } from '../archive/asking.js';
import { bar } from '../archive/bar.js';
import { parsePartitions } from '../archive/options.js';
import { type Proof, Restore, type Restored, type RestoreWorld } from '../archive/restoring.js';
import { archivesIn } from '../archive/target.js';
import { type Finding, partitionFault } from '../archive/verifying.js';
import { parseDurationMs } from '../durations.js';
import { EXIT_DONE, EXIT_FAILED, EXIT_UNAVAILABLE } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { counted, endProgress, formatOf, printJson, printLines, showProgress } from '../output.js';
import type { CommonOptions } from '../session.js';

export type RestoreOptions = AskingOptions &
  CommonOptions & {
    readonly archive?: string;
    readonly partitions?: string;
    readonly prefix?: string;
    readonly key?: string;
    readonly undelete?: boolean;
    readonly sibling?: string;
    readonly mayResurrect?: boolean;
    readonly patience?: string;
  };

const AT_ONCE = 3;

export async function runRestore(io: Io, target: string, options: RestoreOptions): Promise<number> {
  const { undelete, key, sibling } = options;
  if (undelete === true && key === undefined) throw new UsageError('--undelete: say which key, by --key');
  if (undelete !== true && sibling !== undefined) throw new UsageError('--sibling: only with --undelete');
  const manifest = await archiveMeant(target, options.archive);
  const hash = hash64From(await xxhash());
  const partitions = partitionsMeant(manifest, options, hash);
  await verified(io, target, manifest, partitions, hash);
  if (undelete === true) {
    const { runUndelete } = await import('../archive/undelete.js');
    return runUndelete(io, { target, manifest, partition: partitions[0], hash }, options);
  }
  const members = await Members.of(io, options);
  let done = 0;
  const all = partitions.reduce((sum, { records }) => sum + records, 0);
  const world: RestoreWorld = {
    ...{ members, target, manifest, hash },
    mayResurrect: options.mayResurrect === true,
    patienceMs: parseDurationMs(options.patience ?? '30s', '--patience'),
    prefix: options.prefix === undefined ? null : Buffer.from(options.prefix),
    key: key === undefined ? null : Buffer.from(key),
    onRecords: (count) => {
      done += count;
      showProgress(
        io,
        `${done <= all ? 'restoring' : 'looking for'} ${bar(done <= all ? done : done - all, all)} records`,
      );
    },
  };
  const restore = new Restore(world);
  try {
    await restore.check(partitions);
    const restored = await eachOf(partitions, (partition) => restore.restore(partition));
    done = all;
    const proofs = await eachOf(partitions, (partition) => restore.prove(partition));
    endProgress(io);
    return report(io, manifest, restored, proofs, options);
  } finally {
    endProgress(io);
  }
}

/** The named one, or the newest that is complete. */
async function archiveMeant(target: string, name: string | undefined): Promise<Manifest> {
  const found = await archivesIn(target);
  const meant =
    name === undefined
      ? found.filter(({ manifest }) => !('fault' in manifest) && manifest.complete).at(-1)
      : found.find((archive) => archive.name === name);
  if (meant === undefined)
    throw new UsageError(
      name === undefined
        ? `TARGET: there is no complete archive in ${target}`
        : `--archive: there is no ${name} in ${target}`,
    );
  if ('fault' in meant.manifest)
    throw new UsageError(`${meant.name}: its manifest cannot be used: ${meant.manifest.fault}`);
  return meant.manifest;
}

function partitionsMeant(manifest: Manifest, options: RestoreOptions, hash: Hash64): readonly ArchivedPartition[] {
  const { name, partitionCount, partitions, complete } = manifest;
  const there = new Map(partitions.map((partition) => [partition.partition, partition]));
  if (options.key !== undefined) {
    const key = Buffer.from(options.key);
    hash.hash(key, 0, key.length);
    const partition = partitionOf(hash.hi, partitionBits(partitionCount));
    const archived = there.get(partition);
    if (archived === undefined)
      throw new UsageError(`--key: ${name} does not hold partition ${partition}, which the key is of`);
    return [archived];
  }
  if (options.partitions === undefined) {
    if (complete) return partitions;
    throw new UsageError(
      `${name} is not complete. What is sound of it: --partitions ${partitions
        .filter((partition) => partition.complete)
        .map(({ partition }) => partition)
        .join(',')}`,
    );
  }
  return parsePartitions(options.partitions, partitionCount).map((partition) => {
    const archived = there.get(partition);
    if (archived === undefined) throw new UsageError(`--partitions: ${name} does not hold partition ${partition}`);
    return archived;
  });
}

/** Nothing of a damaged archive is restored that was not asked for by itself. Throws UsageError. */
async function verified(
  io: Io,
  target: string,
  manifest: Manifest,
  partitions: readonly ArchivedPartition[],
  hash: Hash64,
): Promise<void> {
  const findings: Finding[] = [];
  let done = 0;
  const world = { target, hash, sound: new Set<string>(), onPartition: () => undefined };
  for (const partition of partitions) {
    const text = await partitionFault(world, manifest, partition);
    if (text !== '') findings.push({ file: `partition ${partition.partition}`, text });
    done += 1;
    showProgress(io, `verifying ${bar(done, partitions.length)} partitions`);
  }
  endProgress(io);
  if (findings.length === 0) return;
  const list = findings.map(({ file, text }) => `${file}: ${text}`).join('; ');
  throw new UsageError(
    `${manifest.name} is damaged, and nothing was restored: ${list}. Name those that are sound by --partitions`,
  );
}

async function eachOf<T>(
  partitions: readonly ArchivedPartition[],
  work: (partition: ArchivedPartition) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  const left = [...partitions];
  let isBroken = false;
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined && !isBroken; next = left.shift()) {
      try {
        results.push(await work(next));
      } catch (error) {
        isBroken = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason as Error;
  return results;
}

function report(
  io: Io,
  { name }: Manifest,
  restored: readonly Restored[],
  proofs: readonly Proof[],
  { output }: RestoreOptions,
): number {
  const sum = (of: (one: Restored) => number): number => restored.reduce((all, one) => all + of(one), 0);
  const proof = (of: (one: Proof) => number): number => proofs.reduce((all, one) => all + of(one), 0);
  const missed = [...new Set(restored.flatMap((one) => one.missed))].sort((a, b) => a - b);
  const facts = {
    archive: name,
    partitions: restored.length,
    records: sum(({ records }) => records),
    merged: sum(({ merged }) => merged),
    reaped: sum(({ reaped }) => reaped),
    files: sum(({ files }) => files),
    doubtful: sum(({ doubtful }) => doubtful),
    missing: proof(({ missing }) => missing),
    rootsEqual: proof(({ rootsEqual }) => rootsEqual),
    rootsCompared: proof(({ rootsCompared }) => rootsCompared),
    missed,
  };
  const format = formatOf(io, output);
  if (format === 'json') printJson(io, facts);
  else if (format === 'raw')
    printLines(
      io,
      Object.entries(facts).map(([what, value]) => [what, String(value)]),
    );
  else {
    io.out(
      `${name}: ${counted(facts.records, 'record')} of ${counted(facts.partitions, 'partition')}; ${facts.merged} were not there, ${facts.reaped} had been deleted since and stay so\n`,
    );
    if (facts.files > 0)
      io.out(
        `${counted(facts.files, 'file')} went to owners that had nothing of the partition, and were looked through there\n`,
      );
    const whom = facts.files > 0 ? 'every owner that did not take a file just as it is' : 'every owner';
    io.out(
      `Proof: ${whom} was asked for every record, and lacks ${facts.missing}; ${facts.rootsEqual} of ${facts.rootsCompared} roots are those of the archive\n`,
    );
  }
  if (facts.doubtful > 0)
    io.err(
      `warning: ${counted(facts.doubtful, 'record')} may have been deleted since the archive, longer ago than is remembered\n`,
    );
  if (facts.missing > 0) {
    io.err('error: not all that was restored is there. Restore it again: what is there is passed over\n');
    return EXIT_FAILED;
  }
  if (missed.length === 0) return EXIT_DONE;
  io.err(
    `error: not reached: ${missed.map((owner) => `node ${owner}`).join(', ')}. The other owners bring it what it lacks; or restore again\n`,
  );
  return EXIT_UNAVAILABLE;
}
