/*
 * A process of its own that reads whole partition files, and the file of hints, because one of them may be what kills whoever reads it: a page
 * that points behind the end of the file is SIGBUS, and no exception.
 *
 * Paths come in on stdin, one a line. Before a file is touched its name goes out, synchronously, so that whoever
 * started us knows which one it was. Out, one line each:
 *
 *   begin PATH
 *   fine PATH<tab>COUNTS   JSON of a FileCount; of hints.mdb, records are hints
 *   bad PATH<tab>TEXT      it could be read, and does not hold together
 */
import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import xxhash from 'xxhash-wasm';
import { sizeFault } from '../disk/lmdb-file-size.js';
import { withSnapshot } from '../disk/lmdb-snapshot.js';
import type { FileSnapshot } from '../env/partition-file.js';
import { hash64From } from '../model/hash.js';
import { leafCountOf } from '../repair/merkle.js';
import { eachStoredHint } from '../storage/hint-file.js';
import { decodeHome, HOME_KEY } from '../storage/partition-home.js';
import { countFile, type FileCount } from '../workers/walk.js';

const partitionCount = Number(process.argv[2]);
const hash = hash64From(await xxhash());

/** To a pipe, which on Linux is written before this returns. */
function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function inputLines(): Promise<readonly string[]> {
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk as string;
  return text.split('\n').filter((line) => line !== '');
}

function countHints(snapshot: FileSnapshot): string | FileCount {
  let records = 0;
  let damaged = 0;
  const onHint = (): void => {
    records += 1;
  };
  const onDamaged = (): void => {
    damaged += 1;
  };
  eachStoredHint(snapshot, hash, onHint, onDamaged);
  const home = snapshot.get(HOME_KEY);
  if (home !== null && decodeHome(home, hash) === null) return 'Its home entry fails its check';
  const met = records + damaged;
  const unreachable = Math.abs(snapshot.counts().entries - met - (home === null ? 0 : 1));
  if (unreachable > 0) return `${unreachable} entries are counted and cannot be reached`;
  return { records, damaged, counted: met, unreachable, differingLeaves: 0 };
}

function faultOf(path: string): string | FileCount {
  const short = sizeFault(path);
  if (short !== null) return short;
  if (basename(path) === 'hints.mdb') return withSnapshot(path, countHints);
  const found = countFile({
    snapshot: (use) => withSnapshot(path, use),
    leafCount: leafCountOf(partitionCount),
    hash,
    digest: { sha256: (bytes) => createHash('sha256').update(bytes).digest() },
    nowMs: () => performance.now(),
  });
  if (found.unreachable > 0)
    return `${found.unreachable} entries are counted and not met, or met and not found when they are read`;
  const met = found.records + found.damaged;
  return met === found.counted ? found : `${met} records can be reached, the leaves count ${found.counted}`;
}

for (const path of await inputLines()) {
  say(`begin ${path}`);
  let found: string | FileCount;
  try {
    found = faultOf(path);
  } catch (error) {
    found = (error as Error).message.replaceAll(/\s+/g, ' ');
  }
  say(typeof found === 'string' ? `bad ${path}\t${found}` : `fine ${path}\t${JSON.stringify(found)}`);
}
