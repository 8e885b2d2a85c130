/* partita resolve: one version instead of several that nobody has merged. */
import type { Sibling } from '../../client/index.js';
import { parseDurationMs, parseWhole } from '../durations.js';
import { EXIT_CONFLICT, EXIT_DONE, EXIT_NOT_FOUND } from '../exit-codes.js';
import { UsageError } from '../io.js';
import type { Io } from '../io.js';
import { counted, formatOf, printJson } from '../output.js';
import { readNamed, withClient } from '../session.js';
import type { CommonOptions } from '../session.js';

export interface ResolveOptions extends CommonOptions {
  readonly pick?: string;
  readonly value?: string;
  readonly file?: string;
  readonly ttl?: string;
}

/** What is to stand: a version by its number, as get shows them, or bytes. */
type Choice = { readonly pick: number } | { readonly value: Uint8Array };

export async function runResolve(io: Io, key: string, options: ResolveOptions): Promise<number> {
  const choice = await choiceOf(options);
  const ttlMs = options.ttl === undefined ? undefined : parseDurationMs(options.ttl, '--ttl');
  return withClient(io, options, async (client) => {
    const result = await client.get(key);
    if (!result.found) {
      io.err(`error: no value under ${JSON.stringify(key)}, so there is nothing to resolve\n`);
      return EXIT_NOT_FOUND;
    }
    const count = result.siblings.length;
    const chosen = chosenOf(choice, result.siblings);
    if (count === 1 && 'pick' in choice) {
      report(io, options, { key, resolved: 0, siblingCount: 1 }, 'one version, nothing to resolve');
      return EXIT_DONE;
    }
    const left = chosen.expiresMs === 0 ? undefined : Math.max(1, chosen.expiresMs - Date.now());
    const { siblingCount } = await client.put(key, chosen.value, { context: result.context, ttlMs: ttlMs ?? left });
    const before = counted(count, 'version');
    report(
      io,
      options,
      { key, resolved: count, siblingCount },
      `${before} replaced by one of ${chosen.value.length} bytes`,
    );
    if (siblingCount <= 1) return EXIT_DONE;
    io.err(
      `note: somebody wrote meanwhile: ${JSON.stringify(key)} has ${siblingCount} versions; look again and repeat\n`,
    );
    return EXIT_CONFLICT;
  });
}

async function choiceOf({ pick, value, file }: ResolveOptions): Promise<Choice> {
  const given = [pick, value, file].filter((each) => each !== undefined).length;
  if (given !== 1) throw new UsageError('what shall stand? Give one of --pick N, --value VALUE and --file FILE');
  if (pick !== undefined) return { pick: parseWhole(pick, '--pick', 1, 100_000) };
  return { value: value === undefined ? await readNamed(file ?? '', '--file') : Buffer.from(value, 'utf8') };
}

function chosenOf(
  choice: Choice,
  siblings: readonly Sibling<Uint8Array>[],
): Pick<Sibling<Uint8Array>, 'value' | 'expiresMs'> {
  if ('value' in choice) return { value: choice.value, expiresMs: 0 };
  const sibling = siblings[choice.pick - 1];
  if (sibling === undefined)
    throw new UsageError(`--pick: there is no version ${choice.pick}, the key has ${siblings.length}`);
  return sibling;
}

function report(io: Io, options: CommonOptions, facts: Readonly<Record<string, unknown>>, text: string): void {
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, facts);
  else if (format === 'table') io.out(`${text}\n`);
}
