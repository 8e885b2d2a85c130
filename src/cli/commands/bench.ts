/* partita bench: the load generator of bench/, with options of its own. */
import { Command } from 'commander';
import { registerBench } from '../../../bench/load/command.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';

export async function runBench(io: Io, args: readonly string[]): Promise<number> {
  const command = new Command('partita bench').exitOverride().configureOutput({
    writeOut: (text) => {
      io.out(text);
    },
    writeErr: (text) => {
      io.err(text);
    },
  });
  registerBench(command);
  await command.parseAsync([...args], { from: 'user' });
  return typeof process.exitCode === 'number' ? process.exitCode : EXIT_DONE;
}
