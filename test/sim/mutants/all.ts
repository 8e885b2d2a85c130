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

/** Every planted bug; each must be found. */
export const MUTANTS: readonly Mutant[] = [
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
  ...RING_BUGS,
];
