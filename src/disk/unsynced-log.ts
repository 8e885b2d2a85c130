/*
 * A disk that says "synced" of the commit log without doing it. For one test alone: a power loss must then lose
 * acknowledged writes, or the test of power losses would prove nothing.
 */
import type { Disk, DiskFile, Done, OpenMode } from '../env/disk.js';

const LOG_FOLDER = 'log/';

export function withUnsyncedLog(disk: Disk): Disk {
  return {
    open: (path: string, mode: OpenMode, done: Done<DiskFile>) => {
      if (!path.startsWith(LOG_FOLDER)) {
        disk.open(path, mode, done);
        return;
      }
      disk.open(path, mode === 'write-synced' ? 'write' : mode, (error, file) => {
        if (file === undefined) done(error);
        else done(null, unsynced(file));
      });
    },
    list: disk.list.bind(disk),
    makeFolder: disk.makeFolder.bind(disk),
    rename: disk.rename.bind(disk),
    remove: disk.remove.bind(disk),
    syncFolder: disk.syncFolder.bind(disk),
    space: disk.space.bind(disk),
  };
}

function unsynced(file: DiskFile): DiskFile {
  return {
    read: file.read.bind(file),
    write: file.write.bind(file),
    sync: (done) => {
      file.size((error) => {
        done(error);
      });
    },
    size: file.size.bind(file),
    close: file.close.bind(file),
  };
}
