/*
 * The border between a process (main.ts: logs, signals, systemd, exit codes) and the node in it (daemon.ts: opens the
 * directory, builds storage, node and listeners). The process knows nothing of Dynamo; the node knows nothing of exits.
 */
import type { Meter } from '../env/meter.js';
import type { Config } from './config-types.js';
import type { ProcessLog } from './logging.js';

/** A node's place in a ring that was made for several. */
export interface InitFrom {
  /** A ring file, as `partita cluster init` writes it. */
  readonly file: string;
  /** The member's name in it. */
  readonly node: string;
}

export interface NodeStart {
  readonly config: Config;
  /** --init: make the first ring in an empty directory. */
  readonly init: boolean;
  /** --init-from and --node: make an empty directory that of a member of this ring. */
  readonly initFrom?: InitFrom;
  /** --accept-loss: start although acknowledged entries of the log are damaged or gone. */
  readonly acceptLoss: boolean;
  readonly log: ProcessLog;
  readonly meter: Meter;
  /** Long steps of a start say that they still move; systemd then waits on. */
  readonly progress: (text: string) => void;
  /** The node is no member of its cluster any more: the process stops as after SIGTERM, and the next start is refused. */
  readonly removed: (ringVersion: number) => void;
  /** The node cannot go on (the log failed): the process ends at once, exit 1. */
  readonly fatal: (error: Error) => void;
}

/** Addresses that were really bound: port 0 in the configuration is a number here. */
export interface ReadyFields {
  readonly client: string;
  readonly peer: string;
  readonly admin: string;
  readonly nodeId: string;
}

export interface RunningNode {
  readonly ready: ReadyFields;
  /** Why it serves nobody yet (an empty directory waits for --init or --init-from); null: it serves. */
  readonly waiting: string | null;
  /** One line for `systemctl status`. */
  status(): string;
  /** What SIGUSR2 logs beside that line. */
  figures(): Readonly<Record<string, unknown>>;
  /** Feeds the watchdog. False: something that must move does not, such as a sync that has not come back for long. */
  healthy(): boolean;
  /** Answers what is under way, syncs, closes. Once. */
  drain(): Promise<void>;
}

/** Rejects with StartRefusedError, or with anything else for a failure. */
export type StartNode = (start: NodeStart) => Promise<RunningNode>;

/** The directory or the machine does not allow a start, and trying again will not help. */
export class StartRefusedError extends Error {
  override readonly name = 'StartRefusedError';
}
