/* partita check DIR: reads a whole data directory of a node that is not running, and says what is wrong with it. */
import { EXIT_DONE, EXIT_FAILED } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';
import type { CommonOptions } from '../session.js';

export type CheckOptions = Pick<CommonOptions, 'output'>;

export async function runCheck(io: Io, directory: string, options: CheckOptions): Promise<number> {
  const { checkDirectory } = await import('../../daemon/check.js');
  const report = await checkDirectory(directory);
  const counts = Object.entries(report.counts).map(([name, count]) => [name, String(count)]);
  const findings = report.findings.map(({ severity, where, text }) => [severity, where, text]);
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, report);
  else if (format === 'raw') printLines(io, [...counts, ...findings]);
  else {
    printTable(io, ['read', 'count'], counts);
    if (findings.length > 0) printTable(io, ['found', 'where', 'what'], findings);
  }
  if (report.ok) return EXIT_DONE;
  const damaged = report.findings.filter(({ severity }) => severity === 'damage').length;
  io.err(
    `error: ${directory} is damaged in ${damaged} place${damaged === 1 ? '' : 's'}. Keep a copy of it before partitad is started on it\n`,
  );
  return EXIT_FAILED;
}
