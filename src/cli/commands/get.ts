import { writeFile } from 'node:fs/promises';
import type { GetResult, Sibling } from '../../client/index.js';
import { parseWhole } from '../durations.js';
import { EXIT_CONFLICT, EXIT_DONE, EXIT_NOT_FOUND } from '../exit-codes.js';
import type { Io } from '../io.js';
import { UsageError } from '../io.js';
import { asText, formatOf, preview, printJson, printTable, timeOf } from '../output.js';
import { withClient } from '../session.js';
import type { CommonOptions } from '../session.js';

export interface GetOptions extends CommonOptions {
  readonly contextFile?: string;
  readonly sibling?: string;
  readonly r?: string;
}

export async function runGet(io: Io, key: string, options: GetOptions): Promise<number> {
  const r = options.r === undefined ? undefined : parseWhole(options.r, '--r', 1, 255);
  const wanted = options.sibling === undefined ? undefined : parseWhole(options.sibling, '--sibling', 1, 100_000);
  const format = formatOf(io, options.output);
  const result = await withClient(io, options, async (client) => {
    if (format === 'json') await client.connect(); // with the ring, meta can name who answered
    return client.get(key, { r });
  });
  if (options.contextFile !== undefined) await writeContext(options.contextFile, result.context.toString());
  const shown = result.found ? pick(result.siblings, wanted) : [];
  if (format === 'json') printJson(io, describe(key, result, shown));
  else if (!result.found) io.err(`error: no value under ${JSON.stringify(key)}\n`);
  else if (format === 'table') printSiblings(io, result, shown);
  else return printRaw(io, key, shown);
  return result.found ? EXIT_DONE : EXIT_NOT_FOUND;
}

function pick(siblings: readonly Sibling<Uint8Array>[], wanted: number | undefined): readonly Sibling<Uint8Array>[] {
  if (wanted === undefined) return siblings;
  const one = siblings[wanted - 1];
  if (one === undefined)
    throw new UsageError(`--sibling: there is no version ${wanted}, the key has ${siblings.length}`);
  return [one];
}

function printRaw(io: Io, key: string, siblings: readonly Sibling<Uint8Array>[]): number {
  const [only, ...others] = siblings;
  if (only === undefined || others.length > 0) {
    const count = siblings.length;
    io.err(
      `error: ${JSON.stringify(key)} has ${count} versions that nobody has merged, and raw output shows one. ` +
        `Pick it with --sibling 1..${count}, or see all of them with -o json\n`,
    );
    return EXIT_CONFLICT;
  }
  io.out(only.value);
  if (io.stdoutIsTTY && only.value.at(-1) !== 0x0a) io.out('\n');
  return EXIT_DONE;
}

function printSiblings(io: Io, result: GetResult<Uint8Array>, siblings: readonly Sibling<Uint8Array>[]): void {
  const rows = siblings.map(({ value, writtenMs, expiresMs }, i) => [
    String(i + 1),
    preview(value),
    String(value.length),
    timeOf(writtenMs),
    timeOf(expiresMs) || 'never',
  ]);
  printTable(io, ['#', 'value', 'bytes', 'written', 'expires'], rows);
  io.out(`context ${result.context.toString()}\n`);
  if (result.found && result.conflict) {
    io.out(
      `${result.siblings.length} versions that nobody has merged. To merge them: partita put KEY VALUE --context CONTEXT\n`,
    );
  }
}

function describe(key: string, result: GetResult<Uint8Array>, siblings: readonly Sibling<Uint8Array>[]): unknown {
  return {
    key,
    found: result.found,
    conflict: result.found && result.conflict,
    siblings: siblings.map(({ value, writtenMs, expiresMs }) => ({
      ...valueOf(value),
      bytes: value.length,
      written: timeOf(writtenMs),
      expires: timeOf(expiresMs) || null,
    })),
    context: result.context,
    meta: result.meta,
  };
}

/** JSON has no bytes: text where it is text, base64 where it is not. */
function valueOf(value: Uint8Array): { readonly value: string } | { readonly valueBase64: string } {
  const text = asText(value);
  return text === undefined ? { valueBase64: Buffer.from(value).toString('base64') } : { value: text };
}

async function writeContext(file: string, context: string): Promise<void> {
  try {
    await writeFile(file, `${context}\n`);
  } catch (error) {
    throw new UsageError(
      `--context-file: cannot write ${file}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
    );
  }
}
