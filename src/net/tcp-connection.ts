/*
 * A connection over a TCP or unix socket: pooled output, one write a turn, nothing of the protocol.
 *
 * Output is a row of pieces: stretches of pooled buffers that callers claimed, and chunks that they handed over. At most
 * one write is under way. If the kernel takes all of it at once, which is nearly always so, Node has subtracted it from
 * `writableLength` when `write` returns; the buffer is free then, and no callback, closure or list was needed. If it
 * does not, an empty write with a callback goes behind, and until that comes everything more is collected here: in the
 * same buffer, so that many small answers to a reader that does not read cost what they weigh and not a buffer each.
 *
 *     output   │ written, under way │ claimed since │ free          │
 *                                   ^start          ^end
 *
 * A buffer goes back to the pool when all bytes queued up to its last one are written, which two running totals tell. A
 * write is cut at 256 KiB, so that `queuedBytes` shows the progress of a slow reader.
 */
import type { Socket } from 'node:net';
import type { Connection, ConnectionEvents } from '../env/transport.js';
import type { ListenerGroup } from '../model/messages.js';
import type { BufferPool } from '../lib/buffer-pool.js';
import type { Flushable, FlushQueue } from './flush-queue.js';

/** Claimed in one turn beyond this is written at once; also the longest write. */
export const WRITE_BYTES_MAX = 262_144;
/** When nothing is said, the kernel asks after this whether the other host is still there. */
export const KEEPALIVE_MS = 30_000;
/** After `end`: how long the rest may take to leave, and how long we then wait for the other side to close. */
const END_MS_MAX = 30_000;
const LINGER_MS = 2_000;

const NOTHING: Buffer = Buffer.alloc(0);

export class TcpConnection implements Connection, Flushable {
  readonly remote: string;
  readonly group: ListenerGroup;
  readonly #socket: Socket;
  readonly #pool: BufferPool;
  readonly #queue: FlushQueue;
  #events: ConnectionEvents | null = null;

  #output: Buffer = NOTHING;
  #outputStart: number = 0;
  #outputEnd: number = 0;
  /** What comes before `output[start, end)`, in order; `#piecesAt` is the first that is left. */
  #pieces: Uint8Array[] = [];
  #piecesAt: number = 0;
  /** Not yet handed to the socket. */
  #pendingBytes: number = 0;
  #queuedTotal: number = 0;
  #writtenTotal: number = 0;
  /** Full buffers, and the total at which each is written. */
  #retired: Buffer[] = [];
  #retiredAt: number[] = [];
  /** Bytes of the write that the kernel has not taken yet; 0: none is under way. */
  #inFlightBytes: number = 0;
  #awaitsFlush: boolean = false;
  #paused: boolean = false;
  /** Where callers write that have not learned yet that nothing more is sent. */
  #unsent: Buffer = NOTHING;
  #finSent: boolean = false;
  #ending: boolean = false;
  #closed: boolean = false;
  #reason: string = '';
  #endTimer: NodeJS.Timeout | null = null;

  constructor(socket: Socket, group: ListenerGroup, pool: BufferPool, queue: FlushQueue) {
    this.#socket = socket;
    this.#pool = pool;
    this.#queue = queue;
    this.group = group;
    this.remote = socket.remoteAddress === undefined ? 'unix' : `${socket.remoteAddress}:${socket.remotePort}`;
    socket.on('end', () => {
      this.#reason ||= 'The other side closed the connection';
      this.end();
    });
    socket.on('error', (error) => {
      this.#reason ||= error.message;
    });
    socket.on('close', () => {
      this.#close();
    });
  }

  /** Separate from the constructor, since whoever listens wants to hold the connection first. */
  start(events: ConnectionEvents): void {
    this.#events = events;
    this.#socket.on('data', this.receive);
  }

