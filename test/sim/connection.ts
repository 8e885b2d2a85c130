/*
 * One end of a simulated TCP connection. What was claimed in a turn leaves in one piece; pieces travel over the directed
 * link in order; the other end reads while it wants to, and while it does not the window closes and bytes queue up here.
 *
 *   claim ─▶ output ─ end of turn ─▶ queue ─ window ─▶ in transit ─▶ the other end's unread ─▶ its onBytes
 *
 * A piece that finds the link cut waits with the kernel, and everything behind it. When the link works again it is
 * retransmitted after a while; when it does not for long, this end is told and the other is not. Closing in order sends
 * a last piece (null); breaking off sends a reset, which overtakes nothing.
 *
 * The bytes that a reader is given are spoilt when it returns: whoever kept a view of them is found out.
 */
import type { TimerHandle } from '../../src/env/clock.js';
import type { Connection, ConnectionEvents } from '../../src/env/transport.js';
import type { ListenerGroup } from '../../src/model/messages.js';
import type { Link, SimulatedNetwork } from './network.js';
import type { SimProcess } from './process.js';

/** Sent and not yet read by the program at the other end. */
const WINDOW_BYTES = 131_072;
const OUTPUT_BYTES = 4_096;
/** After our last byte: how long the other side may take to close as well. */
const LINGER_MS = 2_000;

type Piece = Buffer | 'fin' | 'reset';
/** Bytes that wait to be sent; those of somebody else are copied when they leave. */
type Queued = { readonly bytes: Buffer; readonly isOwn: boolean } | 'fin';

export class SimConnection implements Connection {
  readonly remote: string;
  readonly group: ListenerGroup;
  /** It came in by a listener; the other end dialled. */
  readonly isAccepted: boolean;
  readonly process: SimProcess;
  /** The direction in which this end sends. */
  readonly link: Link;
  output: Uint8Array = new Uint8Array(OUTPUT_BYTES);
  readonly #network: SimulatedNetwork;
  #peer: SimConnection | null = null;
  #events: ConnectionEvents | null = null;
  #claimed = 0;
  #willFlush = false;
  /** Not yet in the window. */
  #queue: Queued[] = [];
  #queueBytes = 0;
  #wasQueued = false;
  #inFlightBytes = 0;
  /** When the last piece sent arrives: the next does not before it. */
  #arrivesMs = 0;
  /** Found the link cut. */
  #held: Piece[] = [];
  #giveUp: TimerHandle | null = null;
  #unread: Buffer[] = [];
  #reading = true;
  #ending = false;
  #finQueued = false;
  #finCame = false;
  /** `broken`: no longer there for the network; `closed`: and the program knows. */
  #broken = false;
  #closed = false;

  constructor(
    network: SimulatedNetwork,
    process: SimProcess,
    link: Link,
    remote: string,
    group: ListenerGroup | 'dialled',
  ) {
    this.#network = network;
    this.process = process;
    this.link = link;
    this.remote = remote;
    this.group = group === 'dialled' ? 'client' : group;
    this.isAccepted = group !== 'dialled';
  }

  get isBroken(): boolean {
    return this.#broken;
  }

  // ── env.Connection ────────────────────────────────────────────────────────────────────────────────────────────

