/*
 * A second connection to a peer, for what is large and can wait: files of partitions. It has the handshake and the peer
 * listener of the first (link.ts), and nothing of its bytes stands in front of a get or put.
 *
 *   none ──asked──▶ connecting ──handshake──▶ ready ──nothing asked for some looks──▶ none
 *
 * It is there while it is used: dialed by a question, closed when none has come for a while. When it ends, whatever was
 * asked ends as lost, and whoever asks again dials again; so the pauses between attempts are the asker's. A peer that has
 * gone without a word is found out by its silence, as on the first: then the file goes on over the next connection.
 *
 * How a peer fares is judged by the first connection alone: heartbeats behind a megabyte say nothing of it.
 */
import type { Connection } from '../../env/transport.js';
import type { TimerHandle } from '../../env/clock.js';
import type { RingMember } from '../../ring/document.js';
import { type ChannelOwner, PeerChannel } from './channel.js';
import { Greeter } from './greeter.js';
import { PeerIntroduction } from './introduction.js';
import type { BodyAsker } from './request.js';
import type { PeerWorld } from './world.js';

/** So many looks (a second each) without a question under way, and it is closed. */
const IDLE_LOOKS_MAX = 5;
/** Asked before the handshake is over. */
const WAITING_MAX = 64;

interface Question {
  readonly kind: number;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  readonly asker: BodyAsker;
}

export class BulkLink implements ChannelOwner {
  readonly ordinal: number;
  readonly #member: RingMember;
  readonly #world: PeerWorld;
  #channel: PeerChannel | null = null;
  #isReady = false;
  #dial: { cancel(): void } | null = null;
  #timer: TimerHandle | null = null;
  #waiting: Question[] = [];
  #idleLooks = 0;
  #closed = false;

  constructor(member: RingMember, world: PeerWorld) {
    this.ordinal = member.ordinal;
    this.#member = member;
    this.#world = world;
  }

  get isOpen(): boolean {
    return this.#isReady;
  }

  get inFlight(): number {
    return this.#channel?.inFlight ?? 0;
  }

  get queuedBytes(): number {
    return this.#channel?.queuedBytes ?? 0;
  }

  /** False: nothing was sent, and nothing follows. Otherwise the asker is told once, later. */
  ask(kind: number, body: Uint8Array, timeoutMs: number, asker: BodyAsker): boolean {
    if (this.#closed) return false;
    this.#idleLooks = 0;
    if (this.#isReady) return this.#channel?.ask(kind, body, timeoutMs, asker, 0) != null;
    if (this.#waiting.length >= WAITING_MAX) return false;
    this.#waiting.push({ kind, body, timeoutMs, asker });
    if (this.#dial === null && this.#channel === null) this.#connect();
    return true;
  }

  /** Every HEARTBEAT_MS. */
  look(): void {
    const channel = this.#channel;
    if (channel === null) return;
    channel.look();
    channel.ping();
    if (!this.#isReady || channel.inFlight > 0) this.#idleLooks = 0;
    else if (++this.#idleLooks > IDLE_LOOKS_MAX) channel.close('Nothing was asked over it any more');
  }

  /** For good. */
  close(): void {
    this.#closed = true;
    this.#giveUp('The link was closed');
  }

  onReady(): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#isReady = true;
    this.#log('bulk-connected', '');
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { kind, body, timeoutMs, asker } of waiting) {
      if (this.#channel?.ask(kind, body, timeoutMs, asker, 0) == null) asker.onUnanswered(this.ordinal, 0, 'lost');
    }
  }

  onRemoved(ringVersion: number): void {
    this.#world.onRemoved(ringVersion);
  }

  onDraining(): void {
    this.#isReady = false; // it goes when what is under way has been answered
  }

  onPong(): void {}

  onClosed(reason: string): void {
    this.#channel = null;
    this.#ended(reason);
  }

  #connect(): void {
    const { timers, dialer, settings, credentials } = this.#world;
    const { connectTimeoutMs } = settings;
    this.#timer = timers.after(connectTimeoutMs, () => {
      this.#giveUp(`It did not complete the handshake within ${connectTimeoutMs} ms`);
    });
    this.#dial = dialer.dial(
      this.#member.peerAddress,
      connectTimeoutMs,
      (connection: Connection) => {
        this.#dial = null;
        const greeter = new Greeter(new PeerIntroduction(credentials, this.#member));
        this.#channel = new PeerChannel(connection, this.#world, this, greeter);
        return this.#channel;
      },
      (error) => {
        this.#dial = null;
        this.#ended(error.message);
      },
    );
  }

  #giveUp(reason: string): void {
    if (this.#channel !== null) {
      this.#channel.close(reason);
      return;
    }
    this.#dial?.cancel();
    this.#dial = null;
    this.#ended(reason);
  }

  #ended(reason: string): void {
    this.#isReady = false;
    this.#idleLooks = 0;
    this.#timer?.cancel();
    this.#timer = null;
    this.#log('bulk-ended', reason);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { asker } of waiting) asker.onUnanswered(this.ordinal, 0, 'lost');
  }

  #log(event: string, reason: string): void {
    const { ordinal } = this;
    const { nodeId, peerAddress } = this.#member;
    this.#world.log.debug(event, { node: nodeId, ordinal, address: peerAddress, reason });
  }
}
