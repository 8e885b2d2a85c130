/*
 * partita cluster finalize: raises the feature level of the cluster to what all its members understand. While replicas move,
 * each step of them makes a ring version, and may come first: then it is tried again, on top of that one.
 */
import { setTimeout as rest } from 'node:timers/promises';
import type { CommitFacts } from '../../model/cluster-facts.js';
import { type ClusterOptions, statusOf } from '../cluster-asking.js';
import { EXIT_DONE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines } from '../output.js';
import { decide, EXIT_OF, ringOf } from './cluster-commit.js';

const TIMEOUT = '20s';
const ATTEMPTS = 8;
const PAUSE_MS = 200;

export async function runClusterFinalize(io: Io, given: ClusterOptions): Promise<number> {
  const options = { timeout: TIMEOUT, ...given };
  const { level: before } = await statusOf(io, options);
  const facts = await finalize(io, options, before);
  if (facts.kind !== 'done') {
    io.err(`error: cluster finalize: ${facts.text}\n`);
    return EXIT_OF[facts.kind];
  }
  const { level } = ringOf(facts.ring).ring;
  const format = formatOf(io, options.output);
  if (format === 'json') printJson(io, { version: facts.version, level });
  else if (format === 'raw')
    printLines(io, [
      ['version', String(facts.version)],
      ['level', String(level)],
    ]);
  else
    io.out(
      `${facts.text}. The cluster is at feature level ${level}; releases that do not understand it cannot be used any more\n`,
    );
  return EXIT_DONE;
}

async function finalize(io: Io, options: ClusterOptions, before: number): Promise<CommitFacts> {
  for (let left = ATTEMPTS; ; left--) {
    const facts = await decide(io, options, { action: 'finalize' });
    if (left === 1 || (facts.kind !== 'conflict' && facts.kind !== 'no-quorum')) return facts;
    await rest(PAUSE_MS);
    if ((await statusOf(io, options)).level > before) return facts; // somebody else has done it
  }
}
