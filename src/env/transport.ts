/*
 * Connections as node/ and client/ see them: bytes in, bytes out, nothing of sockets. The same code runs over TCP, unix
 * sockets and the simulator's network.
 *
 * Out: the caller claims room in the connection's output buffer and writes its frame there; everything claimed in one
 * turn leaves in one write. In: `onBytes` gets chunks as they come, cut anywhere; they are the transport's again when
 * the call returns, so what is to be kept is copied.
 */
import type { ListenerGroup } from '../model/messages.js';

export interface Connection {
  /** For logs: `127.0.0.1:51342`, or `unix`. */
  readonly remote: string;
  /** Which listener accepted it; `client` for a connection that we opened. */
  readonly group: ListenerGroup;

  /**
   * Makes room for `size` bytes at the end of the output and returns their offset in `output`, which is valid until the
   * next call of any method here. The caller writes every one of them before it returns to the loop.
   */
  claim(size: number): number;
  /** The current output buffer; read it after `claim`, which may replace it. */
  readonly output: Uint8Array;
  /** Queues bytes behind what was claimed, without copying: they must not change any more. For values of 16 KiB and more. */
  sendChunk(bytes: Uint8Array): void;
  /** Bytes queued here and in the kernel's way, not yet accepted by it. */
  readonly queuedBytes: number;

  pauseReading(): void;
  resumeReading(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once; `onClosed` follows. */
  destroy(reason: string): void;
}

export interface ConnectionEvents {
  onBytes(chunk: Uint8Array): void;
  /** `queuedBytes` fell to zero after having been above zero at the end of a turn, or while reading was paused. */
  onDrained(): void;
  /** Exactly once, last. */
  onClosed(reason: string): void;
}

/** Accepts: called once a connection, answers with who listens to it. */
export type Acceptor = (connection: Connection) => ConnectionEvents;

export interface Dialer {
  /**
   * Opens a connection to `host:port` or `unix:/path`. Exactly one of `opened` and `failed` is called, later.
   */
  dial(
    address: string,
    timeoutMs: number,
    opened: (connection: Connection) => ConnectionEvents,
    failed: (error: Error) => void,
  ): { cancel(): void };
}
