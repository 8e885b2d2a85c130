/*
 * When nothing is asked of a node any more it holds nothing on anybody's behalf: no bytes in its account, and a session
 * for each connection that there is and for no other. What leaks a little each time ends in a node that serves nobody.
 */
import type { Evidence } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkLeftovers(evidence: Pick<Evidence, 'view'>): Violation[] {
  const violations: Violation[] = [];
  for (const { node, budgetBytes, sessions, askingPeers, connections } of evidence.view.leftovers()) {
    const say = (text: string): void => {
      violations.push({ checker: 'leftovers', key: '', text: `node ${node} ${text}` });
    };
    if (budgetBytes !== 0) say(`has ${budgetBytes} bytes in its account, and nothing is under way`);
    if (askingPeers !== 0) say(`waits for ${askingPeers} answers of peers, and nothing is under way`);
    if (sessions !== connections) say(`has ${sessions} sessions for ${connections} connections`);
  }
  return violations;
}
