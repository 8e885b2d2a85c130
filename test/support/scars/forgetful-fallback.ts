/*
 * A node that is no owner takes a put while all owners are away, hands it over when they are back, and forgets it. Asked
 * again for the same key it must not count on from what it has forgotten: a dot that it gives out twice makes the second
 * value look as if it had been overwritten.
 */
import { showsEverywhere } from './ring-of-five.js';
import type { KeyNodes, RingOfFive } from './ring-of-five.js';

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

/** What it has forgotten it hears of again, as a copy for another owner, and is then asked to write. */
export async function fallbackThatHeardAgain(ring: RingOfFive): Promise<readonly string[]> {
  const nodes = ring.of('heard-again');
  const { key, owners, fallbacks, all } = nodes;
  await putAtFallback(nodes, 'first');
  const faults = [...(await showsEverywhere('after the hint went home', owners, key, ['first']))];
  faults.push(...(await hintsGone(nodes)));
  // With one owner away the next put reaches the fallback as a copy for it.
  await owners[2].kill();
  const { context } = await owners[0].get(key, 2);
  await owners[0].put(key, 'second', { context });
  await fallbacks[0].put(key, 'third', { w: 1 });
  await owners[2].start();
  faults.push(...(await showsEverywhere('after the owner is back', all, key, ['second', 'third'])));
  return faults;
}
