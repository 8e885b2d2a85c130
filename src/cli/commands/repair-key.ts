/*
 * partita repair: every owner of a key is asked for what it has, and those that have less are sent what all of them
 * have together. It is what a get does for the replicas that it happens to ask (§5), for all of them and with a report.
 */
import { setTimeout as rest } from 'node:timers/promises';
import type { Client, Explanation } from '../../client/index.js';
import { PartitaError } from '../../client/index.js';
import { EXIT_DONE, EXIT_FAILED, EXIT_UNAVAILABLE } from '../exit-codes.js';
import type { Io } from '../io.js';
import { formatOf, printJson, printLines, printTable } from '../output.js';
import { timeoutMsOf, withClient } from '../session.js';
import type { CommonOptions } from '../session.js';

const LOOK_AGAIN_MS = 50;
const SETTLED_WITHIN_MS = 3_000;

/** What an owner had, or why that is not known. */
type Look = { readonly explanation: Explanation } | { readonly error: string };

interface Owner {
  readonly id: string;
  readonly address: string;
}

export async function runRepairKey(io: Io, key: string, options: CommonOptions): Promise<number> {
  const timeoutMs = timeoutMsOf(options);
  return withClient(io, options, async (client) => {
    await client.connect();
    const replicaCount = client.ring()?.replicaCount ?? 1;
    const owners = client.preferenceList(key).slice(0, replicaCount);
    const before = await lookAt(client, key, owners);
    let failure = '';
    try {
      // All of them must answer for it to succeed; those that did are repaired in any case.
      await client.get(key, { r: owners.length, timeoutMs });
    } catch (error) {
      if (!PartitaError.is(error)) throw error;
      failure = error.message;
    }
    const after = await settled(client, key, owners);
    const best = mostCommon(after);
    const rows = owners.map(({ id, address }, i) => ({
      node: id.slice(0, 8),
      address,
      before: wordsOf(before[i], best),
      after: wordsOf(after[i], best),
    }));
    const format = formatOf(io, options.output);
    if (format === 'json') printJson(io, { key, owners: rows });
    else if (format === 'raw')
      printLines(
        io,
        rows.map(({ node, address, before: was, after: is }) => [node, address, was, is]),
      );
    else
      printTable(
        io,
        ['owner', 'address', 'was', 'is'],
        rows.map(({ node, address, before: was, after: is }) => [node, address, was, is]),
      );
    return verdict(io, after, best, failure);
  });
}

async function lookAt(client: Client, key: string, owners: readonly Owner[]): Promise<readonly Look[]> {
  return Promise.all(
    owners.map(async ({ id }) => {
      try {
        return { explanation: await client.explain(key, { node: id }) };
      } catch (error) {
        if (PartitaError.is(error)) return { error: error.code };
        throw error;
      }
    }),
  );
}

/** Repairs follow the answer of the get; looks until all that can be reached are equal, or it has been long enough. */
async function settled(client: Client, key: string, owners: readonly Owner[]): Promise<readonly Look[]> {
  const endMs = performance.now() + SETTLED_WITHIN_MS;
  for (;;) {
    const looks = await lookAt(client, key, owners);
    const prints = looks.filter((look) => 'explanation' in look).map(printOf);
    if (new Set(prints).size <= 1 || performance.now() >= endMs) return looks;
    await rest(LOOK_AGAIN_MS);
  }
}

/** What two owners must have in common to have the same record. */
function printOf(look: Look): string {
  if ('error' in look) return '';
  const { state, context, siblings, rememberedPutIds, cutSeconds } = look.explanation;
  if (state === 'absent' || state === 'damaged') return state;
  return JSON.stringify([context, siblings.map(({ dot }) => dot), rememberedPutIds, cutSeconds]);
}

/** The record that most owners have now; '': none was seen. */
function mostCommon(looks: readonly Look[]): string {
  const counts = new Map<string, number>();
  for (const look of looks) {
    const print = printOf(look);
    if (print !== '' && print !== 'absent' && print !== 'damaged') counts.set(print, (counts.get(print) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0] ?? '';
}

function wordsOf(look: Look | undefined, best: string): string {
  if (look === undefined) return '';
  if ('error' in look) return `not asked: ${look.error}`;
  const { state } = look.explanation;
  if (state === 'damaged') return 'unknown: damaged or lost';
  if (state === 'absent') return best === '' ? 'nothing' : 'missing';
  const isBest = printOf(look) === best;
  if (state === 'suspect')
    return `unknown: suspect partition, ${isBest ? 'this record up to date' : 'this record stale'}`;
  return isBest ? 'up to date' : 'stale';
}

function verdict(io: Io, after: readonly Look[], best: string, failure: string): number {
  const unreached = after.filter((look) => 'error' in look).length;
  const differing = after.filter((look) => 'explanation' in look && printOf(look) !== best && best !== '').length;
  if (differing > 0) {
    io.err(
      `error: ${differing} of the owners still have something else${failure === '' ? '' : `: ${failure}`}. Try again, or see what each has: partita explain KEY --node NODE\n`,
    );
    return EXIT_FAILED;
  }
  if (unreached > 0) {
    io.err(
      `error: ${unreached} of the owners could not be asked; the others are equal. Repeat it when they are back\n`,
    );
    return EXIT_UNAVAILABLE;
  }
  return EXIT_DONE;
}
