/* partita scrub: how far a node is with verifying what it stores, and what it has found; or begin now. */
import type { ScrubReply } from '../../model/messages.js';
import { decodeScrubReply, encodeScrub } from '../../wire/codec-background.js';
import { SCRUB, SCRUB_REPLY } from '../../wire/kinds.js';
import { adminAddress, askAdmin } from '../admin.js';
import type { AdminOptions } from '../admin.js';
import { durationText } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import { UsageError } from '../io.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines } from '../output.js';
import { timeoutMsOf } from '../session.js';
import type { CommonOptions } from '../session.js';
import { bytesText } from '../sizes.js';

export type ScrubOptions = AdminOptions & Pick<CommonOptions, 'output' | 'timeout'> & { readonly partition?: string };

export async function runScrub(io: Io, action: 'start' | 'status', options: ScrubOptions): Promise<number> {
  const timeoutMs = timeoutMsOf(options);
  const request = { budgetMs: timeoutMs, begins: action === 'start', partition: partitionOf(options.partition) };
  const reply = await askAdmin(adminAddress(io, options), timeoutMs, {
    kind: SCRUB,
    replyKind: SCRUB_REPLY,
    body: encodeScrub(request),
    read: decodeScrubReply,
  });
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, described(reply));
  else if (format === 'raw')
    printLines(
      io,
      Object.entries(described(reply)).map(([name, value]) => [name, String(value)]),
    );
  else for (const line of linesOf(reply)) io.out(`${line}\n`);
  return EXIT_DONE;
}

function partitionOf(word: string | undefined): number | null {
  if (word === undefined) return null;
  const partition = Number(word);
  if (!/^\d+$/.test(word) || partition > 0xffff)
    throw new UsageError(`--partition: ${word} is no partition: expected a whole number from 0`);
  return partition;
}

/** `partition` null: none is being read. */
function described({ partition, ...rest }: ScrubReply): Readonly<Record<string, number | null>> {
  return { partition: partition === 0 ? null : partition - 1, ...rest };
}

function linesOf(reply: ScrubReply): readonly string[] {
  if (reply.periodMs === 0) return ['Nothing is scrubbed on this node'];
  return [progressOf(reply), `Since the node was started: ${readOf(reply)}`, findingsOf(reply)];
}

function progressOf({ partition, leaf, leafCount, waiting, periodMs }: ScrubReply): string {
  const every = `Each partition is read once in ${durationText(periodMs)}`;
  if (partition === 0) return `${every}; none is being read now`;
  const share = Math.floor((100 * leaf) / Math.max(1, leafCount));
  const after = waiting === 0 ? 'none waits' : waiting === 1 ? '1 more waits' : `${waiting} more wait`;
  return `${every}; partition ${partition - 1} is being read, ${share} % done; ${after}`;
}

function readOf({ partitions, records, bytes }: ScrubReply): string {
  return `${partitions} partitions read, ${records} records sound, ${bytesText(bytes)}`;
}

function findingsOf({ damaged, wrongLeaves, broken, repaired, repairsWaiting, givenUp }: ScrubReply): string {
  if (damaged + wrongLeaves + broken === 0) return 'Nothing was found damaged';
  return (
    `DAMAGE: ${damaged} records (${repaired} repaired, ${repairsWaiting} waiting for a good copy, ${givenUp} without one), ` +
    `${broken} stretches of files, ${wrongLeaves} leaves of the tree by themselves`
  );
}
