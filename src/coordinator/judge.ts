/*
 * What a request must be before anything is done for it. Pure: a refusal is data, and says what, why and what to do.
 */
import { failure, type Failure } from '../model/errors.js';
import { BUDGET_MS_MAX, KEY_BYTES_MAX } from '../model/limits.js';

/** The same for every kind that names a key. */
export function judgeKey(key: Uint8Array, namespace: string): Failure | null {
  if (namespace !== '') {
    return failure(
      'INVALID_ARGUMENT',
      `Namespace ${JSON.stringify(namespace)} is not available: namespaces are reserved, leave the field empty`,
    );
  }
  if (key.length === 0) return failure('INVALID_ARGUMENT', 'The key is empty: a key has 1 to 2048 bytes');
  if (key.length > KEY_BYTES_MAX) {
    return failure('TOO_LARGE', `The key has ${key.length} bytes, at most ${KEY_BYTES_MAX} are allowed`);
  }
  return null;
}

export function judgeBudget(budgetMs: number): Failure | null {
  if (budgetMs >= 1 && budgetMs <= BUDGET_MS_MAX) return null;
  return failure('INVALID_ARGUMENT', `A time budget of ${budgetMs} ms is not within 1..${BUDGET_MS_MAX}`);
}

export function judgeValue(value: Uint8Array, valueBytesMax: number): Failure | null {
  if (value.length <= valueBytesMax) return null;
  return failure(
    'TOO_LARGE',
    `The value has ${value.length} bytes, this node takes at most ${valueBytesMax} (valueBytesMax)`,
  );
}

/** `count`: W or R of a request, 0 for the cluster's own. */
export function judgeQuorum(name: 'r' | 'w', count: number, replicaCount: number): Failure | null {
  if (count <= replicaCount) return null;
  return failure(
    'INVALID_ARGUMENT',
    `${name} = ${count} cannot be met: a key has ${replicaCount} ${replicaCount === 1 ? 'replica' : 'replicas'}`,
  );
}
