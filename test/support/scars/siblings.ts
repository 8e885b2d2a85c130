/*
 * Sibling explosion (riak_kv#746, riak_test#383): values that pile up though nobody wrote concurrently. Two clients that
 * write in turn, each on what it read last, never make more than two; one that reads before it writes never more than
 * one, whoever coordinates and whoever is away meanwhile; and those who never read make exactly as many as they are,
 * until the limit stops them, with the context that helps.
 */
import { ERROR_CODES } from '../../../src/model/errors.js';
import { RefusedError } from '../raw-client.js';
import { showsEverywhere } from './ring-of-five.js';
import type { RingOfFive, ScriptedNode } from './ring-of-five.js';

const ROUNDS = 20;
const SIBLINGS_MAX = 100;

export async function writersInTurn(ring: RingOfFive): Promise<readonly string[]> {
  const { key, all } = ring.of('in-turn');
  const at = (i: number): ScriptedNode => all[i % all.length] as ScriptedNode;
  let contexts = [new Uint8Array(0), new Uint8Array(0)];
  for (let i = 0; i < ROUNDS; i++) {
    const mine = i % 2;
    await at(i).put(key, `${mine}-${i}`, { context: contexts[mine] ?? new Uint8Array(0) });
    const { values, context } = await at(i + 1).get(key, 3);
    if (values.length > 2)
      return [`${values.length} siblings after put ${i} of two writers in turn: ${values.join(' ')}`];
    contexts = contexts.map((old, writer) => (writer === mine ? Uint8Array.from(context) : old));
  }
  return [];
}

export async function oneWhoReadsFirst(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, all } = ring.of('reads-first');
  const absent = owners[0];
  const present = all.filter((node) => node !== absent);
  for (let i = 0; i < ROUNDS; i++) {
    if (i === ROUNDS / 4) await absent.kill();
    if (i === ROUNDS / 2) await absent.start();
    const node = present[i % present.length] as ScriptedNode;
    const { context } = await node.get(key, 2);
    await node.put(key, `v${i}`, { context });
  }
  return showsEverywhere('after reads and writes in turn', all, key, [`v${ROUNDS - 1}`]);
}

export async function thoseWhoNeverRead(ring: RingOfFive): Promise<readonly string[]> {
  const { key, all } = ring.of('never-read');
  const written: string[] = [];
  for (let i = 0; i < SIBLINGS_MAX; i++) {
    written.push(`blind-${i}`);
    await (all[i % all.length] as ScriptedNode).put(key, `blind-${i}`, { w: 3 });
  }
  const faults = [...(await showsEverywhere('after blind puts', all, key, written))];
  const node = all[0] as ScriptedNode;
  const code = await node.put(key, 'one-more', { w: 3 }).then(
    () => 0,
    (error: unknown) => (error instanceof RefusedError ? error.code : Promise.reject(error as Error)),
  );
  if (code !== ERROR_CODES.SIBLINGS_LIMIT.number)
    faults.push(`a put beyond ${SIBLINGS_MAX} siblings was answered by ${code}`);
  const { context } = await node.get(key, 3);
  await node.put(key, 'merged', { context });
  faults.push(...(await showsEverywhere('after the merge', all, key, ['merged'])));
  return faults;
}
