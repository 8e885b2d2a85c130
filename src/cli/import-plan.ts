/*
 * What an import does to one key: it reads first, and writes what is not there. So to import twice, or to go on after an
 * interruption, adds nothing twice.
 *
 *   same         every version of the line is there already, byte for byte
 *   seen         the store has seen all that the line's context covers: its versions were replaced or deleted since the
 *                export. Written again they would come back as conflicts; `force` does that
 *   expired      every version that is missing has expired
 *   store        the missing versions are put
 *
 * With which context? Without any, a put adds a version and replaces nothing: nothing is ever lost. But a store that is
 * older than the export (restored, or a node's first day) holds what the line's versions once replaced, and those would
 * be conflicts of the past. So where the line's context speaks of this store's history, and none of the line's versions
 * is there, they are put with it: each replaces what its writer had seen, and they stay beside one another. If some are
 * there, the context would cover those too, so the others come without.
 */
import { PartitaError } from '../client/index.js';
import type { Context, GetResult, Sibling } from '../client/index.js';
import { equalBytes } from '../lib/bytes.js';
import type { Hash64 } from '../model/hash.js';
import { CONTEXT_ENTRY_BYTES, actorHi, actorLo, counterIn, counterOf } from '../versioning/record.js';
import { ContextToken } from '../versioning/token.js';
import { LineFault } from './ndjson.js';
import type { KeyLine } from './ndjson.js';

export interface ImportPlan {
  readonly kind: 'store' | 'same' | 'seen' | 'expired';
  readonly puts: readonly Sibling<Uint8Array>[];
  /** The puts carry the line's context. */
  readonly withContext: boolean;
}

const NO_PUTS = { puts: [], withContext: false } as const;

/** Throws LineFault for a context that is none, or of another key. */
export function planImport(
  line: KeyLine,
  current: GetResult<Uint8Array>,
  hash: Hash64,
  nowMs: number,
  force: boolean,
): ImportPlan {
  const relation = relationOf(line, current, hash);
  const there = current.found ? [...current.siblings] : [];
  const missing = line.siblings.filter((sibling) => !takeEqual(there, sibling));
  if (missing.length === 0) return { kind: 'same', ...NO_PUTS };
  if (relation === 'covered' && !force) return { kind: 'seen', ...NO_PUTS };
  const puts = missing.filter(({ expiresMs }) => expiresMs === 0 || expiresMs > nowMs);
  if (puts.length === 0) return { kind: 'expired', ...NO_PUTS };
  const isNoneThere = missing.length === line.siblings.length;
  return { kind: 'store', puts, withContext: relation === 'related' && isNoneThere };
}

/** The expiry of an imported version is counted anew from its time to live, so only that it expires is compared. */
function takeEqual(there: Sibling<Uint8Array>[], { value, expiresMs }: Sibling<Uint8Array>): boolean {
  const index = there.findIndex(
    (other) => equalBytes(other.value, value) && (other.expiresMs === 0) === (expiresMs === 0),
  );
  if (index >= 0) there.splice(index, 1);
  return index >= 0;
}

/**
 * `covered`: all that the line's context knows is known in the store. `related`: they have an actor in common.
 * `strange`: the line has no context, or one of another store.
 */
function relationOf(
  { key, context }: KeyLine,
  current: GetResult<Uint8Array>,
  hash: Hash64,
): 'covered' | 'related' | 'strange' {
  const line = tokenOf(context, key, hash, (fault) => new LineFault(`context: ${fault}`));
  const store = tokenOf(
    current.context,
    key,
    hash,
    (fault) => new PartitaError('VERSION_MISMATCH', `the context that the node gave cannot be read: ${fault}`),
  );
  if (line.entryCount === 0) return 'strange';
  let known = 0;
  let shared = 0;
  for (let i = 0; i < line.entryCount; i++) {
    const at = line.entries + CONTEXT_ENTRY_BYTES * i;
    const [hi, lo] = [actorHi(line.bytes, at), actorLo(line.bytes, at)];
    const counter = counterIn(store.bytes, store.entries, store.entryCount, hi, lo);
    if (counter > 0) shared += 1;
    if (counter >= counterOf(line.bytes, at)) known += 1;
  }
  if (known === line.entryCount) return 'covered';
  return shared > 0 ? 'related' : 'strange';
}

function tokenOf(context: Context, key: Uint8Array, hash: Hash64, errorOf: (fault: string) => Error): ContextToken {
  const bytes = Buffer.from(context.toString(), 'base64url');
  hash.hash(key, 0, key.length);
  const token = new ContextToken();
  const fault = token.decode(bytes, 0, bytes.length, hash, { hi: hash.hi, lo: hash.lo });
  if (fault !== '') throw errorOf(fault.charAt(0).toLowerCase() + fault.slice(1));
  return token;
}
