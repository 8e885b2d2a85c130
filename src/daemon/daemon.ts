/*
 * Builds the real world for a node: disk, partition files, pool, listeners.
 */
import { StartRefusedError } from './running-node.js';
import type { StartNode } from './running-node.js';

export const startNode: StartNode = () =>
  Promise.reject(new StartRefusedError('This build has no engine: src/daemon/daemon.ts does not wire one yet'));
