/*
 * One seed from start to verdict:
 *
 *   0 s        machines start, clients work, faults come and go
 *   40 s       everything is healed; clients go on until they have done enough, then stop
 *   settled    hints go home; owners meet (owners-met.ts); every key is read (healed-reads.ts), in some seeds before they meet;
 *              what is there is judged against what was done
 *   last       every key is read, merged, written back and read again: everything must work
 */
import { NOTHING_SEEN, type Seen, short, type SimClient, type Terms } from './client.js';
import { hintsOf, RingCluster } from './cluster.js';
import { checkAcknowledged } from './checkers/acknowledged.js';
import { checkClocks } from './checkers/clocks.js';
import { checkContextGiven } from './checkers/context-given.js';
import { checkConvergence } from './checkers/convergence.js';
import { checkDamage } from './checkers/damage.js';
import { checkDots } from './checkers/dots.js';
import { checkExpiry } from './checkers/expiry.js';
import { checkHandedOff } from './checkers/handed-off.js';
import { checkHints } from './checkers/hints.js';
import { checkInvented } from './checkers/invented.js';
import { checkLeftovers, lesser } from './checkers/leftovers.js';
import { checkLevels } from './checkers/levels.js';
import { checkLiveness, type HealedOp } from './checkers/liveness.js';
import { checkOwnersMet } from './checkers/owners-met.js';
import { checkNever } from './checkers/never.js';
import { checkOverlap } from './checkers/overlap.js';
import { checkQuorum } from './checkers/quorum.js';
import { checkReaped } from './checkers/reaped.js';
import { checkResurrection } from './checkers/resurrection.js';
import { checkRings } from './checkers/rings.js';
import { checkSameAnywhere } from './checkers/same-anywhere.js';
import { checkScrubbed } from './checkers/scrubbed.js';
import { checkSiblings } from './checkers/siblings.js';
import { checkSingleCopy } from './checkers/single-copy.js';
import { checkStrangers } from './checkers/strangers.js';
import { checkTakenOver } from './checkers/taken-over.js';
import type { Evidence, LeftoverView, ReplicaView } from './evidence.js';
import { scrubAll } from './final-scrub.js';
import { meetOwners, MOVED, ringOf, waitForHealing } from './owners-met.js';
import { reapAll } from './reap-all.js';
import { HEALED_TIMEOUT_MS, readEverywhere, readOnce, repairDamaged } from './healed-reads.js';
import type { FaultKind, SimOptions } from './options.js';
import type { Violation } from './violation.js';
import { type SeedSettings, SimWorld } from './world.js';

export interface SeedResult {
  readonly options: SimOptions;
  readonly violations: readonly Violation[];
  readonly traceHash: string;
  readonly events: number;
  readonly simulatedMs: number;
  readonly operations: number;
  readonly acknowledged: number;
  readonly faults: ReadonlyMap<FaultKind, number>;
  /** What nodes counted, by metric and labels. */
  readonly counts: ReadonlyMap<string, number>;
  readonly evidence: Evidence;
}

const OPERATIONS_MIN = 300;
/** Old connections are given up, refused writes are let in again. */
const SETTLE_MS = 5_000;
/** The longest that a coordinator still works on a put whose client has been answered. */
const AFTERMATH_MS = 4_000;
const HINTS_HOME_MS = 20_000;
const UPGRADED_WITHIN_MS = 180_000;
const MOVED_WITHIN_MS = 180_000;

export function runSeed(settings: SeedSettings): SeedResult {
  const world = new SimWorld(settings);
  for (const node of world.cluster.nodes) node.start();
  world.workload.start();
  world.nemesis.start();
  world.changes?.start();
  world.upgrade?.start();
  world.runFor(world.options.faultsUntilMs);
  world.say('healed');
  world.nemesis.heal();
  world.changes?.stop();
  endUpgrade(world);
  settle(world);
  const evidence = gather(world);
  const violations = [...world.violations, ...world.observer.violations, ...judge(evidence)];
  violations.push(
    ...checkLiveness(work(world, evidence), HEALED_TIMEOUT_MS),
    ...checkLeftovers(leastLeftovers(world, evidence)),
  );
  for (const { checker, key, text } of violations) world.say(`VIOLATION ${checker} ${short(key)}: ${text}`);
  let acknowledged = 0;
  for (const { outcome } of world.history.byPutId.values()) if (outcome === 'ok') acknowledged += 1;
  return {
    options: world.options,
    violations,
    traceHash: world.trace.hash,
    events: world.time.fired,
    simulatedMs: world.time.monotonicMs(),
    operations: world.history.operations,
    acknowledged,
    faults: world.nemesis.counts,
    counts: world.meter.counts,
    evidence,
  };
}

