/*
 * partita archive create TARGET: every partition once, from one of its owners, while the cluster serves.
 *
 * The archive says that it is not complete until the last partition is in it. What was broken off is gone on with by
 * --resume: partitions that are there stay as they are, and the others come as they are by then.
 */
import { randomBytes, randomInt } from 'node:crypto';
import xxhash from 'xxhash-wasm';
import type { ArchivedPartition, Manifest } from '../../archive/manifest.js';
import { ARCHIVE_FORMAT } from '../../archive/manifest.js';
import { archiveName, isArchiveName } from '../../archive/names.js';
import { type DirectoryLock, DirectoryLockedError, lockDirectory } from '../../disk/directory-lock.js';
import { hash64From } from '../../model/hash.js';
import { type AskingOptions, Members } from '../archive/asking.js';
import { bar } from '../archive/bar.js';
import { parsePartitions } from '../archive/options.js';
import { takePartition, type TakingWorld, type Taken } from '../archive/taking.js';
import {
  archivesIn,
  archiveFolder,
  beginArchive,
  endProgressFile,
  makeTarget,
  noteProgress,
  readProgress,
  writeManifest,
} from '../archive/target.js';
import { parseDurationMs } from '../durations.js';
import { EXIT_DONE, EXIT_UNAVAILABLE } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { counted, endProgress, formatOf, printJson, printLines, showProgress } from '../output.js';
import { bytesText } from '../sizes.js';

export type ArchiveCreateOptions = AskingOptions & {
  readonly partitions?: string;
  readonly since?: string;
  readonly resume?: boolean;
  readonly patience?: string;
};

const AT_ONCE = 3;
/** Above all ring versions, which moves are named by. */
const COPY_IDS_FROM = 2 ** 40;

export async function runArchiveCreate(io: Io, target: string, options: ArchiveCreateOptions): Promise<number> {
  if (options.resume === true && (options.since !== undefined || options.partitions !== undefined))
    throw new UsageError('--resume goes on with what was begun: --since and --partitions stand in it already');
  const patienceMs = parseDurationMs(options.patience ?? '30s', '--patience');
  await makeTarget(target);
  const lock = locked(target);
  try {
    const members = await Members.of(io, options);
    const { manifest, folder, there } = await begun(target, members, options);
    const before = await beforeOf(target, manifest);
    const making = new Making(io, manifest, folder, there);
    const world = {
      ...{ members, folder, patienceMs, before },
      hash: hash64From(await xxhash()),
      begunMs: performance.now(),
      copyId: COPY_IDS_FROM + randomInt(2 ** 40),
      onBytes: (bytes: number) => {
        making.onBytes(bytes);
      },
    };
    return await making.run(world, options);
  } finally {
    lock.release();
  }
}

export function locked(target: string): DirectoryLock {
  try {
    return lockDirectory(target);
  } catch (error) {
    if (!(error instanceof DirectoryLockedError)) throw error;
    throw new UsageError(
      `TARGET: ${target} is in use by another archive command${error.ownerPid === null ? '' : `, process ${error.ownerPid}`}: wait until it has ended`,
    );
  }
}

interface Begun {
  readonly manifest: Manifest;
  readonly folder: string;
  readonly there: readonly ArchivedPartition[];
}

async function begun(target: string, members: Members, options: ArchiveCreateOptions): Promise<Begun> {
  if (options.resume === true) return resumed(target, members);
  const { facts, ring } = members;
  const begunAt = new Date().toISOString();
  const since = options.since === undefined ? '' : await baseOf(target, options.since, members);
  const manifest: Manifest = {
    format: ARCHIVE_FORMAT,
    name: archiveName(begunAt, randomBytes(3).readUIntBE(0, 3)),
    since,
    complete: false,
    begunAt,
    endedAt: '',
    cluster: facts.cluster,
    clusterId: facts.clusterId,
    ringVersion: ring.version,
    partitionCount: ring.partitionCount,
    replicaCount: ring.replicaCount,
    members: ring.members.map(({ ordinal, nodeId, address }) => ({ ordinal, nodeId, address })),
    wanted: parsePartitions(options.partitions, ring.partitionCount),
    partitions: [],
  };
  return { manifest, folder: await beginArchive(target, manifest), there: [] };
}

async function resumed(target: string, members: Members): Promise<Begun> {
  const last = (await archivesIn(target)).at(-1);
  if (last === undefined || 'fault' in last.manifest || last.manifest.complete)
    throw new UsageError(
      `--resume: the newest archive in ${target} is not one that was broken off; begin one without --resume`,
    );
  const { manifest } = last;
  ofThisCluster(manifest, members, '--resume');
  const folder = archiveFolder(target, manifest.name);
  // What had ended without being complete is gone on with, too: only what is good of it stays.
  const noted = manifest.endedAt === '' ? await readProgress(folder) : manifest.partitions;
  return { manifest: { ...manifest, endedAt: '' }, folder, there: noted.filter(({ complete }) => complete) };
}

/** Of `--since`: a name, or `latest`. */
async function baseOf(target: string, since: string, members: Members): Promise<string> {
  if (since !== 'latest' && !isArchiveName(since))
    throw new UsageError(
      `--since: ${JSON.stringify(since)} is no name of an archive, nor latest; partita archive list ${target} shows them`,
    );
  const complete = (await archivesIn(target)).filter(({ manifest }) => !('fault' in manifest) && manifest.complete);
  const base = since === 'latest' ? complete.at(-1) : complete.find(({ name }) => name === since);
  if (base === undefined && since === 'latest') return ''; // the first of a series
  if (base === undefined || 'fault' in base.manifest)
    throw new UsageError(`--since: there is no complete archive ${since} in ${target}`);
  ofThisCluster(base.manifest, members, '--since');
  return base.name;
}

