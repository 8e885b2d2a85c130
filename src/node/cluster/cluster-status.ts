/* How the members of a ring stand, as the node that is asked sees it, and what of it is not as it should be. */
import type { Build } from '../../model/build.js';
import type { ClusterStatusFacts, FileFacts, MemberFacts, MoveFacts } from '../../model/cluster-facts.js';
import { memberLoads } from '../../ring/balance.js';
import { type RingDocument, stayingMembers } from '../../ring/document.js';
import { VOTERS_MAX } from '../../ring/voters.js';
import type { PeerStatus } from '../peers/links.js';
import { buildOf, finalizeFacts } from './feature-levels.js';
import { listed } from './listed.js';
import type { MoveStatus } from './move-driver.js';
import type { TransfersStatus } from './transfers.js';

export interface SeenCluster {
  readonly self: number;
  readonly build: Build;
  readonly ring: RingDocument;
  /** The bytes of the ring that were agreed on. */
  readonly document: Uint8Array;
  readonly peers: readonly PeerStatus[];
  /** To this node, with their steps. */
  readonly moves: readonly MoveStatus[];
  /** From and to this node. */
  readonly files: Pick<TransfersStatus, 'fetching' | 'giving'>;
  readonly departing: readonly number[];
  readonly suspect: number;
  readonly hints: number;
  readonly quorum: number;
}

export type SeenFacts = Omit<ClusterStatusFacts, 'staged' | 'plan' | 'joining'>;

export function statusFacts(seen: SeenCluster): SeenFacts {
  const { ring, self, departing, suspect, hints, quorum } = seen;
  const { cluster, clusterId, version, level, change, changedAtMs, partitionCount, replicaCount } = ring;
  const members = memberFacts(seen);
  const reachable = new Set(members.filter(({ state }) => state !== 'unreachable').map(({ ordinal }) => ordinal));
  const voters = ring.voters.map(({ ordinal }) => ({ ordinal, reachable: reachable.has(ordinal) }));
  const facts = {
    cluster,
    clusterId,
    version,
    level,
    finalize: finalizeFacts(seen),
    change,
    changedAtMs,
    partitionCount,
    replicaCount,
    self,
    members,
    moves: moveFacts(seen),
    departing,
    suspect,
    hints,
    voters,
    quorum,
    ring: JSON.parse(Buffer.from(seen.document).toString()) as unknown,
  };
  return { ...facts, troubles: [...troublesOf(facts), ...votersTroubles(ring)] };
}

function memberFacts(seen: SeenCluster): readonly MemberFacts[] {
  const { self, ring, peers } = seen;
  const loads = memberLoads(ring);
  return ring.members.map(({ ordinal, nodeId, address, peerAddress, zone, capacity, leaving }, index) => {
    const peer = peers.find((one) => one.ordinal === ordinal);
    const isUp = peer?.state === 'ready';
    const build = buildOf(seen, ordinal);
    return {
      ...{ ordinal, nodeId, address, peerAddress, zone, capacity, leaving },
      state: ordinal === self ? 'this node' : isUp ? 'up' : 'unreachable',
      reason: ordinal === self || isUp ? '' : (peer?.reason ?? ''),
      ringVersion: ordinal === self ? ring.version : (peer?.ringVersion ?? 0),
      release: build?.release ?? '',
      levelMax: build?.levelMax ?? 0,
      replicas: loads[index]?.replicas ?? 0,
      tokens: loads[index]?.tokens ?? 0,
      incoming: ring.moves.filter(({ to }) => to === ordinal).length,
      outgoing: ring.moves.filter(({ from }) => from === ordinal).length,
    };
  });
}

function moveFacts({ self, ring, moves, files }: SeenCluster): readonly MoveFacts[] {
  const steps = new Map(moves.map(({ partition, to, since, step }) => [`${partition}/${to}/${since}`, step]));
  return ring.moves.map((move) => {
    const { partition, from, to, phase, since } = move;
    const known = to === self ? files.fetching : files.giving;
    const file = known.find((one) => one.partition === partition && one.moveId === since);
    return {
      ...{ partition, from, to, phase, since },
      step: steps.get(`${partition}/${to}/${since}`) ?? '',
      file: file === undefined ? null : fileFacts(file),
    };
  });
}

function fileFacts({ bytes, ofBytes, bytesPerSecond }: FileFacts): FileFacts {
  return { bytes, ofBytes, bytesPerSecond };
}

/** Both end by themselves when the members that may vote are up and have been asked. */
function votersTroubles({ members, voters }: RingDocument): readonly string[] {
  if (members.length === 1) return [];
  if (voters.some(({ acceptorId }) => acceptorId === ''))
    return ['the voters have not said yet by which names they vote, so all of them have to agree on a change'];
  const staying = stayingMembers(members).length;
  const usual = Math.min(VOTERS_MAX, staying - ((staying + 1) % 2));
  return voters.length >= usual ? [] : [`${voters.length} of ${usual} voters are known so far`];
}

type Judged = Pick<
  ClusterStatusFacts,
  'version' | 'members' | 'moves' | 'departing' | 'suspect' | 'hints' | 'voters' | 'quorum'
>;

function troublesOf({ version, members, moves, departing, suspect, hints, voters, quorum }: Judged): readonly string[] {
  const troubles: string[] = [];
  const away = members.filter(({ state }) => state === 'unreachable').map(({ ordinal }) => ordinal);
  if (away.length > 0) troubles.push(`${listed(away)} cannot be reached from here`);
  const reachable = voters.filter((voter) => voter.reachable).length;
  if (reachable < quorum)
    troubles.push(
      `the ring cannot change, since ${quorum} of its ${voters.length} voters have to agree and ${reachable} can be reached (that alone stops no get and no put)`,
    );
  const other = members.filter(({ state, ringVersion }) => state === 'up' && ringVersion !== version);
  if (other.length > 0)
    troubles.push(
      `${listed(other.map(({ ordinal }) => ordinal))} live${other.length === 1 ? 's' : ''} by another ring version`,
    );
  if (moves.length > 0)
    troubles.push(`${moves.length} ${moves.length === 1 ? 'replica is' : 'replicas are'} being moved`);
  const leaving = members.filter((member) => member.leaving).map(({ ordinal }) => ordinal);
  if (leaving.length > 0) troubles.push(`${listed(leaving)} ${leaving.length === 1 ? 'is' : 'are'} leaving`);
  if (departing.length > 0)
    troubles.push(
      `this node still brings home what it holds of ${departing.length} ${departing.length === 1 ? 'partition' : 'partitions'} that moved away`,
    );
  if (suspect > 0)
    troubles.push(
      `${suspect} ${suspect === 1 ? 'partition does' : 'partitions do'} not count in reads of this node yet`,
    );
  if (hints > 0) troubles.push(`this node keeps ${hints} ${hints === 1 ? 'hint' : 'hints'} for owners that were away`);
  return troubles;
}
