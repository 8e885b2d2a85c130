/*
 * A network for whole nodes on simulated time: connections with two ends, each a real `Connection` to the code that has
 * it. Bytes travel with a delay and in order, arrive cut anywhere, and what the other end does not take stays with the
 * sender beyond a small window, as in a kernel's buffers. Hosts can stop (their bytes wait, nothing of theirs runs),
 * connections can be cut, addresses can refuse.
 */
import type { TimerHandle, Timers } from '../../../src/env/clock.js';
import type { Acceptor, Connection, ConnectionEvents, Dialer } from '../../../src/env/transport.js';
import type { ListenerGroup } from '../../../src/model/messages.js';
import type { Prng } from '../../../src/lib/prng.js';
import type { SimulatedTime } from '../../support/simulated-time.js';

const WINDOW_BYTES = 65_536;

/** What may stop: while it has, whatever falls due there waits. */
export class Host implements Timers {
  readonly address: string;
  acceptor: Acceptor | null = null;
  stopped = false;
  readonly #time: SimulatedTime;
  #waiting: (() => void)[] = [];

  constructor(address: string, time: SimulatedTime) {
    this.address = address;
    this.#time = time;
  }

  stop(): void {
    this.stopped = true;
  }

  resume(): void {
    this.stopped = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const fire of waiting) this.run(fire);
  }

  /** Now, or when it goes on. */
  run(fire: () => void): void {
    if (this.stopped) this.#waiting.push(fire);
    else fire();
  }

  after(delayMs: number, fire: () => void): TimerHandle {
    let cancelled = false;
    const timer = this.#time.after(delayMs, () => {
      this.run(() => {
        if (!cancelled) fire();
      });
    });
    return {
      cancel: () => {
        cancelled = true;
        timer.cancel();
      },
    };
  }

  endOfTurn(fire: () => void): void {
    this.#time.endOfTurn(() => {
      this.run(fire);
    });
  }
}

export class PeerNetwork {
  readonly time: SimulatedTime;
  readonly random: Prng;
  readonly hosts: Map<string, Host> = new Map();
  /** Whom nobody reaches: dials fail. */
  readonly unreachable: Set<string> = new Set();
  readonly open: Set<End> = new Set();
  delayMsMax = 2;
  /** Sees every byte that arrives, and may change it: a man in the middle. */
  tamper: ((from: string, to: string, bytes: Uint8Array) => Uint8Array) | null = null;
  dials = 0;

  constructor(time: SimulatedTime, random: Prng) {
    this.time = time;
    this.random = random;
  }

  host(address: string): Host {
    const host = new Host(address, this.time);
    this.hosts.set(address, host);
    return host;
  }

  dialerOf(from: Host): Dialer {
    return {
      dial: (address, timeoutMs, opened, failed) => this.#dial(from, address, timeoutMs, opened, failed),
    };
  }

  /** All connections between two hosts, in whatever direction. */
  cut(a: string, b: string): void {
    for (const end of [...this.open]) if (end.self.address === a && end.other.self.address === b) end.cut();
  }

  #dial(
    from: Host,
    address: string,
    timeoutMs: number,
    opened: (connection: Connection) => ConnectionEvents,
    failed: (error: Error) => void,
  ): { cancel(): void } {
    this.dials += 1;
    let cancelled = false;
    const to = this.hosts.get(address);
    const isLost = to === undefined || this.unreachable.has(address);
    this.time.after(isLost ? timeoutMs : this.random.float() * this.delayMsMax, () => {
      from.run(() => {
        if (cancelled) return;
        if (isLost || to.acceptor === null) failed(new Error(`Cannot connect to ${address}: refused`));
        else this.#connect(from, to, to.acceptor, opened);
      });
    });
    return {
      cancel: () => {
        cancelled = true;
      },
    };
  }

  #connect(from: Host, to: Host, acceptor: Acceptor, opened: (connection: Connection) => ConnectionEvents): void {
    const near = new End(this, from, 'client');
    const far = new End(this, to, 'peer');
    near.other = far;
    far.other = near;
    this.open.add(near).add(far);
    near.events = opened(near);
    to.run(() => {
      if (!far.closed) far.events = acceptor(far);
      far.arrived();
    });
  }
}

