/*
 * Who takes a partition over does not believe what it holds of it when the move begins, whatever that is; and believes it
 * when it becomes an owner, since it has said that it has caught up.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkTakenOver({ stepsOfMoves }: Pick<Evidence, 'stepsOfMoves'>): Violation[] {
  return stepsOfMoves.flatMap(({ node, partition, version, phase, isSuspect }) => {
    if (isSuspect === (phase === 'copy')) return [];
    const what = isSuspect
      ? 'has become an owner of it, and does not believe it'
      : 'begins to take it over, and believes it';
    return [
      { checker: 'taken-over', key: '', text: `partition ${partition}: by ring ${version} node ${node} ${what}` },
    ];
  });
}
