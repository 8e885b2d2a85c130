/*
 * What nodes count themselves, and what must stay at zero: a dot that named two versions, a record that was spoilt on its
 * way between two nodes (this network spoils none), and, where no process ended
 * and no disk failed, a hint without its record. (A power cut may leave the entry of a hint and cut that of its record, which
 * stands behind it and was acknowledged to nobody.)
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

const NEVER = ['partita_dot_collisions_total', 'partita_peer_damaged_total'];
const NEVER_UNDISTURBED = ['partita_hints_lost_total'];

export function checkNever({ counts, isUndisturbed }: Pick<Evidence, 'counts' | 'isUndisturbed'>): Violation[] {
  return [...NEVER, ...(isUndisturbed ? NEVER_UNDISTURBED : [])]
    .filter((name) => (counts.get(name) ?? 0) > 0)
    .map((name) => ({ checker: 'never', key: '', text: `${name} is ${counts.get(name)}` }));
}
