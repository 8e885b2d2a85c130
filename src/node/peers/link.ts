/*
 * The way to one peer: a connection that is kept open, dialed again when it ends.
 *
 *   down ──dial──▶ connecting ──handshake──▶ ready ──▶ down, for a while
 *
 * The pause before each attempt grows and is drawn at random: nodes that lost a peer together do not come back to it
 * together. It starts anew only when a connection has held for a while, so that a peer which accepts and hangs up is
 * not dialed without a pause. While the peer is not ready nothing is kept for it: a put has a fallback at once, which
 * is worth more than a queue behind a node that is gone.
 */
import type { TimerHandle } from '../../env/clock.js';
import type { Connection } from '../../env/transport.js';
import { fullJitterMs } from '../../lib/backoff.js';
import type { Build } from '../../model/build.js';
import type { ForwardRequest, ReadRequest, StoreHead } from '../../model/peer-messages.js';
import type { RingMember } from '../../ring/document.js';
import { type ChannelOwner, PeerChannel } from './channel.js';
import { ClockWatch } from './clock-watch.js';
import { Greeter } from './greeter.js';
import { PeerIntroduction } from './introduction.js';
import type { BodyAsker, ForwardAsker, PeerRequest, ReadAsker, StoreAsker } from './request.js';
import type { PeerWorld } from './world.js';

/** A connection that held for so long was a good one. */
const HELD_MS = 5_000;
/** Share of the newest echo in the recent mean. */
const ROUND_TRIP_GAIN = 1 / 8;

export type PeerLinkState = 'down' | 'connecting' | 'ready';

export class PeerLink implements ChannelOwner {
  readonly ordinal: number;
  readonly member: RingMember;
  state: PeerLinkState = 'down';
  /** Of heartbeats, a recent mean; 0 before the first. */
  roundTripMs = 0;
  /** The ring version that the peer named last; 0: none yet. */
  ringVersion = 0;
  /** What the peer was when it was reached last; null: it never was. */
  build: Build | null = null;
  /** Why it is not ready; empty while it is. */
  reason = 'It has not been dialed yet';
  readonly clockWatch: ClockWatch = new ClockWatch();
  readonly #world: PeerWorld;
  #channel: PeerChannel | null = null;
  #dial: { cancel(): void } | null = null;
  #timer: TimerHandle | null = null;
  #attempts = 0;
  /** -1: the present connection is not ready. */
  #readyMs = -1;
  #closed = false;
  #loggedReason = '';

  constructor(member: RingMember, world: PeerWorld) {
    this.ordinal = member.ordinal;
    this.member = member;
    this.#world = world;
  }

  get queuedBytes(): number {
    return this.#channel?.queuedBytes ?? 0;
  }

  get inFlight(): number {
    return this.#channel?.inFlight ?? 0;
  }

  open(): void {
    this.#connect();
  }

  /** For good. */
  close(): void {
    this.#closed = true;
    this.#giveUp('The link was closed');
    this.#timer?.cancel();
  }

  /**
   * Null: nothing was sent, and nothing follows. `stays`: the record's bytes do not change until the request has ended,
   * so they need not be copied. `tag` comes back with the answer. `timeoutMs` is the asker's; `head.budgetMs` the peer's.
   */
  store(
    head: StoreHead,
    record: Uint8Array,
    stays: boolean,
    timeoutMs: number,
    asker: StoreAsker,
    tag: number,
  ): PeerRequest | null {
    this.#world.table.asked(this.ordinal, 'put', this.#world.clock.monotonicMs());
    const request = this.#channel?.store(head, record, stays, timeoutMs, asker, tag) ?? null;
    if (request === null) this.#world.table.failed(this.ordinal, this.#world.clock.monotonicMs());
    return request;
  }

  /** As `store`. */
  read(read: ReadRequest, timeoutMs: number, asker: ReadAsker, tag: number): PeerRequest | null {
    this.#world.table.asked(this.ordinal, 'get', this.#world.clock.monotonicMs());
    const request = this.#channel?.read(read, timeoutMs, asker, tag) ?? null;
    if (request === null) this.#world.table.failed(this.ordinal, this.#world.clock.monotonicMs());
    return request;
  }

  /** As `store`. How long it takes says little of the peer, which waits for others; so the table is not told. */
  forward(forward: ForwardRequest, timeoutMs: number, asker: ForwardAsker, tag: number): PeerRequest | null {
    return this.#channel?.forward(forward, timeoutMs, asker, tag) ?? null;
  }

