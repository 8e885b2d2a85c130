/* What an administrator is told of a change of the ring. */
import type { ProposalOutcome } from '../../membership/ring-proposer.js';
import { decodeRing } from '../../ring/document.js';

export interface RingWish {
  /** Draws which partitions move, where that is open. */
  readonly seed: number;
  /** For the history of the ring. */
  readonly change: string;
}

export interface ChangeOutcome {
  /**
   * `refused`: it makes no ring. `conflict`: another change was first. `unknown`: it may have been decided on, or be yet.
   */
  readonly kind: 'done' | 'refused' | 'conflict' | 'no-quorum' | 'unknown';
  readonly text: string;
}

export function changeOutcome(outcome: ProposalOutcome): ChangeOutcome {
  switch (outcome.kind) {
    case 'won':
      return { kind: 'done', text: `Ring version ${versionOf(outcome.document.bytes)} is in force` };
    case 'lost': {
      const ring = decodeRing(outcome.document.bytes);
      const first = 'fault' in ring ? '' : `: ring version ${ring.version} (${ring.change})`;
      return { kind: 'conflict', text: `Another change came first${first}. Plan again on top of it` };
    }
    case 'behind':
      return {
        kind: 'conflict',
        text: `The ring has changed already: version ${outcome.version} is in force, and this node is fetching it. Plan again`,
      };
    case 'noQuorum': {
      const kind = outcome.uncertain ? 'unknown' : 'no-quorum';
      const more = outcome.uncertain ? '. Some voters may have accepted it: look at the ring before you try again' : '';
      return { kind, text: `The ring cannot change now: ${outcome.text}${more}` };
    }
  }
}

function versionOf(bytes: Uint8Array): number {
  const ring = decodeRing(bytes);
  return 'fault' in ring ? 0 : ring.version;
}
