/* The last steps of a clean stop, and what is said to whoever comes too late. */
import { assert } from '../lib/assert.js';
import type { Flow } from '../lib/flow.js';
import { failure, type Failure } from '../model/errors.js';
import type { Acks } from './engine-acks.js';
import type { Opened } from './engine-deps.js';
import type { HintFile } from './hint-file.js';

/** Nobody writes or waits any more: the log, then the table, then the files. */
export function* closeFiles({ log, table, partitions }: Opened, acks: Acks, hintFile: HintFile): Flow<void> {
  yield (answer) => {
    log.close(answer);
  };
  assert(acks.waiting === 0, 'a closed log has acknowledged every write');
  yield* table.save(partitions, hintFile, false);
  for (const owner of [...partitions, hintFile]) {
    owner.file?.close();
    owner.file = null;
  }
}

export function stopped(state: string): Failure {
  if (state === 'failed') return failure('UNAVAILABLE', 'The storage of this node has failed');
  return failure('DRAINING', 'The node is stopping');
}