/** Nodes are restarted for it, so it comes before everything that is expected of a cluster that nobody disturbs. */
function endUpgrade(world: SimWorld): void {
  const { upgrade, cluster } = world;
  if (upgrade === null || world.pump(() => upgrade.isOver, UPGRADED_WITHIN_MS)) return;
  const known = cluster.nodes.map(({ node, state, build }) => `node ${node} ${state} ${build.release}`).join();
  world.violation(`the cluster is not finalized ${UPGRADED_WITHIN_MS} ms after healing (${known})`);
}

/** Lets work end and everything that is under way arrive; what still has to be accepted as lost is accepted. */
function settle(world: SimWorld): void {
  const { workload, cluster } = world;
  const allUp = world.pump(() => cluster.nodes.every(({ state }) => state === 'up'), 20_000);
  if (!allUp) world.violation('not every node is up within 20 s of healing');
  world.runFor(SETTLE_MS);
  waitForMoves(world);
  if (ringOf(world) === null) {
    acceptLoss(world);
    waitForMoves(world);
  } else waitForHealing(world);
  world.pump(() => workload.operations >= OPERATIONS_MIN, 60_000);
  workload.stop();
  world.pump(() => workload.underWay === 0, 20_000);
  if (workload.underWay > 0) world.violation(`${workload.underWay} operations were never answered`);
  world.runFor(world.cluster.replicaCount > 1 ? AFTERMATH_MS : 1_000);
  world.pump(() => hintsOf(cluster.nodes).length === 0, HINTS_HOME_MS);
}

/**
 * Every node lives by the newest ring, nothing is on its way from one to another, and nobody holds what is not its own: but
 * for what waits for an only owner that is damaged, whose loss has to be accepted first. Then the node that holds it cannot
 * leave either.
 */
function waitForMoves(world: SimWorld): void {
  const { cluster } = world;
  if (!(cluster instanceof RingCluster)) return;
  const departingFrom = (ordinal: number): readonly number[] =>
    cluster.machine(ordinal)?.server?.clusterStatus()?.departing ?? [];
  const mayWait = (partition: number): boolean => cluster.replicaCount === 1 && isSuspectSomewhere(world, partition);
  const isOver = (): boolean => {
    const { version, moves, members } = cluster.ring;
    return (
      moves.length === 0 &&
      members.every(({ leaving, ordinal }) => !leaving || departingFrom(ordinal).some(mayWait)) &&
      cluster.nodes.length === members.length &&
      cluster.nodes.every(({ server }) => server?.ringVersion === version) &&
      cluster.nodes.every(({ ordinal }) => departingFrom(ordinal).every(mayWait))
    );
  };
  if (world.pump(isOver, MOVED_WITHIN_MS)) return;
  const { version, moves, members } = cluster.ring;
  const leaving = members.filter((member) => member.leaving).map(({ ordinal }) => ordinal - 1);
  const known = cluster.nodes.map(({ node, state, server }) => `node ${node} ${state} ${server?.ringVersion}`).join();
  world.violation(
    `ring ${version} has ${moves.length} moves and leaving nodes ${leaving.join()} ${MOVED_WITHIN_MS} ms after healing (${known})`,
  );
}

const isSuspectSomewhere = ({ cluster }: SimWorld, partition: number): boolean =>
  cluster.nodes.some(({ engine }) => engine?.status().suspectPartitions.includes(partition) ?? true);

