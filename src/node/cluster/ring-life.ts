/*
 * How the ring of a node comes to be another one, put together: who hears of it (gossip), who decides on it (the ring log),
 * who takes it over (membership), and what has to be done because of it (moves).
 */
import type { Slices } from '../../background/slices.js';
import type { Clock, Timers } from '../../env/clock.js';
import type { Meter } from '../../env/meter.js';
import type { Random } from '../../env/random.js';
import type { GossipRing } from '../../membership/gossip.js';
import type { GossipStatus } from '../../model/gossip-messages.js';
import { ringQuorum } from '../../membership/ring-proposer.js';
import { renamedVoters } from '../../membership/voter-rescue.js';
import { changeRing, raiseLevel, type RingPlan } from '../../ring/change.js';
import { encodeRing, type RingDocument } from '../../ring/document.js';
import { NOBODY } from '../../ring/moves.js';
import { editMembers, type RingEdit } from '../../ring/edits.js';
import { ringBytes } from '../../ring/ring-bytes.js';
import { ringSizeFault } from '../../ring/ring-file.js';
import { ArchiveMember } from './archive-member.js';
import { ArchiveServer } from './archive-server.js';
import { changeOutcome, type ChangeOutcome, type RingWish } from './change-outcome.js';
import type { Exchanges } from './exchanges.js';
import { FileFetches } from './file-fetches.js';
import { Gossiper } from './gossiper.js';
import { Membership } from './membership.js';
import { MoveDriver, type MoveStatus } from './move-driver.js';
import type { ClusterOptions } from './options.js';
import type { ClusterParts } from './parts.js';
import { RestoredFiles } from './restored-files.js';
import { RingAdmin } from './ring-admin.js';
import { RingLog } from './ring-log.js';
import { SeedCalls } from './seed-calls.js';
import { SpaceSurvey } from './space-survey.js';
import { Transfers } from './transfers.js';

const NO_FILES = { fetching: [], giving: [] } as const;

export interface RingLifeWorld {
  readonly parts: ClusterParts;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly meter: Meter;
  readonly exchanges: Exchanges;
  /** Of the node's background work. */
  readonly slices: Slices;
  readonly options: ClusterOptions;
  /** From now on this ring is in force: everything but what is in here is to be told. */
  apply(ring: RingDocument): void;
}

export class RingLife {
  readonly ringLog: RingLog;
  readonly gossiper: Gossiper;
  /** What an administrator stages, plans and commits here. */
  readonly admin: RingAdmin;
  readonly #parts: ClusterParts;
  readonly #random: Random;
  readonly #membership: Membership;
  readonly #moves: MoveDriver;
  readonly archives: ArchiveServer;
  /** Null: archives are restored record by record. */
  readonly restored: RestoredFiles | null;
  /** Null: partitions move record by record. */
  readonly transfers: Transfers | null;
  readonly survey: SpaceSurvey;
  readonly #files: FileFetches | null;

  constructor(world: RingLifeWorld) {
    const { parts, random, exchanges, options } = world;
    this.#parts = parts;
    this.#random = random;
    this.#membership = new Membership({
      parts,
      replicas: options.replicas,
      keeper: options.rings,
      learnFrom: (whom) => {
        this.ringLog.learnFrom(whom);
      },
      expect: (partitions) => {
        exchanges.expect(partitions);
      },
      apply: (ring) => {
        options.onRing?.(ring); // first: what follows is done by this ring already
        world.apply(ring);
        this.#files?.setRing();
        this.#moves.setRing();
        this.ringLog.installed();
        this.gossiper.setRing(this.#gossiped());
        this.admin.setRing(ring);
      },
      onRemoved: options.onRemoved,
    });
    this.ringLog = ringLogOf(world, this.#membership);
    this.gossiper = this.#gossiperOf(world);
    this.#moves = new MoveDriver(parts, exchanges, this.ringLog, random);
    this.transfers = transfersOf(world);
    const files = restoringOf(world);
    this.restored = files.restored;
    this.archives = archivesOf(world, this.transfers, files);
    this.#files = this.transfers === null ? null : filesOf(world, this.transfers);
    this.survey = surveyOf(world);
    this.gossiper.start();
    this.admin = this.#adminOf(world);
  }

  /** Has the voters decide on a ring with other members. */
  change(edits: readonly RingEdit[], wish: RingWish, done: (outcome: ChangeOutcome) => void): void {
    const plan = this.#plan(edits, wish);
    if ('fault' in plan) done({ kind: 'refused', text: plan.fault });
    else this.#propose(plan, done);
  }

  /** Names the voters anew, where too few are left that remember. `lost`: they are not to come back. */
  nameVoters(lost: readonly number[], done: (outcome: ChangeOutcome) => void): void {
    const { services, links, self } = this.#parts;
    const { ring, clock } = services;
    const next = renamedVoters(ring, {
      lost,
      acceptorIds: this.#moves.acceptorIds,
      isReachable: (ordinal) => ordinal === self || links.get(ordinal)?.state === 'ready',
      draw: this.#random.u32(),
      changedAtMs: clock.wallMs(),
    });
    if ('fault' in next) {
      done({ kind: 'refused', text: `The voters are not named anew: ${next.fault}` });
      return;
    }
    this.ringLog.impose(next.version, encodeRing(next));
    done({ kind: 'done', text: `Ring version ${next.version} comes into force, with other voters` });
  }

