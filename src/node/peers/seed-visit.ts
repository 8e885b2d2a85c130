/*
 * One question to whoever answers at an address that no ring names: a seed, for a node whose members are all elsewhere by
 * now. It may be any node of this cluster, and has to prove that it is one; a node of another cluster is turned away by
 * either end. The connection is closed when the question has been answered.
 */
import type { TimerHandle } from '../../env/clock.js';
import type { Failure } from '../../model/errors.js';
import { type ChannelOwner, PeerChannel } from './channel.js';
import { Greeter } from './greeter.js';
import { PeerIntroduction } from './introduction.js';
import type { BodyAsker } from './request.js';
import type { PeerWorld } from './world.js';

/** Dial, handshake and answer together. */
const VISIT_MS = 5_000;
/** Of no member. */
const NOBODY = 0;

export interface SeedQuestion {
  readonly kind: number;
  readonly body: Uint8Array;
  /** Once, good only inside the call. */
  readonly answered: (bytes: Uint8Array, start: number, end: number) => void;
  /** Once, instead. */
  readonly failed: (why: string) => void;
}

export class SeedVisit implements ChannelOwner, BodyAsker {
  readonly ordinal: number = NOBODY;
  readonly address: string;
  readonly #world: PeerWorld;
  readonly #question: SeedQuestion;
  readonly #over: (visit: SeedVisit) => void;
  #channel: PeerChannel | null = null;
  #dial: { cancel(): void } | null = null;
  #timer: TimerHandle | null = null;
  #isOver = false;

  /** `over`: nothing follows. */
  constructor(address: string, world: PeerWorld, question: SeedQuestion, over: (visit: SeedVisit) => void) {
    this.address = address;
    this.#world = world;
    this.#question = question;
    this.#over = over;
  }

  start(): void {
    const { timers, dialer, credentials, settings } = this.#world;
    this.#timer = timers.after(VISIT_MS, () => {
      this.#fail('It has not answered in time');
    });
    this.#dial = dialer.dial(
      this.address,
      settings.connectTimeoutMs,
      (connection) => {
        this.#dial = null;
        const greeter = new Greeter(new PeerIntroduction(credentials, { nodeId: null, peerAddress: this.address }));
        this.#channel = new PeerChannel(connection, this.#world, this, greeter);
        return this.#channel;
      },
      (error) => {
        this.#dial = null;
        this.#fail(error.message);
      },
    );
  }

  /** Tells nobody. */
  stop(): void {
    this.#isOver = true;
    this.#close();
  }

  onReady(): void {
    const { kind, body } = this.#question;
    if ((this.#channel?.ask(kind, body, VISIT_MS, this, 0) ?? null) === null) this.#fail('It takes no requests');
  }

  onRemoved(ringVersion: number): void {
    this.#world.onRemoved(ringVersion);
  }

  onDraining(): void {
    this.#fail('It is being stopped');
  }

  onPong(): void {}

  onClosed(reason: string): void {
    this.#channel = null;
    this.#fail(reason);
  }

  onAnswered(_from: number, _tag: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#question.answered(bytes, start, end);
    this.#end();
  }

  onRefused(_from: number, _tag: number, { text }: Failure): void {
    this.#fail(`It refused: ${text}`);
  }

  onUnanswered(): void {
    this.#fail('The connection was lost');
  }

  #fail(why: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#question.failed(why);
    this.#end();
  }

  /** In a later turn: the channel may be in the middle of what ends it. */
  #end(): void {
    this.#world.timers.endOfTurn(() => {
      this.#close();
      this.#over(this);
    });
  }

  #close(): void {
    this.#timer?.cancel();
    this.#dial?.cancel();
    this.#dial = null;
    const channel = this.#channel;
    this.#channel = null;
    channel?.close('It has been asked what there was to ask');
  }
}
