/* partita config show: the daemon's configuration as it would take effect, without starting anything. */
import { ConfigError, loadConfig } from '../../daemon/config.js';
import type { LoadedConfig } from '../../daemon/config.js';
import { configRows } from '../../daemon/config-show.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { UsageError } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';
import type { CommonOptions } from '../session.js';

export interface ConfigShowOptions extends Pick<CommonOptions, 'output'> {
  readonly config?: string;
  readonly origin?: boolean;
}

export function runConfigShow(io: Io, options: ConfigShowOptions): number {
  const file = options.config ?? io.env['PARTITA_CONFIG'];
  let loaded: LoadedConfig;
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
  else
    printJson(
      io,
      Object.fromEntries(rows.map(({ path, value, origin }) => [path, withOrigin ? { value, origin } : value])),
    );
  return EXIT_DONE;
}