function ofThisCluster({ name, clusterId, partitionCount }: Manifest, { facts, ring }: Members, option: string): void {
  if (clusterId === facts.clusterId && partitionCount === ring.partitionCount) return;
  throw new UsageError(
    `${option}: ${name} is an archive of another cluster (${clusterId.slice(0, 8)}, not ${facts.clusterId.slice(0, 8)})`,
  );
}

/** What the archive named by `since` has, each with the name of the archive that has its file. */
async function beforeOf(
  target: string,
  { since }: Manifest,
): Promise<(partition: number) => ArchivedPartition | undefined> {
  const base = since === '' ? undefined : (await archivesIn(target)).find(({ name }) => name === since)?.manifest;
  if (base === undefined || 'fault' in base) return () => undefined;
  const known = new Map(
    base.partitions.map((partition) => {
      const { file } = partition;
      const kept = file === null || file.archive !== '' ? file : { ...file, archive: since };
      return [partition.partition, { ...partition, file: kept }];
    }),
  );
  return (partition) => known.get(partition);
}

class Making {
  readonly #io: Io;
  readonly #manifest: Manifest;
  readonly #folder: string;
  readonly #done: Map<number, ArchivedPartition>;
  readonly #taken: Taken = new Map();
  #bytes = 0;

  constructor(io: Io, manifest: Manifest, folder: string, there: readonly ArchivedPartition[]) {
    this.#io = io;
    this.#manifest = manifest;
    this.#folder = folder;
    this.#done = new Map(there.map((partition) => [partition.partition, partition]));
  }

  onBytes(bytes: number): void {
    this.#bytes += bytes;
    this.#show();
  }

  async run(world: TakingWorld, options: ArchiveCreateOptions): Promise<number> {
    const left = this.#manifest.wanted.filter((partition) => !this.#done.has(partition));
    let error: unknown = null;
    const work = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined && error === null; next = left.shift()) {
        const partition = await takePartition(world, next, this.#taken);
        await this.#note(partition);
      }
    };
    const workers = Array.from({ length: AT_ONCE }, () =>
      work().catch((cause: unknown) => {
        error ??= cause;
      }),
    );
    await Promise.all(workers);
    endProgress(this.#io);
    if (error !== null) {
      this.#io.err(`note: ${this.#manifest.name} is not complete; go on with it by --resume\n`);
      throw error as Error;
    }
    return this.#end(options);
  }

  /** One after the other: each is a line of one file. */
  #noting: Promise<void> = Promise.resolve();

  async #note(partition: ArchivedPartition): Promise<void> {
    this.#noting = this.#noting.then(() => noteProgress(this.#folder, partition));
    await this.#noting;
    this.#done.set(partition.partition, partition);
    this.#show();
  }

  #show(): void {
    const { length } = this.#manifest.wanted;
    showProgress(this.#io, `${bar(this.#done.size, length)} partitions, ${bytesText(this.#bytes)} copied`);
  }

  async #end({ output }: ArchiveCreateOptions): Promise<number> {
    const partitions = [...this.#done.values()].sort((a, b) => a.partition - b.partition);
    const lacking = partitions.filter(({ complete }) => !complete);
    const endedAt = new Date().toISOString();
    const manifest = { ...this.#manifest, partitions, endedAt, complete: lacking.length === 0 };
    await writeManifest(this.#folder, manifest);
    await endProgressFile(this.#folder);
    this.#print(manifest, output);
    for (const { partition, note } of lacking) this.#io.err(`error: partition ${partition}: ${note}\n`);
    const missed = new Set(partitions.flatMap((partition) => partition.missed));
    if (missed.size > 0) this.#io.err(`warning: not met: ${[...missed].map((owner) => `node ${owner}`).join(', ')}\n`);
    if (lacking.length === 0) return EXIT_DONE;
    this.#io.err(
      `error: ${counted(lacking.length, 'partition')} of the archive not complete. When more owners can be reached: --resume\n`,
    );
    return EXIT_UNAVAILABLE;
  }

  #print(manifest: Manifest, output: ArchiveCreateOptions['output']): void {
    const io = this.#io;
    const { name, partitions, complete } = manifest;
    const referred = partitions.filter(({ file }) => (file?.archive ?? '') !== '').length;
    const records = partitions.reduce((sum, partition) => sum + partition.records, 0);
    const bytes = partitions.reduce(
      (sum, { file }) => sum + (file === null || file.archive !== '' ? 0 : file.bytes),
      0,
    );
    const format = formatOf(io, output);
    if (format === 'json') printJson(io, { name, complete, partitions: partitions.length, referred, records, bytes });
    else if (format === 'raw')
      printLines(io, [
        [name, complete ? 'complete' : 'incomplete', ...[partitions.length, referred, records, bytes].map(String)],
      ]);
    else
      io.out(
        `${name}: ${counted(partitions.length, 'partition')}, ${counted(records, 'record')}, ${bytesText(bytes)}${referred > 0 ? `; ${referred} unchanged since ${manifest.since}` : ''}\n`,
      );
  }
}
