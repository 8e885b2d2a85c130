/*
 * The place of a unix socket in the file system. A process that was killed leaves its socket file behind, and `listen`
 * then fails with EADDRINUSE for ever. So: somebody answers there, we refuse; nobody does, we remove it. Anything that
 * is not a socket is left alone.
 */
import { lstat, unlink } from 'node:fs';
import { connect } from 'node:net';

export function clearUnixPath(path: string, done: (error: Error | null) => void): void {
  lstat(path, (error, stats) => {
    if (error !== null) {
      done(error.code === 'ENOENT' ? null : new Error(`Cannot look at ${path}: ${error.message}`, { cause: error }));
    } else if (!stats.isSocket()) {
      done(new Error(`${path} exists and is not a socket; choose another path or remove it`));
    } else {
      removeIfDead(path, done);
    }
  });
}

function removeIfDead(path: string, done: (error: Error | null) => void): void {
  const probe = connect({ path });
  probe.once('connect', () => {
    probe.destroy();
    done(new Error(`Another process listens on ${path}; stop it or choose another path`));
  });
  probe.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ECONNREFUSED') {
      done(new Error(`Cannot tell whether anybody listens on ${path}: ${error.message}`, { cause: error }));
      return;
    }
    unlink(path, (failed) => {
      const cause = failed !== null && failed.code !== 'ENOENT' ? failed : null;
      done(cause === null ? null : new Error(`Cannot remove the dead socket ${path}: ${cause.message}`, { cause }));
    });
  });
}
