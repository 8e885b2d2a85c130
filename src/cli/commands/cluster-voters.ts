/*
 * partita cluster voters: names the voters of a ring anew where too few of them are left that remember what they voted for.
 * Nobody agrees on that, so it takes --force, and a look at the ring before.
 */
import type { CommitFacts } from '../../model/cluster-facts.js';
import { askCluster, type ClusterOptions, memberMeant, statusOf } from '../cluster-asking.js';
import { EXIT_DONE, EXIT_FAILED } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { formatOf, printJson, printLines } from '../output.js';

export type VotersOptions = ClusterOptions & {
  readonly force?: boolean;
  readonly lost?: string;
};

const FORCE_NEEDED =
  '--force is needed: no majority agrees on this ring. It is for a cluster whose ring cannot change any more because more than half of its voters have lost ring/acceptor, or are lost for good; the node refuses it as long as a majority may exist. Run it once, through one node, that reaches as many others as can be. Nodes that are away and have decided on something else meanwhile give that up when they are back';

export async function runClusterVoters(io: Io, options: VotersOptions): Promise<number> {
  const { members, version } = await statusOf(io, options);
  const words = (options.lost ?? '').split(',').filter((word) => word !== '');
  const lost = words.map((word) => memberMeant(word, members).ordinal);
  if (options.force !== true) throw new UsageError(FORCE_NEEDED);
  const request = { action: 'voters', baseVersion: version, edits: JSON.stringify(lost) } as const;
  const { kind, text } = await askCluster<CommitFacts>(io, options, request);
  if (kind !== 'done') {
    io.err(`error: cluster voters: ${text}\n`);
    return EXIT_FAILED;
  }
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { text });
  else if (format === 'raw') printLines(io, [['voters', text]]);
  else io.out(`${text}\n`);
  return EXIT_DONE;
}
