/*
 * The simulated network: hosts, directed links between them, and TCP as programs see it. Bytes of a connection arrive
 * in order or not at all; what the network loses is sent again and so comes late. A cut link is silence: nobody is told,
 * bytes wait with their sender, and after a while the sender's kernel gives up, while the other end knows nothing.
 *
 * Nothing is duplicated or overtaken within a connection, as TCP has it. Between connections everything is: requests
 * that were sent twice by two of them arrive in any order, and long after anybody waits for them.
 *
 *      a ── link a→b ──▶ b      delay, loss, bandwidth, cut count
 *      a ◀── link b→a ── b      the same, on its own: a link may be cut in one direction
 */
import type { TimerHandle } from '../../src/env/clock.js';
import type { Acceptor, Connection, ConnectionEvents, Dialer } from '../../src/env/transport.js';
import type { Prng } from '../../src/lib/prng.js';
import type { ListenerGroup } from '../../src/model/messages.js';
import type { SimulatedTime } from '../support/simulated-time.js';
import { SimConnection } from './connection.js';
import type { SimProcess } from './process.js';
import type { Trace } from './trace.js';

/** How a seed's network is when nothing is wrong with it. */
export interface NetworkShape {
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** Now and then a piece takes up to this long. */
  readonly tailMs: number;
  readonly tailChance: number;
  /** How often a piece of bytes arrives in two. */
  readonly splitChance: number;
}

/** A machine's place in the network. It outlives its processes. */
export class Host {
  readonly name: string;
  /** Off: it says nothing, not even that nobody listens. */
  powered = true;

  constructor(name: string) {
    this.name = name;
  }
}

export class Link {
  readonly from: Host;
  readonly to: Host;
  /** How many faults hold it cut; 0: it works. */
  cuts = 0;
  /** Added to every delay. */
  extraMs = 0;
  lossChance = 0;
  bytesPerMs: number = Number.POSITIVE_INFINITY;

  constructor(from: Host, to: Host) {
    this.from = from;
    this.to = to;
  }
}

interface Listening {
  readonly host: Host;
  readonly process: SimProcess;
  readonly group: ListenerGroup;
  readonly accept: Acceptor;
}

const SYN_AGAIN_MS = 1_000;
/** TCP's first retransmission; each further one doubles it, up to a point (here sooner than in life, so that runs end). */
const RETRANSMIT_MS = 200;
const RETRANSMIT_MAX_MS = 1_600;
/** A sender that hears nothing gives up after so long, drawn. */
const GIVE_UP_MIN_MS = 6_000;
const GIVE_UP_MAX_MS = 20_000;

export class SimulatedNetwork {
  readonly time: SimulatedTime;
  readonly random: Prng;
  readonly shape: NetworkShape;
  readonly trace: Trace;
  readonly #links: Map<string, Link> = new Map();
  readonly #listening: Map<string, Listening> = new Map();
  readonly #open: Set<SimConnection> = new Set();
  #healed = false;
  /** Connections made, pieces of bytes delivered, so far. */
  connections = 0;
  deliveries = 0;

  constructor(time: SimulatedTime, random: Prng, shape: NetworkShape, trace: Trace) {
    this.time = time;
    this.random = random;
    this.shape = shape;
    this.trace = trace;
  }

  /** Until the process ends. */
  listen(address: string, group: ListenerGroup, host: Host, process: SimProcess, accept: Acceptor): void {
    const listening = { host, process, group, accept };
    this.#listening.set(address, listening);
    process.onEnd(() => {
      if (this.#listening.get(address) === listening) this.#listening.delete(address);
    });
  }

  unlisten(address: string): void {
    this.#listening.delete(address);
  }

  /** `hostOf` tells where an address lives even while nobody listens there. */
  dialer(host: Host, process: SimProcess, hostOf: (address: string) => Host | undefined): Dialer {
    return {
      dial: (address, timeoutMs, opened, failed) => {
        const attempt = new Dial(this, host, process, address, opened, failed);
        attempt.begin(hostOf(address), timeoutMs);
        return attempt;
      },
    };
  }

  link(from: Host, to: Host): Link {
    const name = `${from.name}>${to.name}`;
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new Link(from, to);
      this.#links.set(name, link);
    }
    return link;
  }

