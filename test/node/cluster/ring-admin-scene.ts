/* Staging, planning and committing by hand: a node, its neighbours, and voters that say what the test wants. */
import type { CommitFacts, PlanFacts } from '../../../src/model/cluster-facts.js';
import type { SpaceReply } from '../../../src/model/space-messages.js';
import { ringQuorum } from '../../../src/membership/ring-proposer.js';
import type { ChangeOutcome } from '../../../src/node/cluster/change-outcome.js';
import { RingAdmin } from '../../../src/node/cluster/ring-admin.js';
import type { Survey } from '../../../src/node/cluster/space-survey.js';
import type { Refused } from '../../../src/node/cluster/ring-control.js';
import { type NotesStore } from '../../../src/node/cluster/ring-notes.js';
import { type StagedEdit } from '../../../src/node/cluster/staged-edits.js';
import { BUILD, type Build } from '../../../src/model/build.js';
import type { PeerStatus } from '../../../src/node/peers/links.js';
import { changeRing, raiseLevel } from '../../../src/ring/change.js';
import { encodeRing, type RingDocument } from '../../../src/ring/document.js';
import { editMembers } from '../../../src/ring/edits.js';
import { HASH } from '../../support/log-world.js';
import { silentLog } from '../../support/silent.js';
import { documentOf, members, ringMember, tableOf } from '../../ring/rings.js';

export const MEBI: number = 2 ** 20;

/** Every partition has 10 MiB, and 1 MiB a second comes. */
export function roomOf(freeBytes: number): SpaceReply {
  const partitions = Array.from({ length: 64 }, (_, partition) => ({ partition, bytes: 10 * MEBI }));
  return { freeBytes, totalBytes: 2_000 * MEBI, keptBytes: 100 * MEBI, bytesPerSecond: MEBI, partitions };
}

export const first = (nodes: number): RingDocument =>
  documentOf(tableOf(members(nodes, nodes), nodes < 6 ? 16 : 64, 3));

export function named(ring: RingDocument): RingDocument {
  return { ...ring, voters: ring.voters.map(({ ordinal }) => ({ ordinal, acceptorId: 'cd'.repeat(16) })) };
}

class MemoryStore implements NotesStore {
  kept: Uint8Array | null = null;
  saves = 0;
  fails = false;
  waiting: (() => void)[] = [];
  save(notes: Uint8Array, done: (error: Error | null) => void): void {
    this.saves += 1;
    this.waiting.push(() => {
      if (!this.fails) this.kept = notes;
      done(this.fails ? new Error('no space') : null);
    });
  }
  settle(): void {
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) next();
  }
}

/** A node's ring and its neighbours; `outcome` is what the voters will say. */
export class Scene {
  ring: RingDocument;
  away: readonly number[] = [];
  outcome: ChangeOutcome = { kind: 'done', text: 'in force' };
  proposed: RingDocument | null = null;
  readonly lost: (readonly number[])[] = [];
  build: Build = BUILD;
  /** Of others than this node; absent: the same as this. */
  builds: ReadonlyMap<number, Build | null> = new Map();
  wallMs = 1_000;
  acceptorIds: ReadonlyMap<number, string> = new Map();
  store: MemoryStore = new MemoryStore();
  survey: Survey = new Map();
  admin: RingAdmin;
  #seed = 7;

  constructor(nodes: number) {
    this.ring = named(first(nodes));
    this.admin = this.open();
  }

  open(): RingAdmin {
    this.admin = new RingAdmin({
      hash: HASH,
      log: silentLog,
      random: { u32: () => (this.#seed += 1) },
      store: this.store,
      seen: () => ({
        ...{
          self: 1,
          build: this.build,
          ring: this.ring,
          document: encodeRing(this.ring),
          moves: [],
          files: { fetching: [], giving: [] },
          departing: [],
          suspect: 0,
          hints: 0,
        },
        quorum: ringQuorum(this.ring.voters),
        peers: this.ring.members.filter(({ ordinal }) => ordinal !== 1).map(({ ordinal }) => this.#peer(ordinal)),
      }),
      plan: (edits, { seed, change }) => {
        const to = editMembers(this.ring, edits);
        this.wallMs += 1;
        const notes = { change, changedAtMs: this.wallMs, acceptorIds: this.acceptorIds };
        return 'fault' in to ? to : changeRing(this.ring, to, seed, notes);
      },
      nameVoters: (lost, done) => {
        this.lost.push(lost);
        done({ kind: 'done', text: 'with other voters' });
      },
      raise: (level, change) => raiseLevel(this.ring, level, { change, changedAtMs: 5, acceptorIds: this.acceptorIds }),
      survey: (_ordinals, told) => {
        told(this.survey);
      },
      propose: (ring, done) => {
        this.proposed = ring;
        done(this.outcome);
      },
    });
    return this.admin;
  }

  #peer(ordinal: number): PeerStatus {
    const isAway = this.away.includes(ordinal);
    const state = isAway ? 'down' : 'ready';
    const address = `10.0.1.1:${ordinal}`;
    const said = this.builds.get(ordinal);
    const build = said === undefined ? this.build : said;
    const rest = { build, inFlight: 0, queuedBytes: 0, roundTripMs: 1, offsetMs: 0, ringVersion: this.ring.version };
    return { ordinal, nodeId: '', address, state, reason: isAway ? 'refused' : '', ...rest };
  }

  /** The next plan draws what the one before drew. */
  reseed(): void {
    this.#seed -= 1;
  }

  install(ring: RingDocument): void {
    this.ring = ring;
    this.admin.setRing(ring);
  }

  plan(): PlanFacts {
    return taken(planned(this.admin));
  }

  commit(plan: Pick<PlanFacts, 'baseVersion' | 'hash'>): CommitFacts {
    let facts: CommitFacts | null = null;
    this.admin.commit(plan.baseVersion, plan.hash, (said) => {
      facts = said;
    });
    if (facts === null) throw new Error('No answer');
    return facts;
  }
}

export function planned(admin: RingAdmin): PlanFacts | Refused {
  let facts: PlanFacts | Refused = { refused: 'No answer' };
  admin.plan((said) => {
    facts = said;
  });
  return facts;
}

export function taken<T extends object>(facts: T | Refused): T {
  if ('refused' in facts) throw new Error(facts.refused);
  return facts;
}

export const refusedBy = (facts: object): string => (facts as Partial<Refused>).refused ?? '';

export function join(ordinal: number, zone: string = ''): StagedEdit {
  const { nodeId, address, peerAddress } = ringMember({ ordinal, capacity: 1, zone });
  return { kind: 'join', name: `n${ordinal}`, nodeId, address, peerAddress, zone, capacity: 1 };
}
