/*
 * Ports for nodes whose addresses must be known before they are started. They lie below those that the kernel gives to
 * outgoing connections: a node that is down would otherwise find its port taken by somebody's, or be dialled by a socket
 * that got the very same port and so reaches itself.
 */
import { createServer } from 'node:net';

const FIRST = 10_000;
const BEYOND = 30_000;
const ATTEMPTS_PER_PORT = 100;

/** All different; each was free a moment ago. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const found = new Set<number>();
  for (let attempt = 0; found.size < count; attempt++) {
    if (attempt === count * ATTEMPTS_PER_PORT)
      throw new Error(`${count} free ports on 127.0.0.1 between ${FIRST} and ${BEYOND} were not found`);
    const port = FIRST + Math.floor(Math.random() * (BEYOND - FIRST));
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

export async function areFree(ports: readonly number[]): Promise<boolean> {
  for (const port of ports) if (!(await isFree(port))) return false;
  return true;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
