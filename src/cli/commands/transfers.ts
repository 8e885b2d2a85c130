/* partita transfers: the replicas that a node takes over or gives up, and how far each of them is. */
import type { ClusterStatusFacts, MoveFacts } from '../../model/cluster-facts.js';
import { type ClusterOptions, statusOf } from '../cluster-asking.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { counted, formatOf, printJson, printLines, printTable } from '../output.js';

const HEAD = ['partition', 'from', 'to', 'phase', 'step', 'since ring'];

export async function runTransfers(io: Io, options: ClusterOptions): Promise<number> {
  const { self, moves, departing } = await statusOf(io, options);
  const own = moves.filter(({ from, to }) => from === self || to === self);
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { node: self, moves: own, departing });
  else if (format === 'raw') printLines(io, own.map(rowOf));
  else {
    if (own.length > 0) printTable(io, HEAD, own.map(rowOf));
    io.out(`${summary(self, own, departing)}\n`);
  }
  return EXIT_DONE;
}

function rowOf({ partition, from, to, phase, step, since }: MoveFacts): readonly string[] {
  return [String(partition), from === 0 ? 'lost' : String(from), String(to), phase, step, String(since)];
}

function summary(self: number, moves: readonly MoveFacts[], departing: ClusterStatusFacts['departing']): string {
  const coming = moves.filter(({ to }) => to === self).length;
  const parts = [
    `Node ${self} takes over ${counted(coming, 'replica')} and gives up ${counted(moves.length - coming, 'replica')}`,
    ...(departing.length > 0
      ? [`it still holds something of ${counted(departing.length, 'partition')} that moved away`]
      : []),
  ];
  return moves.length === 0 && departing.length === 0
    ? `Nothing is on its way to node ${self}, or from it`
    : parts.join('; ');
}
