/*
 * Does anything come back that was deleted? Five real daemons, each on a host of its own (network namespaces), and clients
 * who mostly delete, while one node is away for long, and ways are cut and others killed with kill -9 among those that are
 * left. It comes back with all that had been deleted without it, and must not bring any of it.
 *
 * First hints go home and the owners meet about everything, so that whatever an old copy could spread has spread; then all
 * is read. `check.ts` judges: what a delete, or a put, had seen is gone for good. It is on trial, too: a deleted value put
 * back into what was read must be noticed.
 *
 * Tombstones are forgotten two minutes after a delete at the earliest: a put may be sent again for one, and clocks may be
 * one apart. So the last run of the full form goes on, idle, until they are forgotten on all nodes, while a node is killed
 * and another one cut off; then all owners meet, and what is read must be what was read before.
 *
 * And a flipped byte (flipped-byte.ts): records on one replica's disk, of which the store must not serve one.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { Prng } from '../../src/lib/prng.js';
import { Stage } from '../support/chaos/acts.js';
import type { ActName } from '../support/chaos/acts.js';
import { catchesLoss, catchesReturn, checkRun } from '../support/chaos/check.js';
import { ClientProcess } from '../support/chaos/client-process.js';
import { endCluster, startCluster } from '../support/chaos/cluster.js';
import type { ChaosNode } from '../support/chaos/cluster.js';
import { hintsGone, settled } from '../support/chaos/ending.js';
import { countBy, showCounts } from '../support/chaos/figures.js';
import type { FinalState, Operation } from '../support/chaos/operation.js';
import { Network, networkFault } from '../support/faults/network.js';
import { flippedByte } from '../support/flipped-byte.js';
import { tombstonesOf } from '../support/listed-keys.js';
import { meetAll } from '../support/repair-figures.js';
import { inScope, scopedFolder } from '../support/scope.js';
import { SMALL_STORE } from './crash.js';
import type { Print, Proof } from './proof.js';

const NODES = 5;
const CLIENT = 100;
const REPLICAS = 3;
const WRITE_QUORUM = 2;
const ACTIONS_PER_SECOND = 180;
const OPERATIONS_PER_SECOND_MIN = 150;
const CALM_MS = 1_500;
const FORGOTTEN_WITHIN_MS = 900_000;
const FORGOTTEN_LOOK_MS = 10_000;
const SHOWN_MAX = 8;
const FLAGS = [...SMALL_STORE, '--repair-reap-after', '2min', '--repair-period', '30s'];

interface Course {
  /** While one node is away, and once it is back. */
  readonly acts: readonly ActName[];
  readonly actsAfter: readonly ActName[];
  readonly actMs: number;
  readonly gapMs: number;
}

const SHORT: Course = {
  acts: ['kill one', 'isolated from all', 'one-way cut', 'kill W'],
  actsAfter: ['isolated from nodes'],
  actMs: 2_500,
  gapMs: 1_000,
};
const AWAY: readonly ActName[] = [
  ...(['kill one', 'isolated from nodes', 'kill W', 'one-way cut', 'isolated from all', 'kill all'] as const),
  ...(['client sees one', 'every node alone', 'one-way cut from client'] as const),
];
const AFTER: readonly ActName[] = ['isolated from all', 'kill one', 'one-way cut'];

/** 60 s: the node is away for most of them; what happens meanwhile changes from run to run. */
function fullCourse(run: number): Course {
  return {
    acts: Array.from({ length: 7 }, (_, i) => AWAY[(run * 2 + i) % AWAY.length] as ActName),
    actsAfter: [AFTER[run % AFTER.length] as ActName],
    actMs: 5_000,
    gapMs: 1_500,
  };
}

interface RunResult {
  readonly operations: readonly Operation[];
  readonly seconds: number;
  readonly awaySeconds: number;
  readonly faults: readonly string[];
  readonly deletes: number;
  readonly emptyAtTheEnd: number;
  /** Tombstones before and after the wait; null: there was none. */
  readonly forgotten: readonly [number, number] | null;
}

