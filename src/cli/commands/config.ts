/* partita config show: the daemon's configuration as it would take effect, without starting anything. */
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { UsageError } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';
import type { CommonOptions } from '../session.js';

export interface ConfigShowOptions extends Pick<CommonOptions, 'output'> {
  readonly config?: string;
  readonly origin?: boolean;
}

interface Loaded {
  readonly warnings: readonly string[];
}

/** The parts of daemon/ that we use. */
interface ConfigModule {
  loadConfig(sources: { flags: object; env: Io['env']; file?: string }): Loaded;
  readonly ConfigError: new (...args: never[]) => Error & { readonly faults: readonly string[] };
}

interface ConfigShowModule {
  configRows(loaded: Loaded): readonly { readonly path: string; readonly value: string; readonly origin: string }[];
}

const CONFIG: string = '../../daemon/config.js';
const CONFIG_SHOW: string = '../../daemon/config-show.js';

export async function runConfigShow(io: Io, options: ConfigShowOptions): Promise<number> {
  const { loadConfig, ConfigError } = (await import(CONFIG)) as ConfigModule;
  const { configRows } = (await import(CONFIG_SHOW)) as ConfigShowModule;
  const file = options.config ?? io.env['PARTITA_CONFIG'];
  let loaded: Loaded;
  try {
    loaded = loadConfig({ flags: {}, env: io.env, ...(file === undefined ? {} : { file }) });
  } catch (error) {
    if (error instanceof ConfigError) throw new UsageError(error.faults.join('\nerror: '));
    throw error;
  }
  for (const warning of loaded.warnings) io.err(`warning: ${warning}\n`);
  const withOrigin = options.origin === true;
  const rows = configRows(loaded);
  const cells = rows.map(({ path, value, origin }) => (withOrigin ? [path, value, origin] : [path, value]));
  const format = formatOf(io, options.output);
  if (format === 'table') printTable(io, withOrigin ? ['setting', 'value', 'from'] : ['setting', 'value'], cells);
  else if (format === 'raw') printLines(io, cells);
  else printJson(io, Object.fromEntries(rows.map(({ path, value, origin }) => [path, withOrigin ? { value, origin } : value])));
  return EXIT_DONE;
}
