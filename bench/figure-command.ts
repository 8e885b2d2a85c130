/*
 * Figures 6 and 8 of the paper from the ring that Partita really makes, as a table and a drawing; figure-6.ts and
 * placement-figure.ts say what is assumed. The same seed prints the same table.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { drawFigure6, FIGURE_6, figure6, printFigure6 } from './figure-6.js';
import { drawFigure8, FIGURE_8, figure8, type FigureOptions, printFigure } from './placement-figure.js';

const NAMES = ['nodes', 'replicas', 'keys', 'skew', 'trials', 'seed'] as const;
export const FIGURES: readonly string[] = ['figure-6', 'figure-8'];
export const FIGURES_USAGE: string =
  'figure-6|figure-8 [--svg FILE] [--keys 100000] [--skew 0.5] [--trials 10] [--seed 1] [--nodes 30] [--replicas 3]';

type Numbers = Partial<Record<(typeof NAMES)[number], number>>;

/** `words`: the name of the figure first. Answers the exit code. */
export function runFigure(
  words: readonly string[],
  print: (line: string) => void,
  complain: (line: string) => void,
): number {
  try {
    const [name, ...rest] = words;
    if (name === undefined || !FIGURES.includes(name)) throw new Error(`which figure? Usage: ${FIGURES_USAGE}`);
    const { svg, numbers } = optionsFrom(rest);
    const drawn = name === 'figure-6' ? sixth(numbers, print) : eighth(numbers, print);
    if (svg !== undefined) writeFileSync(svg, drawn);
    return 0;
  } catch (error) {
    complain(`error: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
}

function sixth(numbers: Numbers, print: (line: string) => void): string {
  const options = checked({ ...FIGURE_6, ...numbers });
  const rows = figure6(options);
  printFigure6(options, rows, print);
  return drawFigure6(options, rows);
}

function eighth(numbers: Numbers, print: (line: string) => void): string {
  const options: FigureOptions = checked({ ...FIGURE_8, ...numbers });
  const rows = figure8(options);
  printFigure(options, print, rows);
  return drawFigure8(options, rows);
}

function checked<T extends { readonly nodes: number; readonly replicas: number }>(options: T): T {
  if (options.replicas > options.nodes) throw new Error(`${options.replicas} replicas on ${options.nodes} nodes`);
  return options;
}

function optionsFrom(words: readonly string[]): { readonly svg: string | undefined; readonly numbers: Numbers } {
  const { values } = parseArgs({
    args: [...words],
    options: Object.fromEntries([...NAMES, 'svg'].map((name) => [name, { type: 'string' as const }])),
  });
  const numbers: Numbers = {};
  for (const name of NAMES) {
    const given = values[name];
    if (given === undefined) continue;
    const number = Number(given);
    const isRight = name === 'skew' ? number >= 0 && number <= 10 : Number.isSafeInteger(number) && number >= 1;
    if (!isRight)
      throw new Error(`--${name} ${String(given)}: not ${name === 'skew' ? '0..10' : 'a positive integer'}`);
    numbers[name] = number;
  }
  return { svg: values['svg'], numbers };
}
