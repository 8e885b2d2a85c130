/*
 * A partition's file on its way to an owner of which nothing of the partition is there. The owner decides whether it takes
 * it; whoever does not, and whatever goes wrong, gets the records instead (restoring.ts). A disk that is full is told of:
 * the records would not find room, either.
 */
import type { FileHandle } from 'node:fs/promises';
import type { ArchivedFile, ArchivedPartition, Manifest } from '../../archive/manifest.js';
import { PartitaError } from '../../client/index.js';
import { fromHex, readU32 } from '../../lib/bytes.js';
import type { Hash64 } from '../../model/hash.js';
import type { TransferOpenReply } from '../../model/transfer-messages.js';
import type { Members } from './asking.js';
import { openPlain } from './target.js';
import { filePathOf } from './verifying.js';

/** Pieces under way to one owner: one is written there while the next is on its way. */
const AT_ONCE = 2;

export interface SendingWorld {
  readonly members: Pick<Members, 'restoreOpen' | 'restorePiece' | 'restoreTake'>;
  readonly target: string;
  readonly manifest: Manifest;
  readonly hash: Hash64;
}

/** A file of the archive, for some owners of its partition. */
export class SentFile {
  readonly #world: SendingWorld;
  readonly #archived: ArchivedPartition;
  readonly #file: ArchivedFile;

  constructor(world: SendingWorld, archived: ArchivedPartition, file: ArchivedFile) {
    this.#world = world;
    this.#archived = archived;
    this.#file = file;
  }

  /** All of it is at this owner. False: it is not, and will not be. */
  send(owner: number): Promise<boolean> {
    return orRefused(owner, async () => {
      const { target, manifest, members } = this.#world;
      const { partition } = this.#archived;
      const file = await openPlain(filePathOf(target, manifest.name, partition, this.#file), this.#file.bytes);
      if ('fault' in file) return false;
      try {
        const { clusterId } = manifest;
        const { restoreId } = this;
        const offer = this.#offer();
        const { chunks, pieceBytes } = await members.restoreOpen(owner, {
          partition,
          restoreId,
          clusterId,
          file: offer,
        });
        const pieces = this.#lacking(chunks, pieceBytes);
        const sender = (): Promise<void> => this.#sendAll(owner, file, pieces);
        await Promise.all(Array.from({ length: AT_ONCE }, sender));
      } finally {
        await file.close();
      }
      return true;
    });
  }

  /** The owner has made it the partition's. False: it has not, as far as can be heard. */
  take(owner: number): Promise<boolean> {
    const { partition } = this.#archived;
    return orRefused(owner, async () => {
      while (!(await this.#world.members.restoreTake(owner, { partition, restoreId: this.restoreId })));
      return true;
    });
  }

  /** The same whenever the same file is brought. */
  get restoreId(): number {
    return Number.parseInt(this.#file.sha256.slice(0, 12), 16);
  }

  #offer(): TransferOpenReply {
    const { records, root, fence } = this.#archived;
    const { bytes, chunkBytes, chunks } = this.#file;
    const { hash } = this.#world;
    const digests = fromHex(chunks);
    hash.hash(digests, 0, digests.length);
    const digest = fromHex([hash.hi, hash.lo].map((word) => word.toString(16).padStart(8, '0')).join(''));
    const its = fromHex(root);
    return {
      ...{ ready: true, opening: 0, fence, bytes, chunkBytes, digests, digest, records },
      rootHi: readU32(its, 0),
      rootLo: readU32(its, 4),
    };
  }

  /** Places of pieces that are not there. */
  #lacking(there: Uint8Array, pieceBytes: number): { readonly at: number; readonly length: number }[] {
    const { bytes, chunkBytes } = this.#file;
    const pieces: { readonly at: number; readonly length: number }[] = [];
    for (let from = 0, chunk = 0; from < bytes; from += chunkBytes, chunk++) {
      const until = Math.min(bytes, from + chunkBytes);
      if (there[chunk] === 1) continue;
      for (let at = from; at < until; at += pieceBytes) pieces.push({ at, length: Math.min(pieceBytes, until - at) });
    }
    return pieces;
  }

  /** Takes from `pieces` until there are none. */
  async #sendAll(
    owner: number,
    file: FileHandle,
    pieces: { readonly at: number; readonly length: number }[],
  ): Promise<void> {
    const { restoreId } = this;
    const { partition } = this.#archived;
    for (let piece = pieces.shift(); piece !== undefined; piece = pieces.shift()) {
      const { at, length } = piece;
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(length), 0, length, at);
      if (bytesRead !== length) throw new PartitaError('UNAVAILABLE', `the file of partition ${partition} was cut off`);
      await this.#world.members.restorePiece(owner, { partition, restoreId, offset: at, bytes: buffer });
    }
  }
}

async function orRefused(owner: number, work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work();
  } catch (error) {
    if (!PartitaError.is(error)) throw error;
    if (error.code === 'DISK_FULL')
      throw new PartitaError(
        'DISK_FULL',
        `node ${owner} has no room: ${error.message}. Nothing is lost; make room there, and restore again`,
        { cause: error },
      );
    return false;
  }
}
