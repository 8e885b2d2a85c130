/*
 * partita: the command line. Each command is loaded when it is called, so that `partita get` reads neither the storage
 * engine nor the load generator.
 */
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EXIT_DONE, EXIT_USAGE, describeError, exitCodeOf } from './exit-codes.js';
import { processIo } from './io.js';
import type { Io } from './io.js';
import { addArchiveCommands } from './archive-commands.js';
import { addClusterCommands } from './cluster-commands.js';
import { addBalanceCommand } from './balance-command.js';
import { addKeyCommands, addRepairCommands } from './key-commands.js';
import type { Action } from './key-commands.js';
import { addAdminOptions, addCommonOptions, addOutputOption } from './session.js';

/** Runs a command to its end; answers the exit code. */
export async function partita(argv: readonly string[], io: Io = processIo()): Promise<number> {
  let exitCode = EXIT_DONE;
  let what = 'partita';
  const program = build(io, (name, run) => async (...args: unknown[]): Promise<void> => {
    what = name;
    exitCode = await run(args.at(-1) as Command, args as string[]);
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_DONE : EXIT_USAGE; // commander has said why
    io.err(`${describeError(error, what)}\n`);
    return exitCodeOf(error);
  }
}

function build(io: Io, action: Action): Command {
  const program = new Command('partita')
    .description('Talk to Partita, an always-writeable key-value store')
    .version(version(), '-V, --version')
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        io.out(text);
      },
      writeErr: (text) => {
        io.err(text);
      },
    })
    .addHelpText('after', EXAMPLES);
  addCommonOptions(program);
  addDataCommands(program, io, action);
  addDiagnosticCommands(program, io, action);
  addBalanceCommand(program, { io, action, merged });
  addKeyCommands(program, { io, action, merged });
  addClusterCommands(program, { io, action, merged });
  addArchiveCommands(program, { io, action, merged });
  return program;
}

function addDataCommands(program: Command, io: Io, action: Action): void {
  addCommonOptions(program.command('get <key>'))
    .description('print what is stored under a key')
    .option('--context-file <file>', 'write the context there, for put or delete')
    .option('--sibling <n>', 'of several versions, the n-th')
    .option('--r <n>', 'replicas to hear (default: the cluster’s)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ partita get cart:1\n  $ partita get photo > photo.jpg\n  $ partita get cart:1 -o json --context-file ctx\n',
    )
    .action(
      action('get', async (command, [key]) =>
        (await import('./commands/get.js')).runGet(io, key ?? '', merged(program, command)),
      ),
    );

  addWriteOptions(addCommonOptions(program.command('put <key> [value]')))
    .description('store a value: VALUE, standard input (-, or nothing), or a file')
    .option('--file <file>', 'the value is in this file')
    .option('--ttl <duration>', 'reads as deleted after this time: 90s, 1h, 7d')
    .addHelpText(
      'after',
      '\nExamples:\n  $ partita put greeting hello\n  $ partita put photo --file photo.jpg\n  $ gzip -c log | partita put log.gz -\n  $ partita put cart:1 \'{"items":[]}\' --context-file ctx\n',
    )
    .action(
      action('put', async (command, [key, value]) =>
        (await import('./commands/put.js')).runPut(io, key ?? '', value, merged(program, command)),
      ),
    );

  addWriteOptions(addCommonOptions(program.command('delete <key>')))
    .description('delete what the context has seen; without one, what is there now')
    .addHelpText('after', '\nExamples:\n  $ partita delete greeting\n  $ partita delete cart:1 --context-file ctx\n')
    .action(
      action('delete', async (command, [key]) =>
        (await import('./commands/put.js')).runDelete(io, key ?? '', merged(program, command)),
      ),
    );
}

function addWriteOptions(command: Command): Command {
  return command
    .option('--context <context>', 'what the new version replaces, as get printed it')
    .option('--context-file <file>', 'the same, from a file')
    .option('--durable', 'answer only when it is synced to disk')
    .option('--w <n>', 'replicas that must have it (default: the cluster’s)');
}

