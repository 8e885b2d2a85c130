/*
 * A cluster as a release has left it: the directories of all its nodes, killed in the middle of their work, and what was
 * under each key by then. fixtures/make-release.ts makes it by a build of that release; others start it again.
 *
 * Ports are the machine's of that day. So the addresses in the ring are changed before a start, on all nodes alike; all
 * else is read as it was written.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import xxhash from 'xxhash-wasm';
import type { Client } from '../../src/client/index.js';
import { promised } from '../../src/daemon/flows.js';
import { RealDisk } from '../../src/disk/real-disk.js';
import { hash64From } from '../../src/model/hash.js';
import { freePorts } from '../../src/net/free-ports.js';
import { decodeRing, encodeRing, type RingDocument } from '../../src/ring/document.js';
import { RingSlots } from '../../src/storage/ring-slots.js';
import { Daemon, ROOT } from './daemon.js';

export const FIXTURES: string = join(ROOT, 'test', 'fixtures');

export interface Kept {
  /** For people: the build that has written it. */
  readonly build: string;
  readonly nodes: readonly string[];
  /** Key → its values, both hexadecimal, the values sorted; none: deleted. */
  readonly keys: Readonly<Record<string, readonly string[]>>;
}

/** Flags without which its nodes do not start, or take longer. */
export const KEPT_FLAGS: readonly string[] = ['--value-bytes-max', '4KiB', '--storage-segment-bytes', '1MiB'];

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export async function valuesOf(db: Client, key: Uint8Array): Promise<readonly string[]> {
  const result = await db.get(key);
  return result.found ? result.siblings.map(({ value }) => hex(value)).sort() : [];
}

/** The archive of a release, unpacked into `folder`. */
export function unpack(release: string, folder: string): Kept {
  const archive = join(FIXTURES, release, 'cluster.tar.gz');
  execFileSync('tar', ['--extract', '--gzip', '--file', archive, '-C', folder]);
  return JSON.parse(readFileSync(join(FIXTURES, release, 'cluster.json'), 'utf8')) as Kept;
}

/** Its nodes by this build, each in its directory in `folder`, not started. */
export async function keptNodes({ nodes }: Kept, folder: string): Promise<readonly Daemon[]> {
  const ports = await freePorts(2 * nodes.length);
  const secret = ['--peer-secret-file', join(folder, 'cluster.secret')];
  const daemons: Daemon[] = [];
  for (const [i, name] of nodes.entries()) {
    const dataDir = join(folder, name);
    await readdress(dataDir, ports);
    const listen = ['--client-listen', `127.0.0.1:${ports[2 * i]}`, '--peer-listen', `127.0.0.1:${ports[2 * i + 1]}`];
    daemons.push(Daemon.prepare({ init: false, dataDir, flags: [...KEPT_FLAGS, ...secret, ...listen] }));
  }
  return daemons;
}

async function readdress(dataDir: string, ports: readonly number[]): Promise<void> {
  const slots = await promised(RingSlots.open(new RealDisk(dataDir), hash64From(await xxhash())));
  const ring = slots === null ? { fault: 'there is none' } : decodeRing(slots.document);
  if (slots === null || 'fault' in ring)
    throw new Error(`${dataDir} has no ring: ${'fault' in ring ? ring.fault : ''}`);
  const members: RingDocument['members'] = ring.members.map((member, i) => ({
    ...member,
    address: `127.0.0.1:${ports[2 * i]}`,
    peerAddress: `127.0.0.1:${ports[2 * i + 1]}`,
  }));
  await new Promise<void>((resolve, reject) => {
    slots.save(encodeRing({ ...ring, members }), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  await promised(slots.close());
}
