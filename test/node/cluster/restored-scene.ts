/* One owner to which an archive's file is brought: its engine and what takes files are the real ones, on one clock. */
import { FreeSlices } from '../../../src/background/slices.js';
import type { FileManifest } from '../../../src/env/workers.js';
import { failure, type Failure } from '../../../src/model/errors.js';
import type { RestoreOpenReply, RestoreTakeReply } from '../../../src/model/restore-messages.js';
import type { TransferOpenReply } from '../../../src/model/transfer-messages.js';
import type { ClusterParts } from '../../../src/node/cluster/parts.js';
import { RestoredFiles } from '../../../src/node/cluster/restored-files.js';
import { digestChunks } from '../../../src/workers/describe.js';
import { copyFrom, NAMES } from '../../storage/engine-install-world.js';
import { HASH } from '../../storage/engine-requests.js';
import { World, type WorldOptions } from '../../storage/engine-world.js';
import { silentLog } from '../../support/silent.js';
import type { TimeScope } from '../../support/simulated-time.js';

const PARTITIONS = 64;
const CLUSTER = 'c1';
/** Smaller than in life: some chunks a file. */
const CHUNK_BYTES = 4_096;
const FRAME_BYTES = 10_000;
const RESTORE = 77;

export interface ArchivedFile {
  readonly bytes: Uint8Array;
  readonly file: TransferOpenReply;
}

export const ARCHIVED: ArchivedFile = offerOf(
  copyFrom(1, (donor) => {
    for (const name of NAMES.slice(0, 8)) donor.put(name, 'theirs 3', 3);
  }),
);

export function offerOf({
  bytes,
  manifest,
}: {
  readonly bytes: Uint8Array;
  readonly manifest: FileManifest;
}): ArchivedFile {
  const task = { path: '', chunkBytes: CHUNK_BYTES, from: 0, until: bytes.length };
  const digests = digestChunks({ read: (at, length) => bytes.subarray(at, at + length) }, task, HASH);
  HASH.hash(digests, 0, digests.length);
  const digest = Buffer.alloc(8);
  digest.writeUInt32BE(HASH.hi, 0);
  digest.writeUInt32BE(HASH.lo, 4);
  const file = { ...manifest, chunkBytes: CHUNK_BYTES, digests, digest: new Uint8Array(digest) };
  return { bytes, file: { ...file, ready: true, opening: 0 } };
}

/** What was answered, when it was. */
export interface Told<T> {
  reply: T | Failure | null;
}

export class Owner {
  readonly world: World;
  files: RestoredFiles;
  /** Why nothing is taken. */
  refuses: Failure | null = null;
  /** Left alone by anti-entropy, every time that this has changed. */
  readonly held: number[][] = [];
  #scope: TimeScope;

  constructor(options: Partial<WorldOptions> = {}) {
    this.world = new World({ seed: 5, partitionCount: PARTITIONS, ...options });
    this.#scope = this.world.time.scope();
    this.files = this.#start();
  }

  #start(): RestoredFiles {
    const { world } = this;
    const error = world.start();
    if (error !== null) throw error;
    this.#scope = world.time.scope();
    const files = new RestoredFiles({
      parts: {
        services: {
          ...{ log: silentLog, hash: HASH, ring: { clusterId: CLUSTER } },
          settings: { frameBodyBytesMax: FRAME_BYTES },
        },
        timers: this.#scope,
        nowMs: () => world.time.monotonicMs(),
      } as unknown as ClusterParts,
      moves: world.up().moves,
      disk: world.disk,
      slices: new FreeSlices(this.#scope),
      refusal: () => this.refuses,
      hold: (partitions) => {
        this.held.push([...partitions]);
      },
    });
    world.time.runFor(200);
    return files;
  }

  crash(kind: 'kill' | 'power'): void {
    this.#scope.end();
    this.world.crash(kind);
    this.files = this.#start();
  }

  /** Names in `restoring/`. */
  get staged(): readonly string[] {
    return this.world.disk.paths().filter((path) => path.startsWith('restoring/'));
  }

  ask<T>(ask: (answer: (reply: T | Failure) => void) => void): Told<T> {
    const told: Told<T> = { reply: null };
    ask((reply) => {
      told.reply = reply;
    });
    return told;
  }

  now<T>(told: Told<T>): T | Failure {
    this.world.time.runUntil(() => told.reply !== null || this.world.fatal !== null);
    return told.reply ?? failure('INTERNAL', 'It has stopped');
  }

  open(archived: ArchivedFile = ARCHIVED, more: object = {}): RestoreOpenReply | Failure {
    const open = { budgetMs: 1, partition: 0, restoreId: RESTORE, clusterId: CLUSTER, file: archived.file, ...more };
    return this.now(
      this.ask((answer) => {
        this.files.open(open, answer);
      }),
    );
  }

  piece(offset: number, bytes: Uint8Array, more: object = {}): Told<object> {
    const piece = { budgetMs: 1, partition: 0, restoreId: RESTORE, offset, bytes, ...more };
    return this.ask((answer) => {
      this.files.piece(piece, answer);
    });
  }

  take(more: object = {}): Told<RestoreTakeReply> {
    const take = { budgetMs: 1, partition: 0, restoreId: RESTORE, ...more };
    return this.ask((answer) => {
      this.files.take(take, answer);
    });
  }

  /** Pieces of what is lacking, the last first. Null: all of them were written. */
  send({ bytes }: ArchivedFile = ARCHIVED, chunks: Uint8Array = new Uint8Array(0)): Failure | null {
    const told: Told<object>[] = [];
    for (let chunk = Math.ceil(bytes.length / CHUNK_BYTES) - 1; chunk >= 0; chunk--) {
      const at = chunk * CHUNK_BYTES;
      if (chunks[chunk] !== 1) told.push(this.piece(at, bytes.subarray(at, at + CHUNK_BYTES)));
    }
    for (const one of told) {
      const reply = this.now(one);
      if ('code' in reply) return reply;
    }
    return null;
  }

  /** As a command does: begun, or gone on with, to the end. */
  bring(archived: ArchivedFile = ARCHIVED): RestoreTakeReply | Failure {
    const opened = this.open(archived);
    if ('code' in opened) return opened;
    return this.send(archived, opened.chunks) ?? this.now(this.take());
  }
}

export function isRefused(reply: object): reply is Failure {
  return 'code' in reply;
}
