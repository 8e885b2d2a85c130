/*
 * What an administrator wants of the members, as a list of edits that is applied as a whole: to replace a node is to let
 * one join and another leave in one version, so that what the one gives the other takes.
 */
import type { NodeId } from '../model/ids.js';
import type { RingDocument, RingMember } from './document.js';

export type RingEdit =
  /** The new node gets the next ordinal. */
  | ({ readonly kind: 'join' } & Pick<RingMember, 'nodeId' | 'address' | 'peerAddress' | 'zone' | 'capacity'>)
  /** It gives up what it holds, and then is no member any more. */
  | { readonly kind: 'leave'; readonly ordinal: number }
  /** It was told to leave, and stays. */
  | { readonly kind: 'stay'; readonly ordinal: number }
  /** It is lost: what it had is taken over from the other owners, and what only it had is gone. */
  | { readonly kind: 'remove'; readonly ordinal: number }
  | ({ readonly kind: 'set'; readonly ordinal: number } & Partial<
      Pick<RingMember, 'address' | 'peerAddress' | 'zone' | 'capacity'>
    >);

/** The members after the edits, or why they cannot be made. */
export function editMembers(
  ring: Pick<RingDocument, 'members' | 'ordinalNext'>,
  edits: readonly RingEdit[],
): readonly RingMember[] | { readonly fault: string } {
  let members = ring.members;
  let { ordinalNext } = ring;
  for (const edit of edits) {
    if (edit.kind === 'join') {
      const { nodeId, address, peerAddress, zone, capacity } = edit;
      const fault = joinFault(members, nodeId);
      if (fault !== null) return { fault };
      members = [...members, { nodeId, ordinal: ordinalNext, address, peerAddress, zone, capacity, leaving: false }];
      ordinalNext += 1;
      continue;
    }
    const member = members.find(({ ordinal }) => ordinal === edit.ordinal);
    if (member === undefined) return { fault: `there is no node ${edit.ordinal} in the ring` };
    if (edit.kind === 'leave' && member.leaving) return { fault: `node ${edit.ordinal} is leaving already` };
    if (edit.kind === 'stay' && !member.leaving) return { fault: `node ${edit.ordinal} is not leaving` };
    members =
      edit.kind === 'remove'
        ? members.filter((one) => one !== member)
        : members.map((one) => (one === member ? edited(member, edit) : one));
  }
  return members;
}

function edited(member: RingMember, edit: Exclude<RingEdit, { kind: 'join' | 'remove' }>): RingMember {
  if (edit.kind === 'leave') return { ...member, leaving: true };
  if (edit.kind === 'stay') return { ...member, leaving: false };
  const { address, peerAddress, zone, capacity } = edit;
  return {
    ...member,
    ...(address === undefined ? {} : { address }),
    ...(peerAddress === undefined ? {} : { peerAddress }),
    ...(zone === undefined ? {} : { zone }),
    ...(capacity === undefined ? {} : { capacity }),
  };
}

function joinFault(members: readonly RingMember[], nodeId: NodeId): string | null {
  return members.some((member) => member.nodeId === nodeId) ? `node ${nodeId} is a member already` : null;
}
