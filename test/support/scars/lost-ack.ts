/*
 * The acknowledgement of a put is lost, and the client asks another node (riak_kv#1754, #1188). The store then holds the
 * put twice, under two dots, and must show it once; and once somebody has written over it, neither the other copy nor a
 * third attempt, late, brings it back.
 */
import * as kinds from '../../../src/wire/kinds.js';
import { partita } from '../../../src/wire/protobuf.js';
import { encodeFrame, helloBody, newPutId, openSocket } from '../raw-client.js';
import { RefusedError } from '../raw-client.js';
import { showsEverywhere } from './ring-of-five.js';
import type { RingOfFive, ScriptedNode } from './ring-of-five.js';

export async function lostAck(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, fallbacks, all } = ring.of('lost-ack');
  const [first, second, third] = owners;
  const putId = newPutId();
  await putWithoutListening(first, key, 'tea', putId);
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
  const putId = newPutId();
  await putWithoutListening(first, key, 'tea', putId);
  await first.kill();
  await second.put(key, 'tea', { putId, retry: true });
  const { context } = await third.get(key, 2);
  await third.put(key, 'milk', { context });
  await first.start();
  return showsEverywhere('after the first node is back', all, key, ['milk']);
}

/** Sends it, waits until it is stored somewhere, and goes away without reading the answer. */
async function putWithoutListening(node: ScriptedNode, key: string, value: string, putId: Uint8Array): Promise<void> {
  const socket = await openSocket(node.address);
  socket.write(encodeFrame(kinds.HELLO, 1, helloBody()));
  const put = { key: Buffer.from(key), value: Buffer.from(value), putId, budgetMs: 5_000 };
  socket.write(encodeFrame(kinds.PUT, 2, partita.v1.Put.encode(put).finish()));
  try {
    for (let attempt = 0; attempt < 100; attempt++) {
      if ((await node.get(key)).values.includes(value)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`The put of ${key} did not arrive within 2 s`);
  } finally {
    socket.destroy();
  }
}

/** A node may say that it does not know what became of it. */
function refused(error: unknown): void {
  if (!(error instanceof RefusedError)) throw error;
}
