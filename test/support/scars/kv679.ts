/*
 * Riak's kv679 family: a node loses its disk, comes back under its own name, and counts from one again. What it writes
 * next seems to be covered by what others remember of it, and vanishes by repair, acknowledged as it was. Here each
 * opening of a store writes under new names, so nothing of this may happen, with or without contexts from before.
 */
import { showsEverywhere } from './ring-of-five.js';
import type { RingOfFive, ScriptedNode } from './ring-of-five.js';

const PUTS = 5;

async function loseDisk(node: ScriptedNode): Promise<void> {
  await node.kill();
  node.wipe();
  await node.start();
}

/** Several puts through the same node, each on the one before; answers the last context. */
async function writeMuch(node: ScriptedNode, key: string): Promise<Uint8Array> {
  let context: Uint8Array = new Uint8Array(0);
  for (let i = 1; i <= PUTS; i++) {
    await node.put(key, `v${i}`, { context, w: 3 });
    context = Uint8Array.from((await node.get(key, 3)).context);
  }
  return context;
}

/** kv679_dataloss: the next put, blind, through the node that forgot. */
export async function blindAfterLoss(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, all } = ring.of('kv679-blind');
  await writeMuch(owners[0], key);
  await loseDisk(owners[0]);
  await owners[0].put(key, 'new', { w: 1 });
  return showsEverywhere('a blind put through the node that forgot', all, key, [`v${PUTS}`, 'new']);
}

/** Puts go on with the context from before the loss. */
export async function oldContextAfterLoss(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, all } = ring.of('kv679-context');
  const context = await writeMuch(owners[0], key);
  await loseDisk(owners[0]);
  await owners[0].put(key, 'new', { context, w: 1 });
  const faults = [...(await showsEverywhere('a put on an old context', all, key, ['new']))];
  await owners[0].put(key, 'newer', { context, w: 1 });
  faults.push(...(await showsEverywhere('another on the same context', all, key, ['new', 'newer'])));
  return faults;
}

/** kv679_tombstone: what was deleted before the loss. */
export async function tombstoneAfterLoss(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, all } = ring.of('kv679-tombstone');
  const context = await writeMuch(owners[0], key);
  await owners[0].remove(key, context, 3);
  await loseDisk(owners[0]);
  await owners[0].put(key, 'new', { w: 1 });
  return showsEverywhere('a put after a delete and a loss', all, key, ['new']);
}

/** kv679_dataloss_fb: the node that forgot writes while the others, who remember, are away. */
export async function aloneAfterLoss(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, fallbacks, all } = ring.of('kv679-alone');
  const context = await writeMuch(owners[0], key);
  const others = [...owners.slice(1), ...fallbacks];
  for (const node of others) await node.kill();
  await loseDisk(owners[0]);
  await owners[0].put(key, 'blind', { w: 1 });
  await owners[0].put(key, 'on-context', { context, w: 1 });
  for (const node of others) await node.start();
  return showsEverywhere('puts of the node that forgot, alone', all, key, ['blind', 'on-context']);
}

/** kv679_restart from a backup: the node comes back as it was two puts ago, under its own name, and writes at once. */
export async function alreadyWrittenAfterBackup(ring: RingOfFive): Promise<readonly string[]> {
  const { key, owners, fallbacks, all } = ring.of('kv679-backup');
  await writeMuch(owners[0], key);
  await owners[0].kill();
  const putBack = owners[0].backUp();
  await owners[0].start();
  await owners[0].put(key, 'lost-one', { w: 3 });
  const { values, context } = await owners[1].get(key, 3);
  const others = [...owners.slice(1), ...fallbacks];
  await owners[0].kill();
  for (const node of others) await node.kill();
  putBack();
  await owners[0].start();
  await owners[0].put(key, 'blind', { w: 1 });
  await owners[0].put(key, 'on-context', { context, w: 1 });
  for (const node of others) await node.start();
  const faults =
    values.join(' ') === `lost-one v${PUTS}` ? [] : [`before the backup was put back ${values.join(' ')} was shown`];
  return [...faults, ...(await showsEverywhere('puts of the node from a backup', all, key, ['blind', 'on-context']))];
}
