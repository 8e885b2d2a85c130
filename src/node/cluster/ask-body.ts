/* A rare question to another member, answered by a callback: for straight-line code. */
import { copyBytes } from '../../lib/bytes.js';
import type { BodyAsker } from '../peers/request.js';
import type { ClusterParts } from './parts.js';

/** `done` comes once: with the body of the answer, or with null if there is none, or a refusal. Never inside the call. */
export function askBody(
  { links, timers }: Pick<ClusterParts, 'links' | 'timers'>,
  member: number,
  kind: number,
  body: Uint8Array,
  timeoutMs: number,
  done: (answer: Uint8Array | null) => void,
): void {
  const nothing = (): void => {
    done(null);
  };
  const asker: BodyAsker = {
    onAnswered: (_from, _tag, bytes, start, end) => {
      done(copyBytes(bytes, start, end));
    },
    onRefused: nothing,
    onUnanswered: nothing,
  };
  if ((links.get(member)?.ask(kind, body, timeoutMs, asker, 0) ?? null) === null) timers.endOfTurn(nothing);
}
