/* partita archive verify TARGET: reads archives back, without a cluster, and says what is damaged, file by file. */
import xxhash from 'xxhash-wasm';
import { MANIFEST_NAME } from '../../archive/names.js';
import { hash64From } from '../../model/hash.js';
import { bar } from '../archive/bar.js';
import { type FoundArchive, archivesIn } from '../archive/target.js';
import { type Finding, verifyArchive } from '../archive/verifying.js';
import { EXIT_DONE, EXIT_FAILED } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { counted, endProgress, formatOf, printJson, printLines, printTable, showProgress } from '../output.js';
import type { CommonOptions } from '../session.js';

export type ArchiveVerifyOptions = Pick<CommonOptions, 'output'> & { readonly archive?: string };

interface Verified {
  readonly name: string;
  readonly partitions: number;
  readonly records: number;
  readonly findings: readonly Finding[];
}

export async function runArchiveVerify(io: Io, target: string, options: ArchiveVerifyOptions): Promise<number> {
  const found = await archivesMeant(target, options.archive);
  const hash = hash64From(await xxhash());
  const sound = new Set<string>();
  const all: Verified[] = [];
  for (const { name, manifest } of found) {
    if ('fault' in manifest) {
      const findings = [{ file: `${name}/${MANIFEST_NAME}`, text: manifest.fault }];
      all.push({ name, partitions: 0, records: 0, findings });
      continue;
    }
    const { partitions } = manifest;
    let done = 0;
    const onPartition = (): void => {
      done += 1;
      showProgress(io, `${name} ${bar(done, partitions.length)} partitions`);
    };
    const findings = await verifyArchive({ target, hash, sound, onPartition }, manifest);
    endProgress(io);
    const records = partitions.reduce((sum, partition) => sum + partition.records, 0);
    all.push({ name, partitions: partitions.length, records, findings });
  }
  print(io, all, options);
  const damaged = all.filter(({ findings }) => findings.length > 0);
  if (damaged.length === 0) return EXIT_DONE;
  io.err(
    `error: ${damaged.map(({ name }) => name).join(', ')}: not whole. What is sound of an archive can be restored by --partitions\n`,
  );
  return EXIT_FAILED;
}

/** All, or the one that is named. Throws UsageError. */
async function archivesMeant(target: string, name: string | undefined): Promise<readonly FoundArchive[]> {
  const found = await archivesIn(target);
  const meant = name === undefined ? found : found.filter((archive) => archive.name === name);
  if (meant.length === 0)
    throw new UsageError(
      name === undefined
        ? `TARGET: there is no archive in ${target}`
        : `--archive: there is no ${name} in ${target}; partita archive list ${target} shows which there are`,
    );
  return meant;
}

function print(io: Io, all: readonly Verified[], { output }: ArchiveVerifyOptions): void {
  const format = formatOf(io, output);
  const rows = all.map(({ name, partitions, records, findings }) => [
    name,
    findings.length === 0 ? 'sound' : 'not whole',
    String(partitions),
    String(records),
  ]);
  const findings = all.flatMap((archive) => archive.findings.map(({ file, text }) => [file, text]));
  if (format === 'json') printJson(io, all);
  else if (format === 'raw') printLines(io, [...rows, ...findings]);
  else {
    for (const { name, partitions, records, findings: its } of all)
      io.out(
        `${name}: ${its.length === 0 ? 'sound' : 'not whole'}, ${counted(partitions, 'partition')}, ${counted(records, 'record')} read\n`,
      );
    if (findings.length > 0) printTable(io, ['file', 'what'], findings);
  }
}
