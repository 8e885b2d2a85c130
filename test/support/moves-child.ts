/*
 * A store that installs and drops a partition without end, to be killed: `node moves-child.js FOLDER OPENING FILE`. Tells its
 * parent after each step what is there.
 */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import type { InstallRefusal } from '../../src/storage/move-storage.js';
import { open } from '../storage/engine-real-world.js';

const PARTITION = 3;

type Start<T> = (done: (error: Error | null, value?: T) => void) => void;
const ask = <T>(start: Start<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value as T);
      else reject(error);
    });
  });

if (process.send !== undefined) {
  const [folder = '', opening = '1', file = ''] = process.argv.slice(2);
  process.on('message', () => undefined); // stays until it is killed
  const { engine } = await open(folder, Number(opening), 0, false);
  for (;;) {
    copyFileSync(file, join(folder, 'incoming/one'));
    const refusal = await ask<InstallRefusal | null>((done) => {
      engine.moves.installFile(PARTITION, 'incoming/one', done);
    });
    if (refusal !== null) throw new Error(`It was refused: ${refusal}`);
    process.send('installed');
    await ask<void>((done) => {
      engine.moves.dropPartition(
        PARTITION,
        () => true,
        (error) => {
          done(error);
        },
      );
    });
    process.send('dropped');
  }
}
