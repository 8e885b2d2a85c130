/*
 * How evenly do the partitioning strategies of the Dynamo paper spread load, for the same size of what a node has to know?
 * Figure 8 of the paper as a table; placement-figure.ts says what is assumed. The same seed prints the same table.
 *
 *   node dist/bench/placement.js [--keys 100000] [--skew 0.5] [--trials 10] [--seed 1] [--nodes 30] [--replicas 3]
 */
import { parseArgs } from 'node:util';
import { FIGURE_8, type FigureOptions, printFigure } from './placement-figure.js';

const NAMES = ['nodes', 'replicas', 'keys', 'skew', 'trials', 'seed'] as const;

function optionsFrom(words: readonly string[]): FigureOptions {
  const { values } = parseArgs({
    args: [...words],
    options: Object.fromEntries(NAMES.map((name) => [name, { type: 'string' as const }])),
  });
  const numbers: Partial<Record<(typeof NAMES)[number], number>> = {};
  for (const name of NAMES) {
    const given = values[name];
    if (given === undefined) continue;
    const number = Number(given);
    const isRight = name === 'skew' ? number >= 0 && number <= 10 : Number.isSafeInteger(number) && number >= 1;
    if (!isRight)
      throw new Error(`--${name} ${String(given)}: not ${name === 'skew' ? '0..10' : 'a positive integer'}`);
    numbers[name] = number;
  }
  const options = { ...FIGURE_8, ...numbers };
  if (options.replicas > options.nodes) throw new Error(`${options.replicas} replicas on ${options.nodes} nodes`);
  return options;
}

try {
  printFigure(optionsFrom(process.argv.slice(2)), (line) => {
    console.log(line);
  });
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 2;
}
