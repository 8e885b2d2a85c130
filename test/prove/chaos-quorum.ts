/*
 * Five real daemons, each on a host of its own (network namespaces), under load from a client on a sixth, while one fault
 * follows another: ways cut in one direction, nodes cut off from nodes or from everybody, a node that stands still, kill -9
 * of one, of W and of all.
 *
 * After healing every acknowledged write must be there, or have been read by whoever wrote over it; values stand beside
 * each other only where neither writer had seen the other's; nothing is there that nobody wrote. A put with w = 1 is
 * accepted as long as the client reaches any node at all. And one node that stands still holds nobody up: the p99 of puts
 * stays below their deadline meanwhile. Each run ends with the checker on trial: one value is taken away from what was
 * found, which it must notice.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Prng } from '../../src/lib/prng.js';
import { ACTS, Stage } from '../support/chaos/acts.js';
import type { ActName } from '../support/chaos/acts.js';
import { catchesLoss, checkRun } from '../support/chaos/check.js';
import type { ChaosViolation, Verdict } from '../support/chaos/check.js';
import { ClientProcess } from '../support/chaos/client-process.js';
import { endCluster, startCluster } from '../support/chaos/cluster.js';
import type { ChaosNode } from '../support/chaos/cluster.js';
import { hintsGone, settled } from '../support/chaos/ending.js';
import {
  countBy,
  duringWindow,
  figuresOf,
  isQuorumWrite,
  judgeOne,
  latenciesOf,
  showCounts,
  showWindow,
} from '../support/chaos/figures.js';
import type { Latencies, OneFigures } from '../support/chaos/figures.js';
import type { FinalState, Operation } from '../support/chaos/operation.js';
import { Network, networkFault } from '../support/faults/network.js';
import { inScope, scopedFolder } from '../support/scope.js';
import { SMALL_STORE } from './crash.js';
import type { Print, Proof } from './proof.js';

const NODES = 5;
const CLIENT = 100;
const REPLICAS = 3;
const WRITE_QUORUM = 2;
/** The client's default deadline: what its users have. */
const TIMEOUT_MS = 1_000;
/** Of puts with w = 1: a client that saw no node a moment ago has to find the one that is back. */
const ONE_TIMEOUT_MS = 5_000;
const OPERATIONS_PER_SECOND_MIN = 200;
const ACTIONS_PER_SECOND = 180;
const CALM_MS = 2_000;
const SHOWN_MAX = 8;

interface Course {
  readonly acts: readonly ActName[];
  readonly stopMs: number;
  readonly actMs: number;
  readonly gapMs: number;
}

const SHORT: Course = { acts: ACTS, stopMs: 10_000, actMs: 2_500, gapMs: 1_000 };

/** A stop of 30 s, and half of the others, which change from run to run: 60 s or a little more. */
function fullCourse(run: number): Course {
  const half = Math.ceil(ACTS.length / 2);
  const acts = Array.from({ length: half }, (_, i) => ACTS[(run * half + i) % ACTS.length] as ActName);
  return { acts, stopMs: 30_000, actMs: 4_500, gapMs: 1_200 };
}

interface RunResult {
  readonly operations: number;
  readonly seconds: number;
  readonly verdict: Verdict;
  readonly one: OneFigures;
  /** Of puts with the default deadline while one node stood still. */
  readonly stopped: Latencies;
  readonly hintsLeft: number;
  /** Why the checker cannot be believed, or null. */
  readonly mistrust: string | null;
}

function playRun(seed: number, course: Course, print: Print): Promise<RunResult> {
  return inScope(async (scope) => {
    const folder = join(scopedFolder(scope, 'chaos'), 'nodes');
    mkdirSync(folder);
    const numbers = Array.from({ length: NODES }, (_, i) => i + 1);
    const network = new Network(scope, [...numbers, CLIENT]);
    const hosts = numbers.map((number) => network.host(number));
    const nodes = await startCluster(scope, { folder, hosts, replicas: REPLICAS, flags: SMALL_STORE });
    try {
      const client = new ClientProcess(scope, network.host(CLIENT));
      await client.start({
        seed,
        seeds: nodes.map((node) => node.client),
        actionsPerSecond: ACTIONS_PER_SECOND,
        timeoutMs: TIMEOUT_MS,
        oneTimeoutMs: ONE_TIMEOUT_MS,
        keysPerStream: 80,
        valueBytesMax: 2_048,
      });
      const stage = new Stage(network, nodes, network.host(CLIENT), new Prng(seed), WRITE_QUORUM);
      await perform(stage, course, new Prng(seed ^ 1));
      const { operations, skipped } = await client.stop();
      if (skipped > 0) print(`${skipped} actions were due and not begun: too many were under way`);
      const hintsLeft = await hintsGone(nodes, print);
      const final = await settled(client, REPLICAS, print);
      client.end();
      return { ...judge(stage, operations, final, print), hintsLeft };
    } catch (error) {
      showTranscripts(nodes, print);
      throw error;
    } finally {
      await endCluster(nodes);
    }
  });
}

async function perform(stage: Stage, course: Course, prng: Prng): Promise<void> {
  const order = [...course.acts, 'stop one' as const]
    .map((name) => ({ name, rank: prng.u32() }))
    .sort((a, b) => a.rank - b.rank);
  await stage.calm('calm', CALM_MS);
  for (const { name } of order) {
    await stage.play(name, name === 'stop one' ? course.stopMs : course.actMs);
    await stage.calm(`after ${name}`, course.gapMs);
  }
}

