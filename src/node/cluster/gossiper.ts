/*
 * The hands of membership/gossip.ts: once a second an exchange with one member that can be reached, and answers to those
 * that others begin. The beats of all nodes begin at drawn moments, so that they do not fall together.
 */
import type { Clock, TimerHandle, Timers } from '../../env/clock.js';
import type { Counter, Gauge, Log, Meter } from '../../env/meter.js';
import type { Random } from '../../env/random.js';
import { Gossip, type GossipRing, type GossipSelf } from '../../membership/gossip.js';
import { failure } from '../../model/errors.js';
import type { GossipAlarm, GossipMessage, GossipStatus } from '../../model/gossip-messages.js';
import { decodeGossip, decodeGossipReply, encodeGossip, encodeGossipReply } from '../../wire/codec-gossip.js';
import { GOSSIP, GOSSIP_REPLY } from '../../wire/kinds.js';
import { isFault } from '../../wire/plain.js';
import type { Incoming } from '../incoming.js';
import type { PeerLinks } from '../peers/links.js';
import { replyBody } from '../replies.js';
import type { Session } from '../session.js';
import { askBody } from './ask-body.js';

const ROUND_MS = 1_000;
const ANSWER_TIMEOUT_MS = 2_000;
/** Kept for whoever looks at the node. */
const ALARMS_MAX = 16;

const TEXTS = {
  'two-rings':
    'Two ring documents have one version number, so nodes disagree about who owns what. Stop changing the ring, and compare what `partita ring show` says of the nodes that are named',
  'two-nodes':
    'Two processes run with the same node id, as after a data directory was copied. Stop one of them, and give it a directory of its own',
  'put-back':
    'The store of this node is older than what other nodes have heard of it: it was put back to an earlier day. It lacks what came after, until it has met the other owners. If its directory was restored from a copy, and its file ring/acceptor with it, stop the node and delete that file: it may have forgotten what it has voted for',
} as const satisfies Record<GossipAlarm['kind'], string>;

export interface GossiperOptions {
  readonly self: GossipSelf;
  readonly ring: GossipRing;
  /** Addresses from the configuration, tried while no member can be reached. */
  readonly seeds: readonly string[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly links: PeerLinks;
  readonly log: Log;
  readonly meter: Meter;
  /** A member that can be reached has a newer ring: after each exchange, until `setRing`. */
  onNewer(ordinal: number, version: number): void;
  /** Nobody can be reached: once a round. */
  meetSeed(address: string): void;
}

export class Gossiper {
  readonly #options: GossiperOptions;
  readonly #gossip: Gossip;
  readonly #meters: GossipMeters;
  readonly #alarms: GossipAlarm[] = [];
  #timer: TimerHandle | null = null;
  #stopped = false;

  constructor(options: GossiperOptions) {
    const { self, ring, meter, clock } = options;
    this.#options = options;
    this.#meters = new GossipMeters(meter);
    const alarm = (alarm: GossipAlarm): void => {
      this.#tell(alarm);
    };
    this.#gossip = new Gossip(self, ring, alarm, clock.monotonicMs());
  }

  start(): void {
    this.#roundAfter(this.#draw() * ROUND_MS);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  setRing(ring: GossipRing): void {
    this.#gossip.setRing(ring, this.#nowMs());
  }

  /** Of a member. False: the kind is none of these. */
  serve(session: Session, frame: Incoming): boolean {
    if (frame.kind !== GOSSIP) return false;
    const { bytes, start, end, requestId, bodyBytes } = frame;
    const message = decodeGossip(bytes, start, end);
    if (isFault(message)) {
      session.finish(bodyBytes);
      session.refuse(requestId, failure('PROTOCOL', `GOSSIP cannot be read: ${message}`));
      return true;
    }
    const from = session.acceptance?.member?.ordinal ?? 0;
    const reply = encodeGossipReply(this.#gossip.answer(from, message, this.#nowMs()));
    this.#meters.moved(end - start, reply.length);
    replyBody(session, GOSSIP_REPLY, requestId, reply);
    session.finish(bodyBytes);
    this.#lookForNewer(from);
    return true;
  }

  status(): GossipStatus {
    const { version, holders } = this.#gossip.newestRing();
    const { exchanges, unanswered, bytesIn, bytesOut } = this.#meters;
    return {
      own: this.#gossip.own,
      members: this.#gossip.members(this.#nowMs()),
      newestVersion: version,
      holders,
      alarms: [...this.#alarms],
      exchanges,
      unanswered,
      bytesIn,
      bytesOut,
    };
  }

  #roundAfter(delayMs: number): void {
    this.#timer = this.#options.timers.after(delayMs, () => {
      this.#roundAfter(ROUND_MS);
      this.#round();
    });
  }

