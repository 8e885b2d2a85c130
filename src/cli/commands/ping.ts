import { PartitaError } from '../../client/index.js';
import type { NodeInfo } from '../../client/index.js';
import { EXIT_DONE, EXIT_UNAVAILABLE, describeError } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';
import { withClient } from '../session.js';
import type { CommonOptions } from '../session.js';

interface Echo {
  readonly node: NodeInfo;
  readonly ms: number | null;
  readonly error: PartitaError | null;
}

/** Every node of the ring is asked, one after the other; 0 only if all answered. */
export async function runPing(io: Io, options: CommonOptions): Promise<number> {
  const echoes = await withClient(io, options, async (client) => {
    await client.connect();
    const found: Echo[] = [];
    for (const node of client.nodes()) {
      try {
        await client.ping({ node: node.address, retry: false }); // connects, and warms the way
        found.push({ node, ms: await client.ping({ node: node.address, retry: false }), error: null });
      } catch (error) {
        if (!PartitaError.is(error)) throw error;
        found.push({ node, ms: null, error });
      }
    }
    return found;
  });
  const format = formatOf(io, options.output);
  const rows = echoes.map(({ node, ms, error }) => [
    node.address,
    node.id,
    node.zone,
    ms === null ? (error?.code ?? '') : `${ms.toFixed(2)} ms`,
  ]);
  if (format === 'json')
    printJson(
      io,
      echoes.map(({ node, ms, error }) => ({ ...node, ms, error: error?.code ?? null })),
    );
  else if (format === 'table') printTable(io, ['address', 'node', 'zone', 'answer'], rows);
  else printLines(io, rows);
  for (const { node, error } of echoes)
    if (error !== null) io.err(`${describeError(error, `ping of ${node.address}`)}\n`);
  return echoes.every(({ error }) => error === null) ? EXIT_DONE : EXIT_UNAVAILABLE;
}
