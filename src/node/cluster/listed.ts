/** `node 1`, `nodes 2, 3`. */
export function listed(ordinals: readonly number[]): string {
  return `${ordinals.length === 1 ? 'node' : 'nodes'} ${ordinals.join(', ')}`;
}
