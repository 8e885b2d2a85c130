/*
 * partita cluster commit: has the voters decide on what was planned; and the file that a new node is started with. A ring
 * that was decided on is in force whatever becomes of the file, so it is first looked whether the file can be written,
 * and partita cluster ring-file writes it again.
 */
import { access } from 'node:fs/promises';
import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import xxhash from 'xxhash-wasm';
import { PartitaError } from '../../client/index.js';
import { parseAddress } from '../../daemon/config-units.js';
import type { ClusterStatusFacts, CommitFacts, PlanFacts } from '../../model/cluster-facts.js';
import { hash64From } from '../../model/hash.js';
import { decodeRing, type RingDocument } from '../../ring/document.js';
import { encodeRingFile } from '../../ring/ring-file.js';
import { askCluster, type ClusterOptions, nextCommand, statusOf } from '../cluster-asking.js';
import { parseWhole } from '../durations.js';
import { EXIT_DONE, EXIT_FAILED, EXIT_UNAVAILABLE } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { formatOf, printJson, printLines } from '../output.js';
import { listenWarnings, type StartedNode, startCommand, writeNew } from '../start-words.js';

export type CommitOptions = ClusterOptions & {
  readonly version?: string;
  readonly plan?: string;
  readonly out?: string;
  readonly secret?: string;
  readonly now?: boolean;
};

/** Longer than the voters may take. */
const TIMEOUT = '20s';
const VERSION_MAX = 0xffff_ffff;
/** Of --now, and how long it waits between two: long enough for the node to hear of the newer ring. */
const ATTEMPTS = 8;
const PAUSE_MS = 200;
const FILE_LOST = 'name another file';
export const EXIT_OF: Readonly<Record<CommitFacts['kind'], number>> = {
  done: EXIT_DONE,
  refused: EXIT_FAILED,
  conflict: EXIT_FAILED,
  'no-quorum': EXIT_UNAVAILABLE,
  unknown: EXIT_UNAVAILABLE,
};

/** What has become of it; `file`: where the ring is to be written, null if nobody joins. */
interface Committed {
  readonly facts: CommitFacts;
  readonly file: string | null;
}

export async function runClusterCommit(io: Io, given: CommitOptions): Promise<number> {
  const options = { timeout: TIMEOUT, ...given };
  const { facts, file } = options.now === true ? await commitNow(io, options) : await commitPlanned(io, options);
  if (facts.kind !== 'done') {
    io.err(`error: cluster commit: ${facts.text}\n`);
    return EXIT_OF[facts.kind];
  }
  await show(io, options, facts, file);
  return EXIT_DONE;
}

async function commitPlanned(io: Io, options: CommitOptions): Promise<Committed> {
  if (options.version === undefined)
    throw new UsageError(
      '--version: say which ring version was planned; partita cluster plan prints the whole command',
    );
  const version = parseWhole(options.version, '--version', 2, VERSION_MAX);
  const { plan, joining } = await statusOf(io, options);
  if (plan === null) throw new UsageError('There is no plan to commit. Make one: partita cluster plan');
  if (plan.version !== version)
    throw new UsageError(
      `--version: ${version} was asked for, and what was planned last makes version ${plan.version}. Look at it again: partita cluster plan`,
    );
  const planHash = options.plan ?? plan.hash;
  if (!/^[0-9a-f]{16}$/.test(planHash))
    throw new UsageError(`--plan: ${JSON.stringify(planHash)} is not the 16 hexadecimal digits that plan printed`);
  const file = await fileFor(version, joining, options);
  return { facts: await commit(io, options, version - 1, planHash), file };
}

/**
 * While replicas move, each step of them makes a ring of its own, and a plan is stale before anybody has read it. What
 * is staged is then planned and committed in one breath, as often as only such a step comes between.
 */
async function commitNow(io: Io, options: CommitOptions): Promise<Committed> {
  if (options.version !== undefined || options.plan !== undefined)
    throw new UsageError('--now plans anew: it goes without --version and --plan');
  const before = await statusOf(io, options);
  for (let left = ATTEMPTS; ; left--) {
    const plan = await askCluster<PlanFacts>(io, options, { action: 'plan' });
    if (left === ATTEMPTS) for (const text of plan.warnings) io.err(`warning: ${text}\n`);
    const file = await fileFor(plan.version, before.joining, options);
    const facts = await commit(io, options, plan.baseVersion, plan.hash);
    if (left === 1 || (facts.kind !== 'conflict' && facts.kind !== 'no-quorum')) return { facts, file };
    await rest(PAUSE_MS);
    const now = await statusOf(io, options);
    const reached = now.voters.filter(({ reachable }) => reachable).length;
    if (identityOf(now) !== identityOf(before) || reached < now.quorum) return { facts, file };
  }
}

/** Who the members are: if that has changed, somebody else was here. */
function identityOf({ members }: ClusterStatusFacts): string {
  return JSON.stringify(
    members.map(({ nodeId, address, peerAddress, zone, capacity, leaving }) => [
      ...[nodeId, address, peerAddress],
      ...[zone, capacity, leaving],
    ]),
  );
}

async function fileFor(
  version: number,
  joining: ClusterStatusFacts['joining'],
  { out }: CommitOptions,
): Promise<string | null> {
  if (joining.length === 0) return null;
  const file = out ?? `ring-${version}.json`;
  await checkFree(file);
  return file;
}

