/* Golden frames of administering the ring. */
import * as kinds from '../../src/wire/kinds.js';
import { OTHER_NODE } from './vector-words.js';
import type { Row } from './vector-words.js';

const NOTHING = { budgetMs: 5_000, edits: '', baseVersion: 0, planHash: '' };
const JOIN = {
  kind: 'join',
  name: 'd',
  nodeId: OTHER_NODE,
  address: '10.0.0.4:7700',
  peerAddress: '10.0.0.4:7701',
  zone: 'rack1',
  capacity: 1,
};

export const CLUSTER_ROWS: Readonly<Record<string, readonly Row[]>> = {
  cluster: [
    ['cluster-status', 'How do the members stand?', kinds.CLUSTER, 90, { ...NOTHING, action: 'status' }],
    [
      'cluster-stage',
      'A node is to join, and node 2 to leave',
      kinds.CLUSTER,
      91,
      { ...NOTHING, action: 'stage', edits: JSON.stringify([JOIN, { kind: 'leave', ordinal: 2 }]) },
    ],
    [
      'cluster-reply',
      'It is noted; nothing has happened yet',
      kinds.CLUSTER_REPLY,
      91,
      {
        facts: '{"staged":["node 4 (d, 10.0.0.4:7700, zone rack1) joins","node 2 (10.0.0.2:7700) leaves"]}',
      },
    ],
    [
      'cluster-commit',
      'Have the voters decide on what was planned for ring version 7',
      kinds.CLUSTER,
      92,
      { ...NOTHING, budgetMs: 20_000, action: 'commit', baseVersion: 7, planHash: '0123456789abcdef' },
    ],
    [
      'cluster-finalize',
      'Raise the feature level to what all members understand',
      kinds.CLUSTER,
      93,
      { ...NOTHING, budgetMs: 20_000, action: 'finalize' },
    ],
  ],
};
