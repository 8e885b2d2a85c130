/* Faults of a node's disk, and what ends them. */
import type { Prng } from '../../src/lib/prng.js';
import type { SimNode } from './sim-node.js';
import { between } from './tools.js';

/** A disk that has so little left is full for every purpose. */
const LEFT_BYTES = 200_000;
const MARK_RECORD = 0x01;
const KEY_AT = 9;

/** Begins; answers what ends it. */
export function worsen(node: SimNode, kind: 'slow-disk' | 'full-disk' | 'failing-disk', random: Prng): () => void {
  switch (kind) {
    case 'slow-disk':
      node.disk.slow(between(random, 50, 900));
      node.medium.batchMsMax = between(random, 50, 900);
      return () => {
        heal(node);
      };
    case 'full-disk':
      fill(node, random);
      return () => {
        heal(node);
      };
    case 'failing-disk':
      node.mayFail = true;
      node.disk.fail({
        at: 1 + random.int(40),
        code: random.pick(['EIO', 'EIO', 'SHORT']),
        calls: random.chance(0.5) ? ['write', 'sync', 'syncFolder'] : ['write'],
      });
      return () => {
        heal(node);
      };
  }
}

/** Room for everything, answers in time, no failures. */
export function heal(node: SimNode): void {
  node.disk.slow(null);
  node.medium.batchMsMax = node.world.options.engine.batchMs;
  node.disk.fail(null);
  node.medium.capacityBytes = Number.POSITIVE_INFINITY;
  if (node.missingBytes > 0) node.disk.grow(node.missingBytes);
  node.missingBytes = 0;
}

function fill(node: SimNode, random: Prng): void {
  if (node.missingBytes > 0) return;
  node.mayFail = true;
  node.missingBytes = node.capacityBytes - node.disk.usedBytes() - random.int(LEFT_BYTES);
  node.disk.grow(-node.missingBytes);
  if (random.chance(0.5)) node.medium.capacityBytes = node.medium.usedBytes() + random.int(2_000);
}

/** One bit in a stored record, but not of these keys; answers the key, or null if nothing is in files yet. */
export function rotFile(node: SimNode, random: Prng, except: ReadonlySet<string> = new Set()): string | null {
  const places: { path: string; key: string; bytes: number }[] = [];
  for (const [path, commit] of node.medium.commits) {
    if (!path.startsWith('partitions/')) continue;
    for (const [key, value] of commit) {
      if (key.charCodeAt(8) === MARK_RECORD && !except.has(key.slice(KEY_AT)))
        places.push({ path, key, bytes: value.length });
    }
  }
  if (places.length === 0) return null;
  const { path, key, bytes } = random.pick(places);
  node.medium.flip(path, Buffer.from(key, 'latin1'), random.int(bytes));
  return key.slice(KEY_AT);
}

/** One bit somewhere in the log; only while the node is down. */
export function rotLog(node: SimNode, random: Prng): void {
  const segments = node.disk.paths().filter((path) => path.startsWith('log/') && path.endsWith('.seg'));
  if (segments.length === 0) return;
  const path = random.pick(segments);
  const size = node.disk.contents(path).length;
  if (size > 0) node.disk.flipBit(path, random.int(size), random.int(8));
}