function playRun(seed: number, course: Course, waits: boolean, print: Print): Promise<RunResult> {
  return inScope(async (scope) => {
    const folder = join(scopedFolder(scope, 'deletes'), 'nodes');
    mkdirSync(folder);
    const numbers = Array.from({ length: NODES }, (_, i) => i + 1);
    const network = new Network(scope, [...numbers, CLIENT]);
    const hosts = numbers.map((number) => network.host(number));
    const nodes = await startCluster(scope, { folder, hosts, replicas: REPLICAS, flags: FLAGS });
    try {
      const client = new ClientProcess(scope, network.host(CLIENT));
      await client.start({
        ...{ seed, seeds: nodes.map((node) => node.client), actionsPerSecond: ACTIONS_PER_SECOND },
        ...{ timeoutMs: 1_000, oneTimeoutMs: 5_000, keysPerStream: 120, valueBytesMax: 1_024, emphasis: 'deletes' },
      });
      const stage = new Stage(network, nodes, network.host(CLIENT), new Prng(seed), WRITE_QUORUM);
      const startedMs = performance.now();
      const awaySeconds = await perform(stage, nodes[seed % NODES] as ChaosNode, course);
      const { operations } = await client.stop();
      const seconds = (performance.now() - startedMs) / 1_000;
      const faults: string[] = [];
      const final = await ended(nodes, client, faults, print);
      faults.push(...judge(operations, final, print));
      const forgotten = waits ? await forget(nodes, stage, client, final, faults, print) : null;
      client.end();
      const deletes = operations.filter(({ kind, outcome }) => kind === 'delete' && outcome === 'ok').length;
      const emptyAtTheEnd = final.filter(({ shown }) => shown?.length === 0).length;
      return { operations, seconds, awaySeconds, faults, deletes, emptyAtTheEnd, forgotten };
    } catch (error) {
      for (const { name, daemon } of nodes)
        for (const line of daemon.transcript(8).split('\n')) print(`${name} | ${line.slice(0, 400)}`);
      throw error;
    } finally {
      await endCluster(nodes);
    }
  });
}

/** Answers how long the absent one was away. */
async function perform(stage: Stage, absent: ChaosNode, course: Course): Promise<number> {
  const play = async (acts: readonly ActName[]): Promise<void> => {
    for (const name of acts) {
      await stage.play(name, course.actMs);
      await stage.calm(`after ${name}`, course.gapMs);
    }
  };
  await stage.calm('calm', CALM_MS);
  const leftMs = performance.now();
  await stage.leave(absent);
  await play(course.acts);
  const awaySeconds = (performance.now() - leftMs) / 1_000;
  await stage.comeBack(absent);
  await play(course.actsAfter);
  return awaySeconds;
}

/** What is there once everything that could spread has spread. */
async function ended(
  nodes: readonly ChaosNode[],
  client: ClientProcess,
  faults: string[],
  print: Print,
): Promise<readonly FinalState[]> {
  const daemons = nodes.map(({ daemon }) => daemon);
  const hintsLeft = await hintsGone(nodes, print);
  if (hintsLeft > 0) faults.push(`${hintsLeft} hints did not go home`);
  const moved = await meetAll(daemons);
  const final = await settled(client, REPLICAS, print);
  const again = await meetAll(daemons);
  print(`owners met: ${moved} records moved; after the reads ${again}`);
  if (again > 0) faults.push(`the owners still differed after they had met: ${again} records moved`);
  return final;
}

function judge(operations: readonly Operation[], final: readonly FinalState[], print: Print): readonly string[] {
  const { violations } = checkRun(operations, final);
  for (const { kind, key, text } of violations.slice(0, SHOWN_MAX)) print(`${kind}: ${key}: ${text}`);
  const trials = [catchesLoss(operations, final), catchesReturn(operations, final)].filter((why) => why !== null);
  return [
    ...(violations.length === 0 ? [] : [showCounts(countBy(violations, ({ kind }) => kind))]),
    ...trials.map((why) => `the checker failed its trial: ${why}`),
  ];
}