/** What an operator of a single copy does when its disk was damaged, as there is nobody to heal it from. */
function acceptLoss(world: SimWorld): void {
  for (const { engine, node } of world.cluster.nodes) {
    for (const partition of engine?.status().suspectPartitions ?? []) {
      world.say(`node ${node}: partition ${partition} is suspect, its loss is accepted`);
      if (world.doubts.isIntact(node))
        world.violation(`node ${node}: partition ${partition} is suspect without a reason`);
      world.doubts.add({ node, atMs: world.time.monotonicMs(), kind: 'destroyed', key: null });
      engine?.trust(partition, () => undefined);
    }
  }
}

function gather(world: SimWorld): Evidence {
  const { history, observer, cluster, doubts } = world;
  const final: Map<string, readonly number[] | null> = new Map();
  const afterScrub = scrubAll(world);
  let handedOff: Evidence['handedOff'] = null;
  let brokenHints: Evidence['brokenHints'] = [];
  let ownersMet: Evidence['ownersMet'] = null;
  let afterOneRead: Evidence['afterOneRead'] = new Map();
  let byCoordinator: Evidence['byCoordinator'] = new Map();
  let reaped: Evidence['reaped'] = null;
  if (cluster.groups === 1) {
    handedOff = ownersBeforeReads(world);
    brokenHints = world.keptHints.broken();
    const ring = ringOf(world);
    const { meetsLast } = world.options;
    if (ring !== null && !meetsLast) ownersMet = meetOwners(world, ring);
    repairDamaged(world);
    afterOneRead = readOnce(world);
    byCoordinator = readEverywhere(world);
    for (const [key, answers] of byCoordinator)
      final.set(key, [...answers.values()].find((ids) => ids !== null) ?? null);
    world.runFor(REPAIRED_MS);
    if (ring !== null && meetsLast) ownersMet = meetOwners(world, ring);
    reaped = reapAll(world);
  } else for (const key of world.workload.keys) final.set(key, get(world, key, LAST)?.ids ?? null);
  return {
    history,
    minted: observer.minted,
    durable: observer.durable,
    final,
    view: cluster.view((done) => world.pump(done)),
    flips: cluster.replicaCount === 1 ? doubts.flips : [],
    mayBeGone: (write) => cluster.mayBeGone(doubts, observer, write),
    isPromiseVoid: (write) => cluster.isPromiseVoid(doubts, write),
    mayBeUnknown: (key) => cluster.mayBeUnknown(doubts, key),
    ownersLost: (key, isDurable, fromMs, untilMs) => {
      const lost = doubts.nodesSince(key, isDurable, fromMs, untilMs);
      return cluster.ownersEver(key).filter((owner) => lost.has(owner)).length;
    },
    ownersDoubtful: ({ key, isDurable, startMs, endMs }, untilMs) => {
      const unaware = doubts.nodesSince(key, isDurable, startMs, untilMs, 'unnoticed');
      const meanwhile = doubts.nodesSince(key, isDurable, startMs, endMs);
      return cluster.ownersEver(key).filter((owner) => unaware.has(owner) || meanwhile.has(owner)).length;
    },
    ownersEver: (key) => cluster.ownersEver(key),
    byCoordinator,
    handedOff,
    afterScrub,
    ownersMet,
    afterOneRead,
    reaped,
    // A node that is alone has the level of its build, and a ring of its own.
    rings: cluster instanceof RingCluster ? cluster.history.inForce : [],
    strangers: world.strangers,
    brokenHints,
    compactions: cluster instanceof RingCluster ? observer.compactions : [],
    stepsOfMoves: world.stepsOfMoves.all,
    counts: world.meter.counts,
    wallStartMs: world.time.wallMs() - world.time.monotonicMs(),
    skewMaxMs: Math.max(world.options.skewMaxMs, world.startSkewMs) + ROUNDING_MS,
    endMs: world.time.monotonicMs(),
    isUndisturbed: isUndisturbed(world),
  };
}

/** No process has ended and no disk failed. */
function isUndisturbed({ cluster, doubts }: SimWorld): boolean {
  return cluster.nodes.every((node) => node.incarnation === 1 && !node.mayFail && doubts.isIntact(node.node));
}