function addDiagnosticCommands(program: Command, io: Io, action: Action): void {
  addCommonOptions(program.command('explain <key>'))
    .description('show everything that a node has stored under a key but the values: versions, clocks, dots')
    .option('--node <address>', 'of which node, by address or id (default: the first owner that can be asked)')
    .action(
      action('explain', async (command, [key]) =>
        (await import('./commands/explain.js')).runExplain(io, key ?? '', merged(program, command)),
      ),
    );

  addCommonOptions(program.command('ping'))
    .description('ask every node for a sign, and how long it took')
    .action(
      action('ping', async (command) => (await import('./commands/ping.js')).runPing(io, merged(program, command))),
    );

  addAdminOptions(addOutputOption(program.command('hints')))
    .description('show what a node keeps for owners that it could not reach: how much, for whom, since when')
    .option('--timeout <duration>', 'deadline of the command, 1ms to 60s (default: 5s)')
    .addHelpText(
      'after',
      '\nAsks one node, on its own machine.\n\nExamples:\n  $ partita hints --config /etc/partita/n1.toml\n  $ partita hints --admin unix:/run/partita/n1/admin.sock -o json\n',
    )
    .action(
      action('hints', async (command) => (await import('./commands/hints.js')).runHints(io, merged(program, command))),
    );

  addBackgroundCommands(program, io, action);
  addRepairCommands(program, { io, action, merged });

  const config = program.command('config').description('the configuration of the daemon');
  addOutputOption(config.command('show'))
    .description('print the settings as they would take effect')
    .option('-c, --config <file>', 'TOML file (default: PARTITA_CONFIG)')
    .option('--origin', 'and where each comes from: flag, environment, file or default')
    .addHelpText('after', '\nExample:\n  $ partita config show --origin --config /etc/partita/n1.toml\n')
    .action(
      action('config show', async (command) =>
        (await import('./commands/config.js')).runConfigShow(io, merged(program, command)),
      ),
    );

  addOutputOption(program.command('check <directory>'))
    .description('verify the data directory of a node that is not running')
    .addHelpText(
      'after',
      '\nExits 0 when all is well, 1 when something is damaged.\n\nExample:\n  $ partita check /var/lib/partita/n1\n',
    )
    .action(
      action('check', async (command, [directory]) =>
        (await import('./commands/check.js')).runCheck(io, directory ?? '', merged(program, command)),
      ),
    );

  program
    .command('bench')
    .description('put load on a node and measure it; partita bench --help lists its options')
    .helpOption(false)
    .argument('[args...]')
    .passThroughOptions()
    .allowUnknownOption()
    .action(action('bench', async (command) => (await import('./commands/bench.js')).runBench(io, command.args)));
}

function addBackgroundCommands(program: Command, io: Io, action: Action): void {
  addAdminOptions(addOutputOption(program.command('background')))
    .option('--timeout <duration>', 'deadline of the command, 1ms to 60s (default: 5s)')
    .description('show what background work is given on a node, to whom, and why no more')
    .addHelpText('after', '\nExample:\n  $ partita background --config /etc/partita/n1.toml\n')
    .action(
      action('background', async (command) =>
        (await import('./commands/background.js')).runBackground(io, merged(program, command)),
      ),
    );

  const scrub = program.command('scrub').description('verify what a node stores, while it runs');
  addAdminOptions(addOutputOption(scrub.command('status')))
    .option('--timeout <duration>', 'deadline of the command, 1ms to 60s (default: 5s)')
    .description('show how far the scrub is, and what it has found')
    .action(
      action('scrub status', async (command) =>
        (await import('./commands/scrub.js')).runScrub(io, 'status', merged(program, command)),
      ),
    );
  addAdminOptions(addOutputOption(scrub.command('start')))
    .option('--timeout <duration>', 'deadline of the command, 1ms to 60s (default: 5s)')
    .description('read and verify all partitions of a node now, one after the other, as background work')
    .option('--partition <n>', 'this one only')
    .addHelpText('after', '\nExample:\n  $ partita scrub start --config /etc/partita/n1.toml --partition 17\n')
    .action(
      action('scrub start', async (command) =>
        (await import('./commands/scrub.js')).runScrub(io, 'start', merged(program, command)),
      ),
    );
}

/** A command's own options over those given before its name. */
function merged<T>(program: Command, command: unknown): T {
  const given = (from: Command): [string, unknown][] =>
    Object.entries(from.opts()).filter(([, value]) => value !== undefined);
  return Object.fromEntries([...given(program), ...given(command as Command)]) as T;
}

function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}

const EXAMPLES = `
Examples:
  $ partita put greeting hello
  $ partita get greeting
  $ partita --server 10.0.0.5:7700 get greeting -o json
  $ partita explain greeting
  $ partita ping

Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 no quorum or unreachable, 5 timeout, 6 several versions.
`;
