/* What each owner of a key has stored under it, asked node by node, compared version by version. */
import { Client } from '../../src/client/index.js';
import type { Explanation } from '../../src/client/index.js';
import type { RingDocument } from '../../src/ring/document.js';

const READERS = 32;
const TIMEOUT_MS = 10_000;

/** Keys whose owners differ, or cannot say, with what each has. */
export async function differingCopies(
  seeds: readonly string[],
  { replicaCount: n, owners, members }: RingDocument,
  keys: Iterable<string>,
): Promise<readonly string[]> {
  const client = await Client.connect({ seeds, timeoutMs: TIMEOUT_MS });
  const addressOf = new Map(members.map(({ ordinal, address }) => [ordinal, address]));
  const differing: string[] = [];
  const rest = keys[Symbol.iterator]();
  const reader = async (): Promise<void> => {
    for (let next = rest.next(); next.done !== true; next = rest.next()) {
      const key = next.value;
      const { partition } = await client.explain(key);
      const copies: string[] = [];
      for (const owner of owners.slice(partition * n, partition * n + n)) {
        const address = addressOf.get(owner);
        const copy = await client.explain(key, { node: address });
        if (copy.node !== address) throw new Error(`${copy.node} answered for node ${owner} (${address})`);
        copies.push(copyText(copy));
      }
      if (new Set(copies).size > 1 || !/^(ok|absent)/.test(copies[0] ?? ''))
        differing.push(`${key}: ${copies.join(' | ')}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: READERS }, reader));
  } finally {
    await client.close();
  }
  return differing;
}

function copyText({ state, context, siblings }: Explanation): string {
  const seen = context.map(({ actor, counter }) => `${actor}:${counter}`).sort();
  const versions = siblings.map(({ dot, tombstone, valueBytes }) => `${dot} ${tombstone ? 'deleted' : valueBytes}`);
  return [state, ...seen, ...versions.sort()].join(', ');
}
