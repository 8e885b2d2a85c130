/* Golden frames of what nodes say to each other, and to their operators. */
import * as kinds from '../../src/wire/kinds.js';
import { OTHER_NODE, STAMP, STORE, WRITTEN } from './vector-words.js';
import type { Row } from './vector-words.js';

const ASKED = { partition: 77, ringVersion: 3, budgetMs: 900 };
const NODE_OF_TREE = '0x0123456789abcdef00000005';

export const NODE_ROWS: Readonly<Record<string, readonly Row[]>> = {
  peer: [
    [
      'store',
      'A record for an owner of partition 77, to be synced before the answer (no real record: opaque to whoever reads this)',
      kinds.STORE,
      50,
      { ...STORE, hintFor: 0, durable: true, reason: 'put' },
    ],
    [
      'store-hint',
      'The same for a stand-in, which keeps it for the owner with ordinal 2',
      kinds.STORE,
      51,
      { ...STORE, hintFor: 2, durable: false, reason: 'put' },
    ],
    ['store-reply', 'Stored and synced', kinds.STORE_REPLY, 50, { ...STAMP, durable: true, hinted: false }],
    [
      'read',
      'What does this replica have?',
      kinds.READ,
      52,
      { key: '0x757365723a31', partition: 77, ringVersion: 3, budgetMs: 800 },
    ],
    ['read-reply', 'This record', kinds.READ_REPLY, 52, { state: 'found', ...STAMP, reason: '', record: '0xdecade' }],
    ['read-reply-absent', 'Nothing', kinds.READ_REPLY, 53, { state: 'absent', ...STAMP, reason: '', record: '0x' }],
    [
      'read-reply-unknown',
      'It may lack what was acknowledged: never counted',
      kinds.READ_REPLY,
      54,
      { state: 'unknown', ...STAMP, reason: 'The partition is suspect', record: '0x' },
    ],
    [
      'forward',
      'A Get of a client, handed on with what is left of its time',
      kinds.FORWARD,
      55,
      { kind: kinds.GET, budgetMs: 700, ringVersion: 3, body: '0x0a06757365723a31' },
    ],
    [
      'forward-reply',
      'The body of the GetReply, for the client as it is',
      kinds.FORWARD_REPLY,
      55,
      { kind: kinds.GET_REPLY, body: '0x1203c0ffee' },
    ],
    ['tree', 'The root of partition 77', kinds.TREE, 56, { ...ASKED, level: 3, parents: [] }],
    [
      'tree-reply',
      'It',
      kinds.TREE_REPLY,
      56,
      { ringVersion: 3, suspect: false, hasHints: false, nodes: NODE_OF_TREE },
    ],
    ['tree-children', 'Leaves below two nodes', kinds.TREE, 57, { ...ASKED, level: 0, parents: [0, 255] }],
    [
      'leaves',
      'What do these leaves hold, from this key hash on?',
      kinds.LEAVES,
      58,
      { ...ASKED, leaves: [3, 4_095], from: { hi: 0x4d003000, lo: 7 } },
    ],
    [
      'leaves-reply',
      'One sound record, one damaged one, and more to come',
      kinds.LEAVES_REPLY,
      58,
      {
        ringVersion: 3,
        suspect: false,
        entries: `0x4d00300100000001aabbccdd11223344018e32fcefb00000${'4d00300200000001'}${'00'.repeat(15)}01`,
        next: { hi: 0x4d003003, lo: 0 },
      },
    ],
    ['pull', 'The records of these key hashes', kinds.PULL, 59, { ...ASKED, hashes: [{ hi: 0x4d003001, lo: 1 }] }],
    [
      'pull-reply',
      'One (no real record)',
      kinds.PULL_REPLY,
      59,
      { ...STAMP, suspect: true, answered: 1, records: ['0xdecade'] },
    ],
  ],
  admin: [
    ['hints', 'What does this node keep for others?', kinds.HINTS, 60, { budgetMs: 5_000 }],
    [
      'hints-reply',
      'Three hints for a member, one for a node that has left the ring',
      kinds.HINTS_REPLY,
      60,
      {
        owners: [
          { ordinal: 2, nodeId: OTHER_NODE, count: 3, bytes: 645, oldestMs: WRITTEN },
          { ordinal: 300, nodeId: '', count: 1, bytes: 215, oldestMs: WRITTEN + 1 },
        ],
        count: 4,
        bytes: 860,
        bytesMax: 1_073_741_824,
        wallMs: WRITTEN + 60_000,
      },
    ],
    [
      'hints-reply-none',
      'Nothing waits, and nothing is kept: a cluster of one',
      kinds.HINTS_REPLY,
      61,
      { owners: [], count: 0, bytes: 0, bytesMax: 0, wallMs: WRITTEN },
    ],
    ['repair', 'Meet all other owners now', kinds.REPAIR, 62, { budgetMs: 5_000, start: true }],
    [
      'repair-reply',
      'How far it has come',
      kinds.REPAIR_REPLY,
      62,
      {
        periodMs: 3_600_000,
        partitions: 256,
        suspect: [7, 200],
        waiting: 12,
        underWay: 2,
        met: 1_000,
        failed: 1,
        received: 5_000,
        sent: 17,
        bytesIn: 9_000_000,
        bytesOut: 80_000,
        young: 3,
        healed: 4,
        damagedHealed: 1,
      },
    ],
  ],
};
