/* What the floors share: listen on --port, say so in a line that a proof can read, stop on SIGTERM. */
import type { Server } from 'node:net';
import { parseArgs } from 'node:util';

export function serveFloor(server: Server): void {
  const { values } = parseArgs({ strict: false, options: { port: { type: 'string', default: '0' } } });
  server.listen(Number(values.port), '127.0.0.1', () => {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    console.log(JSON.stringify({ event: 'ready', port, client: `127.0.0.1:${port}`, pid: process.pid }));
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(0));
}