export class End implements Connection {
  readonly remote: string = 'simulated';
  readonly group: ListenerGroup;
  readonly self: Host;
  other: End = this;
  events: ConnectionEvents | null = null;
  output: Uint8Array = new Uint8Array(64);
  closed = false;
  readonly #network: PeerNetwork;
  #claimed = 0;
  #flushing = false;
  #ending = false;
  #reading = true;
  /** Ours that has not left: chunks lie here as the caller's own bytes. */
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  /** On its way, or unread at the other end. */
  #underWayBytes = 0;
  #lastArrivalMs = 0;
  readonly #unread: Uint8Array[] = [];

  constructor(network: PeerNetwork, self: Host, group: ListenerGroup) {
    this.#network = network;
    this.self = self;
    this.group = group;
  }

  claim(size: number): number {
    const at = this.#claimed;
    if (at + size > this.output.length) {
      const larger = new Uint8Array(2 * (at + size));
      larger.set(this.output.subarray(0, at));
      this.output = larger;
    }
    this.#claimed += size;
    this.#flushLater();
    return at;
  }

  sendChunk(bytes: Uint8Array): void {
    this.#seal();
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    this.#flushLater();
  }

  get queuedBytes(): number {
    return this.closed ? 0 : this.#claimed + this.#pendingBytes;
  }

  pauseReading(): void {
    this.#reading = false;
  }

  resumeReading(): void {
    this.#reading = true;
    this.self.endOfTurn(() => {
      this.arrived();
    });
  }

  end(): void {
    this.#ending = true;
    this.#flushLater();
  }

  destroy(reason: string): void {
    if (this.closed) return;
    this.#pending = [];
    this.#pendingBytes = this.#claimed = 0;
    this.self.endOfTurn(() => {
      this.#close(reason);
    });
    this.#network.time.after(1, () => {
      this.other.self.run(() => {
        this.other.#close('reset by the other side');
      });
    });
  }

  /** Both ends lose each other. */
  cut(): void {
    for (const end of [this, this.other]) {
      end.self.run(() => {
        end.#close('connection reset');
      });
    }
  }

  /** Hands on what has arrived, cut anywhere. */
  arrived(): void {
    while (this.#reading && !this.closed && this.events !== null && !this.self.stopped) {
      const bytes = this.#unread.shift();
      if (bytes === undefined) return;
      const at = 1 + this.#network.random.int(bytes.length);
      if (at < bytes.length) this.#unread.unshift(bytes.slice(at));
      const piece = bytes.slice(0, at);
      this.other.#taken(piece.length);
      this.events.onBytes(piece);
      piece.fill(0xee); // the transport's again
    }
  }

  #close(reason: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#pending = [];
    this.#network.open.delete(this);
    this.events?.onClosed(reason);
  }

  #taken(bytes: number): void {
    this.#underWayBytes -= bytes;
    if (this.closed) return;
    const had = this.#pendingBytes > 0;
    this.#pump();
    if (had && this.queuedBytes === 0) {
      this.self.endOfTurn(() => {
        if (!this.closed) this.events?.onDrained();
      });
    }
  }

  #flushLater(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    this.self.endOfTurn(() => {
      this.#flushing = false;
      if (this.closed) return;
      this.#seal();
      this.#pump();
    });
  }

  #seal(): void {
    if (this.#claimed === 0) return;
    this.#pending.push(this.output.slice(0, this.#claimed));
    this.#pendingBytes += this.#claimed;
    this.#claimed = 0;
  }

  #pump(): void {
    while (this.#pending.length > 0 && this.#underWayBytes < WINDOW_BYTES) {
      const first = this.#pending[0] as Uint8Array;
      const size = Math.min(first.length, WINDOW_BYTES - this.#underWayBytes);
      if (size === first.length) this.#pending.shift();
      else this.#pending[0] = first.subarray(size);
      this.#pendingBytes -= size;
      this.#underWayBytes += size;
      this.#transmit(Uint8Array.from(first.subarray(0, size))); // a Buffer's slice would be a view
    }
    if (this.#ending && this.#pending.length === 0) {
      this.#later(() => {
        this.cut();
      });
    }
  }

  #transmit(bytes: Uint8Array): void {
    const { tamper } = this.#network;
    const seen = tamper === null ? bytes : tamper(this.self.address, this.other.self.address, bytes);
    this.#later(() => {
      const { other } = this;
      other.#unread.push(seen);
      other.self.run(() => {
        other.arrived();
      });
    });
  }

  #later(fire: () => void): void {
    const { time, random, delayMsMax } = this.#network;
    const at = Math.max(this.#lastArrivalMs, time.monotonicMs() + random.float() * delayMsMax);
    this.#lastArrivalMs = at;
    time.after(at - time.monotonicMs(), fire);
  }
}
