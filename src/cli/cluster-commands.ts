/* The commands for clusters: to make one, to see how its members stand, and to change who they are. */
import type { Command } from 'commander';
import type { Parts } from './key-commands.js';
import { addAdminOptions, addCommonOptions, addOutputOption } from './session.js';

export function addClusterCommands(program: Command, parts: Parts): void {
  const cluster = program.command('cluster').description('make a cluster of several nodes, and change its members');
  addInit(cluster, program, parts);
  addViews(cluster, program, parts);
  addEdits(cluster, program, parts);
  addDecisions(cluster, program, parts);
  addRing(program, parts);
}

function addInit(cluster: Command, program: Command, { io, action, merged }: Parts): void {
  addOutputOption(cluster.command('init'))
    .description('make the first ring of a cluster from a list of nodes, and write it to a file for them')
    .option(
      '--node <name=host:port>',
      'a node, by the address that clients dial; repeat it for each. After commas: peer=HOST:PORT (default: the port after), zone=NAME, capacity=N (default: 1)',
      (word: string, before: readonly string[] | undefined) => [...(before ?? []), word],
    )
    .option('--cluster <name>', 'the name of the cluster (default: partita)')
    .option('--replicas <n>', 'N: how many nodes have each key (default: 3)')
    .option('--partitions <q>', 'Q: a power of two, fixed for ever (default: 256)')
    .option('--out <file>', 'where the ring is written; never over a file that is there (default: ring-1.json)')
    .option(
      '--secret <file>',
      'where the secret of the nodes is written, likewise (default: cluster.secret beside the ring; none for one node)',
    )
    .option('--no-secret', 'write none: the nodes have one already')
    .addHelpText('after', INIT_EXAMPLES)
    .action(
      action('cluster init', async (command) =>
        (await import('./commands/cluster-init.js')).runClusterInit(io, merged(program, command)),
      ),
    );
}

function addAsking(command: Command): Command {
  return addAdminOptions(addOutputOption(command)).option(
    '--timeout <duration>',
    'deadline of each question, 1ms to 60s (default: 5s)',
  );
}

function addViews(cluster: Command, program: Command, { io, action, merged }: Parts): void {
  addAsking(cluster.command('status'))
    .description('show the members of the ring, what moves between them, and whether all is well')
    .option('--wait', 'go on until all is well')
    .addHelpText(
      'after',
      '\nAsks one node, on its own machine, and shows the cluster as that node sees it.\n\nExample:\n  $ partita cluster status --config /etc/partita/n1.toml\n',
    )
    .action(
      action('cluster status', async (command) =>
        (await import('./commands/cluster-status.js')).runClusterStatus(io, merged(program, command)),
      ),
    );
  addAsking(cluster.command('history'))
    .description('show the last ring versions that a node has seen, when they were made, and what changed')
    .action(
      action('cluster history', async (command) =>
        (await import('./commands/cluster-history.js')).runClusterHistory(io, merged(program, command)),
      ),
    );
  addAsking(cluster.command('voters'))
    .description('name the voters anew, by force, when too few are left that remember what they voted for')
    .option('--lost <nodes>', 'voters that will never be back, with commas')
    .option('--force', 'yes, without a majority')
    .action(
      action('cluster voters', async (command) =>
        (await import('./commands/cluster-voters.js')).runClusterVoters(io, merged(program, command)),
      ),
    );
  addAsking(program.command('transfers'))
    .description('show the replicas that a node takes over or gives up, and how far each is')
    .addHelpText('after', '\nExample:\n  $ partita transfers --config /etc/partita/n4.toml\n')
    .action(
      action('transfers', async (command) =>
        (await import('./commands/transfers.js')).runTransfers(io, merged(program, command)),
      ),
    );
}

function addEdits(cluster: Command, program: Command, { io, action, merged }: Parts): void {
  addAsking(cluster.command('join <node...>'))
    .description('stage that new nodes join: NAME=HOST:PORT, then as for cluster init')
    .addHelpText('after', STAGING)
    .action(
      action('cluster join', async (command) =>
        (await import('./commands/cluster-stage.js')).runClusterJoin(io, command.args, merged(program, command)),
      ),
    );
  for (const [verb, what] of [
    ['leave', 'stage that nodes hand over what they hold, and then leave the ring'],
    ['stay', 'stage that nodes stay which were told to leave'],
  ] as const)
    addAsking(cluster.command(`${verb} <node...>`))
      .description(what)
      .addHelpText('after', STAGING)
      .action(
        action(`cluster ${verb}`, async (command) =>
          (await import('./commands/cluster-stage.js')).runClusterLeave(
            io,
            verb,
            command.args,
            merged(program, command),
          ),
        ),
      );
  addAsking(cluster.command('remove <node...>'))
    .description('stage that nodes are removed which are lost for good: what only they had is lost')
    .option('--force', 'yes, without their handing anything over')
    .addHelpText('after', STAGING)
    .action(
      action('cluster remove', async (command) =>
        (await import('./commands/cluster-stage.js')).runClusterRemove(io, command.args, merged(program, command)),
      ),
    );
  addAsking(cluster.command('replace <old> <new>'))
    .description('stage that a new node joins, in the zone of the old one unless said, and the old one leaves')
    .option('--force', 'the old one is lost for good: it is removed, and hands nothing over')
    .addHelpText('after', STAGING)
    .action(
      action('cluster replace', async (command, [old, word]) =>
        (await import('./commands/cluster-stage.js')).runClusterReplace(
          io,
          old ?? '',
          word ?? '',
          merged(program, command),
        ),
      ),
    );
  addAsking(cluster.command('set <node>'))
    .description('stage another zone, capacity or address of a node')
    .option('--zone <name>', 'what fails together with it; empty: none')
    .option('--capacity <n>', 'its weight')
    .option('--address <host:port>', 'where clients reach it')
    .option('--peer-address <host:port>', 'where the other nodes reach it')
    .addHelpText('after', STAGING)
    .action(
      action('cluster set', async (command, [node]) =>
        (await import('./commands/cluster-stage.js')).runClusterSet(io, node ?? '', merged(program, command)),
      ),
    );
}

