import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { type DiskFailure, RealDisk } from '../../src/disk/real-disk.js';
import type { DiskFile } from '../../src/env/disk.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'real-disk-')));
test.after.always(() => {
  rmSync(root, { recursive: true, force: true });
});

async function call<T>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return await new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value as T);
      else reject(error);
    });
  });
}

test('files are written in pieces, read back, renamed, listed, removed', async (t) => {
  const disk = new RealDisk(root);
  await call((done) => {
    disk.makeFolder('log', done);
  });
  await call((done) => {
    disk.makeFolder('log', done);
  });
  const file = await call<DiskFile>((done) => {
    disk.open('log/a', 'create', done);
  });
  await call((done) => {
    file.write(0, [Buffer.from('abc')], done);
  });
  await call((done) => {
    file.write(3, [Buffer.from('de'), Buffer.from(''), Buffer.from('fgh')], done);
  });
  await call((done) => {
    file.sync(done);
  });
  t.is(
    await call<number>((done) => {
      file.size(done);
    }),
    8,
  );
  t.is(
    Buffer.from(
      await call<Uint8Array>((done) => {
        file.read(1, 4, done);
      }),
    ).toString(),
    'bcde',
  );
  t.is(
    Buffer.from(
      await call<Uint8Array>((done) => {
        file.read(6, 100, done);
      }),
    ).toString(),
    'gh',
    'fewer only at the end',
  );
  t.is(
    (
      await call<Uint8Array>((done) => {
        file.read(100, 10, done);
      })
    ).length,
    0,
  );
  await call((done) => {
    file.close(done);
  });
  await call((done) => {
    disk.rename('log/a', 'log/b', done);
  });
  await call((done) => {
    disk.syncFolder('log', done);
  });
  t.deepEqual(
    await call<readonly string[]>((done) => {
      disk.list('log', done);
    }),
    ['b'],
  );
  t.deepEqual(
    await call<readonly string[]>((done) => {
      disk.list('absent', done);
    }),
    [],
  );

  const synced = await call<DiskFile>((done) => {
    disk.open('log/b', 'write-synced', done);
  });
  await call((done) => {
    synced.write(0, [Buffer.from('ABC')], done);
  });
  await call((done) => {
    synced.close(done);
  });
  const again = await call<DiskFile>((done) => {
    disk.open('log/b', 'read', done);
  });
  t.is(
    Buffer.from(
      await call<Uint8Array>((done) => {
        again.read(0, 8, done);
      }),
    ).toString(),
    'ABCdefgh',
  );
  await call((done) => {
    again.close(done);
  });
  await call((done) => {
    disk.remove('log/b', done);
  });
  const space = await call<{ freeBytes: number; totalBytes: number }>((done) => {
    disk.space(done);
  });
  t.true(0 < space.freeBytes && space.freeBytes <= space.totalBytes);
});

test('errors carry their code', async (t) => {
  const disk = new RealDisk(root);
  const code = async (start: (done: (error: Error | null) => void) => void): Promise<string> =>
    await call(start).then(
      () => 'none',
      (error: DiskFailure) => error.code,
    );
  t.is(
    await code((done) => {
      disk.open('nothing', 'read', done);
    }),
    'ENOENT',
  );
  t.is(
    await code((done) => {
      disk.open('nothing', 'write', done);
    }),
    'ENOENT',
  );
  const file = await call<DiskFile>((done) => {
    disk.open('once', 'create', done);
  });
  t.is(
    await code((done) => {
      disk.open('once', 'create', done);
    }),
    'EEXIST',
  );
  await call((done) => {
    file.close(done);
  });
  t.is(
    await code((done) => {
      file.sync(done);
    }),
    'EBADF',
  );
});

test('a full disk gives ENOSPC, or a short write that is an error', async (t) => {
  const full = await call<DiskFile>((done) => {
    new RealDisk('/dev').open('full', 'write', done);
  });
  const error = await t.throwsAsync(
    call((done) => {
      full.write(0, [Buffer.alloc(10)], done);
    }),
  );
  t.is((error as DiskFailure).code, 'ENOSPC');
  await call((done) => {
    full.close(done);
  });
});

test('no path leads out of the directory', (t) => {
  const disk = new RealDisk(root);
  for (const path of ['/etc/passwd', '../x', 'log/../../x', 'log//x', './x', 'log/', 'a\0b']) {
    t.throws(() => disk.path(path), { message: /Not a name inside the data directory/ }, path);
  }
  t.is(disk.path('log/x'), join(root, 'log/x'));
});
