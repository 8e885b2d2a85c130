/*
 * partita cluster init: ring version 1 of a new cluster, as a file that every node is started with once. It talks to
 * nobody: there is nothing yet to talk to. What it draws (cluster id, node ids, the rows of the table) is in the file
 * only, so a file is never overwritten. The secret that the nodes will prove to each other goes into a file of its own:
 * the ring is no secret, and is sent to whoever asks for it.
 */
import { BUILD } from '../../model/build.js';
import { randomBytes } from 'node:crypto';
import { unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import xxhash from 'xxhash-wasm';
import { formatAddress, isLoopback } from '../../daemon/config-units.js';
import { drawSecret } from '../../daemon/cluster-secret.js';
import { hash64From } from '../../model/hash.js';
import { nodeId } from '../../model/ids.js';
import { PARTITIONS_DEFAULT, PARTITIONS_MAX } from '../../model/limits.js';
import { ringAdvice } from '../../ring/advice.js';
import { newRing } from '../../ring/change.js';
import { encodeRing, type RingDocument } from '../../ring/document.js';
import { encodeRingFile, ringSizeFault } from '../../ring/ring-file.js';
import { MEMBERS_MAX } from '../../ring/shares.js';
import { parseWhole } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { type NodeWord, parseNodeWords } from '../node-words.js';
import { formatOf, printJson, printLines } from '../output.js';
import { balanceOf, balanceText, memberObjects, memberRows, printMembers, viewOf } from '../ring-view.js';
import type { CommonOptions } from '../session.js';
import { listenWarnings, startCommand, writeNew } from '../start-words.js';

const REPLICAS_DEFAULT = 3;
/** Its owner's alone. */
const SECRET_MODE = 0o600;
const RING_LOST = "it may be the only copy of a cluster's ring. Name another file";
const SECRET_LOST = 'the nodes of some cluster may need it. Name another file, or say --no-secret and use that one';

export interface ClusterInitOptions extends Pick<CommonOptions, 'output'> {
  readonly node?: readonly string[];
  readonly cluster?: string;
  readonly replicas?: string;
  readonly partitions?: string;
  readonly out?: string;
  /** false: none is written. */
  readonly secret?: string | false;
}

/** What was written. */
interface Files {
  readonly ring: string;
  /** null: none, as a single node needs none. */
  readonly secret: string | null;
  readonly nodeCount: number;
}

interface Step {
  readonly node: string;
  readonly command: string;
}

export async function runClusterInit(io: Io, options: ClusterInitOptions): Promise<number> {
  const nodes = parseNodeWords(options.node ?? []);
  const names = nodes.map(({ name }) => name);
  const ring = drawRing(nodes, options);
  const files = filesOf(options, nodes.length);
  const file = files.ring;
  await writeNew(
    '--out',
    RING_LOST,
    file,
    encodeRingFile({ ring, document: encodeRing(ring), names }, hash64From(await xxhash())),
  );
  if (files.secret !== null) await writeSecret(files.secret, file);
  const warnings = warningsOf(ring, nodes);
  for (const text of warnings) io.err(`warning: ${text}\n`);
  const viewed = viewOf({ ring, names });
  const next = nodes.map((node) => stepOf(node, files));
  const format = formatOf(io, options.output);
  if (format === 'json') {
    const { version, cluster, clusterId, partitionCount, replicaCount } = ring;
    const head = { file, secretFile: files.secret, version, cluster, clusterId, partitionCount, replicaCount };
    printJson(io, { ...head, members: memberObjects(viewed), ...balanceOf(viewed), warnings, next });
  } else if (format === 'raw') {
    printLines(
      io,
      memberRows(viewed).map((row) => ['node', ...row]),
    );
    printLines(
      io,
      next.map(({ node, command }) => ['next', node, command]),
    );
  } else {
    printMembers(io, viewed);
    io.out(`${balanceText(viewed)}\n\n${nextText(ring, next, files)}`);
  }
  return EXIT_DONE;
}

function drawRing(nodes: readonly NodeWord[], options: ClusterInitOptions): RingDocument {
  const cluster = options.cluster ?? 'partita';
  if (!/^[\w.-]{1,64}$/.test(cluster))
    throw new UsageError(`--cluster: ${JSON.stringify(cluster)} is not 1 to 64 letters, digits, ".", "_" or "-"`);
  const replicaCount = parseWhole(options.replicas ?? String(REPLICAS_DEFAULT), '--replicas', 1, MEMBERS_MAX);
  if (replicaCount > nodes.length)
    throw new UsageError(
      `--replicas: ${replicaCount} replicas${options.replicas === undefined ? ' (the default)' : ''} need as many nodes, and ${nodes.length === 1 ? '1 is' : `${nodes.length} are`} given. Add nodes with --node, or ask for fewer replicas`,
    );
  const partitionCount = parseWhole(
    options.partitions ?? String(PARTITIONS_DEFAULT),
    '--partitions',
    1,
    PARTITIONS_MAX,
  );
  const members = nodes.map(({ client, peer, zone, capacity }, index) => ({
    nodeId: nodeId(randomBytes(16).toString('hex')),
    ordinal: index + 1,
    address: formatAddress(client),
    peerAddress: formatAddress(peer),
    zone,
    capacity,
    leaving: false,
  }));
  const clusterId = randomBytes(16).toString('hex');
  const level = BUILD.levelMax;
  const head = { level, cluster, clusterId, partitionCount, replicaCount, members };
  const ring = newRing(head, randomBytes(4).readUInt32BE());
  const fault = 'fault' in ring ? `${ring.fault} (members are numbered as --node names them)` : ringSizeFault(ring);
  if (fault !== null) throw new UsageError(`No ring was made: ${fault}`);
  return ring as RingDocument;
}

/** A cluster of one node has nobody to prove anything to, unless others are to join it: then it is asked for. */
function filesOf({ out, secret }: ClusterInitOptions, nodeCount: number): Files {
  const ring = out ?? 'ring-1.json';
  if (secret === false || (secret === undefined && nodeCount === 1)) return { ring, secret: null, nodeCount };
  return { ring, secret: secret ?? join(dirname(ring), 'cluster.secret'), nodeCount };
}

async function writeSecret(path: string, ringFile: string): Promise<void> {
  try {
    await writeNew('--secret', SECRET_LOST, path, Buffer.from(drawSecret()), SECRET_MODE);
  } catch (error) {
    await unlink(ringFile); // both or neither
    throw error;
  }
}

function warningsOf(ring: RingDocument, nodes: readonly NodeWord[]): readonly string[] {
  const warnings = [
    ...ringAdvice(
      ring,
      nodes.map(({ name }) => name),
    ),
  ];
  const beyond = nodes.filter(({ client, peer }) => !isLoopback(client.host) || !isLoopback(peer.host));
  const local = nodes.filter((node) => !beyond.includes(node)).map(({ name }) => name);
  if (beyond.length > 0 && local.length > 0)
    warnings.push(`Only its own machine reaches ${local.join(', ')}: the address is a loopback one`);
  warnings.push(...listenWarnings(nodes));
  return warnings;
}

function stepOf(node: NodeWord, { ring, secret, nodeCount }: Files): Step {
  return { node: node.name, command: startCommand(node, ring, secret ?? (nodeCount === 1 ? null : 'SECRET-FILE')) };
}

function nextText(
  { version, cluster, clusterId, partitionCount, replicaCount }: RingDocument,
  steps: readonly Step[],
  files: Files,
): string {
  const width = Math.max(...steps.map(({ node }) => node.length));
  const [what, secret] =
    files.secret === null ? ['the file', []] : ['both files', [`The secret of its nodes is in ${files.secret}.`]];
  return [
    `Ring version ${version} of cluster ${cluster} (id ${clusterId}, Q = ${partitionCount}, N = ${replicaCount}) is in ${files.ring}.`,
    ...secret,
    `Next: copy ${what} to the machine of each node, and start it there with`,
    '',
    ...steps.map(({ node, command }) => `  ${node.padEnd(width)}  ${command}`),
    '',
    `Later starts do without --init-from and --node${files.nodeCount === 1 && files.secret === null ? '' : ', and need the secret each time'}.`,
    '',
  ].join('\n');
}