function addDecisions(cluster: Command, program: Command, { io, action, merged }: Parts): void {
  addAsking(cluster.command('plan'))
    .description('show what the ring would be with what is staged, what moves, and what to think of first')
    .action(
      action('cluster plan', async (command) =>
        (await import('./commands/cluster-plan.js')).runClusterPlan(io, merged(program, command)),
      ),
    );
  addAdminOptions(addOutputOption(cluster.command('commit')))
    .description('have the voters decide on what was planned')
    .option('--version <v>', 'the ring version that was planned')
    .option('--plan <hash>', 'the plan that was looked at (default: the last one that the node made)')
    .option('--now', 'plan and commit in one: while replicas move, a plan is stale at once')
    .option('--out <file>', 'where the ring is written for nodes that join (default: ring-V.json)')
    .option('--secret <file>', "the cluster's secret, as the command for a new node names it (default: cluster.secret)")
    .option('--timeout <duration>', 'deadline of the command, 1ms to 60s (default: 20s)')
    .addHelpText('after', COMMIT_HELP)
    .action(
      action('cluster commit', async (command) =>
        (await import('./commands/cluster-commit.js')).runClusterCommit(io, merged(program, command)),
      ),
    );
  addAdminOptions(addOutputOption(cluster.command('finalize')))
    .description('end an upgrade: turn on what all members understand by now; no older release can be used after it')
    .option('--timeout <duration>', 'deadline of the command, 1ms to 60s (default: 20s)')
    .addHelpText('after', FINALIZE_HELP)
    .action(
      action('cluster finalize', async (command) =>
        (await import('./commands/cluster-finalize.js')).runClusterFinalize(io, merged(program, command)),
      ),
    );
  addAsking(cluster.command('clear'))
    .description('forget what is staged on a node')
    .action(
      action('cluster clear', async (command) =>
        (await import('./commands/cluster-stage.js')).runClusterClear(io, merged(program, command)),
      ),
    );
  addAsking(cluster.command('ring-file'))
    .description('write the ring in force to a file, for a node that is started with an empty directory')
    .option('--out <file>', 'where; never over a file that is there (default: ring-V.json)')
    .action(
      action('cluster ring-file', async (command) =>
        (await import('./commands/cluster-commit.js')).runRingFile(io, merged(program, command)),
      ),
    );
}

function addRing(program: Command, { io, action, merged }: Parts): void {
  const ring = program.command('ring').description('who the members are and what each holds');
  addCommonOptions(ring.command('show [file]'))
    .description('show a ring file, or the ring of the cluster')
    .addHelpText('after', '\nExamples:\n  $ partita ring show ring-1.json\n  $ partita ring show -s 10.0.0.1:7700\n')
    .action(
      action('ring show', async (command, [file]) =>
        (await import('./commands/ring-show.js')).runRingShow(io, file, merged(program, command)),
      ),
    );
}

const STAGING = `
Nothing happens yet: edits are collected on the node that is asked, until partita cluster plan and commit, or clear.
A node that is there is named by its number, an address, or the first digits of its id (partita cluster status).

Examples:
  $ partita cluster join d=10.0.0.4:7700,zone=rack2,capacity=2
  $ partita cluster leave 2
  $ partita cluster replace 3 e=10.0.0.5:7700
  $ partita cluster remove 3 --force
  $ partita cluster set 1 --zone rack1 --address 10.0.1.1:7700
`;

const COMMIT_HELP = `
Refused if the ring has changed since the plan, or if the plan is another one: plan again, and look at it.
Exit codes: 0 decided, 1 refused or somebody else was first, 4 too few voters.

Examples:
  $ partita cluster commit --version 7 --plan 0123456789abcdef --out ring-7.json
  $ partita cluster stay 4 && partita cluster commit --now
`;

const FINALIZE_HELP = `
Until then each node can be taken back to the release before. Refused while a member cannot be reached, or does not
understand what is to be turned on; partita cluster status says which, and whether there is anything to finalize.
Exit codes: 0 decided, 1 refused or somebody else was first, 4 too few voters.

Example:
  $ partita cluster finalize --config /etc/partita/n1.toml
`;

const INIT_EXAMPLES = `
Examples:
  $ partita cluster init --cluster shop \\
      --node a=10.0.0.1:7700,zone=rack1 --node b=10.0.0.2:7700,zone=rack2 \\
      --node c=10.0.0.3:7700,zone=rack3 --node d=10.0.0.4:7700,zone=rack1,capacity=2
  $ partita cluster init --replicas 1 --node one=127.0.0.1:7700,peer=127.0.0.1:7701
`;
