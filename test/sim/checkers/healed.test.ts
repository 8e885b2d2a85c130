/* Checkers of the end of a run, on ends made up for them. */
import test from 'ava';
import type { ReplicaView } from '../evidence.js';
import { checkConvergence } from './convergence.js';
import { checkHints } from './hints.js';
import { checkLeftovers, lesser } from './leftovers.js';
import { checkLiveness, type HealedOp } from './liveness.js';
import { KEY, MadeUp, putIdOf, texts } from './made-up.js';
import { checkSameSiblings } from './same-siblings.js';

function withReplicas(...replicas: readonly ReplicaView[]): MadeUp {
  const evidence = new MadeUp().put(1, 10);
  evidence.view = { ...evidence.view, replicas: () => replicas };
  return evidence;
}

const holds = (node: number, text: string): ReplicaView => ({ node, state: 'ok', record: Buffer.from(text) });
const EMPTY = new Uint8Array(0);

test('convergence: owners hold other bytes, or one of them nothing, or cannot say', (t) => {
  t.is(checkConvergence(withReplicas(holds(0, 'a'), holds(1, 'a'), holds(2, 'a'))).length, 0);
  t.is(checkConvergence(withReplicas(holds(0, 'a'), holds(1, 'b'), holds(2, 'a'))).length, 1);
  t.is(checkConvergence(withReplicas(holds(0, 'a'), { node: 1, state: 'absent', record: EMPTY })).length, 1);
  t.is(checkConvergence(withReplicas(holds(0, 'a'), { node: 1, state: 'unknown', record: EMPTY })).length, 1);
});

test('convergence: a single copy may stay unknown only where something was destroyed', (t) => {
  const alone = withReplicas({ node: 0, state: 'unknown', record: EMPTY });
  t.is(checkConvergence(alone).length, 1);
  alone.doubt = 5;
  t.is(checkConvergence(alone).length, 0);
});

test('hints: one is left', (t) => {
  const evidence = new MadeUp();
  t.is(checkHints(evidence).length, 0);
  evidence.view = { ...evidence.view, hints: () => [{ node: 1, owner: 2, count: 3 }] };
  t.is(checkHints(evidence).length, 1);
});

test('hints: one has gone, and its owner has never had what it was kept for', (t) => {
  const broken = { node: 3, owner: 1, key: KEY, putId: putIdOf(1), atMs: 20, lacking: [1] };
  const of = (evidence: MadeUp, owners: readonly number[] = [1]): readonly string[] => {
    evidence.brokenHints = [broken];
    evidence.ownersEver = () => owners;
    return texts(checkHints(evidence));
  };
  const told = 'node 3 kept put 1 for node 1 at 20 ms, and nodes 1 have never had it';
  t.deepEqual(of(new MadeUp().put(1, 10)), [told]);
  t.deepEqual(of(new MadeUp().put(1, 10).put(2, 15, [1])), [told], 'what replaced it would count as well');
  t.deepEqual(of(new MadeUp().put(1, 10), [1, 2]), [told]);
  t.deepEqual(of(new MadeUp().put(1, 10).put(2, 15, [1]), [1, 2]), [], 'both may be forgotten by now');
  t.deepEqual(of(new MadeUp().put(1, 10, [], { ttlMs: 5 }), [1, 2]), []);
  t.deepEqual(of(new MadeUp().put(1, 10, [], { kind: 'delete' }), [1, 2]), []);
});

test('leftovers: bytes on account, and sessions without a connection', (t) => {
  const left = { node: 0, budgetBytes: 0, sessions: 2, askingPeers: 0, connections: 2 };
  const of = (more: Partial<typeof left>): number => checkLeftovers([{ ...left, ...more }]).length;
  t.is(of({}), 0);
  t.is(of({ budgetBytes: 13 }), 1);
  t.is(of({ sessions: 3 }), 1);
  t.is(of({ askingPeers: 1 }), 1);
  const least = lesser([{ ...left, budgetBytes: 13, askingPeers: 0 }], [{ ...left, sessions: 3, askingPeers: 4 }]);
  t.is(checkLeftovers(least).length, 0, 'each has come to nothing once');
});

test('liveness: an operation that fails, is late, or leaves siblings', (t) => {
  const good: HealedOp = { kind: 'get', key: KEY, tookMs: 10, got: [7], expected: [7], isExcused: false };
  t.is(checkLiveness([good], 100).length, 0);
  t.is(checkLiveness([{ ...good, got: undefined }], 100).length, 1);
  t.is(checkLiveness([{ ...good, got: undefined, isExcused: true }], 100).length, 0);
  t.is(checkLiveness([{ ...good, tookMs: 101 }], 100).length, 1);
  t.is(checkLiveness([{ ...good, got: [7, 6] }], 100).length, 1);
  t.is(checkLiveness([{ ...good, got: [6, 7], expected: [7, 6] }], 100).length, 0);
});

test('same siblings: runs that end differently', (t) => {
  t.is(checkSameSiblings(new MadeUp().left([1, 2]), new MadeUp().left([2, 1])).length, 0);
  t.is(checkSameSiblings(new MadeUp().left([1, 2]), new MadeUp().left([2])).length, 1);
  t.is(checkSameSiblings(new MadeUp().left([1]), new MadeUp()).length, 1);
});
