/* partita export: keys with their versions and contexts, one a line, so that nothing but a disk is needed to keep them. */
import type { Client, GetResult } from '../../client/index.js';
import { PartitaError } from '../../client/index.js';
import type { KeysReply, ListedKey } from '../../model/messages.js';
import { decodeRingReply, encodeRingFetch } from '../../wire/codec-ring.js';
import { RING_FETCH, RING_REPLY } from '../../wire/kinds.js';
import { adminAddress, askAdmin } from '../admin.js';
import type { AdminOptions } from '../admin.js';
import { EXIT_DONE, EXIT_FAILED, describeError } from '../exit-codes.js';
import type { Io } from '../io.js';
import { cursorText, keyPages, keyText, selectionOf } from '../keys-pages.js';
import type { SelectionOptions } from '../keys-pages.js';
import { encodeLine } from '../ndjson.js';
import { counted, endProgress, showProgress } from '../output.js';
import { timeoutMsOf, withClient } from '../session.js';
import type { CommonOptions } from '../session.js';

export type ExportOptions = AdminOptions & SelectionOptions & CommonOptions;

const PAGE_KEYS = 200;
/** What is read from the cluster at once: by the size of the records here, so that memory stays bounded. */
const BATCH_BYTES = 4_194_304;
const BATCH_KEYS = 64;

interface Count {
  keys: number;
  versions: number;
  bytes: number;
  failed: number;
}

/**
 * Which keys there are is asked of one node; what is stored under each is read as every client reads, from R replicas. So
 * a replica that has missed something is found out, and repaired.
 */
export async function runExport(io: Io, options: ExportOptions): Promise<number> {
  const address = adminAddress(io, options);
  const timeoutMs = timeoutMsOf(options);
  const selection = selectionOf(options);
  const server =
    options.server ?? (io.env['PARTITA_SERVER'] === undefined ? await members(address, timeoutMs) : undefined);
  const count: Count = { keys: 0, versions: 0, bytes: 0, failed: 0 };
  let last: KeysReply | null = null;
  let { cursor } = selection;
  try {
    await withClient(io, { ...options, ...(server === undefined ? {} : { server }) }, async (client) => {
      for await (const page of keyPages(address, timeoutMs, selection, Number.POSITIVE_INFINITY, PAGE_KEYS)) {
        for (const batch of batchesOf(page.keys)) await exportBatch(io, client, batch, count);
        last = page;
        ({ cursor } = page);
        if (!io.stdoutIsTTY) showProgress(io, progress(page, count));
      }
    });
  } catch (error) {
    endProgress(io);
    io.err(`${describeError(error, 'export')}\n`);
    const goOn = cursor.length === 0 ? '' : `; go on, into another file, with --cursor ${cursorText(cursor)}`;
    io.err(`error: the export is not complete: it ended after ${words(count)}${goOn}\n`);
    return EXIT_FAILED;
  }
  endProgress(io);
  return summarise(io, count, last);
}

async function members(address: string, timeoutMs: number): Promise<readonly string[]> {
  const ring = await askAdmin(address, timeoutMs, {
    kind: RING_FETCH,
    replyKind: RING_REPLY,
    body: encodeRingFetch({ knownVersion: 0 }),
    read: decodeRingReply,
  });
  return ring.members.map((member) => member.address);
}

function* batchesOf(keys: readonly ListedKey[]): Generator<readonly ListedKey[]> {
  let batch: ListedKey[] = [];
  let bytes = 0;
  for (const key of keys) {
    if (batch.length > 0 && (batch.length === BATCH_KEYS || bytes + key.recordBytes > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(key);
    bytes += key.recordBytes;
  }
  if (batch.length > 0) yield batch;
}

async function exportBatch(io: Io, client: Client, batch: readonly ListedKey[], count: Count): Promise<void> {
  for (const key of batch.filter(({ key: bytes }) => bytes.length === 0)) {
    count.failed += 1;
    endProgress(io);
    io.err(
      `error: a damaged record in partition ${key.partition}, hash ${key.hash}: its key cannot be read here; export this partition from another owner\n`,
    );
  }
  const keys = batch.map(({ key }) => key).filter((key) => key.length > 0);
  const results = await client.getMany(keys);
  for (const key of keys) {
    const result = results.get(key);
    if (result === undefined || PartitaError.is(result)) {
      if (result?.retryable === true) throw result;
      count.failed += 1;
      endProgress(io);
      io.err(`error: ${keyText({ key, hash: '' })}: ${result?.message ?? 'no answer'}\n`);
    } else {
      exportKey(io, key, result, count);
    }
  }
  await io.drained();
}

/** A key that has been deleted since it was listed is not there, and so it is not exported. */
function exportKey(io: Io, key: Uint8Array, result: GetResult<Uint8Array>, count: Count): void {
  if (!result.found) return;
  const line = encodeLine({ key, siblings: result.siblings, context: result.context });
  io.out(line);
  count.keys += 1;
  count.versions += result.siblings.length;
  count.bytes += Buffer.byteLength(line);
}

function words({ keys, versions, bytes }: Count): string {
  return `${counted(keys, 'key')} with ${counted(versions, 'version')}, ${counted(bytes, 'byte')}`;
}

function progress({ done, selected }: KeysReply, count: Count): string {
  return `${done} of ${counted(selected, 'partition')}, ${words(count)}`;
}

function summarise(io: Io, count: Count, last: KeysReply | null): number {
  const { nodeId = '', selected = 0, partitionCount = 0, suspect = 0 } = last ?? {};
  io.err(`${words(count)}, from ${selected} of ${partitionCount} partitions, listed by node ${nodeId.slice(0, 8)}\n`);
  if (suspect > 0) {
    io.err(
      `error: the export may lack keys: ${suspect} of these partitions are damaged or lost on this node and not yet healed; export them from another owner\n`,
    );
  }
  if (count.failed > 0) io.err(`error: ${counted(count.failed, 'key')} could not be exported: see above\n`);
  return count.failed > 0 || suspect > 0 ? EXIT_FAILED : EXIT_DONE;
}
