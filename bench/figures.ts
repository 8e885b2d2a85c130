/*
 * How evenly do the partitioning strategies of the Dynamo paper spread load: over a day (figure 6), and for the same size
 * of what a node has to know (figure 8)? The same as `partita bench figure-6` and `figure-8`, without the command line.
 *
 *   node dist/bench/figures.js figure-6|figure-8 [--svg FILE] [--keys 100000] [--skew 0.5] [--trials 10] [--seed 1]
 *                              [--nodes 30] [--replicas 3]
 */
import { runFigure } from './figure-command.js';

process.exitCode = runFigure(
  process.argv.slice(2),
  (line) => {
    console.log(line);
  },
  (line) => {
    console.error(line);
  },
);
