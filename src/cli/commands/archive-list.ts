/* partita archive list TARGET: which archives are there, what they hold, and what they lean on. */
import type { Manifest } from '../../archive/manifest.js';
import { archivesIn, type FoundArchive, readProgress, archiveFolder } from '../archive/target.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';
import type { CommonOptions } from '../session.js';
import { bytesText } from '../sizes.js';

export type ArchiveListOptions = Pick<CommonOptions, 'output'>;

interface Listed {
  readonly name: string;
  readonly state: string;
  readonly partitions: number;
  readonly records: number;
  /** Of its own files. */
  readonly bytes: number;
  /** Partitions whose files other archives have, and which archives. */
  readonly referred: number;
  readonly refersTo: readonly string[];
}

export async function runArchiveList(io: Io, target: string, options: ArchiveListOptions): Promise<number> {
  const all: Listed[] = [];
  for (const found of await archivesIn(target)) all.push(await listed(target, found));
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, all);
  else if (format === 'raw')
    printLines(
      io,
      all.map((one) => rowOf(one, String(one.bytes))),
    );
  else if (all.length === 0) io.out(`There is no archive in ${target}\n`);
  else
    printTable(
      io,
      ['archive', 'state', 'partitions', 'records', 'its own', 'unchanged', 'refers to'],
      all.map((one) => rowOf(one, bytesText(one.bytes))),
    );
  return EXIT_DONE;
}

function rowOf({ name, state, partitions, records, referred, refersTo }: Listed, size: string): readonly string[] {
  return [name, state, String(partitions), String(records), size, String(referred), refersTo.join(' ')];
}

async function listed(target: string, { name, manifest }: FoundArchive): Promise<Listed> {
  const none = { name, partitions: 0, records: 0, bytes: 0, referred: 0, refersTo: [] };
  if ('fault' in manifest) return { ...none, state: `damaged: ${manifest.fault}` };
  const partitions = manifest.endedAt === '' ? await readProgress(archiveFolder(target, name)) : manifest.partitions;
  const files = partitions.flatMap(({ file }) => (file === null ? [] : [file]));
  const others = files.filter(({ archive }) => archive !== '');
  return {
    name,
    state: stateOf(manifest),
    partitions: partitions.length,
    records: partitions.reduce((sum, partition) => sum + partition.records, 0),
    bytes: files.reduce((sum, { archive, bytes }) => sum + (archive === '' ? bytes : 0), 0),
    referred: others.length,
    refersTo: [...new Set(others.map(({ archive }) => archive))].sort(),
  };
}

function stateOf({ complete, endedAt }: Manifest): string {
  if (complete) return 'complete';
  return endedAt === '' ? 'broken off, or being made' : 'incomplete';
}
