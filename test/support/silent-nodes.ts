/* Three nodes of which some say nothing, for tests of what a client does then. */
import type { ExecutionContext } from 'ava';
import type { CoreOptions } from '../../src/client/core/client-core.js';
import { PING } from '../../src/wire/kinds.js';
import { failed } from './fake-node.js';
import type { FakeNode, Request } from './fake-node.js';
import type { ScriptedPeer } from './scripted-peer.js';
import { A, B, C, severalNodes } from './simulated-client.js';
import type { Ending, Several } from './simulated-client.js';

export const LIMIT_MS: number = 50;

export function three(options: Partial<CoreOptions> = {}): Several {
  return severalNodes([A, B, C], { attemptTimeoutMs: LIMIT_MS, ringPollMs: 600_000, ...options }, true);
}

type Trio = readonly [FakeNode, FakeNode, FakeNode];

export const listed = ({ listOf }: Several, key: string = 'k'): Trio => listOf(key) as Trio;

/** The node takes requests and answers none; what it was asked can be answered later. */
export function holds(node: FakeNode): { request: Request; peer: ScriptedPeer }[] {
  const held: { request: Request; peer: ScriptedPeer }[] = [];
  node.script = (request, peer) => request.kind === PING || held.push({ request, peer }) > 0;
  return held;
}

export function refuses(node: FakeNode, code: Parameters<typeof failed>[0], outcomeUnknown: boolean = false): void {
  node.script = (request, peer) => {
    if (request.kind === PING) return false;
    peer.fail(request.id, failed(code, 'No', outcomeUnknown));
    return true;
  };
}

export const asked = (node: FakeNode): Request[] => node.requests.filter(({ kind }) => kind !== PING);

/** Says nothing, and gives no sign either. */
export const hangs = (node: FakeNode): void => {
  node.silent = true;
};

export const neverMind = (): void => {
  // the test looks at other things
};

export function ended<R>(t: ExecutionContext, ending: Ending<R>): R {
  t.is(ending.ends, 1);
  if (ending.result === null) throw ending.error ?? new Error('It has not ended');
  return ending.result;
}
