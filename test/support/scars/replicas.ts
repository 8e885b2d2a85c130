/*
 * What a model of the rules found before there was a program (each was once an acknowledged write lost, or one that came
 * back): scripts of whole nodes for those in which replicas take part.
 */
import { RefusedError } from '../raw-client.js';
import { showsEverywhere } from './ring-of-five.js';
import type { RingOfFive, ScriptedNode } from './ring-of-five.js';

/** The context of a put's reply must not cover what its client was not shown: the next put with it would take that away. */
export async function putAfterUnread(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, all } = ring.of('unread');
  await owners[0].put(key, 'unread', { w: 3 });
  const { context } = await owners[1].put(key, 'mine', { w: 3 });
  await owners[1].put(key, 'mine-again', { context, w: 3 });
  const { values } = await owners[2].get(key, 3);
  const faults = values.includes('unread') ? [] : [`nobody read "unread", and only ${values.join(' ')} is left`];
  return [...faults, ...(await showsEverywhere('after a put on what a put was told', all, key, values))];
}

/** One node keeps a record for three owners. When one of them has it, the copy is still owed to two. */
export async function oneOfThreeHintsHome(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, fallbacks } = ring.of('three-hints');
  for (const node of [...owners, fallbacks[1]]) await node.kill();
  await fallbacks[0].put(key, 'first', { w: 1 });
  const faults = await waitForHints(fallbacks[0], 3); // it may take a moment to find out that they are away
  await owners[0].start();
  faults.push(...(await waitForHints(fallbacks[0], 2)));
  await owners[0].kill(); // nobody but the fallback can tell the others now
  await owners[1].start();
  await owners[2].start();
  faults.push(...(await waitForHints(fallbacks[0], 0)));
  for (const owner of owners.slice(1)) {
    const { values } = await owner.get(key, 1);
    if (values.join(' ') !== 'first') faults.push(`an owner shows "${values.join(' ')}" when its hint has come`);
  }
  await owners[0].start();
  await fallbacks[1].start();
  return faults;
}

async function waitForHints(node: ScriptedNode, count: number): Promise<string[]> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await node.hintsKept()) === count) return [];
    await node.pass(100);
  }
  return [`the fallback keeps ${await node.hintsKept()} hints after 10 s, ${count} are expected`];
}

/** A put is read at one owner and written over at another that never held it; its late retry there finds nothing of it. */
export async function retryWhereItNeverWas(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, fallbacks, all } = ring.of('never-held');
  const putId = owners[1].newPutId();
  const others = [owners[0], owners[2], ...fallbacks];
  for (const node of others) await node.kill();
  await owners[1].put(key, 'tea', { putId, w: 1 });
  const { context } = await owners[1].get(key, 1);
  await owners[1].kill();
  await owners[0].start();
  await owners[0].put(key, 'milk', { context, w: 1 });
  await owners[0].put(key, 'tea', { putId, retry: true, w: 1 }).catch((error: unknown) => {
    if (!(error instanceof RefusedError)) throw error; // it may say that it does not know
  });
  for (const node of all) if (node !== owners[0]) await node.start();
  return showsEverywhere('after the late retry', all, key, ['milk']);
}
