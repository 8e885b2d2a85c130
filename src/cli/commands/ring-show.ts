/* partita ring show: the members of a ring and what each holds, from a ring file or from a node that serves. */
import xxhash from 'xxhash-wasm';
import { hash64From } from '../../model/hash.js';
import { decodeRingFile } from '../../ring/ring-file.js';
import { EXIT_DONE } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { formatOf, printJson, printLines } from '../output.js';
import {
  type ViewedRing,
  balanceOf,
  balanceText,
  memberObjects,
  memberRows,
  printMembers,
  viewOf,
} from '../ring-view.js';
import { type CommonOptions, readNamed, withClient } from '../session.js';

export async function runRingShow(io: Io, file: string | undefined, options: CommonOptions): Promise<number> {
  const { ring, head } = file === undefined ? await ringOfServer(io, options) : await ringOfFile(file, options);
  const { version, partitionCount, replicaCount } = ring;
  const format = formatOf(io, options.output);
  if (format === 'json')
    printJson(io, {
      ...head,
      version,
      partitionCount,
      replicaCount,
      members: memberObjects(ring),
      ...balanceOf(ring),
      owners: ring.owners,
    });
  else if (format === 'raw') printLines(io, memberRows(ring));
  else {
    const facts = Object.entries(head).map(([name, value]) => `${name} ${value}`);
    printMembers(io, ring);
    io.out(`${[`ring version ${version}`, ...facts, `Q = ${partitionCount}`, `N = ${replicaCount}`].join(', ')}\n`);
    io.out(`${balanceText(ring)}\n`);
  }
  return EXIT_DONE;
}

interface Shown {
  readonly ring: ViewedRing;
  /** What only one of the two sources knows. */
  readonly head: Readonly<Record<string, string>>;
}

async function ringOfFile(file: string, options: CommonOptions): Promise<Shown> {
  if (options.server !== undefined) throw new UsageError('FILE and --server: give one of them');
  const read = decodeRingFile(await readNamed(file, 'FILE'), hash64From(await xxhash()));
  if ('fault' in read) throw new UsageError(`${file} cannot be used: ${read.fault}`);
  const { cluster, clusterId } = read.ring;
  return { ring: viewOf(read), head: { cluster, clusterId } };
}

async function ringOfServer(io: Io, options: CommonOptions): Promise<Shown> {
  return withClient(io, options, async (client) => {
    await client.connect();
    const ring = client.ring();
    if (ring === undefined) throw new Error('the node has answered, and told no ring');
    return { ring, head: {} };
  });
}
