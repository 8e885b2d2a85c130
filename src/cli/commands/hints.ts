/* partita hints: what a node keeps for owners that could not be reached, and since when (§4.6). */
import type { HintsReply } from '../../model/messages.js';
import { decodeHintsReply, encodeHints } from '../../wire/codec-admin.js';
import { HINTS, HINTS_REPLY } from '../../wire/kinds.js';
import { adminAddress, askAdmin } from '../admin.js';
import type { AdminOptions } from '../admin.js';
import { durationText } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable, timeOf } from '../output.js';
import { timeoutMsOf } from '../session.js';
import type { CommonOptions } from '../session.js';

export type HintsOptions = AdminOptions & Pick<CommonOptions, 'output' | 'timeout'>;

export async function runHints(io: Io, options: HintsOptions): Promise<number> {
  const timeoutMs = timeoutMsOf(options);
  const reply = await askAdmin(adminAddress(io, options), timeoutMs, {
    kind: HINTS,
    replyKind: HINTS_REPLY,
    body: encodeHints({ budgetMs: timeoutMs }),
    read: decodeHintsReply,
  });
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, described(reply));
  else if (format === 'raw') printLines(io, rowsOf(reply));
  else {
    if (reply.owners.length > 0) printTable(io, ['owner', 'id', 'hints', 'bytes', 'oldest'], rowsOf(reply));
    io.out(`${summary(reply)}\n`);
  }
  return EXIT_DONE;
}

/** Ordinal, id, hints, bytes, age of the oldest. */
function rowsOf({ owners, wallMs }: HintsReply): readonly (readonly string[])[] {
  return owners.map(({ ordinal, nodeId, count, bytes, oldestMs }) => [
    String(ordinal),
    nodeId === '' ? 'no member' : nodeId.slice(0, 8),
    String(count),
    String(bytes),
    durationText(wallMs - oldestMs),
  ]);
}

function summary({ owners, count, bytes, bytesMax }: HintsReply): string {
  if (bytesMax === 0 && count === 0) return 'No hints: this node keeps none, it is a cluster of its own';
  if (count === 0) return `No hints; this node may keep ${bytesMax} bytes of them`;
  const whom = owners.length === 1 ? 'one owner' : `${owners.length} owners`;
  return `${count} hints for ${whom}, ${bytes} of ${bytesMax} bytes`;
}

function described({ owners, wallMs, ...totals }: HintsReply): unknown {
  return {
    owners: owners.map(({ oldestMs, ...owner }) => ({
      ...owner,
      oldest: timeOf(oldestMs),
      oldestAgeMs: Math.max(0, wallMs - oldestMs),
    })),
    ...totals,
  };
}
