/* Golden frames by which nodes agree on the next ring. */
import * as kinds from '../../src/wire/kinds.js';
import type { Row } from './vector-words.js';

const PROPOSED = { budgetMs: 2_000, version: 4, ballot: { round: 2, ordinal: 3 } };
const DOCUMENT = { bytes: '0xdeadbeef', hash: '00112233aabbccdd' };

export const RING_LOG_ROWS: Readonly<Record<string, readonly Row[]>> = {
  'ring-log': [
    ['ring-prepare', 'Will this voter hear node 3 on what ring 4 is to be?', kinds.RING_PREPARE, 80, PROPOSED],
    [
      'ring-prepare-reply',
      'It will, and has accepted nothing yet',
      kinds.RING_PREPARE_REPLY,
      80,
      { kind: 'promised', accepted: null, blank: false },
    ],
    [
      'ring-prepare-reply-accepted',
      'It will, but has accepted this before, from node 1 (no real ring: opaque to whoever reads this); it votes blank',
      kinds.RING_PREPARE_REPLY,
      81,
      { kind: 'promised', accepted: { ballot: { round: 1, ordinal: 1 }, document: DOCUMENT }, blank: true },
    ],
    [
      'ring-prepare-reply-refused',
      'It has promised node 5 not to',
      kinds.RING_PREPARE_REPLY,
      82,
      { kind: 'refused', promised: { round: 2, ordinal: 5 } },
    ],
    [
      'ring-prepare-reply-decided',
      'That ring has been decided, and one more',
      kinds.RING_PREPARE_REPLY,
      83,
      { kind: 'decided', version: 5 },
    ],
    ['ring-prepare-reply-behind', 'It knows ring 2 only', kinds.RING_PREPARE_REPLY, 84, { kind: 'behind', version: 2 }],
    [
      'ring-prepare-reply-abstains',
      'It does not vote',
      kinds.RING_PREPARE_REPLY,
      85,
      { kind: 'abstains', reason: 'ring 3 does not name it as a voter' },
    ],
    ['ring-accept', 'It is to be this', kinds.RING_ACCEPT, 86, { ...PROPOSED, document: DOCUMENT }],
    ['ring-accept-reply', 'Accepted', kinds.RING_ACCEPT_REPLY, 86, { kind: 'accepted', blank: false }],
    [
      'ring-accept-reply-refused',
      'Not any more',
      kinds.RING_ACCEPT_REPLY,
      87,
      { kind: 'refused', promised: { round: 3, ordinal: 5 } },
    ],
    [
      'ring-learn',
      'Is there anything newer than ring 3?',
      kinds.RING_LEARN,
      88,
      { budgetMs: 2_000, version: 3, document: null },
    ],
    [
      'ring-learn-decided',
      'This was decided to be ring 4',
      kinds.RING_LEARN,
      89,
      { budgetMs: 2_000, version: 4, document: DOCUMENT },
    ],
    [
      'ring-learn-reply',
      'There is ring 4; as a voter, this node goes by that id',
      kinds.RING_LEARN_REPLY,
      88,
      { version: 4, document: DOCUMENT, acceptorId: '0123456789abcdef0123456789abcdef' },
    ],
    [
      'ring-learn-reply-nothing',
      'Ring 4 is what is known here, too',
      kinds.RING_LEARN_REPLY,
      89,
      { version: 4, document: null, acceptorId: '0123456789abcdef0123456789abcdef' },
    ],
  ],
};
