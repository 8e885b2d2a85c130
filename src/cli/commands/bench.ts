/* partita bench: the load generator of bench/, with options of its own; and the paper's figures about its rings. */
import { Command } from 'commander';
import { FIGURES, FIGURES_USAGE, runFigure } from '../../../bench/figure-command.js';
import { registerBench } from '../../../bench/load/command.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';

export async function runBench(io: Io, args: readonly string[]): Promise<number> {
  if (FIGURES.includes(args[0] ?? '')) {
    return runFigure(
      args,
      (line) => {
        io.out(`${line}\n`);
      },
      (line) => {
        io.err(`${line}\n`);
      },
    );
  }
  const command = new Command('partita bench').exitOverride().configureOutput({
    writeOut: (text) => {
      io.out(text);
    },
    writeErr: (text) => {
      io.err(text);
    },
  });
  registerBench(command);
  command.addHelpText(
    'after',
    `\nFigures of the paper, from the rings that Partita makes:\n  $ partita bench ${FIGURES_USAGE}\n`,
  );
  await command.parseAsync([...args], { from: 'user' });
  return typeof process.exitCode === 'number' ? process.exitCode : EXIT_DONE;
}
