/* Golden frames about the load of nodes. */
import * as kinds from '../../src/wire/kinds.js';
import type { Row } from './vector-words.js';

const COUNTS = { requests: 500, reads: 700, writes: 600, bytesRead: 716_800, bytesWritten: 614_400 };
const REPORT = {
  windows: [
    { fromMs: 1_710_268_200_000, toMs: 1_710_270_000_000, ...COUNTS, requests: 400 },
    { fromMs: 1_710_270_000_000, toMs: 1_710_270_600_000, ...COUNTS, requests: 100 },
  ],
  partitions: [
    { partition: 0, ...COUNTS },
    { partition: 300, requests: 0, reads: 0, writes: 3, bytesRead: 0, bytesWritten: 3_072 },
  ],
  keys: [
    {
      key: '0x636172743a31',
      keyBytes: 6,
      hashHi: 0x01234567,
      hashLo: 0x89abcdef,
      samples: 40,
      overcount: 2,
    },
  ],
  sampling: 8,
};

export const LOADS_ROWS: Readonly<Record<string, readonly Row[]>> = {
  loads: [
    [
      'loads',
      'What has this node had to do in this half hour and the one before?',
      kinds.LOADS,
      93,
      { budgetMs: 3_500, windows: 2 },
    ],
    ['loads-reply', 'Load of two partitions; most requests were about cart:1', kinds.LOADS_REPLY, 93, REPORT],
    ['balance', 'And all other nodes?', kinds.BALANCE, 94, { budgetMs: 5_000, windows: 2 }],
    [
      'balance-reply',
      'Node 1 tells its own, and that node 2 cannot be reached',
      kinds.BALANCE_REPLY,
      94,
      {
        self: 1,
        ring: '0x7b7d',
        nodes: [
          { ordinal: 1, silence: '', report: REPORT },
          { ordinal: 2, silence: 'is not connected', report: null },
        ],
      },
    ],
  ],
};
