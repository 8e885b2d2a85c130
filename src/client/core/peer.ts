/*
 * One node as this client sees it: its connections, the calls that wait for one, and when to dial again.
 *
 * A call that is offered goes out at once if a connection has room. Otherwise it waits here: for room, for the greeting
 * to end, or for the next dial of a node that is down. A dial that fails sends the waiting calls back to ClientCore,
 * which tries the next node of the preference list; so a dead node costs a call one dial, not its whole deadline.
 */
import type { HelloReply } from '../../model/messages.js';
import type { Random } from '../../env/random.js';
import type { TimerHandle } from '../../env/clock.js';
import { ConnectionError } from '../errors.js';
import type { PartitaError } from '../errors.js';
import type { NodeInfo } from '../results.js';
import { fullJitterMs } from '../../lib/backoff.js';
import type { Call } from './call.js';
import { Link } from './link.js';
import type { LinkEvents, LinkOptions, LinkWorld } from './link.js';

const REDIAL_BASE_MS = 50;
const REDIAL_MAX_MS = 2_000;
/** A connection that ends sooner does not count as a success: a node that accepts and hangs up is not dialled in a loop. */
const PROVEN_MS = 1_000;

/** So long a node that gives signs of life and no answers is passed over, unless it answers; then calls try it again. */
const STUCK_MS = 1_000;

export interface PeerOptions extends LinkOptions {
  readonly connections: number;
  /** Calls that may wait for this node. */
  readonly waitingMax: number;
}

export interface PeerWorld extends LinkWorld {
  readonly random: Random;
  /** Answers once, maybe later. */
  readonly token: (done: (error: PartitaError | null, token?: Uint8Array) => void) => void;
}

export interface PeerEvents {
  /** `call` is in nobody's hands; the peer asks for it to be sent by `link`. */
  onTurn(peer: Peer, link: Link, call: Call): void;
  /** The attempt is known by its link and request id. */
  onReply(
    peer: Peer,
    link: Link,
    call: Call,
    requestId: number,
    kind: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void;
  onLateReply(): void;
  onUp(peer: Peer, hello: HelloReply): void;
  onDown(peer: Peer, error: PartitaError): void;
  /** A connection was lost with the call on it. */
  onLost(call: Call, link: Link, error: PartitaError): void;
  /** The call has waited for a connection, and there will be none for now. */
  onUnsent(call: Call, error: PartitaError): void;
  /** The peer takes no more calls for now: place this one anew. */
  onReturned(call: Call): void;
}

export class Peer implements LinkEvents {
  readonly address: string;
  nodeId: string = '';
  zone: string = '';
  readonly waiting: Set<Call> = new Set();
  /** In the ring, or a seed: dialled again for as long as that holds. */
  wanted: boolean = true;
  lastError: PartitaError | null = null;
  readonly #world: PeerWorld;
  readonly #options: PeerOptions;
  readonly #events: PeerEvents;
  readonly #links: Link[] = [];
  #failures: number = 0;
  #redial: TimerHandle | null = null;
  #up: boolean = false;
  /** A connection of it is silent. */
  #silent: boolean = false;
  /** Until when it counts as stuck; 0: it does not. */
  #stuckMs: number = 0;
  #closed: boolean = false;
  #readyMs: number = 0;
  #opening: boolean = false;
  #turn: number = 0;

  constructor(address: string, world: PeerWorld, options: PeerOptions, events: PeerEvents) {
    this.address = address;
    this.#world = world;
    this.#options = options;
    this.#events = events;
  }