function judge(
  stage: Stage,
  operations: readonly Operation[],
  final: readonly FinalState[],
  print: Print,
): Omit<RunResult, 'hintsLeft'> {
  const startMs = stage.windows[0]?.startMs ?? 0;
  const endMs = stage.windows.at(-1)?.endMs ?? 0;
  const during = duringWindow(operations, { name: 'run', text: '', startMs, endMs });
  for (const window of stage.windows) {
    if (window.name === 'calm' || window.text !== '') print(showWindow(figuresOf(window, operations)));
  }
  const stops = stage.windows.filter(({ name }) => name === 'stop one');
  const stopped = latenciesOf(stops.flatMap((window) => duringWindow(operations, window)).filter(isQuorumWrite));
  const verdict = checkRun(operations, final);
  showViolations(verdict.violations, startMs, print);
  const one = judgeOne(operations, stage);
  for (const { code, text, startMs: atMs, endMs: untilMs, node } of one.refused.slice(0, SHOWN_MAX))
    print(
      `w = 1 and not accepted, ${Math.round(atMs - startMs)}–${Math.round(untilMs - startMs)} ms: ${code} ${text} (${node})`,
    );
  print(
    `siblings at the end: ${showCounts(new Map([...verdict.siblings].sort(([a], [b]) => a - b).map(([count, keys]) => [`×${count}:`, keys])))}; ` +
      `w = 1: ${one.accepted} of ${one.puts} accepted, ${one.excused} with no node to reach, ${one.limited.length} at a limit, ${one.refused.length} refused ` +
      `(${showCounts(countBy(one.refused, ({ code }) => code))})`,
  );
  const seconds = (endMs - startMs) / 1_000;
  return { operations: during.length, seconds, verdict, one, stopped, mistrust: catchesLoss(operations, final) };
}

function showViolations(violations: readonly ChaosViolation[], startMs: number, print: Print): void {
  for (const { kind, key, text } of violations.slice(0, SHOWN_MAX))
    print(`${kind}: ${key}: ${text} (the run began at ${Math.round(startMs)})`);
  if (violations.length > SHOWN_MAX) print(`… and ${violations.length - SHOWN_MAX} more`);
}

function showTranscripts(nodes: readonly ChaosNode[], print: Print): void {
  for (const { name, daemon } of nodes)
    for (const line of daemon.transcript(8).split('\n')) print(`${name} | ${line.slice(0, 400)}`);
}

function shortfalls({ operations, seconds, verdict, one, stopped, hintsLeft, mistrust }: RunResult): readonly string[] {
  const rate = operations / seconds;
  return [
    ...(rate < OPERATIONS_PER_SECOND_MIN ? [`${rate.toFixed(0)} operations/s`] : []),
    ...(verdict.violations.length > 0 ? [showCounts(countBy(verdict.violations, ({ kind }) => kind))] : []),
    ...(one.refused.length + one.limited.length > 0
      ? [`${one.refused.length + one.limited.length} puts with w = 1 refused`]
      : []),
    ...(stopped.p99Ms >= TIMEOUT_MS ? [`p99 of puts ${stopped.p99Ms.toFixed(0)} ms with one node stopped`] : []),
    ...(hintsLeft > 0 ? [`${hintsLeft} hints did not go home`] : []),
    ...(mistrust === null ? [] : [`the checker failed its trial: ${mistrust}`]),
  ];
}

export const prove: Proof = {
  name: 'chaos-quorum',
  question: 'Does a cluster under network faults, stops and kills lose a write, or refuse one that it could take?',
  async run({ full, print }) {
    const fault = networkFault();
    if (fault !== null) return { held: false, summary: `skipped: ${fault}` };
    // One run again: PARTITA_SEED is the seed of the first, PARTITA_RUN which it was.
    const first = Number(process.env['PARTITA_SEED'] ?? Date.now() >>> 0);
    const only = Number(process.env['PARTITA_RUN'] ?? 0);
    const runs = full ? 10 : 1;
    const results: RunResult[] = [];
    let held = true;
    for (let run = 0; run < runs; run++) {
      if (only > 0 && only !== run + 1) continue;
      const seed = first + run;
      print(`run ${run + 1} of ${runs}, seed ${seed}`);
      const result = await playRun(seed, full ? fullCourse(run) : SHORT, print);
      results.push(result);
      const found = shortfalls(result);
      held &&= found.length === 0;
      print(
        `${result.operations} operations in ${result.seconds.toFixed(0)} s (${(result.operations / result.seconds).toFixed(0)}/s), ` +
          `${result.verdict.acknowledged} puts acknowledged: ${found.join('; ') || 'nothing amiss'}`,
      );
    }
    const sum = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0);
    return {
      held,
      summary:
        `${results.length} runs, ${sum((one) => one.operations)} operations at ${(sum((one) => one.operations) / sum((one) => one.seconds)).toFixed(0)}/s, ` +
        `${sum((one) => one.verdict.acknowledged)} puts acked, ${sum((one) => one.verdict.violations.filter(({ kind }) => kind === 'lost').length)} lost, ` +
        `${sum((one) => one.verdict.violations.length)} violations; w = 1: ${sum((one) => one.one.accepted)} accepted, ` +
        `${sum((one) => one.one.refused.length)} refused, ${sum((one) => one.one.limited.length)} at a limit; ` +
        `p99 of puts with a node stopped at most ${Math.max(...results.map(({ stopped }) => stopped.p99Ms)).toFixed(0)} ms of ${TIMEOUT_MS}`,
    };
  },
};
