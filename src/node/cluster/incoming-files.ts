/*
 * Files that are being received, in `incoming/`, or from an archive, in another folder: each with a manifest beside it that says what it is to be. After a stop of
 * any kind the chunks whose digests are right are found again, and only the others are fetched.
 *
 *   NAME             the file, as far as it has come
 *   NAME.manifest    8  XXH64 of the rest
 *                    n  the donor's offer, as it was sent (TransferOpenReply)
 */
import type { Disk, DiskFile } from '../../env/disk.js';
import { equalBytes, writeU32 } from '../../lib/bytes.js';
import { type Flow, wait } from '../../lib/flow.js';
import type { Hash64 } from '../../model/hash.js';
import type { TransferOpenReply } from '../../model/transfer-messages.js';
import { isDigest, receivedName } from '../../transfer/file-receiver.js';
import { encodeTransferOpenReply } from '../../wire/codec-transfer.js';

const FOLDER = 'incoming';
const CHECK_BYTES = 8;
const MANIFEST = '.manifest';

export class IncomingFile {
  readonly #disk: Disk;
  readonly #hash: Hash64;
  readonly #partition: number;
  readonly #moveId: number;
  readonly #folder: string;
  #name = '';
  #file: DiskFile | null = null;

  constructor(disk: Disk, hash: Hash64, partition: number, moveId: number, folder: string = FOLDER) {
    this.#disk = disk;
    this.#hash = hash;
    this.#partition = partition;
    this.#moveId = moveId;
    this.#folder = folder;
  }

  /** Where it lies, in the node's directory. */
  get path(): string {
    return `${this.#folder}/${this.#name}`;
  }

  /** Opens what is here of the offered file, or begins it. Answers one byte for each chunk: 1 where it is good. */
  *look(offer: TransferOpenReply): Flow<Uint8Array> {
    yield* this.close();
    const { fence, opening } = offer;
    this.#name = receivedName(this.#partition, this.#moveId, { fence, opening });
    yield* wait((done) => {
      this.#disk.makeFolder(this.#folder, done);
    });
    const manifest = this.#manifestOf(offer);
    const names = yield* this.#names();
    const isKept = names.includes(this.#name) && (yield* this.#isManifest(names, manifest));
    yield* this.#remove(names.filter((name) => !isKept || (name !== this.#name && name !== this.#name + MANIFEST)));
    if (!isKept) yield* this.#begin(manifest);
    const file = yield* this.#open(this.#name, isKept ? 'write' : 'create');
    this.#file = file;
    if (!isKept) yield* this.#syncFolder();
    const chunks = new Uint8Array(Math.ceil(offer.bytes / offer.chunkBytes));
    if (isKept) yield* this.#markGood(chunks, file, offer);
    return chunks;
  }

  *write(offset: number, bytes: Uint8Array): Flow<void> {
    yield* wait((done) => {
      (this.#file as DiskFile).write(offset, [bytes], done);
    });
  }

  /** All of it is on the disk when this has ended. */
  *seal(): Flow<void> {
    yield* wait((done) => {
      (this.#file as DiskFile).sync(done);
    });
    yield* this.close();
  }

  *close(): Flow<void> {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    yield* wait((done) => {
      file.close(done);
    });
  }

  /** Nothing of this move stays here. */
  *discard(): Flow<void> {
    yield* this.close();
    yield* this.#remove(yield* this.#names());
  }

  /** Files of this very partition and move. */
  *#names(): Flow<readonly string[]> {
    const names = yield* wait<readonly string[]>((done) => {
      this.#disk.list(this.#folder, done);
    });
    const [partition = '', move = ''] = receivedName(this.#partition, this.#moveId, { opening: 0, fence: 0 }).split(
      '-',
    );
    return names.filter((name) => name.startsWith(`${partition}-${move}-`));
  }

  *#isManifest(names: readonly string[], manifest: Uint8Array): Flow<boolean> {
    if (!names.includes(this.#name + MANIFEST)) return false;
    const file = yield* this.#open(this.#name + MANIFEST, 'read');
    const bytes = yield* wait<Uint8Array>((done) => {
      file.read(0, manifest.length + 1, done);
    });
    yield* wait((done) => {
      file.close(done);
    });
    return equalBytes(bytes, manifest);
  }

  #manifestOf(offer: TransferOpenReply): Uint8Array {
    const body = encodeTransferOpenReply(offer);
    const bytes = new Uint8Array(CHECK_BYTES + body.length);
    bytes.set(body, CHECK_BYTES);
    this.#hash.hash(body, 0, body.length);
    writeU32(bytes, 0, this.#hash.hi);
    writeU32(bytes, 4, this.#hash.lo);
    return bytes;
  }

  *#begin(manifest: Uint8Array): Flow<void> {
    const file = yield* this.#open(this.#name + MANIFEST, 'create');
    yield* wait((done) => {
      file.write(0, [manifest], done);
    });
    yield* wait((done) => {
      file.sync(done);
    });
    yield* wait((done) => {
      file.close(done);
    });
  }

  /** All of them are looked at: they have come in any order. */
  *#markGood(chunks: Uint8Array, file: DiskFile, offer: TransferOpenReply): Flow<void> {
    const { bytes: size, chunkBytes, digests } = offer;
    for (let chunk = 0; chunk < chunks.length; chunk++) {
      const length = Math.min(chunkBytes, size - chunk * chunkBytes);
      const bytes = yield* wait<Uint8Array>((done) => {
        file.read(chunk * chunkBytes, length, done);
      });
      if (bytes.length === 0) return; // nothing is behind it
      if (bytes.length === length && isDigest(bytes, digests, 8 * chunk, this.#hash)) chunks[chunk] = 1;
    }
  }

  *#open(name: string, mode: 'read' | 'write' | 'create'): Flow<DiskFile> {
    return yield* wait<DiskFile>((done) => {
      this.#disk.open(`${this.#folder}/${name}`, mode, done);
    });
  }

  *#remove(names: readonly string[]): Flow<void> {
    for (const name of names) {
      yield* wait((done) => {
        this.#disk.remove(`${this.#folder}/${name}`, done);
      });
    }
    if (names.length > 0) yield* this.#syncFolder();
  }

  *#syncFolder(): Flow<void> {
    yield* wait((done) => {
      this.#disk.syncFolder(this.#folder, done);
    });
  }
}

/** Removes what is here of moves that nobody goes on with. */
export function* discardOthers(
  disk: Disk,
  moves: readonly { readonly partition: number; readonly moveId: number }[],
  folder: string = FOLDER,
): Flow<void> {
  const kept = moves.map(({ partition, moveId }) =>
    receivedName(partition, moveId, { opening: 0, fence: 0 }).split('-').slice(0, 2).join('-'),
  );
  const names = yield* wait<readonly string[]>((done) => {
    disk.list(folder, done);
  });
  for (const name of names) {
    if (kept.some((prefix) => name.startsWith(`${prefix}-`))) continue;
    yield* wait((done) => {
      disk.remove(`${folder}/${name}`, done);
    });
  }
}
