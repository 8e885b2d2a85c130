/* Golden frames of gossip. */
import * as kinds from '../../src/wire/kinds.js';
import { NODE, OTHER_NODE } from './vector-words.js';
import type { Row } from './vector-words.js';

const OWN = {
  ordinal: 1,
  opening: 5,
  beat: 86_400,
  ringVersion: 3,
  nodeId: NODE,
  ringHash: '0123456789abcdef',
  peerAddress: '',
};
const MOVED = { ...OWN, ordinal: 2, opening: 9, beat: 12, nodeId: OTHER_NODE, peerAddress: '10.0.0.2:7702' };

export const GOSSIP_ROWS: Readonly<Record<string, readonly Row[]>> = {
  gossip: [
    [
      'gossip',
      'Node 1 tells how far it is itself, and how far nodes 2, 7 and 300 were by what it has heard',
      kinds.GOSSIP,
      80,
      {
        beats: [
          { ordinal: 2, opening: 8, beat: 7_000, ringVersion: 3 },
          { ordinal: 7, opening: 2, beat: 86_399, ringVersion: 3 },
          { ordinal: 300, opening: 1, beat: 90_000, ringVersion: 2 },
        ],
        entries: [OWN],
        closing: false,
      },
    ],
    [
      'gossip-reply',
      'Node 2 has been started again, and has heard a later beat of 300; of 7 it knows an earlier opening, and wants the entry',
      kinds.GOSSIP_REPLY,
      80,
      { beats: [{ ordinal: 300, opening: 1, beat: 90_001, ringVersion: 2 }], entries: [MOVED], wants: [7] },
    ],
    [
      'gossip-closing',
      'It, and nothing is to be told in return',
      kinds.GOSSIP,
      81,
      { beats: [], entries: [{ ...OWN, ordinal: 7, nodeId: '70'.repeat(16) }], closing: true },
    ],
    ['gossip-reply-nothing', 'Nor is it', kinds.GOSSIP_REPLY, 81, { beats: [], entries: [], wants: [] }],
  ],
};
