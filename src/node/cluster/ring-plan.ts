/*
 * What a change of the members would do, before anybody decides on it: what moves, how even the ring will be, and what
 * an administrator should think of first. A plan never refuses what can be done; it says what it will cost.
 */
import type { PlanFacts, PlannedMember } from '../../model/cluster-facts.js';
import { ringAdvice } from '../../ring/advice.js';
import { placementEfficiency, tokenEfficiency } from '../../ring/balance.js';
import { type RingDocument, stayingMembers } from '../../ring/document.js';
import { moves, NOBODY, targetOwners } from '../../ring/moves.js';
import { type RingTable, sharesOf } from '../../ring/shares.js';
import { listed } from './listed.js';
import { quorumOf } from './parts.js';
import { type Estimate, estimateOf } from './plan-bytes.js';
import type { Survey } from './space-survey.js';

/** What the node that plans knows of the others. */
export interface Seen {
  readonly isReachable: (ordinal: number) => boolean;
  /** Voters that have to agree. */
  readonly quorum: number;
  readonly self: number;
  /** What the members have said of their disks. */
  readonly survey: Survey;
}

type Weighed = Omit<PlanFacts, 'hash' | 'edits' | 'next'>;

export function weighPlan(ring: RingDocument, next: RingDocument, seen: Seen): Weighed {
  const after = settled(next);
  const before = settled(ring);
  const moved = moves(ring, after);
  const estimate = estimateOf(ring, next, moved, seen.survey, seen.self);
  return {
    baseVersion: ring.version,
    version: next.version,
    change: next.change,
    members: plannedMembers(ring, next, after).map((member) => weighed(member, estimate, seen.survey)),
    replicasMoved: moved.length,
    replicasMovedLeast: leastMoved(ring, after),
    replicasAll: next.owners.length,
    bytes: estimate.bytes,
    placementEfficiency: { before: placementEfficiency(before), after: placementEfficiency(after) },
    tokenEfficiency: { before: tokenEfficiency(before), after: tokenEfficiency(after) },
    warnings: [...warningsOf(ring, next, after, seen), ...estimate.warnings],
  };
}

/** The table that the moves of a ring lead to, with those who then share it. */
function settled(ring: RingDocument): RingTable {
  return { ...ring, members: stayingMembers(ring.members), owners: targetOwners(ring) };
}

type Unweighed = Omit<PlannedMember, 'incomingBytes' | 'outgoingBytes' | 'incomingMs' | 'freeBytes'>;

function weighed(
  member: Unweighed,
  { bytes, incoming, outgoing, incomingMs }: Estimate,
  survey: Survey,
): PlannedMember {
  const { ordinal } = member;
  const room = survey.get(ordinal);
  const isKnown = bytes.moved !== null;
  return {
    ...member,
    incomingBytes: isKnown ? Math.round(incoming.get(ordinal) ?? 0) : null,
    outgoingBytes: isKnown ? Math.round(outgoing.get(ordinal) ?? 0) : null,
    incomingMs: isKnown ? (incomingMs.get(ordinal) ?? null) : null,
    freeBytes: room === undefined ? null : Math.max(0, room.freeBytes - room.keptBytes),
  };
}

function plannedMembers(ring: RingDocument, next: RingDocument, after: RingTable): readonly Unweighed[] {
  const moved = moves(ring, after);
  const held = countsOf(ring.owners);
  const later = countsOf(after.owners);
  const incoming = countsOf(moved.map(({ to }) => to));
  const outgoing = countsOf(moved.map(({ from }) => from));
  const gone = ring.members.filter(({ ordinal }) => !next.members.some((one) => one.ordinal === ordinal));
  return [...next.members, ...gone]
    .sort((a, b) => a.ordinal - b.ordinal)
    .map((member) => ({
      ordinal: member.ordinal,
      nodeId: member.nodeId,
      address: member.address,
      zone: member.zone,
      becomes: becomes(member, ring, gone.includes(member)),
      replicasBefore: held.get(member.ordinal) ?? 0,
      replicasAfter: later.get(member.ordinal) ?? 0,
      incoming: incoming.get(member.ordinal) ?? 0,
      outgoing: outgoing.get(member.ordinal) ?? 0,
    }));
}

function becomes(
  { ordinal, leaving }: { readonly ordinal: number; readonly leaving: boolean },
  ring: RingDocument,
  isGone: boolean,
): PlannedMember['becomes'] {
  if (isGone) return 'is removed';
  if (leaving) return 'leaves';
  return ring.members.some((member) => member.ordinal === ordinal) ? 'stays' : 'joins';
}

/** No balanced table of these members is nearer: who is to have more gets it, and who is to have less gives it. */
function leastMoved(ring: RingDocument, { members, partitionCount, replicaCount }: RingTable): number {
  const held = countsOf(ring.owners);
  const { replicas } = sharesOf(members, partitionCount, replicaCount);
  let gained = 0;
  let given = ring.owners.length;
  for (const [index, { ordinal }] of members.entries()) {
    const now = held.get(ordinal) ?? 0;
    gained += Math.max(0, (replicas.atLeast[index] ?? 0) - now);
    given -= Math.min(now, replicas.atMost[index] ?? now);
  }
  return Math.max(gained, given);
}

