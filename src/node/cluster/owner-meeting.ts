/*
 * The hands of repair/exchange.ts: one meeting with one other owner, over its link and the store. Each step waits for its
 * slice of background work.
 */
import type { PaidAfter } from '../../background/paid-after.js';
import type { Slices } from '../../background/slices.js';
import { copyBytes } from '../../lib/bytes.js';
import type { Failure } from '../../model/errors.js';
import type { KeyHash } from '../../model/hash.js';
import type { PartitionId } from '../../model/ids.js';
import { type ExchangeOutcome, type ExchangePort, ExchangeSession, type Stretch } from '../../repair/exchange.js';
import type { Meeting, MeetingResult } from '../../repair/exchange-schedule.js';
import type { Listing, Push } from '../../repair/listing.js';
import { leafCountOf, treeLevels } from '../../repair/merkle.js';
import type { ExchangeMeters, MoveTask } from './exchange-meters.js';
import { ExchangePeer } from './exchange-wire.js';
import { ListingReader } from './listing-reader.js';
import type { ClusterParts } from './parts.js';
import { RecordIntake } from './record-intake.js';
import type { ReplicaStorage } from '../../storage/replica-storage.js';
import { RecordOutlet } from './record-outlet.js';

/** Longer than a put takes to reach all owners, or to leave a hint. */
export const SETTLE_MS = 5_000;

export interface MeetingParts {
  readonly parts: ClusterParts;
  readonly replicas: ReplicaStorage;
  readonly slices: Slices;
  readonly moves: Readonly<Record<MoveTask, PaidAfter>>;
  readonly meters: ExchangeMeters;
  /** False: nothing more is begun. */
  isOpen(): boolean;
}

export class OwnerMeeting implements ExchangePort {
  readonly #world: MeetingParts;
  readonly #meeting: Meeting;
  readonly #over: (result: MeetingResult, failure: string | null) => void;
  readonly #peer: ExchangePeer;
  readonly #task: MoveTask;
  readonly #session: ExchangeSession;
  readonly #failed = (text: string): void => {
    this.#session.failed(text);
  };
  #isPeerSuspect = false;
  #hasHints = false;

  constructor(world: MeetingParts, meeting: Meeting, over: (result: MeetingResult, failure: string | null) => void) {
    const { parts, meters } = world;
    const { partition, peer, kind } = meeting;
    this.#world = world;
    this.#meeting = meeting;
    this.#over = over;
    this.#peer = new ExchangePeer(parts, meters, partition, peer);
    this.#task = kind === 'tree' ? 'exchange' : 'restore';
    const leafCount = leafCountOf(parts.services.ring.partitionCount);
    this.#session = new ExchangeSession({ partition, leafCount, whole: kind === 'whole' }, this);
  }

  start(): void {
    if (this.#meeting.kind === 'poll') this.#poll();
    else this.#session.start();
  }

  ownNodes(level: number, parents: readonly number[]): Uint8Array {
    const { replicas, parts } = this.#world;
    return replicas.liveTree(this.#meeting.partition).encodeChildren(level, parents, parts.services.hash);
  }

  askNodes(level: number, parents: readonly number[]): void {
    this.#slice(() => {
      this.#peer.tree(
        level,
        parents,
        ({ suspect, hasHints, nodes }) => {
          this.#spent(2 * nodes.length);
          this.#isPeerSuspect = suspect;
          this.#hasHints = hasHints;
          this.#session.nodes(nodes);
        },
        this.#failed,
      );
    });
  }

  list(stretch: Stretch): void {
    const target = {
      onListing: (listing: Listing): void => {
        this.#spent(listing.entries.length);
        this.#session.ownListing(listing);
      },
      onListingFailed: ({ text }: Failure): void => {
        this.#session.failed(`What is here cannot be listed: ${text}`);
      },
    };
    const { services } = this.#world.parts;
    this.#slice(() => {
      new ListingReader(services, this.#meeting.partition as PartitionId, stretch, target).start();
      this.#peer.leaves(
        stretch,
        (reply) => {
          this.#spent(reply.entries.length);
          if (reply.suspect) this.#isPeerSuspect = true;
          this.#session.theirListing(reply);
        },
        this.#failed,
      );
    });
  }

  pull(places: readonly KeyHash[]): void {
    const { partition, kind } = this.#meeting;
    if (places.length === 0 || kind === 'home') {
      this.#session.moved();
      return;
    }
    const { parts, meters } = this.#world;
    this.#slice(() => {
      this.#peer.pull(
        places,
        ({ answered, records, fence }) => {
          for (const record of records) this.#spent(record.length);
          if (answered === 0 || answered > places.length) {
            this.#session.failed(`It answered ${answered} of ${places.length} hashes`);
            return;
          }
          // Whoever counts again by what has come must have it on the disk.
          const intake = new RecordIntake(
            parts,
            partition,
            { durable: kind === 'whole', fence, from: this.#meeting.peer },
            () => {
              meters.noteReceived(this.#task);
            },
            (fault) => {
              if (fault === null) this.pull(places.slice(answered));
              else this.#session.failed(fault);
            },
          );
          intake.take(records.map((record) => copyBytes(record))); // the frame's bytes are somebody else's after this
        },
        this.#failed,
      );
    });
  }

  push(places: readonly Push[]): void {
    const { parts, meters } = this.#world;
    const { partition, peer, kind } = this.#meeting;
    this.#slice(() => {
      const sent = (bytes: number): void => {
        this.#spent(bytes);
        meters.noteSent(this.#task, bytes);
      };
      const outlet = new RecordOutlet(parts, partition, peer, kind === 'home', sent, (fault) => {
        if (fault === null) this.#session.moved();
        else this.#session.failed(fault);
      });
      outlet.send(places);
    });
  }

  settledMs(): number {
    const { preferences, services, self } = this.#world.parts;
    const { kind, partition } = this.#meeting;
    // Whoever gives it up, or takes it over, wants all that there is: no clock says what is on its way here.
    if (kind === 'home' || preferences.isReceiver(partition, self)) return Number.POSITIVE_INFINITY;
    return services.viewMs() - SETTLE_MS;
  }

  ended({ failure, young }: ExchangeOutcome): void {
    this.#world.meters.noteYoung(young);
    this.#end(failure);
  }

  /** No tree is compared: the answer's head is what is wanted. */
  #poll(): void {
    const { ring } = this.#world.parts.services;
    this.#slice(() => {
      this.#peer.tree(
        treeLevels(leafCountOf(ring.partitionCount)),
        [],
        ({ suspect, hasHints }) => {
          this.#isPeerSuspect = suspect;
          this.#hasHints = hasHints;
          this.#end(null);
        },
        (text) => {
          this.#end(text);
        },
      );
    });
  }

  #end(failure: string | null): void {
    const result = { done: failure === null, isPeerSuspect: this.#isPeerSuspect, hasHints: this.#hasHints };
    this.#over(result, failure);
  }

  #spent(bytes: number): void {
    this.#world.moves[this.#task].spent(bytes);
  }

  #slice(go: () => void): void {
    const world = this.#world;
    world.moves[this.#task].ask(() => {
      if (world.isOpen()) go();
      else this.#end('The node is stopping');
    });
  }
}