  /** For a socket that reads into a buffer of ours and emits no `data`. */
  readonly receive = (chunk: Uint8Array): void => {
    if (!this.#ending && !this.#closed && this.#events !== null) this.#events.onBytes(chunk);
  };

  get output(): Uint8Array {
    return this.#ending || this.#closed ? this.#unsent : this.#output;
  }

  get queuedBytes(): number {
    return this.#closed ? 0 : this.#socket.writableLength + this.#pendingBytes;
  }

  claim(size: number): number {
    if (this.#closed || this.#ending) return this.#claimUnsent(size);
    if (this.#pendingBytes > WRITE_BYTES_MAX) this.#send();
    if (this.#outputEnd + size > this.#output.length) this.#nextOutput(size);
    const at = this.#outputEnd;
    this.#outputEnd += size;
    this.#grew(size);
    return at;
  }

  sendChunk(bytes: Uint8Array): void {
    if (this.#closed || this.#ending || bytes.length === 0) return;
    this.#closePiece();
    this.#pieces.push(bytes);
    this.#grew(bytes.length);
    if (this.#pendingBytes > WRITE_BYTES_MAX) this.#send();
  }

  /** Called by the queue at the end of a turn. */
  flush(): void {
    this.#awaitsFlush = false;
    this.#send();
    // Whoever paused because of what was queued is told also when the kernel took it all at once: nothing else will.
    if (this.#paused && this.queuedBytes === 0 && !this.#ending && !this.#closed) this.#events?.onDrained();
  }

  #send(): void {
    while (this.#pendingBytes > 0 && this.#inFlightBytes === 0 && !this.#closed) {
      const bytes = this.#write();
      if (this.#socket.writableLength > 0) {
        this.#inFlightBytes = bytes;
        this.#socket.write(NOTHING, this.#onWritten);
      } else {
        this.#writtenTotal += bytes;
        this.#release();
      }
    }
    if (this.#ending && !this.#finSent && this.#pendingBytes === 0 && this.#inFlightBytes === 0) {
      this.#finSent = true;
      this.#socket.end();
    }
  }

  pauseReading(): void {
    if (this.#ending) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#paused = false;
    this.#socket.resume();
  }

  end(): void {
    if (this.#ending || this.#closed) return;
    this.#reason ||= 'Closed by this side';
    this.#ending = true;
    // What still comes is read and dropped: closing over unread bytes would reset the connection, and the other side
    // would lose what we sent last.
    this.#socket.resume();
    this.#destroyAfter(END_MS_MAX);
    this.#socket.once('finish', () => {
      this.#destroyAfter(LINGER_MS);
    });
    this.flush();
  }

  destroy(reason: string): void {
    this.#reason ||= reason;
    this.#socket.destroy();
  }

  #grew(bytes: number): void {
    this.#pendingBytes += bytes;
    this.#queuedTotal += bytes;
    if (this.#awaitsFlush) return;
    this.#awaitsFlush = true;
    this.#queue.add(this);
  }

  /** Hands at most WRITE_BYTES_MAX to the socket, in one write of its own; returns how many. */
  #write(): number {
    if (this.#piecesAt === this.#pieces.length) {
      const bytes = Math.min(this.#outputEnd - this.#outputStart, WRITE_BYTES_MAX);
      const end = this.#outputStart + bytes;
      this.#socket.write(this.#output.subarray(this.#outputStart, end));
      this.#outputStart = end;
      this.#pendingBytes -= bytes;
      return bytes;
    }
    this.#closePiece();
    let room = WRITE_BYTES_MAX;
    this.#socket.cork();
    while (room > 0 && this.#piecesAt < this.#pieces.length) {
      const piece = this.#pieces[this.#piecesAt] as Uint8Array;
      if (piece.length > room) {
        this.#socket.write(piece.subarray(0, room));
        this.#pieces[this.#piecesAt] = piece.subarray(room);
        room = 0;
      } else {
        this.#socket.write(piece);
        this.#pieces[this.#piecesAt++] = NOTHING;
        room -= piece.length;
      }
    }
    this.#socket.uncork();
    if (this.#piecesAt === this.#pieces.length) this.#pieces.length = this.#piecesAt = 0;
    const bytes = WRITE_BYTES_MAX - room;
    this.#pendingBytes -= bytes;
    return bytes;
  }

  readonly #onWritten = (error?: Error | null): void => {
    if (this.#closed || (error !== undefined && error !== null)) return; // `close` follows
    this.#writtenTotal += this.#inFlightBytes;
    this.#inFlightBytes = 0;
    this.#release();
    this.#send();
    if (this.#pendingBytes === 0 && this.#inFlightBytes === 0 && !this.#ending) this.#events?.onDrained();
  };

  /** Gives back every buffer whose bytes are all written. */
  #release(): void {
    while (this.#retired.length > 0 && (this.#retiredAt[0] as number) <= this.#writtenTotal) {
      this.#retiredAt.shift();
      this.#pool.give(this.#retired.shift() as Buffer);
    }
    if (this.#writtenTotal === this.#queuedTotal) {
      this.#pool.give(this.#output);
      this.#setOutput(NOTHING);
    }
  }

  #nextOutput(size: number): void {
    this.#closePiece();
    if (this.#output.length > 0) {
      this.#retired.push(this.#output);
      this.#retiredAt.push(this.#queuedTotal);
    }
    this.#setOutput(this.#pool.take(size));
  }

  #setOutput(buffer: Buffer): void {
    this.#output = buffer;
    this.#outputStart = 0;
    this.#outputEnd = 0;
  }

  /** Puts what was claimed since the last piece into the row of pieces. */
  #closePiece(): void {
    if (this.#outputEnd === this.#outputStart) return;
    this.#pieces.push(this.#output.subarray(this.#outputStart, this.#outputEnd));
    this.#outputStart = this.#outputEnd;
  }

  #claimUnsent(size: number): number {
    if (this.#unsent.length < size) this.#unsent = Buffer.allocUnsafeSlow(size);
    return 0;
  }

  #destroyAfter(ms: number): void {
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(() => {
      this.#socket.destroy();
    }, ms);
    this.#endTimer.unref();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#endTimer !== null) clearTimeout(this.#endTimer);
    // Not given back to the pool: the kernel may still be reading them. The collector knows.
    this.#setOutput(NOTHING);
    this.#pieces = [];
    this.#piecesAt = 0;
    this.#retired = [];
    this.#retiredAt = [];
    this.#pendingBytes = 0;
    this.#inFlightBytes = 0;
    this.#events?.onClosed(this.#reason || 'The connection was closed');
  }
}
