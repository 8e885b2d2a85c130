import type { ContextMemory } from './contexts.js';
import type { Plan } from './plan.js';
import { routesOf } from './routes.js';
import { RawShare } from './share.js';
import type { Share } from './share.js';

/** The sender of a plan; the SDK is loaded only when it is asked for. */
export async function makeShare(plan: Plan, thread: number, threads: number, memory?: ContextMemory): Promise<Share> {
  if (plan.sender === 'raw') return new RawShare(plan, thread, threads, await routesOf(plan), memory);
  const { SdkShare } = await import('./share-sdk.js');
  return new SdkShare(plan, thread, threads);
}
