/* partita cluster history: the last rings, as far as the node that is asked has seen them. */
import type { HistoryFacts } from '../../model/cluster-facts.js';
import { askCluster, type ClusterOptions } from '../cluster-asking.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable, timeOf } from '../output.js';

export async function runClusterHistory(io: Io, options: ClusterOptions): Promise<number> {
  const { rings } = await askCluster<HistoryFacts>(io, options, { action: 'history' });
  const format = formatOf(io, options.output);
  const rows = rings.map(({ version, changedAtMs, change }) => [
    String(version),
    timeOf(changedAtMs),
    change === '' ? 'made' : change,
  ]);
  if (format === 'json') {
    const shown = rings.map(({ changedAtMs, ...ring }) => ({ ...ring, changedAt: timeOf(changedAtMs) }));
    printJson(io, { rings: shown });
  } else if (format === 'raw') printLines(io, rows);
  else printTable(io, ['version', 'since', 'what changed'], rows);
  return EXIT_DONE;
}
