/*
 * Nodes that agree on rings, each with an acceptor file on a simulated disk, and joined by links that are a few lines: a
 * frame takes a millisecond each way, and whoever is away does not answer. A ring here is JSON: a version, voters, a name.
 */
import type { PeerLink } from '../../../src/node/peers/link.js';
import type { BodyAsker, PeerRequest } from '../../../src/node/peers/request.js';
import { Prng } from '../../../src/lib/prng.js';
import type { ProposalOutcome } from '../../../src/membership/ring-proposer.js';
import type { RingLearnReply, RingVoter } from '../../../src/model/ring-log-messages.js';
import type { Failure } from '../../../src/model/errors.js';
import { Incoming } from '../../../src/node/incoming.js';
import { type InstalledRing, RingLog, type RingLogHost } from '../../../src/node/cluster/ring-log.js';
import { RingLogServer, type RingSession } from '../../../src/node/cluster/ring-log-server.js';
import type { RingLinks } from '../../../src/node/cluster/ring-asks.js';
import { openAcceptor } from '../../../src/storage/acceptor-file.js';
import { decodeError } from '../../../src/wire/codec-connection.js';
import { FrameDecoder } from '../../../src/wire/frame.js';
import { ERROR } from '../../../src/wire/kinds.js';
import { isFault } from '../../../src/wire/plain.js';
import { finish, HASH } from '../../support/log-world.js';
import { silentLog } from '../../support/silent.js';
import { SimulatedDisk } from '../../support/simulated-disk.js';
import { SimulatedTime, type TimeScope } from '../../support/simulated-time.js';

const FRAME_BODY_BYTES_MAX = 2_000_000;

export interface Answered {
  readonly kind: number;
  readonly body: Uint8Array;
  readonly refusal: Failure | null;
}

/** What a server has answered to one frame. */
export function sessionFor(answered: (answer: Answered) => void): RingSession {
  let output = new Uint8Array(0);
  const tell = (): void => {
    const decoder = new FrameDecoder(
      {
        onFrame: (kind, _requestId, bytes, start, end) => {
          const error = kind === ERROR ? decodeError(bytes, start, end) : null;
          if (error !== null && isFault(error)) throw new Error(error);
          answered({ kind, body: Uint8Array.from(bytes.subarray(start, end)), refusal: error });
        },
        onFault: (_fault, text) => {
          throw new Error(text);
        },
      },
      FRAME_BODY_BYTES_MAX,
    );
    decoder.push(output, 0);
  };
  const connection = {
    claim: (size: number): number => {
      output = new Uint8Array(size);
      return 0;
    },
    get output(): Uint8Array {
      return output;
    },
  };
  return {
    connection: connection as unknown as RingSession['connection'],
    closed: false,
    finish: tell,
    refuse: (_requestId, refusal) => {
      answered({ kind: ERROR, body: new Uint8Array(0), refusal });
    },
  };
}

export class RingNode {
  readonly ordinal: number;
  readonly installed: string[] = [];
  ring: InstalledRing;
  disk: SimulatedDisk;
  log: RingLog;
  server: RingLogServer;
  acceptorId = '';
  isAway = false;
  /** Of a ring that is proposed; empty: it will do. */
  fault = '';
  #scope: TimeScope;
  readonly #bench: RingBench;

  constructor(bench: RingBench, ordinal: number, ring: InstalledRing) {
    this.#bench = bench;
    this.ordinal = ordinal;
    this.ring = ring;
    this.disk = new SimulatedDisk({ timers: bench.time, random: bench.random.fork() });
    [this.#scope, this.log, this.server] = this.#start();
  }

  /** `change`: done to the disk that is found. */
  restart(change: (disk: SimulatedDisk) => void = () => undefined): void {
    this.#scope.end();
    this.disk = this.disk.crash();
    change(this.disk);
    [this.#scope, this.log, this.server] = this.#start();
  }

  propose(name: string, voters: readonly RingVoter[]): { outcome: ProposalOutcome | null } {
    const heard: { outcome: ProposalOutcome | null } = { outcome: null };
    this.log.propose(ringBytes(this.ring.version + 1, name, voters), (outcome) => {
      heard.outcome = outcome;
    });
    return heard;
  }

  learnFrom(ordinal: number): { reply: RingLearnReply | null; why: string } {
    const heard: { reply: RingLearnReply | null; why: string } = { reply: null, why: '' };
    this.log.learnFrom(ordinal, (reply, why) => {
      Object.assign(heard, { reply, why });
    });
    return heard;
  }

  get name(): string {
    return nameOfRing(this.ring.document);
  }

  serve(kind: number, body: Uint8Array, from: number, answered: (answer: Answered) => void): void {
    const frame = new Incoming();
    Object.assign(frame, { kind, requestId: 5, bytes: Uint8Array.from(body), start: 0, end: body.length });
    if (!this.server.serve(sessionFor(answered), frame, from)) throw new Error('Not of the ring log');
    frame.bytes.fill(0xee); // the transport's again
  }

  #start(): [TimeScope, RingLog, RingLogServer] {
    const { time, random } = this.#bench;
    const scope = time.scope();
    const file = finish(time, openAcceptor(this.disk, HASH, random.fork()));
    this.acceptorId = typeof file === 'string' ? '' : file.acceptorId;
    const host: RingLogHost = {
      ring: () => this.ring,
      faultOf: () => this.fault,
      install: (document, from) => {
        scope.after(3, () => {
          this.#install(document, from);
        });
      },
    };
    const log = new RingLog({
      self: this.ordinal,
      hash: HASH,
      log: silentLog,
      random: random.fork(),
      timers: scope,
      links: this.#links(scope),
      host,
      store: file,
      nameOf: (ordinal) => `node ${ordinal}`,
      nowMs: () => time.monotonicMs(),
    });
    return [scope, log, new RingLogServer(log)];
  }

  #install(document: Uint8Array, from: number): void {
    const ring = installedRing(document);
    if (ring.version <= this.ring.version) return;
    this.ring = ring;
    this.installed.push(`${this.name} from ${from}`);
    this.log.installed();
  }

