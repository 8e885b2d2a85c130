/*
 * What nodes count themselves, and what must stay at zero: a dot that named two versions, a record that was spoilt on its
 * way between two nodes (this network spoils none), and, unless a disk was destroyed, a hint without its record.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

const NEVER = ['partita_dot_collisions_total', 'partita_peer_damaged_total'];
const NEVER_WHILE_INTACT = ['partita_hints_lost_total'];

export function checkNever({ counts, isIntact }: Pick<Evidence, 'counts' | 'isIntact'>): Violation[] {
  return [...NEVER, ...(isIntact ? NEVER_WHILE_INTACT : [])]
    .filter((name) => (counts.get(name) ?? 0) > 0)
    .map((name) => ({ checker: 'never', key: '', text: `${name} is ${counts.get(name)}` }));
}
