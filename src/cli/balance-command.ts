/* partita balance, as commander knows it. */
import type { Command } from 'commander';
import type { Parts } from './key-commands.js';
import { addAdminOptions, addOutputOption } from './session.js';

export function addBalanceCommand(program: Command, { io, action, merged }: Parts): void {
  addAdminOptions(addOutputOption(program.command('balance')))
    .description(
      'show how even the load of the nodes is, what keeps it from being more even, and which keys are popular',
    )
    .option('--since <duration>', 'look back so far, in half hours that are begun: 1m to 24h (default: 30m)')
    .option('--keys <n>', 'name at most so many popular keys (default: 10)')
    .option(
      '--what-if <change>',
      'what another ring would make of this load: join[,capacity=N][,zone=NAME] and leave=NODE, which can be repeated, or q=PARTITIONS',
      (word: string, before: readonly string[] | undefined) => [...(before ?? []), word],
    )
    .option('--svg <file>', 'draw it, too: load by node, partition and time; an older drawing is replaced')
    .option('--timeout <duration>', 'deadline of the command, 1ms to 60s (default: 5s)')
    .addHelpText('after', HELP)
    .action(
      action('balance', async (command) =>
        (await import('./commands/balance.js')).runBalance(io, merged(program, command)),
      ),
    );
}

const HELP = `
Asks one node, on its own machine, which asks all others; a node that does not tell is named. Nodes count in half hours by
the wall clock, for a day, in memory: a node that was started again has forgotten.

Examples:
  $ partita balance --config /etc/partita/n1.toml
  $ partita balance --since 24h --svg balance.svg
  $ partita balance --what-if join --what-if leave=3
  $ partita balance --what-if q=1024 -o json
`;
