/* The commands for keys by hand: to list them, take them out and in, and put right what applications left. */
import type { Command } from 'commander';
import type { Io } from './io.js';
import { addAdminOptions, addCommonOptions, addOutputOption } from './session.js';

export type Action = (
  name: string,
  run: (command: Command, args: readonly string[]) => Promise<number>,
) => (...args: unknown[]) => Promise<void>;

export interface Parts {
  readonly io: Io;
  readonly action: Action;
  /** A command's own options over those given before its name. */
  readonly merged: <T>(program: Command, command: unknown) => T;
}

function addSelection(command: Command): Command {
  return addAdminOptions(command)
    .option('--prefix <text>', 'only keys that begin so')
    .option('--prefix-base64 <base64>', 'the same for a prefix that is no text')
    .option('--partition <n>', 'only this partition')
    .option(
      '--first-owner',
      'only partitions of which the node is the first owner: asked of every node, each key comes once',
    )
    .option('--cursor <cursor>', 'go on where an earlier listing ended');
}

export function addKeyCommands(program: Command, parts: Parts): void {
  addListing(program, parts);
  addByHand(program, parts);
}

function addListing(program: Command, { io, action, merged }: Parts): void {
  addSelection(addOutputOption(program.command('keys')))
    .description('list the keys in the partitions that a node owns')
    .option('--all', 'also keys of which nothing is to be seen: deleted, expired')
    .option('--limit <n>', 'keys to list (default: 1000)')
    .option('--timeout <duration>', 'deadline of each page, 1ms to 60s (default: 5s)')
    .addHelpText('after', KEYS_HELP)
    .action(
      action('keys', async (command) => (await import('./commands/keys.js')).runKeys(io, merged(program, command))),
    );

  addSelection(addCommonOptions(program.command('export')))
    .description('write keys with their versions and contexts to standard output, one a line, as JSON')
    .addHelpText('after', EXPORT_HELP)
    .action(
      action('export', async (command) =>
        (await import('./commands/export.js')).runExport(io, merged(program, command)),
      ),
    );

  addCommonOptions(program.command('import'))
    .description('store what export has written, from standard input')
    .option('--file <file>', 'read this file instead')
    .option('--dry-run', 'read and compare, write nothing')
    .option('--force', 'write also what the store has replaced or deleted since the export')
    .addHelpText('after', IMPORT_HELP)
    .action(
      action('import', async (command) =>
        (await import('./commands/import.js')).runImport(io, merged(program, command)),
      ),
    );
}

function addByHand(program: Command, { io, action, merged }: Parts): void {
  addCommonOptions(program.command('resolve <key>'))
    .description('put one version in the place of several that nobody has merged')
    .option('--pick <n>', 'the n-th of them, as get shows them')
    .option('--value <value>', 'this value')
    .option('--file <file>', 'the value in this file')
    .option('--ttl <duration>', 'reads as deleted after this time (default: as the version that was picked)')
    .addHelpText('after', RESOLVE_HELP)
    .action(
      action('resolve', async (command, [key]) =>
        (await import('./commands/resolve.js')).runResolve(io, key ?? '', merged(program, command)),
      ),
    );
}

export function addRepairCommands(program: Command, { io, action, merged }: Parts): void {
  const repair = program.command('repair').description('compare what a node holds with what the other owners hold');
  for (const [verb, what] of [
    ['start', 'compare all partitions with all other owners now, and follow it'],
    ['status', 'show how far comparing is, and what it has moved'],
  ] as const) {
    addOutputOption(repair.command(verb))
      .description(what)
      .option('--admin <unix:/path>', "the node's admin socket (default: as its configuration says)")
      .option('-c, --config <file>', 'the configuration of the node (default: PARTITA_CONFIG)')
      .option('--timeout <duration>', 'deadline of each question, 1ms to 60s (default: 5s)')
      .option('--wait', 'go on until nothing is left to compare, and nothing is suspect')
      .addHelpText(
        'after',
        `\nAsks one node, on its own machine. Owners compare by themselves once a period (repair.period).\n\nExamples:\n  $ partita repair ${verb} --config /etc/partita/n1.toml\n  $ partita repair ${verb} --wait --admin unix:/run/partita/n1/admin.sock\n`,
      )
      .action(
        action(`repair ${verb}`, async (command) =>
          (await import('./commands/repair.js')).runRepair(io, verb, merged(program, command)),
        ),
      );
  }

  addCommonOptions(repair.command('key <key>', { isDefault: true }))
    .description('make all owners of a key hold the same, and show which did not (the default: partita repair <key>)')
    .addHelpText(
      'after',
      '\nExits 0 when all owners are equal, 4 when some could not be asked.\n\nExample:\n  $ partita repair cart:1\n',
    )
    .action(
      action('repair', async (command, [key]) =>
        (await import('./commands/repair-key.js')).runRepairKey(io, key ?? '', merged(program, command)),
      ),
    );
}

const EXPORT_HELP = `
Which keys there are is asked of one node, on its own machine; what is under each is read from the cluster. On every
node of a cluster, with --first-owner, it exports each key once.

Examples:
  $ partita export --config /etc/partita/n1.toml > all.ndjson
  $ partita export --admin unix:/run/partita/n1/admin.sock --prefix cart: | gzip > carts.ndjson.gz
`;

const IMPORT_HELP = `
Reads before it writes: what is there already is passed over, so a file may be imported again. What the store has
replaced or deleted since the export is left so. A line that is not understood is named and left out; then, or when a
key was refused, it exits 1.

Examples:
  $ partita import < all.ndjson
  $ partita import --file carts.ndjson --dry-run
`;

const RESOLVE_HELP = `
Examples:
  $ partita get cart:1 -o table
  $ partita resolve cart:1 --pick 2
  $ partita resolve cart:1 --value '{"items":["tea","milk"]}'
`;

const KEYS_HELP = `
Asks one node, on its own machine, for what it has: with N replicas a key is on N nodes.
A key that cannot be printed is shown as hex: and its bytes.

Examples:
  $ partita keys --config /etc/partita/n1.toml --prefix cart:
  $ partita keys --admin unix:/run/partita/n1/admin.sock --partition 17 --all -o json
`;