  /** As `store`. Nor is the table told: what background work waits for says nothing of how the peer serves. */
  ask(kind: number, body: Uint8Array, timeoutMs: number, asker: BodyAsker, tag: number): PeerRequest | null {
    return this.#channel?.ask(kind, body, timeoutMs, asker, tag) ?? null;
  }

  /** Every HEARTBEAT_MS; `beat`: with a heartbeat. */
  look(beat: boolean): void {
    this.#channel?.look();
    if (beat) this.#channel?.ping();
  }

  onReady(build: Build): void {
    this.build = build;
    this.#timer?.cancel();
    this.#timer = null;
    this.state = 'ready';
    this.reason = '';
    this.#loggedReason = '';
    this.#readyMs = this.#world.clock.monotonicMs();
    this.#world.log.info('peer-connected', this.#fields({}));
    this.#channel?.ping();
  }

  onRemoved(ringVersion: number): void {
    this.#world.onRemoved(ringVersion);
  }

  onDraining(reason: string): void {
    this.state = 'down';
    this.reason = `It is being stopped: ${reason}`;
    this.#world.log.info('peer-draining', this.#fields({ reason }));
  }

  onPong(roundTripMs: number, peerWallMs: number, ringVersion: number): void {
    const { clock, table, log } = this.#world;
    this.ringVersion = ringVersion;
    this.roundTripMs += (roundTripMs - this.roundTripMs) * (this.roundTripMs === 0 ? 1 : ROUND_TRIP_GAIN);
    table.heartbeat(this.ordinal, clock.monotonicMs());
    const change = this.clockWatch.note(roundTripMs, peerWallMs, clock.wallMs());
    const { offsetMs } = this.clockWatch;
    if (change === 'apart') log.warn('peer-clock-apart', this.#fields({ offsetMs }));
    if (change === 'close') log.info('peer-clock-back', this.#fields({ offsetMs }));
  }

  onClosed(reason: string): void {
    this.#channel = null;
    this.#wentDown(reason);
  }

  #connect(): void {
    const { timers, dialer, settings, credentials } = this.#world;
    const { connectTimeoutMs } = settings;
    this.state = 'connecting';
    this.#timer = timers.after(connectTimeoutMs, () => {
      this.#giveUp(`It did not complete the handshake within ${connectTimeoutMs} ms`);
    });
    const dial = dialer.dial(
      this.member.peerAddress,
      connectTimeoutMs,
      (connection: Connection) => {
        this.#dial = null;
        const greeter = new Greeter(new PeerIntroduction(credentials, this.member));
        const channel = new PeerChannel(connection, this.#world, this, greeter);
        this.#channel = channel;
        return channel;
      },
      (error) => {
        this.#dial = null;
        this.#wentDown(error.message);
      },
    );
    this.#dial = dial;
  }

  #giveUp(reason: string): void {
    if (this.#channel !== null) {
      this.#channel.close(reason);
      return;
    }
    if (this.#dial === null) return;
    this.#dial.cancel();
    this.#dial = null;
    this.#wentDown(reason);
  }

  #wentDown(reason: string): void {
    const { timers, random, settings, clock } = this.#world;
    const wasReady = this.state === 'ready';
    const held = this.#readyMs >= 0 && clock.monotonicMs() - this.#readyMs >= HELD_MS;
    this.#readyMs = -1;
    this.state = 'down';
    this.reason = reason;
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#closed) return;
    this.#note(reason, wasReady);
    this.#attempts = held ? 1 : this.#attempts + 1;
    const delayMs = fullJitterMs(random, settings.redialMsMin, settings.redialMsMax, this.#attempts);
    this.#timer = timers.after(delayMs, () => {
      this.#connect();
    });
  }

  /** Once a reason, not once an attempt. */
  #note(reason: string, wasReady: boolean): void {
    const fields = this.#fields({ reason });
    if (reason === this.#loggedReason) this.#world.log.debug('peer-unreachable', fields);
    else this.#world.log.warn(wasReady ? 'peer-lost' : 'peer-unreachable', fields);
    this.#loggedReason = reason;
  }

  #fields(more: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { nodeId, peerAddress } = this.member;
    return { node: nodeId, ordinal: this.ordinal, address: peerAddress, ...more };
  }
}
