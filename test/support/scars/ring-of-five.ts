/*
 * A cluster of five for scripts: a key's owners and fallbacks by name, puts and gets that go to one node and say exactly
 * what they carry, and nodes that are killed, stopped, wiped and started. The same scripts are played on real daemons
 * (real-ring.ts) and on simulated ones (test/sim/scars/).
 *
 * Two stay out of a key's three owners, so that there is always somebody to stand in.
 */
import { RefusedError } from '../raw-client.js';

const POLL_MS = 100;
const POLLS_MAX = 300;
export const NO_CONTEXT: Uint8Array = new Uint8Array(0);

export interface Wrote {
  readonly context: Uint8Array;
  readonly siblingCount: number;
}

export interface Saw {
  readonly values: readonly string[];
  readonly context: Uint8Array;
}

/** What a put carries beside its value. */
export interface PutWords {
  readonly context?: Uint8Array;
  readonly w?: number;
  readonly putId?: Uint8Array;
  readonly retry?: boolean;
}

/** A node says no by throwing a RefusedError. */
export interface ScriptedNode {
  put(key: string, value: string, words?: PutWords): Promise<Wrote>;
  /** Waits until it is stored somewhere, and goes away without having read the answer. */
  putUnheard(key: string, value: string, putId: Uint8Array): Promise<void>;
  remove(key: string, context: Uint8Array, w?: number): Promise<Wrote>;
  get(key: string, r?: number): Promise<Saw>;
  /** Its process is gone at once. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** As if its disk had been replaced: the same member, and nothing of what it held. It must not be running. */
  wipe(): void;
  /** A copy of its disk as it is, and back to it. It must not be running. */
  backUp(): () => void;
  /** How many hints it keeps for others. */
  hintsKept(): Promise<number>;
  /** Of the time that it lives in. */
  newPutId(): Uint8Array;
  pass(ms: number): Promise<void>;
}

/** The nodes as one key sees them. */
export interface KeyNodes {
  readonly key: string;
  readonly owners: readonly [ScriptedNode, ScriptedNode, ScriptedNode];
  readonly fallbacks: readonly [ScriptedNode, ScriptedNode];
  readonly all: readonly ScriptedNode[];
}

export interface RingOfFive {
  of(key: string): KeyNodes;
}

/** `found`: in the order of the preference list. */
export function keyNodes(key: string, found: readonly ScriptedNode[]): KeyNodes {
  const [first, second, third, fourth, fifth] = found;
  if (!first || !second || !third || !fourth || !fifth) throw new Error(`Only ${found.length} nodes are known`);
  return { key, owners: [first, second, third], fallbacks: [fourth, fifth], all: found };
}

/** Waits until every one of `nodes`, asked for all three owners, shows exactly these; answers what is amiss otherwise. */
export async function showsEverywhere(
  what: string,
  nodes: readonly ScriptedNode[],
  key: string,
  values: readonly string[],
): Promise<readonly string[]> {
  const expected = [...values].sort().join(' ');
  for (let poll = 1; ; poll++) {
    const shown = await Promise.all(nodes.map((node) => show(node, key)));
    const wrong = shown.filter((text) => text !== expected);
    if (wrong.length === 0) return [];
    if (poll === POLLS_MAX)
      return [
        `${what}: ${key} should show ${expected.slice(0, 100) || 'nothing'}, and ${shown.map((text) => `"${text.slice(0, 100)}"`).join(', ')} is shown`,
      ];
    await nodes[0]?.pass(POLL_MS);
  }
}

async function show(node: ScriptedNode, key: string): Promise<string> {
  try {
    return (await node.get(key, 3)).values.join(' ');
  } catch (error) {
    if (error instanceof RefusedError) return `(${error.message})`;
    throw error;
  }
}