  #links(scope: TimeScope): RingLinks {
    const others = [...this.#bench.ordinals].filter((ordinal) => ordinal !== this.ordinal);
    return {
      status: () => others.map((ordinal) => ({ ordinal })),
      get: (ordinal) => (others.includes(ordinal) ? this.#link(ordinal, scope) : undefined),
    };
  }

  #link(ordinal: number, scope: TimeScope): Pick<PeerLink, 'ask'> {
    return {
      ask: (kind: number, body: Uint8Array, timeoutMs: number, asker: BodyAsker, tag: number): PeerRequest | null => {
        const peer = this.#bench.node(ordinal);
        const isCut = (): boolean => this.isAway || peer.isAway;
        if (isCut()) return null;
        const timer = scope.after(timeoutMs, () => {
          asker.onUnanswered(ordinal, tag, 'timeout');
        });
        this.#bench.time.after(1, () => {
          if (isCut()) return;
          peer.serve(kind, this.#bench.damage(body), this.ordinal, ({ body: reply, refusal }) => {
            scope.after(1, () => {
              if (isCut()) return;
              timer.cancel();
              if (refusal === null) asker.onAnswered(ordinal, tag, reply, 0, reply.length);
              else asker.onRefused(ordinal, tag, refusal);
            });
          });
        });
        return {} as PeerRequest;
      },
    };
  }
}

export class RingBench {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly random: Prng = new Prng(11);
  readonly ordinals: readonly number[];
  readonly nodes: readonly RingNode[];
  /** On the way to a node. */
  damage: (body: Uint8Array) => Uint8Array = (body) => body;

  /** All are voters; `named`: by their acceptors' ids. */
  constructor(count: number, named: boolean) {
    this.ordinals = Array.from({ length: count }, (_, i) => i + 1);
    const nameless = this.ordinals.map((ordinal) => ({ ordinal, acceptorId: '' }));
    const first = installedRing(ringBytes(1, 'first', nameless));
    this.nodes = this.ordinals.map((ordinal) => new RingNode(this, ordinal, first));
    if (!named) return;
    const ring = installedRing(ringBytes(2, 'named', this.voters()));
    for (const node of this.nodes) {
      node.ring = ring;
      node.log.installed();
    }
  }

  node(ordinal: number): RingNode {
    return this.nodes[ordinal - 1] as RingNode;
  }

  voters(): readonly RingVoter[] {
    return this.nodes.map(({ ordinal, acceptorId }) => ({ ordinal, acceptorId }));
  }

  /** To the end of a proposal. */
  outcomeOf(heard: { readonly outcome: ProposalOutcome | null }): ProposalOutcome {
    this.time.runUntil(() => heard.outcome !== null, 20_000);
    this.time.runFor(50);
    return heard.outcome as ProposalOutcome;
  }

  names(): string {
    return this.nodes.map(({ name }) => name).join(' ');
  }
}

export function ringBytes(version: number, name: string, voters: readonly RingVoter[]): Uint8Array {
  return Buffer.from(JSON.stringify({ version, name, voters }));
}

export function installedRing(document: Uint8Array): InstalledRing {
  const { version, voters } = JSON.parse(Buffer.from(document).toString()) as InstalledRing;
  return { version, voters, document };
}

export function nameOfRing(document: Uint8Array): string {
  return (JSON.parse(Buffer.from(document).toString()) as { name: string }).name;
}