export async function runRingFile(io: Io, options: CommitOptions): Promise<number> {
  const { ring: raw, members } = await statusOf(io, options);
  const theirs = ringOf(raw);
  const { version } = theirs.ring;
  const file = options.out ?? `ring-${version}.json`;
  const names = await writeRingFile(theirs, [], file);
  const rows = members.map(({ ordinal, address }, index) => [names[index] ?? '', String(ordinal), address]);
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { file, version, names });
  else if (format === 'raw') printLines(io, rows);
  else
    io.out(`Ring version ${version} is in ${file}. In it the nodes are called ${names.join(', ')}, by their numbers\n`);
  return EXIT_DONE;
}

function commit(io: Io, options: ClusterOptions, baseVersion: number, planHash: string): Promise<CommitFacts> {
  return decide(io, options, { action: 'commit', baseVersion, planHash });
}

/** Of an answer that is lost nobody knows what it was. */
export async function decide(
  io: Io,
  options: ClusterOptions,
  request: Parameters<typeof askCluster>[2],
): Promise<CommitFacts> {
  try {
    return await askCluster<CommitFacts>(io, options, request);
  } catch (error) {
    if (!PartitaError.is(error) || (error.code !== 'TIMEOUT' && error.code !== 'CONNECTION')) throw error;
    const text = `${error.message}. The change may have been decided on all the same: look with partita cluster status before you try again`;
    throw new PartitaError(error.code, text, { cause: error });
  }
}

async function show(io: Io, options: CommitOptions, facts: CommitFacts, file: string | null): Promise<void> {
  const ring = ringOf(facts.ring);
  const starts = file === null ? [] : await startsOf(ring, facts, file, options);
  const next = nextCommand('partita cluster status', options);
  const warnings = listenWarnings(starts);
  const format = formatOf(io, options.output);
  const commands = starts.map(({ name, command }) => ({ node: name, command }));
  for (const text of warnings) io.err(`warning: ${text}\n`);
  if (format === 'json') printJson(io, { version: facts.version, file, start: commands, next });
  else if (format === 'raw')
    printLines(io, [
      ['version', String(facts.version)],
      ...(file === null ? [] : [['file', file]]),
      ...commands.map(({ node, command }) => ['start', node, command]),
    ]);
  else {
    io.out(`${facts.text}\n`);
    if (file !== null)
      io.out(
        `It is in ${file}: copy that, and the secret of the cluster, to the machine of each new node, and start it there with\n\n${commands.map(({ command }) => `  ${command}\n`).join('')}\nLater starts do without --init-from and --node, and need the secret each time.\n`,
      );
    io.out(`Next: ${next}\n`);
  }
}

interface Start extends StartedNode {
  readonly command: string;
}

/** A ring that a node has told of. */
interface TheirRing {
  readonly ring: RingDocument;
  /** As it was agreed on. */
  readonly document: Uint8Array;
}

async function startsOf(
  theirs: TheirRing,
  { joined }: CommitFacts,
  file: string,
  { secret = 'cluster.secret' }: CommitOptions,
): Promise<readonly Start[]> {
  const { ring } = theirs;
  const names = await writeRingFile(theirs, joined, file).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(
      `Ring version ${ring.version} is in force, but its file was not written (${why}). Write it again: partita cluster ring-file --out FILE`,
      { cause: error },
    );
  });
  return ring.members.flatMap(({ nodeId, address, peerAddress }, index) => {
    if (!joined.some((one) => one.nodeId === nodeId)) return [];
    const node = { name: names[index] ?? '', client: addressOf(address), peer: addressOf(peerAddress) };
    return [{ ...node, command: startCommand(node, file, secret) }];
  });
}

/** The names in it, by index of the member. A ring knows no names: who joins has one, and the others get theirs by number. */
async function writeRingFile(
  { ring, document }: TheirRing,
  joined: CommitFacts['joined'],
  file: string,
): Promise<readonly string[]> {
  const taken = new Set<string>();
  const named = new Map(joined.map(({ nodeId, name }) => [nodeId, name]));
  for (const name of named.values()) taken.add(name);
  const names = ring.members.map(({ nodeId, ordinal }) => {
    const own = named.get(nodeId);
    if (own !== undefined) return own;
    let name = `node-${ordinal}`;
    while (taken.has(name)) name = `${name}-`;
    taken.add(name);
    return name;
  });
  await writeNew('--out', FILE_LOST, file, encodeRingFile({ ring, document, names }, hash64From(await xxhash())));
  return names;
}

/** The bytes that were agreed on, as the node has told them: rings are JSON without blanks. */
export function ringOf(raw: unknown): TheirRing {
  const document = Buffer.from(JSON.stringify(raw));
  const ring = decodeRing(document);
  if ('fault' in ring) throw new PartitaError('PROTOCOL', `the node has answered with what is no ring: ${ring.fault}`);
  return { ring, document };
}

function addressOf(text: string): StartedNode['client'] {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new PartitaError('PROTOCOL', `the ring has the address ${text}, which is none`);
  return parsed.value;
}

async function checkFree(file: string): Promise<void> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (isThere)
    throw new UsageError(`--out: ${file} is there already and is not overwritten: ${FILE_LOST}. Nothing was committed`);
  await access(dirname(file), constants.W_OK).catch((error: unknown) => {
    throw new UsageError(`--out: ${file} cannot be written: ${(error as Error).message}. Nothing was committed`);
  });
}
