/*
 * An operator who archives whole files, and brings them to owners of which nothing of the partition is there: by the requests
 * that the command sends, to whichever owner, whenever. Files are kept, so most are old, and much has been deleted and
 * forgotten since: such a file is to be refused. Where partitions have few keys an owner that a write has not reached yet
 * has nothing, and takes the file that another one gave.
 */
import type { Prng } from '../../src/lib/prng.js';
import type { FileManifest } from '../../src/env/workers.js';
import type { TransferOpenReply } from '../../src/model/transfer-messages.js';
import type { PartitaNode } from '../../src/node/node.js';
import {
  decodeRestoreOpenReply,
  decodeRestoreTakeReply,
  encodeRestoreOpen,
  encodeRestorePiece,
  encodeRestoreTake,
} from '../../src/wire/codec-restore.js';
import { RESTORE_OPEN, RESTORE_PIECE, RESTORE_TAKE } from '../../src/wire/kinds.js';
import type { ArchivesWorld } from './archives.js';
import { RingCluster } from './cluster.js';
import type { CountingMeter } from './counting-meter.js';
import type { SimNode } from './sim-node.js';

const RESTORE_CHANCE = 0.7;
const BUDGET_MS = 2_000;
const FILES_MAX = 200;

export interface ArchivedFilesWorld extends ArchivesWorld {
  readonly meter: CountingMeter;
}

interface Archived {
  readonly partition: number;
  readonly restoreId: number;
  readonly bytes: Uint8Array;
  readonly file: TransferOpenReply;
}

export class ArchivedFiles {
  readonly #world: ArchivedFilesWorld;
  readonly #random: Prng;
  readonly #files: Archived[] = [];
  #made = 0;

  constructor(world: ArchivedFilesWorld, random: Prng) {
    this.#world = world;
    this.#random = random;
  }

  /** One of the two; the first is always an archive. */
  act(): void {
    const { cluster } = this.#world;
    if (!(cluster instanceof RingCluster)) return;
    const up = cluster.nodes.filter(({ state, server }) => state === 'up' && server !== null);
    if (up.length === 0) return;
    if (this.#files.length > 0 && this.#random.chance(RESTORE_CHANCE)) this.#restore(cluster, up);
    else this.#take(cluster);
  }

  #take(cluster: RingCluster): void {
    this.#world.say('files are archived');
    for (const key of this.#world.workload.keys) {
      const owner = cluster.nodes[this.#random.pick(cluster.ownersOf(key))];
      if (owner?.state === 'up') this.#copy(owner, cluster.partitionOf(key));
    }
  }

  #copy({ engine, disk }: SimNode, partition: number): void {
    if (engine === null || engine.status().suspectPartitions.includes(partition)) return;
    this.#made += 1;
    const restoreId = this.#made;
    const path = `outgoing/archived-${restoreId}`;
    engine.moves.copyFile(partition, path, (error, manifest) => {
      if (error !== null || manifest == null || !disk.paths().includes(path)) return;
      const bytes = disk.contents(path);
      disk.remove(path, () => undefined);
      const archived = { partition, restoreId, bytes, file: offerOf(manifest) };
      if (this.#files.length < FILES_MAX) this.#files.push(archived);
      else this.#files[this.#random.u32() % FILES_MAX] = archived;
    });
  }

  /** Files of some partitions, each to all owners. */
  #restore(cluster: RingCluster, up: readonly SimNode[]): void {
    const { node, server } = this.#random.pick(up);
    this.#world.say(`files are restored through node ${node}`);
    const { replicaCount, owners } = cluster.ring;
    for (let i = 0; i < 8; i++) {
      const archived = this.#random.pick(this.#files);
      const from = archived.partition * replicaCount;
      for (const owner of owners.slice(from, from + replicaCount)) this.#bring(server, owner, archived);
    }
  }

  /** Whatever is refused, or lost, is given up. */
  #bring(server: PartitaNode | null, member: number, { partition, restoreId, bytes, file }: Archived): void {
    const ask = (kind: number, body: Uint8Array, then: (answer: Uint8Array) => void): void => {
      server?.archives?.passOn({ budgetMs: BUDGET_MS, member, kind, body }, (reply) => {
        if (!('code' in reply)) then(reply.body);
        else this.#count('refused');
      });
    };
    const head = { partition, restoreId, budgetMs: BUDGET_MS };
    const clusterId = (this.#world.cluster as RingCluster).ring.clusterId;
    ask(RESTORE_OPEN, encodeRestoreOpen({ ...head, clusterId, file }), (opened) => {
      const reply = decodeRestoreOpenReply(opened, 0, opened.length);
      if (typeof reply === 'string') throw new Error(reply);
      const pieces: number[] = [];
      for (let at = 0; at < bytes.length; at += reply.pieceBytes) pieces.push(at);
      let left = pieces.length;
      for (const offset of pieces) {
        const piece = { ...head, offset, bytes: bytes.subarray(offset, offset + reply.pieceBytes) };
        ask(RESTORE_PIECE, encodeRestorePiece(piece), () => {
          left -= 1;
          if (left > 0) return;
          ask(RESTORE_TAKE, encodeRestoreTake(head), (taken) => {
            const told = decodeRestoreTakeReply(taken, 0, taken.length);
            if (typeof told !== 'string' && told.ready) this.#count('taken');
          });
        });
      }
    });
  }

  #count(what: string): void {
    this.#world.meter.counter('sim_archived_files', '', { what }).add(1);
  }
}

function offerOf(manifest: FileManifest): TransferOpenReply {
  return { ...manifest, ready: true, opening: 0 };
}
