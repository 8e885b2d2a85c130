/*
 * The acknowledgement of a put is lost, and the client asks another node (riak_kv#1754, #1188). The store then holds the
 * put twice, under two dots, and must show it once; and once somebody has written over it, neither the other copy nor a
 * third attempt, late, brings it back.
 */
import { RefusedError } from '../raw-client.js';
import { showsEverywhere } from './ring-of-five.js';
import type { RingOfFive, ScriptedNode } from './ring-of-five.js';

/** The first node takes it alone, and is back before the value is written over. */
export async function lostAck(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, fallbacks, all } = ring.of('lost-ack');
  const [first, second, third] = owners;
  const putId = await takenByFirstAlone(all, key);
  await second.put(key, 'tea', { putId, retry: true });
  await first.start();
  const faults = [...(await showsEverywhere('after the retry', all, key, ['tea']))];
  const { context } = await third.get(key, 3);
  await third.put(key, 'milk', { context });
  faults.push(...(await showsEverywhere('after it was overwritten', all, key, ['milk'])));
  await fallbacks[0].put(key, 'tea', { putId, retry: true }).catch(refused);
  faults.push(...(await showsEverywhere('after a late retry', all, key, ['milk'])));
  return faults;
}

/** The same, but the first node is back only when somebody has read and overwritten the other copy. */
export async function lostAckOfKilledNode(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, all } = ring.of('lost-ack-killed');
  const [first, second, third] = owners;
  const putId = await takenByFirstAlone(all, key);
  await second.put(key, 'tea', { putId, retry: true });
  const { context } = await third.get(key, 2);
  await third.put(key, 'milk', { context });
  await first.start();
  return showsEverywhere('after the first node is back', all, key, ['milk']);
}

/** Only the first of `all` has it, and is not running any more; all others are. */
async function takenByFirstAlone(all: readonly ScriptedNode[], key: string): Promise<Uint8Array> {
  const [first, ...others] = all as readonly [ScriptedNode, ...ScriptedNode[]];
  const putId = first.newPutId();
  for (const node of others) await node.kill();
  await first.putUnheard(key, 'tea', putId);
  await first.kill();
  for (const node of others) await node.start();
  return putId;
}

/** A node may say that it does not know what became of it. */
function refused(error: unknown): void {
  if (!(error instanceof RefusedError)) throw error;
}
