/*
 * When nothing is asked of a node any more it holds nothing on anybody's behalf: no bytes in its account, and a session
 * for each connection that there is and for no other. What leaks a little each time ends in a node that serves nobody.
 */
import type { LeftoverView } from '../evidence.js';
import type { Violation } from '../violation.js';

export function checkLeftovers(views: readonly LeftoverView[]): Violation[] {
  const violations: Violation[] = [];
  for (const { node, budgetBytes, sessions, askingPeers, connections } of views) {
    const say = (text: string): void => {
      violations.push({ checker: 'leftovers', key: '', text: `node ${node} ${text}` });
    };
    if (budgetBytes !== 0) say(`has ${budgetBytes} bytes in its account, and nothing is under way`);
    if (askingPeers !== 0) say(`waits for ${askingPeers} answers of peers, and nothing is under way`);
    if (sessions !== connections) say(`has ${sessions} sessions for ${connections} connections`);
  }
  return violations;
}

/** Of the same nodes at two moments, each number where it was closer to nothing. */
export function lesser(before: readonly LeftoverView[], now: readonly LeftoverView[]): readonly LeftoverView[] {
  return now.map((view, i) => {
    const earlier = before[i] ?? view;
    const { sessions, connections } = earlier.sessions === earlier.connections ? earlier : view;
    return {
      node: view.node,
      budgetBytes: Math.min(view.budgetBytes, earlier.budgetBytes),
      askingPeers: Math.min(view.askingPeers, earlier.askingPeers),
      sessions,
      connections,
    };
  });
}
