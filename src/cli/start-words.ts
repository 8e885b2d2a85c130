/* How a node is started with a ring file, and the files that it needs for that. */
import { open, unlink } from 'node:fs/promises';
import { formatAddress, isLoopback } from '../daemon/config-units.js';
import type { Address } from '../daemon/config-types.js';
import { UsageError } from './io.js';

export interface StartedNode {
  readonly name: string;
  readonly client: Address;
  readonly peer: Address;
}

/** `secretFile`: null for a cluster of one node. */
export function startCommand({ name, client, peer }: StartedNode, ringFile: string, secretFile: string | null): string {
  const secret = secretFile === null ? [] : ['--peer-secret-file', secretFile];
  const words = ['--init-from', ringFile, '--node', name, ...secret, '--data-dir', `/var/lib/partita/${name}`];
  const listen = ['--client-listen', formatAddress(client), '--peer-listen', formatAddress(peer)];
  return ['partitad', ...words, ...listen].map(quoted).join(' ');
}

export function listenWarnings(nodes: readonly StartedNode[]): readonly string[] {
  const beyond = nodes.filter(({ client, peer }) => !isLoopback(client.host) || !isLoopback(peer.host));
  if (beyond.length === 0) return [];
  return [
    'Nothing is encrypted yet, so partitad refuses to listen beyond loopback unless told --insecure-listen. Add it where the network is yours alone',
  ];
}

/** Synced, and whole or not there. */
export async function writeNew(
  flag: string,
  loss: string,
  path: string,
  bytes: Uint8Array,
  mode: number = 0o666,
): Promise<void> {
  const file = await open(path, 'wx', mode).catch((error: unknown) => {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new UsageError(`${flag}: ${path} is there already and is not overwritten: ${loss}`);
    throw new UsageError(`${flag}: ${path} cannot be written: ${message}`);
  });
  try {
    await file.writeFile(bytes);
    await file.sync();
    await file.close();
  } catch (error) {
    await file.close().catch(() => undefined); // it may be what failed
    await unlink(path);
    throw error;
  }
}

/** As a shell wants it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
