/*
 * What a client is told when too few nodes did their part: how many of how many, who, and why the others did not. Written
 * on the way to an error only, so it may allocate.
 */
import { failure, type Failure } from '../model/errors.js';
import type { ReplicatedGet } from './replicated-get.js';
import type { ReplicatedPut } from './replicated-put.js';

/** How a node is called in messages: its name, or its ordinal. */
export type NameOf = (node: number) => string;

/** Of a put whose outcome is `too-few`. A put that was `refused` is answered with what its own store said. */
export function putFailure(put: ReplicatedPut, nameOf: NameOf): Failure {
  const rows = Array.from({ length: put.copyCount }, (_, row) => {
    const node = put.copyNode(row);
    const owner = put.copyHintFor(row);
    const role = owner < 0 ? '' : owner === node ? ' (lives by a newer ring)' : ` for ${nameOf(owner)}`;
    return `${nameOf(node)}${role}: ${WORDS[put.copyState(row)] ?? put.copyState(row)}`;
  });
  const fate = put.outcomeUnknown ? 'the write may have happened' : 'the write did not happen';
  return failure(
    'QUORUM_UNAVAILABLE',
    `${put.acks} of ${put.w} replicas stored it, ${fate} (${rows.join('; ')}; ring version ${put.ringVersion})`,
    { outcomeUnknown: put.outcomeUnknown },
  );
}

/** Of a get whose outcome is `too-few`. */
export function getFailure(get: ReplicatedGet, nameOf: NameOf): Failure {
  let unknown = 0;
  let pending = 0;
  const rows = Array.from({ length: get.askedCount }, (_, row) => {
    const state = get.askedState(row);
    if (state === 'unknown') unknown += 1;
    if (state === 'pending') pending += 1;
    return `${nameOf(get.askedNode(row))}${get.askedIsOwner(row) ? '' : ' (fallback)'}: ${WORDS[state] ?? state}`;
  });
  // Nobody is waited for once those that do not know are too many: who is still to answer might have.
  const code = unknown > 0 && get.answers + unknown + pending >= get.r ? 'UNKNOWN_STATE' : 'QUORUM_UNAVAILABLE';
  return failure(
    code,
    `${get.answers} of ${get.r} replicas answered (${rows.join('; ')}; ring version ${get.ringVersion})`,
  );
}

/** An error code stands for itself: the node refused with it. */
const WORDS: Readonly<Record<string, string>> = {
  pending: 'no answer',
  slow: 'no answer',
  unsent: 'not reached',
  lost: 'connection lost, may have it',
  durable: 'stored',
  buffered: 'in its buffer',
  found: 'found',
  absent: 'not found',
  unknown: 'does not know',
};