  get links(): readonly Link[] {
    return [...this.#links.values()];
  }

  /** Connections with both or one end alive, oldest first. */
  get open(): readonly SimConnection[] {
    return [...this.#open];
  }

  cut(link: Link): void {
    if (this.#healed) return; // a fault that had not got so far
    link.cuts += 1;
  }

  heal(link: Link): void {
    if (link.cuts === 0) return;
    link.cuts -= 1;
    if (link.cuts === 0) this.#released(link);
  }

  /** Every link as on the first day, and so it stays. */
  healAll(): void {
    this.#healed = true;
    for (const link of this.#links.values()) {
      link.extraMs = 0;
      link.lossChance = 0;
      link.bytesPerMs = Number.POSITIVE_INFINITY;
      if (link.cuts === 0) continue;
      link.cuts = 0;
      this.#released(link);
    }
  }

  /** A machine is back: what waited for it is sent again, and answered by a reset. */
  powerOn(host: Host): void {
    host.powered = true;
    for (const link of this.#links.values()) if (link.to === host && link.cuts === 0) this.#released(link);
  }

  isBlocked(link: Link): boolean {
    return link.cuts > 0 || !link.to.powered || !link.from.powered;
  }

  delayMs(link: Link, bytes: number): number {
    const { delayMinMs, delayMaxMs, tailMs, tailChance } = this.shape;
    const { random } = this;
    let delay = delayMinMs + random.float() * (delayMaxMs - delayMinMs) + link.extraMs;
    if (tailChance > 0 && random.chance(tailChance)) delay += random.float() * tailMs;
    for (let wait = RETRANSMIT_MS; wait <= RETRANSMIT_MAX_MS && random.chance(link.lossChance); wait *= 2)
      delay += wait;
    return delay + bytes / link.bytesPerMs;
  }

  /** When a retransmission meets a link that works again. */
  retransmitMs(): number {
    return this.random.float() * 1_000;
  }

  giveUpMs(): number {
    return GIVE_UP_MIN_MS + this.random.float() * (GIVE_UP_MAX_MS - GIVE_UP_MIN_MS);
  }

  listeningAt(address: string): Listening | undefined {
    return this.#listening.get(address);
  }

  /** The two ends of a new connection. */
  connect(
    dialer: { readonly host: Host; readonly process: SimProcess },
    listening: Listening,
    address: string,
  ): { readonly near: SimConnection; readonly far: SimConnection } {
    const { host, process } = dialer;
    this.connections += 1;
    const there = this.link(host, listening.host);
    const back = this.link(listening.host, host);
    const near = new SimConnection(this, process, there, address, 'dialled');
    const far = new SimConnection(this, listening.process, back, `${host.name}:${this.connections}`, listening.group);
    near.join(far);
    for (const end of [near, far]) {
      this.#open.add(end);
      end.process.onEnd(() => {
        if (this.#open.has(end)) end.orphan();
      });
    }
    return { near, far };
  }

  forget(end: SimConnection): void {
    this.#open.delete(end);
  }

  #released(link: Link): void {
    for (const end of this.#open) if (end.link === link) end.onLinkWorks();
  }
}

/** One attempt to connect: SYN, SYN again each second, and an answer or none. */
class Dial {
  readonly #network: SimulatedNetwork;
  readonly #host: Host;
  readonly #process: SimProcess;
  readonly #address: string;
  readonly #opened: (connection: Connection) => ConnectionEvents;
  readonly #failed: (error: Error) => void;
  #done = false;
  #timeout: TimerHandle | null = null;

  constructor(
    network: SimulatedNetwork,
    host: Host,
    process: SimProcess,
    address: string,
    opened: (connection: Connection) => ConnectionEvents,
    failed: (error: Error) => void,
  ) {
    this.#network = network;
    this.#host = host;
    this.#process = process;
    this.#address = address;
    this.#opened = opened;
    this.#failed = failed;
  }

  begin(target: Host | undefined, timeoutMs: number): void {
    this.#timeout = this.#process.after(timeoutMs, () => {
      this.#fail(`no answer within ${timeoutMs} ms`);
    });
    if (target !== undefined) this.#syn(target);
  }

  cancel(): void {
    this.#done = true;
    this.#timeout?.cancel();
  }

  #syn(target: Host): void {
    if (this.#done || this.#process.ended) return;
    const network = this.#network;
    const there = network.link(this.#host, target);
    const back = network.link(target, this.#host);
    network.time.after(network.delayMs(there, 0), () => {
      if (this.#done || this.#process.ended) return;
      if (network.isBlocked(there) || network.isBlocked(back)) {
        network.time.after(SYN_AGAIN_MS, () => {
          this.#syn(target);
        });
        return;
      }
      this.#answer(target, back);
    });
  }

  #answer(target: Host, back: Link): void {
    const network = this.#network;
    const listening = network.listeningAt(this.#address);
    if (listening === undefined || listening.host !== target) {
      this.#process.after(network.delayMs(back, 0), () => {
        this.#fail('refused');
      });
      return;
    }
    // The kernel accepts; a process that is stopped meets the connection when it goes on.
    const { near, far } = network.connect({ host: this.#host, process: this.#process }, listening, this.#address);
    listening.process.run(() => {
      far.start(listening.accept(far));
    });
    const delayMs = network.delayMs(back, 0);
    far.notBefore(delayMs);
    network.time.after(delayMs, () => {
      this.#process.run(() => {
        this.#open(near);
      });
    });
  }

  #open(near: SimConnection): void {
    if (this.#done) {
      near.destroy('given up');
      return;
    }
    this.#done = true;
    this.#timeout?.cancel();
    near.start(this.#opened(near));
  }

  #fail(why: string): void {
    if (this.#done) return;
    this.#done = true;
    this.#timeout?.cancel();
    this.#failed(new Error(`Cannot connect to ${this.#address}: ${why}`));
  }
}