/** Waits until no owner has a tombstone any more, and reads all once more: it must be what it was. */
async function forget(
  nodes: readonly ChaosNode[],
  stage: Stage,
  client: ClientProcess,
  before: readonly FinalState[],
  faults: string[],
  print: Print,
): Promise<readonly [number, number]> {
  const daemons = nodes.map(({ daemon }) => daemon);
  const first = await tombstonesOf(daemons);
  const startedMs = performance.now();
  await stage.play('kill one', FORGOTTEN_LOOK_MS);
  await stage.play('isolated from all', FORGOTTEN_LOOK_MS);
  let left = first;
  while (left > 0 && performance.now() - startedMs < FORGOTTEN_WITHIN_MS) {
    await rest(FORGOTTEN_LOOK_MS);
    left = await tombstonesOf(daemons);
  }
  print(`tombstones: ${first}, ${left} left after ${((performance.now() - startedMs) / 1_000).toFixed(0)} s`);
  if (left > 0) faults.push(`${left} of ${first} tombstones were not forgotten`);
  await stage.play('kill all', 1_000);
  await meetAll(daemons);
  const now = new Map((await settled(client, REPLICAS, print)).map((state) => [state.key, shownText(state)]));
  const changed = before.filter((state) => shownText(state) !== now.get(state.key));
  for (const state of changed.slice(0, SHOWN_MAX))
    print(`${state.key} was ${shownText(state)}, and is ${now.get(state.key) ?? 'not read'}`);
  if (changed.length > 0) faults.push(`${changed.length} keys are not what they were before tombstones were forgotten`);
  return [first, left];
}

function shownText({ shown }: FinalState): string {
  return shown === null ? 'not to be read' : [...shown].sort((a, b) => a - b).join(' ');
}

async function playAll(full: boolean, print: Print): Promise<{ held: boolean; texts: readonly string[] }> {
  const first = Date.now() >>> 0;
  const runs = full ? 10 : 1;
  const results: RunResult[] = [];
  let held = true;
  for (let run = 0; run < runs; run++) {
    const seed = first + run;
    print(`run ${run + 1} of ${runs}, seed ${seed}`);
    const result = await playRun(seed, full ? fullCourse(run) : SHORT, full && run === runs - 1, print);
    const { operations, seconds, awaySeconds, faults, deletes, emptyAtTheEnd } = result;
    const rate = operations.length / seconds;
    const found = [...faults, ...(rate < OPERATIONS_PER_SECOND_MIN ? [`${rate.toFixed(0)} operations/s`] : [])];
    held &&= found.length === 0;
    print(
      `${operations.length} operations in ${seconds.toFixed(0)} s, ${deletes} deletes acknowledged, one node away for ${awaySeconds.toFixed(0)} s, ` +
        `${emptyAtTheEnd} keys empty at the end: ${found.join('; ') || 'nothing came back'}`,
    );
    results.push({ ...result, faults: found });
  }
  const sum = (of: (result: RunResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  const forgotten = results.at(-1)?.forgotten;
  const faults = results.flatMap((one) => one.faults);
  return {
    held,
    texts: [
      `${runs} runs, ${sum(({ operations }) => operations.length)} operations, ${sum(({ deletes }) => deletes)} deletes acknowledged`,
      faults.length === 0 ? 'nothing came back' : faults.join('; '),
      forgotten === null || forgotten === undefined
        ? 'no run was long enough for tombstones to be forgotten'
        : `of ${forgotten[0]} tombstones ${forgotten[1]} were left, and nothing came back after that`,
    ],
  };
}

export const prove: Proof = {
  name: 'deletes',
  question: 'Does anything come back that was deleted, and is a flipped byte on a disk ever served?',
  async run({ full, print }) {
    const fault = networkFault();
    if (fault !== null) return { held: false, summary: `skipped: ${fault}` };
    const flipped = await flippedByte(full ? 200 : 32, print);
    const deletes = await playAll(full, print);
    return { held: flipped.held && deletes.held, summary: [...deletes.texts, flipped.text].join('; ') };
  },
};
