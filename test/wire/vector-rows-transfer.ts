/* Golden frames by which a partition's file is moved. */
import * as kinds from '../../src/wire/kinds.js';
import type { Row } from './vector-words.js';

const NOT_READY = {
  ready: false,
  fence: 0,
  bytes: 0,
  chunkBytes: 0,
  digests: '0x',
  digest: '0x',
  rootHi: 0,
  rootLo: 0,
  records: 0,
};

export const TRANSFER_ROWS: Readonly<Record<string, readonly Row[]>> = {
  transfer: [
    [
      'transfer-open',
      'The file of a partition, please, at no lower fence than this',
      kinds.TRANSFER_OPEN,
      76,
      { partition: 77, budgetMs: 5_000, moveId: 1_234, fence: 9 },
    ],
    [
      'transfer-open-reply-not-yet',
      'It is being copied: ask again',
      kinds.TRANSFER_OPEN_REPLY,
      76,
      { ...NOT_READY, opening: 5 },
    ],
    [
      'transfer-open-reply',
      'Here it is, in two chunks',
      kinds.TRANSFER_OPEN_REPLY,
      77,
      {
        ready: true,
        opening: 5,
        fence: 12,
        bytes: 1_400_832,
        chunkBytes: 1_048_576,
        digests: '0x000102030405060708090a0b0c0d0e0f',
        digest: '0x1011121314151617',
        rootHi: 0x01020304,
        rootLo: 0x05060708,
        records: 3_000,
      },
    ],
    [
      'transfer-chunk',
      'The first piece of the second chunk',
      kinds.TRANSFER_CHUNK,
      78,
      { partition: 77, budgetMs: 5_000, moveId: 1_234, opening: 5, offset: 1_048_576, length: 262_144 },
    ],
    [
      'transfer-chunk-reply',
      'Here it is (a real one is longer)',
      kinds.TRANSFER_CHUNK_REPLY,
      78,
      { bytes: '0xc0ffee' },
    ],
    [
      'transfer-close',
      'It is in its place: the copy may go',
      kinds.TRANSFER_CLOSE,
      79,
      { partition: 77, budgetMs: 5_000, moveId: 1_234 },
    ],
    ['transfer-close-reply', 'It has gone', kinds.TRANSFER_CLOSE_REPLY, 79, {}],
    ['space', 'How much room is there, and how large are the partitions?', kinds.SPACE, 80, { budgetMs: 2_000 }],
    [
      'space-reply',
      'Two partitions, and so much is free of so much',
      kinds.SPACE_REPLY,
      80,
      {
        freeBytes: 600_000_000_000,
        totalBytes: 1_000_000_000_000,
        keptBytes: 22_000_000_000,
        bytesPerSecond: 268_435_456,
        partitions: [
          { partition: 3, bytes: 1_048_576 },
          { partition: 700, bytes: 5_000_000_000 },
        ],
      },
    ],
  ],
};
