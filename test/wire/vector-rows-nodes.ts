/* Golden frames of what nodes say to each other, and to their operators. */
import * as kinds from '../../src/wire/kinds.js';
import { OTHER_NODE, STAMP, STORE, WRITTEN } from './vector-words.js';
import type { Row } from './vector-words.js';

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
      { kind: kinds.GET, budgetMs: 700, ringVersion: 3, sentMs: 86_400_001, body: '0x0a06757365723a31' },
    ],
    [
      'forward-reply',
      'The body of the GetReply, for the client as it is',
      kinds.FORWARD_REPLY,
      55,
      { kind: kinds.GET_REPLY, body: '0x1203c0ffee' },
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
  ],
};
