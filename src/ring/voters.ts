/*
 * Who decides on the next version of a ring: at most five members, an odd number, spread over zones (a majority has to
 * survive the loss of a zone where zones allow that). Whoever votes already goes on to: a change of voters gains nothing.
 *
 * A voter is a place in the ring and a name for what it remembers. `acceptorId` was drawn when its memory was made; a
 * node that has lost its memory (a new disk) has another one, and may have forgotten what it promised, so it does not
 * vote before a ring names the new one. Empty: the ring was made before anybody had a name (partita cluster init).
 */
import type { RingVoter } from '../model/ring-log-messages.js';
import type { PlacedMember } from './shares.js';

export const VOTERS_MAX = 5;

type Candidate = Pick<PlacedMember, 'ordinal' | 'zone'> & { readonly leaving: boolean };

/**
 * `acceptorIds`: of whoever is known to have one; `before` go on if they stay. Once voters have names, only those who have
 * one become voters, even if they are too few for a while: one without a name would make all of them indispensable.
 */
export function chooseVoters(
  members: readonly Candidate[],
  before: readonly RingVoter[],
  acceptorIds: ReadonlyMap<number, string> = new Map(),
): readonly RingVoter[] {
  const known = new Map(before.map(({ ordinal, acceptorId }) => [ordinal, acceptorId]));
  for (const [ordinal, acceptorId] of acceptorIds) known.set(ordinal, acceptorId);
  const staying = members.filter(({ leaving }) => !leaving);
  const named = staying.filter(({ ordinal }) => (known.get(ordinal) ?? '') !== '');
  const areNamed = before.length > 0 && before.every(({ acceptorId }) => acceptorId !== '');
  const voted = new Set(before.map(({ ordinal }) => ordinal));
  const wanted = Math.min(VOTERS_MAX, odd(staying.length));
  const candidates = areNamed && named.length > 0 ? [...named] : [...staying];
  // Who leaves goes on voting as long as there are too few others: a single voter would be a single point of failure.
  if (candidates.length < wanted) candidates.push(...members.filter((one) => one.leaving && voted.has(one.ordinal)));
  const count = Math.min(wanted, odd(candidates.length));
  const chosen: Candidate[] = [];
  while (chosen.length < count) {
    const rest = candidates.filter((member) => !chosen.includes(member));
    const inZone = (one: Candidate): number => chosen.filter(({ zone }) => zone !== '' && zone === one.zone).length;
    rest.sort(
      (a, b) =>
        inZone(a) - inZone(b) || Number(voted.has(b.ordinal)) - Number(voted.has(a.ordinal)) || a.ordinal - b.ordinal,
    );
    chosen.push(rest[0] as Candidate);
  }
  return chosen
    .map(({ ordinal }) => ({ ordinal, acceptorId: known.get(ordinal) ?? '' }))
    .sort((a, b) => a.ordinal - b.ordinal);
}

function odd(count: number): number {
  return count - ((count + 1) % 2);
}

/** What is wrong with the voters of a ring, or null. */
export function votersFault(ring: {
  readonly members: readonly { readonly ordinal: number }[];
  readonly voters: readonly RingVoter[];
}): string | null {
  const { members, voters } = ring;
  if (voters.length === 0 || voters.length > VOTERS_MAX) return `${voters.length} voters, 1 to ${VOTERS_MAX} can be`;
  const ordinals = new Set<number>();
  for (const { ordinal, acceptorId } of voters) {
    if (ordinals.has(ordinal)) return `node ${ordinal} votes twice`;
    ordinals.add(ordinal);
    if (!members.some((member) => member.ordinal === ordinal)) return `node ${ordinal} votes and is no member`;
    if (!/^([0-9a-f]{32})?$/.test(acceptorId)) return `node ${ordinal} votes under a name that is none`;
  }
  return null;
}
