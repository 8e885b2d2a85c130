/*
 * A node that is no owner takes a put while all owners are away, hands it over when they are back, and forgets it. Asked
 * again for the same key it must not count on from what it has forgotten: a dot that it gives out twice makes the second
 * value look as if it had been overwritten.
 */
import { showsEverywhere } from './ring-of-five.js';
import type { KeyNodes, RingOfFive, ScriptedNode } from './ring-of-five.js';

/** w = 1 at the first fallback, with no owner there. */
async function putAtFallback({ key, owners, fallbacks }: KeyNodes, value: string, context?: Uint8Array): Promise<void> {
  for (const owner of owners) await owner.kill();
  await fallbacks[0].put(key, value, { w: 1, ...(context === undefined ? {} : { context }) });
  for (const owner of owners) await owner.start();
}

/** Only then has it forgotten. */
async function hintsGone({ key, fallbacks }: KeyNodes): Promise<readonly string[]> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await fallbacks[0].hintsKept()) === 0) return [];
    await fallbacks[0].pass(100);
  }
  return [`the fallback still keeps a hint of ${key} after 10 s`];
}

export async function forgetfulFallback(ring: RingOfFive): Promise<readonly string[]> {
  const nodes = ring.of('forgetful');
  const { key, owners, all } = nodes;
  await putAtFallback(nodes, 'first');
  const faults = [...(await showsEverywhere('after the hint went home', owners, key, ['first']))];
  faults.push(...(await hintsGone(nodes)));
  const { context } = await owners[0].get(key, 3);
  await putAtFallback(nodes, 'second');
  faults.push(...(await showsEverywhere('after a second blind put', owners, key, ['first', 'second'])));
  await putAtFallback(nodes, 'third', context);
  faults.push(...(await showsEverywhere('after a put on what was read first', all, key, ['second', 'third'])));
  return faults;
}

/**
 * What it has forgotten it hears of again, from an owner that was put back from a backup and has less of it, and is then
 * asked to write: its own name, with a lower counter, stands in the record that it is given.
 */
export async function fallbackThatHeardAgain(ring: RingOfFive): Promise<readonly string[]> {
  const nodes = ring.of('heard-again');
  const { key, owners, fallbacks, all } = nodes;
  for (const owner of owners) await owner.kill();
  await fallbacks[0].put(key, 'zero', { w: 1 });
  const { context } = await fallbacks[0].get(key, 1);
  const putBack = await backedUpWith(owners[2], key, 'zero');
  await fallbacks[0].put(key, 'first', { context, w: 1 });
  for (const owner of owners) await owner.start();
  const faults = [...(await showsEverywhere('after the hints went home', owners, key, ['first']))];
  faults.push(...(await hintsGone(nodes)));
  for (const owner of owners) await owner.kill();
  putBack();
  await owners[2].start();
  await owners[2].put(key, 'second', { w: 2 }); // the fallback is given it for an owner that is away
  for (let attempt = 0; attempt < 100 && (await fallbacks[0].hintsKept()) === 0; attempt++)
    await fallbacks[0].pass(100);
  await fallbacks[0].put(key, 'third', { w: 1 });
  await owners[0].start();
  await owners[1].start();
  faults.push(...(await showsEverywhere('after all owners are back', all, key, ['first', 'second', 'third'])));
  return faults;
}

/** The node runs until it has been given the value; then it is killed, and its disk copied. */
async function backedUpWith(owner: ScriptedNode, key: string, value: string): Promise<() => void> {
  await owner.start();
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await owner.get(key, 1)).values.includes(value)) break;
    await owner.pass(100);
  }
  await owner.kill();
  return owner.backUp();
}