  claim(size: number): number {
    if (this.#claimed + size > this.output.length) {
      const larger = new Uint8Array(2 * (this.#claimed + size));
      larger.set(this.output.subarray(0, this.#claimed));
      this.output = larger;
    }
    const at = this.#claimed;
    this.#claimed += size;
    this.#flushLater();
    return at;
  }

  sendChunk(bytes: Uint8Array): void {
    this.#seal();
    // Not copied before it leaves, as the real one does not: whoever changes it in between is found out.
    this.#push({ bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), isOwn: false });
    this.#flushLater();
  }

  get queuedBytes(): number {
    return this.#broken ? 0 : this.#claimed + this.#queueBytes;
  }

  pauseReading(): void {
    if (!this.#ending) this.#reading = false;
  }

  resumeReading(): void {
    if (this.#reading) return;
    this.#reading = true;
    if (this.#unread.length > 0)
      this.process.after(0, () => {
        this.#deliver();
      });
  }

  end(): void {
    if (this.#ending || this.#broken) return;
    this.#ending = true;
    this.#reading = true;
    this.#unread = [];
    this.#flush();
    this.#push('fin');
    this.#finQueued = true;
    this.#pump();
    this.#network.time.after(LINGER_MS, () => {
      this.#break('Closed by this side');
    });
    if (this.#finCame) this.#closeWhenSent();
  }

  destroy(reason: string): void {
    if (this.#broken) return;
    this.#queue = [];
    this.#queueBytes = 0;
    this.#transmit('reset');
    this.#break(reason);
  }

  // ── the network's side ────────────────────────────────────────────────────────────────────────────────────────

  join(peer: SimConnection): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  start(events: ConnectionEvents): void {
    this.#events = events;
    if (this.#broken) this.#tellClosed('reset before it was opened');
    else this.#deliver();
  }

  /** Nothing of this end arrives within the next `delayMs`. */
  notBefore(delayMs: number): void {
    this.#arrivesMs = this.#network.time.monotonicMs() + delayMs;
  }

  /** The process is gone: the kernel says so for it, if there is still a kernel. */
  orphan(): void {
    if (this.#broken) return;
    if (this.link.from.powered) this.#transmit('reset');
    this.#break('');
  }

  /** Something on the way broke it off; both ends hear. */
  reset(): void {
    this.#break('reset by the network');
    (this.#peer as SimConnection).#break('reset by the network');
  }

  onLinkWorks(): void {
    if (this.#held.length === 0) return;
    this.#network.time.after(this.#network.retransmitMs(), () => {
      if (this.#network.isBlocked(this.link)) return;
      this.#giveUp?.cancel();
      this.#giveUp = null;
      const held = this.#held;
      this.#held = [];
      for (const piece of held) this.#arrive(piece);
    });
  }

  // ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────

  #flushLater(): void {
    if (this.#willFlush || this.#broken) return;
    this.#willFlush = true;
    this.process.endOfTurn(() => {
      this.#willFlush = false;
      this.#flush();
    });
  }

  #flush(): void {
    this.#seal();
    this.#pump();
    if (!this.#reading && this.queuedBytes === 0) this.#tellDrained();
  }

  #seal(): void {
    if (this.#claimed === 0) return;
    const bytes = Buffer.allocUnsafe(this.#claimed);
    bytes.set(this.#claimed === this.output.length ? this.output : this.output.subarray(0, this.#claimed));
    this.#claimed = 0;
    this.#push({ bytes, isOwn: true });
  }

  #push(queued: Queued): void {
    if (this.#broken || this.#finQueued) return;
    this.#queue.push(queued);
    if (queued !== 'fin') this.#queueBytes += queued.bytes.length;
  }

  #pump(): void {
    while (this.#queue.length > 0 && this.#inFlightBytes < WINDOW_BYTES) {
      const queued = this.#queue.shift() as Queued;
      if (queued === 'fin') {
        this.#transmit(queued);
        continue;
      }
      const { bytes, isOwn } = queued;
      this.#queueBytes -= bytes.length;
      this.#inFlightBytes += bytes.length;
      this.#transmit(isOwn ? bytes : Buffer.from(bytes));
    }
    this.#wasQueued = this.#queue.length > 0;
  }

  #transmit(piece: Piece): void {
    const network = this.#network;
    const nowMs = network.time.monotonicMs();
    const delay = network.delayMs(this.link, typeof piece === 'string' ? 0 : piece.length);
    this.#arrivesMs = Math.max(this.#arrivesMs, nowMs + delay);
    network.time.after(this.#arrivesMs - nowMs, () => {
      if (this.#held.length > 0 || network.isBlocked(this.link)) this.#hold(piece);
      else this.#arrive(piece);
    });
  }

  #hold(piece: Piece): void {
    const network = this.#network;
    this.#held.push(piece);
    this.#giveUp ??= network.time.after(network.giveUpMs(), () => {
      this.#held = [];
      this.#break('timed out: the other side does not answer');
    });
  }

  /** A piece has come to the other end. */
  #arrive(piece: Piece): void {
    const peer = this.#peer as SimConnection;
    if (peer.#broken) {
      if (piece !== 'reset') this.#refused();
      return;
    }
    if (piece === 'reset') peer.#break('reset by the other side');
    else if (piece === 'fin') peer.#onFin();
    else peer.#receive(piece);
  }

  /** There is nobody any more at the other end, and its kernel says so. */
  #refused(): void {
    const network = this.#network;
    const back = (this.#peer as SimConnection).link;
    network.time.after(network.delayMs(back, 0), () => {
      if (!network.isBlocked(back)) this.#break('reset by the other side');
      else
        network.time.after(network.giveUpMs(), () => {
          this.#break('timed out: the other side does not answer');
        });
    });
  }

  // ── receiving ─────────────────────────────────────────────────────────────────────────────────────────────────

  #receive(bytes: Buffer): void {
    if (this.#ending) {
      this.#consumed(bytes.length); // dropped, as the real one does
      return;
    }
    this.#unread.push(bytes);
    this.process.run(() => {
      this.#deliver();
    });
  }

  #deliver(): void {
    while (this.#reading && !this.#broken && this.#events !== null && this.#unread.length > 0) {
      const bytes = this.#unread.shift() as Buffer;
      this.#network.trace.bytes(bytes);
      this.#network.deliveries += 1;
      const { random, shape } = this.#network;
      if (bytes.length > 1 && random.chance(shape.splitChance)) {
        const cut = 1 + random.int(bytes.length - 1);
        this.#handOver(bytes.subarray(0, cut));
        // Who stops reading in between finds the rest later.
        if (this.#reading && !this.#broken && !this.#ending) this.#handOver(bytes.subarray(cut));
        else if (!this.#broken && !this.#ending) this.#unread.unshift(Buffer.from(bytes.subarray(cut)));
      } else {
        this.#handOver(bytes);
      }
    }
    if (this.#finCame && this.#unread.length === 0) this.end();
  }

  #handOver(bytes: Buffer): void {
    this.#events?.onBytes(bytes);
    bytes.fill(0xee);
    this.#consumed(bytes.length);
  }

  #consumed(bytes: number): void {
    const sender = this.#peer as SimConnection;
    sender.#inFlightBytes -= bytes;
    if (!sender.#wasQueued || sender.#broken) return;
    this.#network.time.after(this.#network.delayMs(this.link, 0), () => {
      sender.process.run(() => {
        sender.#onWindow();
      });
    });
  }

  #onWindow(): void {
    if (this.#broken || !this.#wasQueued) return;
    this.#pump();
    if (this.queuedBytes === 0) this.#tellDrained();
    if (this.#ending && this.#finCame) this.#closeWhenSent();
  }

  #tellDrained(): void {
    if (!this.#broken && !this.#ending) this.#events?.onDrained();
  }

  #onFin(): void {
    this.#finCame = true;
    this.process.run(() => {
      if (this.#ending) this.#closeWhenSent();
      else if (this.#unread.length === 0) this.end();
    });
  }

  // ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────

  #closeWhenSent(): void {
    if (this.#queue.length === 0) this.#break('The other side closed the connection');
  }

  #break(reason: string): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#network.forget(this);
    this.#giveUp?.cancel();
    this.#queue = [];
    this.#queueBytes = 0;
    this.#claimed = 0;
    this.#unread = [];
    if (this.#events !== null)
      this.process.after(0, () => {
        this.#tellClosed(reason);
      });
  }

  #tellClosed(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events?.onClosed(reason);
  }
}
