/* What calls answer. */
import type { ExplainReply } from '../model/messages.js';
import type { Context } from './context.js';

/** A key: a string stands for its UTF-8 bytes. 1..2048 bytes. */
export type Key = string | Uint8Array;

/** One of the versions of a key that nobody has replaced yet (§4.4). Most keys have one. */
export interface Sibling<T> {
  readonly value: T;
  /** When it was written, by its coordinator's clock, ms since 1970. For display and last-writer-wins; proves no order. */
  readonly writtenMs: number;
  /** From when on it reads as deleted, ms since 1970; 0: never. */
  readonly expiresMs: number;
}

export type Siblings<T> = readonly [Sibling<T>, ...Sibling<T>[]];

/** How an answer came about. */
export interface ReplyMeta {
  /** Id of the node that coordinated, 32 hexadecimal digits. */
  readonly nodeId: string;
  /** Version of the ring that it acted by. */
  readonly ringVersion: number;
  /** Replicas that had answered by then. */
  readonly acked: number;
  /** The acks of a write were given after a sync to disk. */
  readonly durable: boolean;
  /** A fallback stood in for an owner (§4.6). */
  readonly sloppy: boolean;
  /**
   * Ids of the owners of the key that had answered by then; nodes() and ring() say more of each. A member of a ring newer
   * than the client's is `#` and its ordinal.
   */
  readonly owners: readonly string[];
  /** Ids of the fallbacks that answered in place of owners; as in `owners`. */
  readonly fallbacks: readonly string[];
  /** 1, or more after retries. */
  readonly attempts: number;
  /** From the call to its answer, ms, with fractions. */
  readonly durationMs: number;
}

/** Nothing to be seen under the key. The context covers deleted versions, if there are any. */
export interface NotFound {
  readonly found: false;
  readonly context: Context;
  readonly meta: ReplyMeta;
}

/** One value: the only version, or what the resolver made of several. */
export interface Found<T> {
  readonly found: true;
  readonly conflict: false;
  readonly value: T;
  /** The versions behind `value`. */
  readonly siblings: Siblings<T>;
  /** `value` was made by the resolver from more than one sibling. It is not stored until you put it, with the context. */
  readonly resolved: boolean;
  readonly context: Context;
  readonly meta: ReplyMeta;
}

/** Several versions, and no resolver: no value is picked behind your back. Merge them, and put with the context. */
export interface Conflict<T> {
  readonly found: true;
  readonly conflict: true;
  readonly siblings: Siblings<T>;
  readonly context: Context;
  readonly meta: ReplyMeta;
}

export type GetResult<T> = NotFound | Found<T> | Conflict<T>;

/** A write was accepted. */
export interface PutResult {
  /**
   * Covers the new version, for a put that shall replace it. Undefined when there are siblings that you have not seen:
   * a context is given out only with everything that it covers, or one client would overwrite what another wrote and
   * nobody read. get() the key then.
   */
  readonly context: Context | undefined;
  /** Versions to be seen now: 1 after a put that met nobody, 0 after a delete that left nothing, more in a conflict. */
  readonly siblingCount: number;
  readonly meta: ReplyMeta;
}

export interface NodeInfo {
  /** 32 hexadecimal digits; empty as long as no connection told. */
  readonly id: string;
  readonly address: string;
  readonly zone: string;
  /** As this client sees it: connected, being tried, not reachable, draining. */
  readonly state: 'up' | 'connecting' | 'down' | 'draining' | 'idle';
}

/** What one node has under a key; other nodes may have more or less. */
export interface Explanation extends ExplainReply {
  /** Address of that node. */
  readonly node: string;
}

export interface ClientStats {
  /** Calls that have begun and not settled. */
  readonly inFlight: number;
  /** Those of them that wait for room or for a connection. */
  readonly waiting: number;
  /** Frames. */
  readonly sent: number;
  readonly received: number;
  readonly retries: number;
  /** Those of them that were sent while an earlier attempt had not been answered. */
  readonly hedges: number;
  /** Retries that the budget did not allow. */
  readonly retriesDenied: number;
  readonly timeouts: number;
  /** Replies to calls that had been given up, or answered by another node first. */
  readonly lateReplies: number;
  /** Of calls that succeeded, since the start; read from a histogram with 3 % steps. */
  readonly latencyMs: { readonly p50: number; readonly p99: number; readonly max: number };
}
