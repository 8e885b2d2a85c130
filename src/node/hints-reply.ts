import type { HintsReply } from '../model/messages.js';
import type { Services } from './services.js';

type Source = Pick<Services, 'hintStatus' | 'hintBytesMax' | 'ring' | 'clock'>;

/** What this node keeps for others at this moment: an answer for people. */
export function hintsReply({ hintStatus, hintBytesMax, ring, clock }: Source): HintsReply {
  const waiting = hintStatus();
  const owners = waiting
    .map(({ owner, count, bytes, oldestMs }) => {
      const nodeId = ring.members.find(({ ordinal }) => ordinal === owner)?.nodeId ?? '';
      return { ordinal: owner, nodeId, count, bytes, oldestMs };
    })
    .sort((a, b) => a.ordinal - b.ordinal);
  const sum = (of: 'count' | 'bytes'): number => waiting.reduce((total, each) => total + each[of], 0);
  return { owners, count: sum('count'), bytes: sum('bytes'), bytesMax: hintBytesMax, wallMs: clock.wallMs() };
}
