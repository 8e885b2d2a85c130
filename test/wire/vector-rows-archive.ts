/* Golden frames of archives and restores. */
import * as kinds from '../../src/wire/kinds.js';
import type { Row } from './vector-words.js';

export const ARCHIVE_ROWS: Readonly<Record<string, readonly Row[]>> = {
  archive: [
    [
      'archive',
      'Pass on to node 2: how does partition 77 stand with you? (its body is that of archive-state)',
      kinds.ARCHIVE,
      100,
      { budgetMs: 5_000, member: 2, kind: kinds.ARCHIVE_STATE, body: '0x084d10881b180120e807' },
    ],
    [
      'archive-reply',
      'What node 2 has answered (a real body is longer)',
      kinds.ARCHIVE_REPLY,
      100,
      { kind: kinds.ARCHIVE_STATE_REPLY, body: '0xc0ffee' },
    ],
    [
      'archive-state',
      'How does it stand, and whom have you met in the last second?',
      kinds.ARCHIVE_STATE,
      101,
      { budgetMs: 3_464, partition: 77, meets: true, begunMsAgo: 1_000 },
    ],
    [
      'archive-state-reply',
      'Node 1 was met, node 3 is about to be; something is not in the file yet',
      kinds.ARCHIVE_STATE_REPLY,
      101,
      {
        ringVersion: 7,
        opening: 5,
        isOwner: true,
        isSuspect: false,
        records: 3_000,
        rootHi: 0x01020304,
        rootLo: 0x05060708,
        fence: 12,
        trimmedAt: 4,
        writtenLsn: 901,
        flushedLsn: 880,
        met: [1],
        unmet: [3],
        latencyUs: 1_500,
      },
    ],
    [
      'archive-records',
      'Merge these with what you have (real ones are records)',
      kinds.ARCHIVE_RECORDS,
      102,
      { budgetMs: 5_000, partition: 77, compares: false, records: ['0xc0ffee', '0xdecade'] },
    ],
    [
      'archive-records-reply',
      'One was there, and what the other has was deleted since',
      kinds.ARCHIVE_RECORDS_REPLY,
      102,
      { known: 1, absent: 0, different: 0, reaped: 1, unknown: 0 },
    ],
  ],
};