  #round(): void {
    const nowMs = this.#nowMs();
    this.#gossip.beat(nowMs);
    this.#meters.silent.set(this.#gossip.members(nowMs).filter(({ isSilent }) => isSilent).length);
    const partner = this.#gossip.whomToMeet(this.#draw(), this.#isReady, this.#options.seeds);
    if (partner?.kind === 'member') this.#meet(partner.ordinal);
    if (partner?.kind === 'seed') this.#options.meetSeed(partner.address);
  }

  #meet(ordinal: number): void {
    this.#ask(ordinal, this.#gossip.question(), (answer) => {
      const reply = answer === null ? null : decodeGossipReply(answer, 0, answer.length);
      const isHeard = reply !== null && !isFault(reply);
      this.#meters.met(isHeard);
      if (!isHeard) return;
      const more = this.#gossip.take(ordinal, reply, this.#nowMs());
      if (more !== null) this.#ask(ordinal, more, () => undefined);
      this.#lookForNewer(ordinal);
    });
  }

  /** Nothing comes after `stop`. */
  #ask(ordinal: number, message: GossipMessage, done: (answer: Uint8Array | null) => void): void {
    const body = encodeGossip(message);
    this.#meters.moved(0, body.length);
    askBody(this.#options, ordinal, GOSSIP, body, ANSWER_TIMEOUT_MS, (answer) => {
      if (this.#stopped) return;
      this.#meters.moved(answer?.length ?? 0, 0);
      done(answer);
    });
  }

  /** Preferably from whoever has just told us. */
  #lookForNewer(from: number): void {
    const { version, holders } = this.#gossip.newestRing();
    if (this.#stopped || version <= this.#gossip.own.ringVersion) return;
    const holder = holders.includes(from) ? from : holders.find(this.#isReady);
    if (holder !== undefined) this.#options.onNewer(holder, version);
  }

  #tell(alarm: GossipAlarm): void {
    const { kind, ...fields } = alarm;
    this.#alarms.push(alarm);
    if (this.#alarms.length > ALARMS_MAX) this.#alarms.shift();
    this.#options.log.error(kind, { ...fields, text: TEXTS[kind] });
  }

  readonly #isReady = (ordinal: number): boolean => this.#options.links.get(ordinal)?.state === 'ready';

  #draw(): number {
    return this.#options.random.u32() / 0x1_0000_0000;
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs();
  }
}

/** The numbers are kept here as well, since a meter is only written to. */
class GossipMeters {
  exchanges = 0;
  unanswered = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly silent: Gauge;
  readonly #answered: Counter;
  readonly #unanswered: Counter;
  readonly #in: Counter;
  readonly #out: Counter;

  constructor(meter: Meter) {
    const exchanges = 'Exchanges of gossip that this node began, by result';
    this.#answered = meter.counter('partita_gossip_exchanges_total', exchanges, { result: 'ok' });
    this.#unanswered = meter.counter('partita_gossip_exchanges_total', exchanges, { result: 'error' });
    const bytes = 'Bytes of gossip, by direction';
    this.#in = meter.counter('partita_gossip_bytes_total', bytes, { direction: 'in' });
    this.#out = meter.counter('partita_gossip_bytes_total', bytes, { direction: 'out' });
    this.silent = meter.gauge('partita_gossip_silent_members', 'Members that nobody has heard of for a while');
  }

  met(isHeard: boolean): void {
    this.exchanges += 1;
    if (!isHeard) this.unanswered += 1;
    (isHeard ? this.#answered : this.#unanswered).add(1);
  }

  moved(bytesIn: number, bytesOut: number): void {
    this.bytesIn += bytesIn;
    this.bytesOut += bytesOut;
    this.#in.add(bytesIn);
    this.#out.add(bytesOut);
  }
}