/** Null: an owner may lack what its coordinator could not hand over any more, or has had it from another owner. */
function ownersBeforeReads(world: SimWorld): ReadonlyMap<string, readonly ReplicaView[]> | null {
  if (!isUndisturbed(world) || MOVED.some((name) => world.meter.of(name) > 0)) return null;
  const view = world.cluster.view((done) => world.pump(done));
  return new Map(world.workload.keys.map((key) => [key, view.replicas(key)]));
}

function judge(evidence: Evidence): readonly Violation[] {
  return [
    checkAcknowledged,
    checkInvented,
    checkDots,
    checkDamage,
    checkContextGiven,
    checkResurrection,
    checkExpiry,
    checkSingleCopy,
    checkSiblings,
    checkQuorum,
    checkOverlap,
    checkSameAnywhere,
    checkScrubbed,
    checkConvergence,
    checkHandedOff,
    checkOwnersMet,
    checkHints,
    checkReaped,
    checkNever,
    checkClocks,
    checkRings,
    checkStrangers,
    checkTakenOver,
    checkLevels,
  ].flatMap((check) => check(evidence));
}

/** Reads, merges, writes and reads every key, one after the other. */
function work(world: SimWorld, evidence: Evidence): readonly HealedOp[] {
  const operations: HealedOp[] = [...evidence.byCoordinator].flatMap(([key, answers]) =>
    [...answers].map(([node, ids]) => {
      const isExcused = evidence.mayBeUnknown(key);
      const name = `${key} through node ${node}`;
      return { kind: 'get' as const, key: name, tookMs: 0, got: ids ?? undefined, expected: null, isExcused };
    }),
  );
  for (const key of world.workload.keys) {
    // A damaged record of a single copy says `unknown` until it is written; the write then needs no context.
    const isExcused = evidence.mayBeUnknown(key);
    const startMs = world.time.monotonicMs();
    const seen = get(world, key, LAST);
    const getMs = world.time.monotonicMs() - startMs;
    operations.push({ kind: 'get', key, tookMs: getMs, got: seen?.ids, expected: null, isExcused });
    const written = put(world, key, seen);
    const putMs = world.time.monotonicMs() - startMs - getMs;
    const got = written === null ? undefined : [written];
    operations.push({ kind: 'put', key, tookMs: putMs, got, expected: null, isExcused: false });
    if (written === null) continue;
    const after = get(world, key, LAST)?.ids;
    const expected = seen === null ? null : [written];
    operations.push({ kind: 'get', key, tookMs: 0, got: after, expected, isExcused: false });
  }
  return operations;
}

/**
 * A last look, with nothing asked any more. Clients still ping, owners meet, and what a reply is charged with is settled
 * some 100 ms later: so it is enough that each number comes to nothing once.
 */
function leastLeftovers(world: SimWorld, { view }: Evidence): readonly LeftoverView[] {
  world.runFor(1_000);
  let least = view.leftovers();
  world.pump(() => {
    least = lesser(least, view.leftovers());
    return checkLeftovers(least).length === 0;
  }, IDLE_MS);
  return least;
}

/** A majority, of owners where there are others. */
const LAST: Terms = { count: 0, strict: true, durable: true, timeoutMs: HEALED_TIMEOUT_MS };
const REPAIRED_MS = 2_500;
const IDLE_MS = 5_000;
/** Clocks count whole milliseconds. */
const ROUNDING_MS = 2;

const clientOf = (world: SimWorld): SimClient => world.clients[0] as SimClient;

function get(world: SimWorld, key: string, terms: Terms): Seen | null {
  let answer: Seen | null | undefined;
  clientOf(world).get(key, terms, (seen) => {
    answer = seen;
  });
  world.pump(() => answer !== undefined);
  return answer ?? null;
}

/** The id of the put if it was acknowledged. */
function put(world: SimWorld, key: string, seen: Seen | null): number | null {
  let id: number | null | undefined;
  const client = clientOf(world);
  client.write(key, 40, seen ?? client.seen.get(key) ?? NOTHING_SEEN, LAST, (write) => {
    id = write.outcome === 'ok' ? write.id : null;
  });
  world.pump(() => id !== undefined);
  return id ?? null;
}
