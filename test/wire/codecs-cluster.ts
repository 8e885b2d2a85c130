/* What administration of the ring says, drawn. */
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import * as cluster from '../../src/wire/codec-cluster.js';
import { text, u32 } from './arbitrary.js';
import type { Codec } from './ring-log-codecs.js';

export const CLUSTER_CODECS: Readonly<Record<string, Codec>> = {
  Cluster: {
    messages: fc.record({
      budgetMs: u32,
      action: fc.constantFrom('status', 'stage', 'clear', 'plan', 'commit', 'history', 'finalize', 'voters'),
      edits: text,
      baseVersion: u32,
      planHash: fc.oneof(fc.constant(''), fc.uint8Array({ minLength: 8, maxLength: 8 }).map(toHex)),
    }),
    encode: cluster.encodeCluster,
    decode: cluster.decodeCluster,
  },
  ClusterReply: {
    messages: fc.record({ facts: text }),
    encode: cluster.encodeClusterReply,
    decode: cluster.decodeClusterReply,
  },
};
