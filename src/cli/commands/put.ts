/* put and delete: one is the other without a value. */
import type { PutResult, WriteOptions } from '../../client/index.js';
import { VALUE_BYTES_HARD_MAX } from '../../model/limits.js';
import { parseDurationMs, parseWhole } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { UsageError } from '../io.js';
import { formatOf, printJson } from '../output.js';
import { contextOf, readNamed, withClient } from '../session.js';
import type { CommonOptions, ContextOptions } from '../session.js';

export interface DeleteOptions extends CommonOptions, ContextOptions {
  readonly w?: string;
  readonly durable?: boolean;
}

export interface PutOptions extends DeleteOptions {
  readonly file?: string;
  readonly ttl?: string;
}

export async function runPut(io: Io, key: string, value: string | undefined, options: PutOptions): Promise<number> {
  const ttlMs = options.ttl === undefined ? undefined : parseDurationMs(options.ttl, '--ttl');
  const write = { ...(await writeOptions(options)), ttlMs };
  const bytes = await valueOf(io, value, options.file);
  const result = await withClient(io, options, (client) => client.put(key, bytes, write));
  return report(io, key, 'stored', result, options);
}

export async function runDelete(io: Io, key: string, options: DeleteOptions): Promise<number> {
  const write = await writeOptions(options);
  const result = await withClient(io, options, async (client) => {
    if (write.context !== undefined) return client.delete(key, write);
    // Without a context a delete replaces nothing. Who says `partita delete KEY` means what is there now.
    const { context } = await client.get(key);
    return client.delete(key, { ...write, context });
  });
  return report(io, key, 'deleted', result, options);
}

async function writeOptions(options: DeleteOptions): Promise<WriteOptions> {
  return {
    context: await contextOf(options),
    w: options.w === undefined ? undefined : parseWhole(options.w, '--w', 1, 255),
    durable: options.durable,
  };
}

function report(io: Io, key: string, what: 'stored' | 'deleted', result: PutResult, options: CommonOptions): number {
  const { siblingCount, context, meta } = result;
  const format = formatOf(io, options.output);
  if (format === 'json') {
    printJson(io, { key, [what]: true, siblingCount, context: context ?? null, meta });
    return EXIT_DONE;
  }
  if (format === 'table') {
    const durable = meta.durable ? 'synced' : 'buffered';
    io.out(`${what}, acked by ${meta.acked} (${durable}) in ${meta.durationMs.toFixed(1)} ms\n`);
    if (context !== undefined) io.out(`context ${context.toString()}\n`);
  }
  const others = what === 'stored' ? siblingCount > 1 : siblingCount > 0;
  if (others) {
    io.err(
      `note: ${JSON.stringify(key)} now has ${siblingCount} version${siblingCount === 1 ? '' : 's'} that nobody has merged. See them: partita get KEY -o json\n`,
    );
  }
  return EXIT_DONE;
}

async function valueOf(io: Io, value: string | undefined, file: string | undefined): Promise<Uint8Array> {
  if (file !== undefined) {
    if (value !== undefined) throw new UsageError('VALUE and --file: give one of them');
    return checked(await readNamed(file, '--file'));
  }
  if (value !== undefined && value !== '-') return Buffer.from(value, 'utf8');
  if (value === undefined && io.stdinIsTTY)
    throw new UsageError('no value: give VALUE, - to read standard input, or --file FILE');
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of io.stdin) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > VALUE_BYTES_HARD_MAX) break;
  }
  return checked(Buffer.concat(chunks));
}

function checked(bytes: Uint8Array): Uint8Array {
  if (bytes.length <= VALUE_BYTES_HARD_MAX) return bytes;
  throw new UsageError(
    `the value is larger than the ${VALUE_BYTES_HARD_MAX / 1_048_576} MiB that any node accepts; cut it up`,
  );
}
