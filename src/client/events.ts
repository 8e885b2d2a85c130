import type { OperationName } from './core/call.js';
import type { PartitaError } from './errors.js';
import type { NodeInfo } from './results.js';

export interface RetryInfo {
  readonly operation: OperationName;
  /** 2 for the first retry. */
  readonly attempt: number;
  readonly cause: PartitaError;
}

/** What a client tells while it works. There is no `error` event: what fails is told to the call that failed. */
export interface ClientEvents {
  /** The first ring is known. */
  ready: [];
  nodeUp: [node: NodeInfo];
  nodeDown: [node: NodeInfo, cause: PartitaError];
  ringChange: [version: number];
  retry: [info: RetryInfo];
  /** The client takes no more calls; without a cause it was close(). */
  close: [cause: PartitaError | undefined];
}
