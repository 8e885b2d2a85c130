/* A scripted node on a unix socket, as long as somebody works with it. */
import { join } from 'node:path';
import type { Script } from './fake-node.js';
import { FakeServer } from './fake-server.js';
import { temporaryFolder } from './temporary.js';

export async function withAdminSocket(script: Script, work: (admin: string) => Promise<void>): Promise<void> {
  const folder = temporaryFolder('admin');
  const server = await FakeServer.start(script, join(folder.path, 'admin.sock'));
  try {
    await work(server.address);
  } finally {
    await server.stop();
    folder.remove();
  }
}
