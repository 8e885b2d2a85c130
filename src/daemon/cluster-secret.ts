/*
 * The secret of a cluster: a file that is the same on all its nodes, and that they prove to each other to have. What is
 * wrong with it is said before anything is opened, since nodes that cannot agree on it see each other as down.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { toHex } from '../lib/bytes.js';
import type { Log } from '../env/meter.js';
import { StartRefusedError } from './running-node.js';

/** As node/peers/proof.ts asserts. */
const SECRET_BYTES_MIN = 16;
const SECRET_BYTES_DRAWN = 32;
const FILE_BYTES_MAX = 4_096;
const READABLE_BY_OTHERS = 0o004;

const CURE =
  'Copy cluster.secret, as partita cluster init wrote it, to each node of the cluster, the same file everywhere';

/** A new one, as text with a line's end: what a secret file holds. */
export function drawSecret(): string {
  return `${toHex(randomBytes(SECRET_BYTES_DRAWN))}\n`;
}

/** Of a node that shares its secret with nobody. */
export function unsharedSecret(): Uint8Array {
  return randomBytes(SECRET_BYTES_DRAWN);
}

/** null: no file is configured. Throws StartRefusedError. */
export async function readSecret(path: string | null, log: Log): Promise<Uint8Array | null> {
  if (path === null) return null;
  const { text, mode } = await contents(path);
  const secret = Buffer.from(text.trim(), 'latin1');
  if (secret.length === 0) throw new StartRefusedError(`The secret file ${path} is empty. ${CURE}`);
  if (secret.length < SECRET_BYTES_MIN)
    throw new StartRefusedError(
      `The secret in ${path} has ${secret.length} bytes, and at least ${SECRET_BYTES_MIN} are needed. ${CURE}`,
    );
  if ((mode & READABLE_BY_OTHERS) !== 0)
    log.warn('secret', {
      text: `Every user of this machine can read the cluster's secret, and join the cluster with it: chmod 600 ${path}`,
    });
  return secret;
}

/** Latin-1, so that a secret of any bytes keeps them. */
async function contents(path: string): Promise<{ readonly text: string; readonly mode: number }> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const { bytesRead, buffer } = await file.read(Buffer.alloc(FILE_BYTES_MAX + 1));
    if (bytesRead > FILE_BYTES_MAX)
      throw new StartRefusedError(
        `The secret file ${path} has more than ${FILE_BYTES_MAX} bytes: this is some other file. ${CURE}`,
      );
    return { text: buffer.toString('latin1', 0, bytesRead), mode: (await file.stat()).mode };
  } catch (error) {
    if (error instanceof StartRefusedError) throw error;
    throw new StartRefusedError(`The secret file cannot be read: ${(error as Error).message}. ${CURE}`, {
      cause: error,
    });
  } finally {
    await file?.close();
  }
}
