/**
 * The client of Partita, an always-writeable key-value store. Start at {@link Client}.
 */
export { Client } from './client.js';
export type { Change } from './client.js';
export { codecs } from './codecs.js';
export type { Codec } from './codecs.js';
export { Context } from './context.js';
export { ConnectionError, OverloadedError, PartitaError, ProtocolError, QuorumError, TimeoutError } from './errors.js';
export type { ErrorCode, PartitaErrorDetails } from './errors.js';
export type { ClientEvents, RetryInfo } from './events.js';
export type {
  CallOptions,
  ClientOptions,
  ReadOptions,
  RetryBudgetOptions,
  RetryPolicy,
  Token,
  UpdateOptions,
  WriteOptions,
} from './options.js';
export { resolvers } from './resolvers.js';
export type { Resolver } from './resolvers.js';
export type {
  ClientStats,
  Conflict,
  Explanation,
  Found,
  GetResult,
  Key,
  NodeInfo,
  NotFound,
  PutResult,
  ReplyMeta,
  Sibling,
  Siblings,
} from './results.js';
export type { Ring } from './ring.js';
export type { ExplainReply, ExplainSibling } from '../model/messages.js';
