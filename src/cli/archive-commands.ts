/* The commands for archives: to make, verify, list and throw them away, and to bring back what is in them. */
import type { Command } from 'commander';
import type { Parts } from './key-commands.js';
import { addAdminOptions, addCommonOptions, addOutputOption } from './session.js';

const TIMEOUT = ['--timeout <duration>', 'deadline of each question, 1ms to 60s (default: 5s)'] as const;

export function addArchiveCommands(program: Command, parts: Parts): void {
  const archive = program.command('archive').description('copies of all partitions, in a folder, for the worst case');
  addCreate(archive, program, parts);
  addReading(archive, program, parts);
  addRestore(program, parts);
}

function addCreate(archive: Command, program: Command, { io, action, merged }: Parts): void {
  addAdminOptions(addOutputOption(archive.command('create <target>')))
    .description('take every partition once, from one of its owners, into a folder; the cluster serves meanwhile')
    .option('--partitions <list>', 'only these: 0-15,77')
    .option(
      '--since <archive>',
      'what has not changed since that archive is referred to; latest: the newest complete one',
    )
    .option('--resume', 'go on with the newest archive, which was broken off')
    .option('--patience <duration>', 'how long owners that can be reached are waited for (default: 30s)')
    .option(...TIMEOUT)
    .addHelpText('after', CREATE_HELP)
    .action(
      action('archive create', async (command, [target]) =>
        (await import('./commands/archive-create.js')).runArchiveCreate(io, target ?? '', merged(program, command)),
      ),
    );
}

function addReading(archive: Command, program: Command, { io, action, merged }: Parts): void {
  addOutputOption(archive.command('verify <target>'))
    .description('read archives back, without a cluster: every checksum, record, count and root')
    .option('--archive <name>', 'only this one (default: all in the folder)')
    .addHelpText(
      'after',
      '\nExits 0 when all is well, 1 when something is damaged or incomplete.\n\nExample:\n  $ partita archive verify /backup/partita\n',
    )
    .action(
      action('archive verify', async (command, [target]) =>
        (await import('./commands/archive-verify.js')).runArchiveVerify(io, target ?? '', merged(program, command)),
      ),
    );
  addOutputOption(archive.command('list <target>'))
    .description('show which archives are in a folder')
    .action(
      action('archive list', async (command, [target]) =>
        (await import('./commands/archive-list.js')).runArchiveList(io, target ?? '', merged(program, command)),
      ),
    );
  addOutputOption(archive.command('prune <target>'))
    .description('throw away old archives, but none whose files a newer one refers to')
    .option('--keep <n>', 'so many complete archives stay, the newest')
    .option('--dry-run', 'only say what would go')
    .addHelpText('after', '\nExample:\n  $ partita archive prune /backup/partita --keep 14\n')
    .action(
      action('archive prune', async (command, [target]) =>
        (await import('./commands/archive-prune.js')).runArchivePrune(io, target ?? '', merged(program, command)),
      ),
    );
}

function addRestore(program: Command, { io, action, merged }: Parts): void {
  addAdminOptions(addCommonOptions(program.command('restore <target>')))
    .description('merge what an archive holds into a cluster of any size, and prove that it is there')
    .option('--archive <name>', 'this one (default: the newest complete one)')
    .option('--partitions <list>', 'only these of the archive: 0-15,77')
    .option('--prefix <text>', 'only keys that begin so')
    .option('--key <key>', 'only this key')
    .option('--undelete', 'with --key: put its archived value anew, over its delete')
    .option('--sibling <n>', 'with --undelete: of several versions, the n-th')
    .option('--may-resurrect', 'also from an archive that is older than what is remembered of deletes')
    .option('--patience <duration>', 'how long owners that cannot be asked are waited for (default: 30s)')
    .addHelpText('after', RESTORE_HELP)
    .action(
      action('restore', async (command, [target]) =>
        (await import('./commands/restore.js')).runRestore(io, target ?? '', merged(program, command)),
      ),
    );
}

const RESTORE_HELP = `
Asks one node, on its own machine, which asks the others. What the cluster has deleted since stays deleted, what it has
written since stays; to restore twice, or to go on after an interruption, changes nothing twice. --undelete asks the
cluster as put does, by --server.
Exits 0 when every owner has every record, 4 when some owners could not be reached.

Examples:
  $ partita restore /backup/partita --config /etc/partita/n1.toml
  $ partita restore /backup/partita --prefix cart: --admin unix:/run/partita/n1/admin.sock
  $ partita restore /backup/partita --key cart:1 --undelete
`;

const CREATE_HELP = `
Asks one node, on its own machine, which asks the others; the folder is one that this command can write to. What cannot be
reached is named, and a partition of which no majority of the owners was there is marked as not complete: then it exits 4.

Examples:
  $ partita archive create /backup/partita --config /etc/partita/n1.toml
  $ partita archive create /backup/partita --since latest --admin unix:/run/partita/n1/admin.sock
`;
