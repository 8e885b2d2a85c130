import { SINGLE } from '../options.js';
import type { Mutant } from './mutant.js';
import { RING_BUGS } from './ring-bugs.js';
import {
  ackBeforeSync,
  damagedIsAbsent,
  deleteForgets,
  droppedSibling,
  refusedYetStored,
  staleReads,
  syncIsALie,
} from './storage-bugs.js';
import {
  clockForgotten,
  contextOfUnread,
  lastWriterWins,
  mintByOwnEntry,
  retryIsSecondWrite,
  sameActorAgain,
} from './version-bugs.js';

/** What a node does alone is looked for where no other node makes good for it. */
const OF_ONE_NODE: readonly Mutant[] = [
  ackBeforeSync,
  syncIsALie,
  refusedYetStored,
  staleReads,
  damagedIsAbsent,
  droppedSibling,
  lastWriterWins,
  deleteForgets,
  mintByOwnEntry,
  sameActorAgain,
  retryIsSecondWrite,
  contextOfUnread,
  clockForgotten,
];

/** Every planted bug; each must be found. */
export const MUTANTS: readonly Mutant[] = [
  ...OF_ONE_NODE.map((mutant) => ({ ...mutant, given: { cluster: SINGLE, ...mutant.given } })),
  ...RING_BUGS,
];