  /** The lower the better to send to: 0 connected, 1 perhaps soon, 2 connected and silent or stuck, 3 not now. */
  get rank(): number {
    if (this.#up) return this.#silent || this.#isStuck() ? 2 : 0;
    return this.#failures === 0 && !this.isDraining ? 1 : 3;
  }

  get isUp(): boolean {
    return this.#up;
  }

  get isDraining(): boolean {
    return this.#links.some((link) => link.state === 'draining');
  }

  get info(): NodeInfo {
    return { id: this.nodeId, address: this.address, zone: this.zone, state: this.#state() };
  }

  /** A connection that can take a request now; they take turns. */
  linkWithRoom(): Link | null {
    const links = this.#links;
    for (let i = 0; i < links.length; i++) {
      this.#turn = this.#turn + 1 < links.length ? this.#turn + 1 : 0;
      const link = links[this.#turn] as Link;
      if (link.hasRoom) return link;
    }
    return null;
  }

  /** Takes a call into the queue; false when it is full. */
  enqueue(call: Call): boolean {
    if (this.waiting.size >= this.#options.waitingMax) return false;
    this.waiting.add(call);
    this.dial();
    return true;
  }

  /** Opens what connections are missing, unless the last failure asks for patience. */
  dial(): void {
    if (this.#closed || this.#redial !== null || this.#opening) return;
    const open = this.#links.filter((link) => link.state !== 'draining').length;
    if (open >= this.#options.connections) return;
    this.#opening = true;
    this.#world.token((error, token) => {
      this.#opening = false;
      if (this.#closed) return;
      if (error !== null) this.#failed(error);
      else for (let i = open; i < this.#options.connections; i++) this.#open(token ?? NO_TOKEN);
    });
  }

  /** Nothing new; connections end with their last answer. */
  drain(): void {
    this.#closed = true;
    this.wanted = false;
    this.#redial?.cancel();
    for (const link of [...this.#links]) link.drain();
  }

  destroy(error: PartitaError): void {
    this.#closed = true;
    this.wanted = false;
    this.#redial?.cancel();
    for (const link of [...this.#links]) link.close(error);
  }

  onReady(link: Link, hello: HelloReply): void {
    this.nodeId = hello.nodeId;
    this.#readyMs = this.#world.clock.monotonicMs();
    this.lastError = null;
    if (!this.#up) {
      this.#up = true;
      this.#events.onUp(this, hello);
    }
    this.onRoom(link);
  }

  onReply(
    link: Link,
    call: Call,
    requestId: number,
    kind: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.#events.onReply(this, link, call, requestId, kind, bytes, start, end);
  }

  onSilent(): void {
    this.#silent = true;
    this.giveBack();
  }

  onStuck(): void {
    this.#stuckMs = this.#world.clock.monotonicMs() + STUCK_MS;
  }

  onAnswered(): void {
    this.#stuckMs = 0;
  }

  onHeard(): void {
    this.#silent = false;
  }

  onLateReply(): void {
    this.#events.onLateReply();
  }

  onRoom(link: Link): void {
    while (this.waiting.size > 0 && link.hasRoom) {
      for (const call of this.waiting) {
        this.waiting.delete(call);
        this.#events.onTurn(this, link, call);
        break;
      }
    }
  }

  onDraining(_link: Link, reason: string): void {
    this.#failures = Math.max(1, this.#failures);
    this.#noticeDown(
      new ConnectionError('CONNECTION', `${this.address} is going away: ${reason}`, {
        retryable: true,
        node: this.address,
      }),
    );
    this.#dialLater();
    this.giveBack();
  }

  /** Waiting calls are placed anew. */
  giveBack(): void {
    const returned = [...this.waiting];
    this.waiting.clear();
    for (const call of returned) this.#events.onReturned(call);
  }

  onClosed(link: Link, error: PartitaError, lost: readonly Call[]): void {
    const index = this.#links.indexOf(link);
    if (index >= 0) this.#links.splice(index, 1);
    const wasReady = link.hello !== null;
    const isProven = wasReady && this.#world.clock.monotonicMs() - this.#readyMs >= PROVEN_MS;
    this.#failures = isProven ? 1 : this.#failures + 1;
    this.lastError = error;
    this.#silent = false;
    this.#stuckMs = 0;
    this.#noticeDown(error);
    this.#dialLater();
    for (const call of lost) this.#events.onLost(call, link, error);
    if (!wasReady && !this.#hasReady()) this.#failWaiting(error);
  }

  #open(token: Uint8Array): void {
    const link = new Link(this.address, this.#world, this.#options, this);
    this.#links.push(link);
    link.open(token);
  }

  #failed(error: PartitaError): void {
    this.#failures += 1;
    this.lastError = error;
    this.#dialLater();
    this.#failWaiting(error);
  }

  #failWaiting(error: PartitaError): void {
    for (const call of [...this.waiting]) {
      if (!this.waiting.delete(call)) continue;
      this.#events.onUnsent(call, error);
    }
  }

  #dialLater(): void {
    if (this.#closed || this.#redial !== null) return;
    if (!this.wanted && this.waiting.size === 0) return;
    const delayMs = fullJitterMs(this.#world.random, REDIAL_BASE_MS, REDIAL_MAX_MS, this.#failures);
    this.#redial = this.#world.timers.after(delayMs, () => {
      this.#redial = null;
      this.dial();
    });
  }

  #isStuck(): boolean {
    return this.#stuckMs > 0 && this.#world.clock.monotonicMs() < this.#stuckMs;
  }

  #hasReady(): boolean {
    return this.#links.some((link) => link.state === 'ready');
  }

  #noticeDown(error: PartitaError): void {
    if (!this.#up || this.#hasReady()) return;
    this.#up = false;
    this.#events.onDown(this, error);
  }

  #state(): NodeInfo['state'] {
    if (this.#up) return 'up';
    if (this.isDraining) return 'draining';
    if (this.#failures > 0) return 'down';
    return this.#links.length > 0 || this.#opening ? 'connecting' : 'idle';
  }
}

const NO_TOKEN: Uint8Array = new Uint8Array(0);