function warningsOf(ring: RingDocument, next: RingDocument, after: RingTable, seen: Seen): readonly string[] {
  const isStaying = (ordinal: number): boolean => after.members.some((member) => member.ordinal === ordinal);
  const names = next.members.filter(({ ordinal }) => isStaying(ordinal)).map(({ ordinal }) => `node ${ordinal}`);
  return [
    ...voterWarnings(ring, next, seen),
    ...departureWarnings(ring, next, seen),
    ...quorumWarnings(ring, next, seen),
    ...moveWarnings(ring),
    ...ringAdvice(after, names),
    ...zoneWarnings(after),
  ];
}

function voterWarnings({ voters }: RingDocument, next: RingDocument, { isReachable, quorum }: Seen): readonly string[] {
  const warnings: string[] = [];
  const away = voters.filter(({ ordinal }) => !isReachable(ordinal)).map(({ ordinal }) => ordinal);
  if (voters.length - away.length < quorum)
    warnings.push(
      `The ring cannot change now: ${quorum} of its ${voters.length} voters have to agree, and ${listed(away)} cannot be reached`,
    );
  const [only, ...others] = next.voters.map(({ ordinal }) => ordinal);
  if (only !== undefined && others.length === 0 && voters.length > 1)
    warnings.push(
      `For a moment node ${only} alone decides on the ring, until members that join have said that they can vote: start those soon`,
    );
  return warnings;
}

function departureWarnings(ring: RingDocument, next: RingDocument, { isReachable }: Seen): readonly string[] {
  const warnings: string[] = [];
  for (const { ordinal, leaving } of ring.members) {
    const member = next.members.find((one) => one.ordinal === ordinal);
    if (member === undefined && isReachable(ordinal))
      warnings.push(
        `Node ${ordinal} answers, and what only it has will be gone with it. To have it hand over first: partita cluster clear, then partita cluster leave ${ordinal}`,
      );
    if (member?.leaving === true && !leaving && !isReachable(ordinal))
      warnings.push(
        `Node ${ordinal} cannot be reached: it stays in the ring until it is back and has handed over all that it holds. If it is lost for good: partita cluster clear, then partita cluster remove ${ordinal} --force`,
      );
  }
  return warnings;
}

/** Whoever takes over from a node that was lost answers no reads before it has what the other owners have. */
function quorumWarnings(ring: RingDocument, next: RingDocument, { isReachable }: Seen): readonly string[] {
  const { partitionCount, replicaCount: n } = next;
  const isMember = new Set(ring.members.map(({ ordinal }) => ordinal));
  const majority = quorumOf(0, n);
  let without = 0;
  let lost = 0;
  let atRisk = 0;
  for (let partition = 0; partition < partitionCount; partition++) {
    const takers = next.moves.filter((move) => move.partition === partition && move.from === NOBODY);
    const whole = next.owners
      .slice(partition * n, partition * n + n)
      .filter((owner) => isMember.has(owner) && !takers.some(({ to }) => to === owner));
    if (takers.length > 0 && whole.length === 0) lost++;
    else {
      const reachable = whole.filter((owner) => isReachable(owner)).length;
      if (reachable < majority) without++;
      else if (reachable === majority && majority < n) atRisk++;
    }
  }
  const warnings: string[] = [];
  if (lost > 0)
    warnings.push(
      `${lost} of ${partitionCount} partitions lose all their owners: what they hold is lost, but for what other nodes keep as hints`,
    );
  if (without > 0)
    warnings.push(
      `${without} of ${partitionCount} partitions will have fewer than ${majority} of ${n} owners that answer reads, as the others cannot be reached or have to be filled first: gets of their keys fail until then`,
    );
  if (atRisk > 0)
    warnings.push(
      `${atRisk} of ${partitionCount} partitions will have no more than ${majority} of ${n} owners that answer reads, as the others cannot be reached or have to be filled first: if one more node goes down before that is over, gets of their keys fail`,
    );
  return warnings;
}

/** What the loss of a whole zone would mean. */
function zoneWarnings({ partitionCount, replicaCount: n, members, owners }: RingTable): readonly string[] {
  const zoneOf = new Map(members.map(({ ordinal, zone }) => [ordinal, zone]));
  const zones = [...new Set(members.map(({ zone }) => zone))].filter((zone) => zone !== '').sort();
  if (zones.length < 2) return [];
  const majority = quorumOf(0, n);
  return zones.flatMap((zone) => {
    let without = 0;
    for (let partition = 0; partition < partitionCount; partition++) {
      const row = owners.slice(partition * n, partition * n + n);
      if (row.filter((owner) => zoneOf.get(owner) !== zone).length < majority) without++;
    }
    return without === 0
      ? []
      : [
          `Without zone ${JSON.stringify(zone)}, ${without} of ${partitionCount} partitions would have fewer than ${majority} of ${n} owners: gets of their keys fail as long as all of it is away`,
        ];
  });
}

function moveWarnings({ moves: underWay }: RingDocument): readonly string[] {
  if (underWay.length === 0) return [];
  return [
    `${underWay.length} moves of earlier changes are under way, and each step of them makes a ring version of its own: this plan is stale as soon as one is taken. Wait until they have ended (partita cluster status --wait), or plan and commit in one: partita cluster commit --now`,
  ];
}

function countsOf(ordinals: readonly number[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const ordinal of ordinals) counts.set(ordinal, (counts.get(ordinal) ?? 0) + 1);
  return counts;
}
