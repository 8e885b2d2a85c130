/*
 * partita cluster join, leave, stay, remove, replace, set and clear: what is to change about the members. Nothing happens
 * before it was planned and committed; the node that is asked keeps it until then.
 */
import { randomBytes } from 'node:crypto';
import { formatAddress, parseAddress } from '../../daemon/config-units.js';
import type { MemberFacts, StagedFacts } from '../../model/cluster-facts.js';
import { CAPACITY_MAX } from '../../ring/shares.js';
import { askCluster, type ClusterOptions, memberMeant, nextCommand, statusOf } from '../cluster-asking.js';
import { parseWhole } from '../durations.js';
import { EXIT_DONE } from '../exit-codes.js';
import { type Io, UsageError } from '../io.js';
import { parseNodeWord } from '../node-words.js';
import { formatOf, printJson, printLines } from '../output.js';

export type StageOptions = ClusterOptions & {
  readonly force?: boolean;
  readonly zone?: string;
  readonly capacity?: string;
  readonly address?: string;
  readonly peerAddress?: string;
};

type Edit = Readonly<Record<string, string | number>>;

export async function runClusterJoin(io: Io, words: readonly string[], options: StageOptions): Promise<number> {
  return stage(
    io,
    options,
    words.map((word) => joinOf(word)),
  );
}

export async function runClusterLeave(
  io: Io,
  verb: 'leave' | 'stay',
  words: readonly string[],
  options: StageOptions,
): Promise<number> {
  const { members } = await statusOf(io, options);
  return stage(
    io,
    options,
    words.map((word) => ({ kind: verb, ordinal: memberMeant(word, members).ordinal })),
  );
}

export async function runClusterRemove(io: Io, words: readonly string[], options: StageOptions): Promise<number> {
  const { members } = await statusOf(io, options);
  const meant = words.map((word) => memberMeant(word, members));
  if (options.force !== true) throw new UsageError(forceNeeded(meant));
  return stage(
    io,
    options,
    meant.map(({ ordinal }) => ({ kind: 'remove', ordinal })),
  );
}

function forceNeeded(meant: readonly MemberFacts[]): string {
  const whom = meant.map(({ ordinal }) => `node ${ordinal}`).join(', ');
  const numbers = meant.map(({ ordinal }) => ordinal).join(' ');
  return `--force is needed to remove ${whom}: it gets no time to hand over, and what only it has is lost. A node that runs leaves in peace with partita cluster leave ${numbers}; one that is lost for good is removed with partita cluster remove ${numbers} --force`;
}

export async function runClusterReplace(io: Io, old: string, word: string, options: StageOptions): Promise<number> {
  const join = joinOf(word);
  const { members } = await statusOf(io, options);
  const { ordinal, zone } = memberMeant(old, members);
  // In its place, unless said otherwise: its zone, too.
  const placed = join['zone'] === '' ? { ...join, zone } : join;
  return stage(io, options, [placed, { kind: options.force === true ? 'remove' : 'leave', ordinal }]);
}

export async function runClusterSet(io: Io, word: string, options: StageOptions): Promise<number> {
  const { zone, capacity, address, peerAddress } = options;
  const settings: Edit = {
    ...(zone === undefined ? {} : { zone }),
    ...(capacity === undefined ? {} : { capacity: parseWhole(capacity, '--capacity', 1, CAPACITY_MAX) }),
    ...(address === undefined ? {} : { address: addressOf(address, '--address') }),
    ...(peerAddress === undefined ? {} : { peerAddress: addressOf(peerAddress, '--peer-address') }),
  };
  if (Object.keys(settings).length === 0)
    throw new UsageError('Nothing to set: give --zone, --capacity, --address or --peer-address');
  if (zone !== undefined && !/^[\w.-]{0,64}$/.test(zone))
    throw new UsageError(`--zone: ${JSON.stringify(zone)} is not up to 64 letters, digits, ".", "_" and "-"`);
  const { members } = await statusOf(io, options);
  return stage(io, options, [{ kind: 'set', ordinal: memberMeant(word, members).ordinal, ...settings }]);
}

export async function runClusterClear(io: Io, options: ClusterOptions): Promise<number> {
  const facts = await askCluster<StagedFacts>(io, options, { action: 'clear' });
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { cleared: facts.staged });
  else if (format === 'raw')
    printLines(
      io,
      facts.staged.map((text) => ['cleared', text]),
    );
  else io.out(facts.staged.length === 0 ? 'Nothing was staged\n' : `Forgotten: ${facts.staged.join('; ')}\n`);
  return EXIT_DONE;
}

function joinOf(word: string): Edit {
  const { name, client, peer, zone, capacity } = parseNodeWord(word, '');
  const addresses = { address: formatAddress(client), peerAddress: formatAddress(peer) };
  return { kind: 'join', name, nodeId: randomBytes(16).toString('hex'), ...addresses, zone, capacity };
}

function addressOf(text: string, option: string): string {
  const parsed = parseAddress(text);
  if (!parsed.ok) throw new UsageError(`${option}: ${JSON.stringify(text)} is no address: expected ${parsed.expected}`);
  if (parsed.value.port === 0) throw new UsageError(`${option}: port 0 cannot be dialled`);
  return formatAddress(parsed.value);
}

async function stage(io: Io, options: StageOptions, edits: readonly Edit[]): Promise<number> {
  const facts = await askCluster<StagedFacts>(io, options, { action: 'stage', edits: JSON.stringify(edits) });
  const next = nextCommand('partita cluster plan', options);
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { ...facts, next });
  else if (format === 'raw')
    printLines(
      io,
      facts.staged.map((text) => ['staged', text]),
    );
  else
    io.out(
      `Staged, and nothing has happened yet:\n${facts.staged.map((text) => `  ${text}\n`).join('')}Next: ${next}\n`,
    );
  return EXIT_DONE;
}
