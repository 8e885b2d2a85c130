/*
 * partitad: flags in, configuration out, and then the daemon. Every setting is a flag; the list comes from the schema.
 * What needs the engine is imported only once the configuration has been found good, so `--check` and `--help` are quick.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError, Option } from 'commander';
import { ConfigError, loadConfig } from '../daemon/config.js';
import type { ConfigSources, LoadedConfig } from '../daemon/config.js';
import { configRows } from '../daemon/config-show.js';
import { EXIT_STOPPED, EXIT_USAGE } from '../daemon/exit-codes.js';
import { SETTING_LIST } from '../daemon/config-schema.js';
import type { InitFrom } from '../daemon/running-node.js';

interface CommandLine {
  readonly init: boolean;
  readonly initFrom: InitFrom | undefined;
  readonly check: boolean;
  readonly acceptLoss: boolean;
  readonly file: string | undefined;
  readonly flags: ConfigSources['flags'];
}

/** Runs partitad to its end; answers the exit code. */
export async function partitad(argv: readonly string[]): Promise<number> {
  let line: CommandLine;
  let loaded: LoadedConfig;
  const load = (one: CommandLine): LoadedConfig =>
    loadConfig({ flags: one.flags, env: process.env, ...(one.file === undefined ? {} : { file: one.file }) });
  try {
    line = parseCommandLine(argv);
    loaded = load(line);
  } catch (error) {
    return refuse(error);
  }
  if (line.check) return showConfig(loaded);
  const { runDaemon } = await import('../daemon/main.js');
  const { startNode } = await import('../daemon/daemon.js');
  const { init, initFrom, acceptLoss } = line;
  const reload = (): LoadedConfig => load(line);
  return runDaemon({ loaded, reload, init, ...(initFrom === undefined ? {} : { initFrom }), acceptLoss, startNode });
}

function refuse(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_STOPPED : EXIT_USAGE; // commander has said why
  if (!(error instanceof ConfigError)) throw error;
  for (const fault of error.faults) process.stderr.write(`error: ${fault}\n`);
  process.stderr.write('Nothing was started. Try: partitad --check --config FILE\n');
  return EXIT_USAGE;
}

function parseCommandLine(argv: readonly string[]): CommandLine {
  const command = new Command('partitad')
    .description('The daemon of Partita, an always-writeable key-value store')
    .version(version())
    .option('-c, --config <file>', 'TOML file with settings (flag > PARTITA_* > file > default); or PARTITA_CONFIG')
    .option('--init', 'make a new cluster of one node in an empty data directory')
    .addOption(
      new Option(
        '--init-from <ring-file>',
        'make an empty data directory that of a member of this ring, which partita cluster init has made',
      ).conflicts('init'),
    )
    .option('--node <name>', 'with --init-from: which member of the ring')
    .option('--check', 'check the configuration, print it with the origin of each value, and exit')
    .option('--accept-loss', 'start although acknowledged writes in the log are damaged; what is lost is logged')
    .allowExcessArguments(false)
    .exitOverride();
  for (const { flag, about, fallback, isSwitch } of SETTING_LIST) {
    command.addOption(
      new Option(isSwitch ? `--${flag}` : `--${flag} <value>`, `${about} (default ${JSON.stringify(fallback)})`),
    );
  }
  command.parse([...argv], { from: 'user' });
  const options = command.opts<Record<string, string | boolean | undefined>>();
  const flags = Object.fromEntries(SETTING_LIST.map(({ flag }) => [flag, options[camel(flag)]]));
  const file = options['config'] ?? process.env['PARTITA_CONFIG'];
  return {
    init: options['init'] === true,
    initFrom: initFromOf(command, options['initFrom'], options['node']),
    check: options['check'] === true,
    acceptLoss: options['acceptLoss'] === true,
    file: typeof file === 'string' ? file : undefined,
    flags,
  };
}

function initFromOf(command: Command, file: unknown, node: unknown): InitFrom | undefined {
  if (typeof file === 'string' && typeof node === 'string') return { file, node };
  if (typeof file === 'string') return command.error('error: --init-from needs --node NAME: which member this node is');
  if (node !== undefined)
    return command.error('error: --node says which member of the ring in --init-from this node is');
  return undefined;
}

/** The name that commander gives to an option. */
function camel(flag: string): string {
  return flag.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function showConfig(loaded: LoadedConfig): number {
  const rows = configRows(loaded);
  const width = (of: (row: (typeof rows)[number]) => string): number => Math.max(...rows.map((row) => of(row).length));
  const [paths, values] = [width((row) => row.path), width((row) => row.value)];
  for (const text of loaded.warnings) process.stderr.write(`warning: ${text}\n`);
  for (const { path, value, origin } of rows) {
    process.stdout.write(`${path.padEnd(paths)}  ${value.padEnd(values)}  ${origin}\n`);
  }
  return EXIT_STOPPED;
}

function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
