/*
 * The acknowledgement of a put is lost, and the client asks another node (riak_kv#1754, #1188). The store then holds the
 * put twice, under two dots, and must show it once; and once somebody has written over it, neither the other copy nor a
 * third attempt, late, brings it back.
 */
import { RefusedError } from '../raw-client.js';
import { showsEverywhere } from './ring-of-five.js';
import type { RingOfFive } from './ring-of-five.js';

export async function lostAck(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, fallbacks, all } = ring.of('lost-ack');
  const [first, second, third] = owners;
  const putId = first.newPutId();
  await first.putUnheard(key, 'tea', putId);
  await second.put(key, 'tea', { putId, retry: true });
  const faults = [...(await showsEverywhere('after the retry', all, key, ['tea']))];
  const { context } = await third.get(key, 3);
  await third.put(key, 'milk', { context });
  faults.push(...(await showsEverywhere('after it was overwritten', all, key, ['milk'])));
  await fallbacks[0].put(key, 'tea', { putId, retry: true }).catch(refused);
  faults.push(...(await showsEverywhere('after a late retry', all, key, ['milk'])));
  return faults;
}

/** The same, with the node that took it killed before anybody else asks, and back before the end. */
export async function lostAckOfKilledNode(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, all } = ring.of('lost-ack-killed');
  const [first, second, third] = owners;
  const putId = first.newPutId();
  await first.putUnheard(key, 'tea', putId);
  await first.kill();
  await second.put(key, 'tea', { putId, retry: true });
  const { context } = await third.get(key, 2);
  await third.put(key, 'milk', { context });
  await first.start();
  return showsEverywhere('after the first node is back', all, key, ['milk']);
}

/** A node may say that it does not know what became of it. */
function refused(error: unknown): void {
  if (!(error instanceof RefusedError)) throw error;
}
