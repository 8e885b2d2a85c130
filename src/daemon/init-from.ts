/*
 * --init-from: an empty directory becomes that of one member of a ring that was made for several nodes.
 *
 * The file is judged before anything is made, and the directory before anything in it changes: a wrong word on a command
 * line must not cost a node its identity. With the same file on the same directory nothing happens, so that a start that
 * was interrupted, or a unit that keeps the flag, does no harm.
 */
import { readFile } from 'node:fs/promises';
import type { Hash64 } from '../model/hash.js';
import { encodeRing, type RingDocument, type RingMember } from '../ring/document.js';
import { decodeRingFile, memberNamed } from '../ring/ring-file.js';
import type { NodeMeta } from '../storage/node-meta.js';
import { type InitFrom, StartRefusedError } from './running-node.js';

/** The place in a ring that a directory is to have. */
export interface Seat {
  readonly ring: RingDocument;
  /** Its bytes, as they were agreed on. */
  readonly document: Uint8Array;
  readonly member: RingMember;
  /** For messages: `node a of ring-1.json`. */
  readonly what: string;
}

/** Throws StartRefusedError. */
export async function readSeat({ file, node }: InitFrom, hash: Hash64): Promise<Seat> {
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new StartRefusedError(`The ring file ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  });
  const read = decodeRingFile(bytes, hash);
  if ('fault' in read) throw new StartRefusedError(`The ring file ${file} cannot be used: ${read.fault}`);
  const member = memberNamed(read, node);
  if (member === null)
    throw new StartRefusedError(
      `The ring file ${file} has no node ${JSON.stringify(node)}; its nodes are ${read.names.join(', ')}`,
    );
  return { ring: read.ring, document: read.document, member, what: `node ${node} of ${file}` };
}

/** A directory that is a node's already must be this one's; throws StartRefusedError. */
export function checkSeat(seat: Seat, path: string, ring: RingDocument | null, meta: NodeMeta | null): void {
  const fault = clusterFault(seat, ring) ?? nodeFault(seat, meta) ?? versionFault(seat, ring);
  if (fault === null) return;
  throw new StartRefusedError(
    `${path} cannot become ${seat.what}: ${fault}. Nothing was changed; start without --init-from to go on with what is there, or choose an empty directory`,
  );
}

function clusterFault({ ring: wanted }: Seat, ring: RingDocument | null): string | null {
  if (ring === null || ring.clusterId === wanted.clusterId) return null;
  return `it belongs to cluster ${ring.cluster} (id ${ring.clusterId}), and the file is of ${wanted.cluster} (id ${wanted.clusterId})`;
}

function nodeFault({ member }: Seat, meta: NodeMeta | null): string | null {
  if (meta === null || meta.nodeId === member.nodeId) return null;
  return `it is the directory of node ${meta.nodeId}, and the file means node ${member.nodeId}`;
}

/** Later rings come from the other nodes, not from files; so a directory may be ahead of the file, and not behind. */
function versionFault({ ring: wanted }: Seat, ring: RingDocument | null): string | null {
  if (ring === null || ring.version > wanted.version) return null;
  if (ring.version < wanted.version)
    return `it has ring version ${ring.version}, and the file version ${wanted.version}`;
  if (Buffer.compare(encodeRing(ring), encodeRing(wanted)) === 0) return null;
  return `both have ring version ${ring.version}, and they differ`;
}