  #plan(edits: readonly RingEdit[], { seed, change }: RingWish): RingPlan {
    const { ring, clock } = this.#parts.services;
    const members = editMembers(ring, edits);
    const notes = { change, changedAtMs: clock.wallMs(), acceptorIds: this.#moves.acceptorIds };
    const plan = 'fault' in members ? members : changeRing(ring, members, seed, notes);
    const fault = 'fault' in plan ? null : ringSizeFault(plan);
    return fault === null ? plan : { fault };
  }

  #raise(level: number, change: string): RingPlan {
    const { ring, clock } = this.#parts.services;
    const plan = raiseLevel(ring, level, { change, changedAtMs: clock.wallMs(), acceptorIds: this.#moves.acceptorIds });
    const fault = 'fault' in plan ? null : ringSizeFault(plan);
    return fault === null ? plan : { fault };
  }

  #propose(ring: RingDocument, done: (outcome: ChangeOutcome) => void): void {
    this.ringLog.propose(encodeRing(ring), (outcome) => {
      const told = changeOutcome(outcome);
      if (told.kind !== 'done') done(told);
      else
        this.#membership.whenInForce(ring.version, () => {
          done(told);
        });
    });
  }

  #adminOf({ parts, random, exchanges, options }: RingLifeWorld): RingAdmin {
    const { services, self, links, hints } = parts;
    const { hash, log } = services;
    return new RingAdmin({
      hash,
      log,
      random,
      store: options.notes ?? null,
      seen: () => ({
        self,
        build: services.build,
        ring: services.ring,
        document: this.#membership.ring().document,
        peers: links.status(),
        moves: this.#moves.status(),
        files: this.transfers?.status() ?? NO_FILES,
        departing: exchanges.departures.partitions,
        suspect: exchanges.status().suspect.length,
        hints: hints.count,
        quorum: ringQuorum(services.ring.voters),
      }),
      plan: (edits, wish) => this.#plan(edits, wish),
      raise: (level, change) => this.#raise(level, change),
      survey: (ordinals, told) => {
        this.survey.ask(ordinals, told);
      },
      propose: (ring, done) => {
        this.#propose(ring, done);
      },
      nameVoters: (lost, done) => {
        this.nameVoters(lost, done);
      },
    });
  }

  moves(): readonly MoveStatus[] {
    return this.#moves.status();
  }

  gossip(): GossipStatus {
    return this.gossiper.status();
  }

  stop(): void {
    this.#files?.stop();
    this.transfers?.stop();
    this.restored?.stop();
    this.#moves.stop();
    this.gossiper.stop();
    this.#membership.stop();
    this.ringLog.stop();
  }

  #gossiped(): GossipRing {
    const { ring, hash } = this.#parts.services;
    const { hash: ringHash } = ringBytes(this.#membership.ring().document, hash);
    return { version: ring.version, hash: ringHash, members: ring.members };
  }

  #gossiperOf({ parts, clock, timers, random, meter, options }: RingLifeWorld): Gossiper {
    const { services, links, self } = parts;
    const { storage, nodeId, log } = services;
    const seeds = new SeedCalls(parts, (reply) => this.ringLog.learned(reply, NOBODY));
    return new Gossiper({
      self: { ordinal: self, nodeId, opening: storage.status().opening, peerAddress: '' },
      ring: this.#gossiped(),
      seeds: options.seeds ?? [],
      clock,
      timers,
      random,
      links,
      log,
      meter,
      onNewer: (whom) => {
        this.ringLog.learnFrom(whom);
      },
      meetSeed: (address) => {
        seeds.call(address);
      },
    });
  }
}

function transfersOf({ parts, slices, options }: RingLifeWorld): Transfers | null {
  return options.files === undefined ? null : new Transfers({ parts, slices, ...options.files });
}

function surveyOf({ parts, options }: RingLifeWorld): SpaceSurvey {
  const { self, timers, links, services } = parts;
  return new SpaceSurvey({
    ...{ self, timers, links },
    log: services.log,
    moves: options.files?.moves ?? null,
    bytesPerSecond: () => services.background.status()?.bounds.max ?? 0,
  });
}

interface Restoring {
  readonly member: ArchiveMember;
  readonly restored: RestoredFiles | null;
}

function restoringOf({ parts, exchanges, slices, options }: RingLifeWorld): Restoring {
  const { files, replicas } = options;
  const member = new ArchiveMember({ parts, replicas, moves: files?.moves ?? null, exchanges, slices });
  if (files === undefined) return { member, restored: null };
  const restored = new RestoredFiles({
    ...{ parts, slices, ...files },
    refusal: (partition) => member.fileRefusal(partition),
    hold: (partitions) => {
      exchanges.hold('restore', partitions);
    },
  });
  return { member, restored };
}

function archivesOf(
  { parts, slices }: RingLifeWorld,
  transfers: Transfers | null,
  { member, restored }: Restoring,
): ArchiveServer {
  const files = transfers === null || restored === null ? null : { donor: transfers.donor, restored };
  return new ArchiveServer(parts, member, files, slices);
}

function filesOf({ parts, exchanges }: RingLifeWorld, transfers: Transfers): FileFetches {
  return new FileFetches(
    parts,
    transfers,
    () => exchanges.suspects(),
    (partitions) => {
      exchanges.hold('move', partitions);
    },
  );
}

function ringLogOf({ parts, clock, timers, random, options }: RingLifeWorld, host: Membership): RingLog {
  const { services, links, self, nameOf } = parts;
  return new RingLog({
    self,
    hash: services.hash,
    log: services.log,
    random,
    timers,
    links,
    host,
    store: options.acceptor,
    nameOf,
    nowMs: () => clock.monotonicMs(),
  });
}
