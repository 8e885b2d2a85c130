import type { Log } from '../../src/env/meter.js';

/** What a node has to say is heard where somebody listens: what worries it, and what becomes of its ring. */
export function logOf(world: { readonly isTold: boolean; say(text: string): void }, node: number): Log {
  const line =
    (level: string) =>
    (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      if (world.isTold) world.say(`node ${node} ${level} ${event} ${JSON.stringify(fields)}`);
    };
  const info = line('info');
  return {
    debug: () => undefined,
    info: (event, fields) => {
      if (event.startsWith('ring-')) info(event, fields);
    },
    warn: line('warn'),
    error: line('error'),
  };
}
