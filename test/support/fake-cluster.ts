/* Several scripted nodes on real sockets, with one ring of which three own each key. */
import { ringOf } from './fake-node.js';
import { FakeServer } from './fake-server.js';

export async function withCluster(
  count: number,
  work: (servers: readonly FakeServer[]) => Promise<void>,
): Promise<void> {
  const servers: FakeServer[] = [];
  for (let i = 0; i < count; i++) servers.push(await FakeServer.start());
  servers.forEach(({ node }, i) => {
    node.nodeId = `${i + 1}`.repeat(32);
  });
  const members = servers.map(({ node, address }) => ({ nodeId: node.nodeId, address }));
  for (const { node } of servers) node.ring = ringOf(members, 4, 3);
  try {
    await work(servers);
  } finally {
    for (const server of servers) await server.stop();
  }
}
