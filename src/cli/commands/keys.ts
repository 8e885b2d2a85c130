/* partita keys: what is stored under which key, on one node. */
import { LISTED_KEYS_MAX } from '../../model/limits.js';
import type { KeysReply, ListedKey } from '../../model/messages.js';
import { adminAddress } from '../admin.js';
import type { AdminOptions } from '../admin.js';
import { parseWhole } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { cursorText, keyFields, keyPages, keyText, selectionOf } from '../keys-pages.js';
import type { SelectionOptions } from '../keys-pages.js';
import { counted, endProgress, formatOf, printJson, printLines, printTable, showProgress, timeOf } from '../output.js';
import { timeoutMsOf } from '../session.js';
import type { CommonOptions } from '../session.js';

export type KeysOptions = AdminOptions &
  SelectionOptions &
  Pick<CommonOptions, 'output' | 'timeout'> & { readonly limit?: string };

const LIMIT_DEFAULT = '1000';
const LIMIT_MAX = 1_000_000;

export async function runKeys(io: Io, options: KeysOptions): Promise<number> {
  const timeoutMs = timeoutMsOf(options);
  const limit = parseWhole(options.limit ?? LIMIT_DEFAULT, '--limit', 1, LIMIT_MAX);
  const selection = selectionOf(options);
  const format = formatOf(io, options.output);
  const keys: ListedKey[] = [];
  let last: KeysReply | null = null;
  let looked = 0;
  try {
    for await (const page of keyPages(adminAddress(io, options), timeoutMs, selection, limit, LISTED_KEYS_MAX)) {
      last = page;
      if (format === 'raw') printLines(io, page.keys.map(rowOf));
      else keys.push(...page.keys);
      looked += page.records;
      if (format !== 'raw' || !io.stdoutIsTTY)
        showProgress(io, `${page.done} of ${counted(page.selected, 'partition')}, ${counted(looked, 'key')} looked at`);
    }
  } finally {
    endProgress(io);
  }
  if (last === null) return EXIT_DONE;
  const count = format === 'raw' ? null : keys.length;
  if (format === 'json') {
    printJson(io, described(keys, last));
    return EXIT_DONE;
  }
  if (format === 'table' && keys.length > 0)
    printTable(io, ['key', 'versions', 'state', 'record bytes', 'written', 'partition'], keys.map(rowOf));
  // A list for programs stays one; what people should know goes beside it.
  const words = `${summary(last, count, selection.firstOwner)}\n`;
  if (format === 'table') io.out(words);
  else io.err(words);
  return EXIT_DONE;
}

/** Key, versions shown, state, bytes of the record, written, partition. */
function rowOf(key: ListedKey): readonly string[] {
  return [
    keyText(key),
    String(key.siblings),
    stateOf(key),
    String(key.recordBytes),
    timeOf(key.writtenMs),
    String(key.partition),
  ];
}

function stateOf({ damaged, siblings, tombstones, expired }: ListedKey): string {
  if (damaged) return 'damaged';
  if (siblings > 1) return 'conflict';
  if (siblings === 1) return 'value';
  return tombstones > 0 || expired === 0 ? 'deleted' : 'expired';
}

function summary(page: KeysReply, count: number | null, firstOwner: boolean): string {
  const { nodeId, selected, partitionCount, suspect, cursor } = page;
  const role = firstOwner ? 'is the first owner of' : 'owns';
  const where = `node ${nodeId.slice(0, 8)}, which ${role} ${selected} of ${partitionCount} partitions`;
  const lines = [count === null ? `From ${where}` : `${counted(count, 'key')} from ${where}`];
  if (selected === 1 && partitionCount > 1) lines[0] = lines[0]?.replace(/, which .*/, ', of one partition') ?? '';
  if (suspect > 0) {
    lines.push(
      `${suspect} of them may lack keys: damaged or lost here, and not yet healed from other owners; ask another owner too`,
    );
  }
  if (cursor.length > 0) lines.push(`There is more: --cursor ${cursorText(cursor)}`);
  return lines.join('\n');
}

function described(keys: readonly ListedKey[], page: KeysReply): unknown {
  return {
    keys: keys.map(({ key, hash, writtenMs, damaged, ...counts }) => ({
      ...(key.length > 0 ? keyFields(key) : { key: null }),
      hash,
      state: stateOf({ key, hash, writtenMs, damaged, ...counts }),
      ...counts,
      written: timeOf(writtenMs) || null,
    })),
    cursor: page.cursor.length === 0 ? null : cursorText(page.cursor),
    nodeId: page.nodeId,
    ringVersion: page.ringVersion,
    partitionCount: page.partitionCount,
    partitionsListed: page.selected,
    partitionsDone: page.done,
    partitionsSuspect: page.suspect,
  };
}
