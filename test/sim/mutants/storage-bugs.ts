/* Planted bugs of storing: what is kept, what is said of it, and when. */
import { failure } from '../../../src/model/errors.js';
import type { ReadRequest, Stored } from '../../../src/storage/storage.js';
import { textOf } from '../tools.js';
import type { Mutant } from './mutant.js';
import { entriesOf, putTogether, takeApart } from './record-edits.js';
import { EditedWrite, PassingRead, PassingStorage, PassingWrite, storedWith, wrappingWrites } from './wrappers.js';

const ACK_AFTER_MS = 0.01;
const STALE_MS = 200;

export const ackBeforeSync: Mutant = {
  name: 'ack-before-sync',
  what: 'a put is acknowledged when it is in memory',
  storage: (inner, world) =>
    wrappingWrites((request) => {
      let isWritten = false;
      return new (class extends PassingWrite {
        override encode(target: Uint8Array, at: number): void {
          super.encode(target, at);
          isWritten = true;
          world.after(ACK_AFTER_MS, () => {
            this.inner.onWritten(true);
          });
        }
        override onWritten(durable: boolean): void {
          if (!isWritten) this.inner.onWritten(durable);
        }
      })(request);
    })(inner),
};

export const droppedSibling: Mutant = {
  name: 'dropped-sibling',
  what: 'of three siblings or more the last is left out when the record is written',
  storage: wrappingWrites(
    (request) =>
      new EditedWrite(request, (bytes) => {
        const parts = takeApart(bytes, 0);
        if (parts.siblings.length < 3) return bytes;
        parts.siblings = parts.siblings.slice(0, -1);
        return putTogether(parts);
      }),
  ),
};

export const deleteForgets: Mutant = {
  name: 'delete-forgets',
  what: 'a delete that leaves no value leaves no context either, and no put ids',
  storage: wrappingWrites((request) => {
    const isDelete = (request as { isDelete?: boolean }).isDelete === true;
    if (!isDelete) return request;
    return new EditedWrite(request, (bytes) => {
      const parts = takeApart(bytes, 0);
      if (parts.siblings.length !== 1) return bytes;
      parts.entries = entriesOf(parts);
      parts.remembered = [];
      return putTogether(parts);
    });
  }),
};

export const staleReads: Mutant = {
  name: 'stale-reads',
  what: 'a cache answers reads with what was there up to 200 ms ago',
  storage: (inner, world) =>
    new (class extends PassingStorage {
      readonly #cache: Map<string, { readonly atMs: number; readonly stored: Stored }> = new Map();

      override read(request: ReadRequest): void {
        const name = textOf(request.key);
        const cached = this.#cache.get(name);
        if (cached !== undefined && world.nowMs() - cached.atMs < STALE_MS) {
          request.onRead(cached.stored);
          return;
        }
        this.inner.read(
          new PassingRead(request, (stored) => {
            const bytes = stored.bytes.slice(stored.start, stored.end);
            const kept = storedWith(stored, { bytes, start: 0, end: bytes.length, owned: true });
            this.#cache.set(name, { atMs: world.nowMs(), stored: kept });
            request.onRead(stored);
          }),
        );
      }
    })(inner),
};

export const refusedYetStored: Mutant = {
  name: 'refused-yet-stored',
  what: 'one put in fifty is stored, and its client is told that it was refused',
  storage: (inner, world) =>
    wrappingWrites((request) => {
      const lies = world.random.u32() % 50 === 0;
      return !lies
        ? request
        : new (class extends PassingWrite {
            override onWritten(): void {
              this.inner.onRefused(failure('TOO_LARGE', 'It is too large'));
            }
          })(request);
    })(inner),
};

export const syncIsALie: Mutant = {
  name: 'sync-is-a-lie',
  what: 'the log is opened without O_DSYNC, and nothing is ever synced',
  disk: (inner) => ({
    ...passing(inner),
    open: (path, mode, done) => {
      inner.open(path, path.startsWith('log/') && mode === 'write-synced' ? 'write' : mode, (error, file) => {
        if (error !== null || file === undefined) done(error);
        else if (!path.startsWith('log/')) done(null, file);
        else done(null, { ...passingFile(file), sync: (synced) => file.size((failed) => synced(failed)) });
      });
    },
  }),
};

export const damagedIsAbsent: Mutant = {
  name: 'damaged-is-absent',
  what: 'a record that fails its check reads as not found',
  given: { faults: ['rot-file', 'restart'], faultEveryMs: 1_000 },
  storage: (inner) =>
    new (class extends PassingStorage {
      override read(request: ReadRequest): void {
        this.inner.read(
          new PassingRead(request, (stored) => {
            request.onRead(
              stored.state === 'unknown' ? storedWith(stored, { state: 'absent', end: stored.start }) : stored,
            );
          }),
        );
      }
    })(inner),
};

type Disk = Parameters<NonNullable<Mutant['disk']>>[0];
type File = NonNullable<Parameters<Parameters<Disk['open']>[2]>[1]>;

function passing(inner: Disk): Disk {
  return {
    open: (path, mode, done) => {
      inner.open(path, mode, done);
    },
    list: (folder, done) => {
      inner.list(folder, done);
    },
    makeFolder: (path, done) => {
      inner.makeFolder(path, done);
    },
    rename: (from, to, done) => {
      inner.rename(from, to, done);
    },
    remove: (path, done) => {
      inner.remove(path, done);
    },
    syncFolder: (folder, done) => {
      inner.syncFolder(folder, done);
    },
    space: (done) => {
      inner.space(done);
    },
  };
}

function passingFile(file: File): File {
  return {
    read: (offset, length, done) => {
      file.read(offset, length, done);
    },
    write: (offset, chunks, done) => {
      file.write(offset, chunks, done);
    },
    sync: (done) => {
      file.sync(done);
    },
    size: (done) => {
      file.size(done);
    },
    close: (done) => {
      file.close(done);
    },
  };
}
