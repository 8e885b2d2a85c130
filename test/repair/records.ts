/* Records of a few versions, for tests of what becomes of them. */
import { seal, writeDot, writeRecordFixed, writeVersion } from '../../src/versioning/write.js';
import { HASH } from '../sim/tools.js';

export interface Version {
  readonly actor: number;
  readonly wallMs: number;
  readonly idSeconds: number;
  readonly value?: string;
  readonly expiresMs?: number;
}

export const KEY: Uint8Array = Buffer.from('cart');

/** A record of these versions, one actor each, and no remembered ids. */
export function recordOf(...versions: readonly Version[]): Uint8Array {
  return recordWith([], ...versions);
}

/** `over`: actors of which no version lives, higher than all others; they too have minted once. */
export function recordWith(over: readonly number[], ...versions: readonly Version[]): Uint8Array {
  const values = versions.map(({ value }) => (value === undefined ? undefined : Buffer.from(value)));
  const valueBytes = values.reduce((sum, value) => sum + (value?.length ?? 0), 0);
  const actors = [...versions.map(({ actor }) => actor), ...over];
  const size = 24 + KEY.length + actors.length * 14 + versions.length * 48 + valueBytes + 8;
  const record = new Uint8Array(size);
  writeRecordFixed(record, 0, KEY.length, size, actors.length, versions.length, 0, 0);
  record.set(KEY, 24);
  let at = 24 + KEY.length;
  for (const actor of actors) {
    writeDot(record, at, 1, actor, 1);
    at += 14;
  }
  versions.forEach(({ actor, wallMs, idSeconds, expiresMs = 0 }, i) => {
    const putId = Buffer.alloc(12);
    putId.writeUInt32BE(idSeconds, 0);
    putId[11] = actor;
    writeDot(record, at, 1, actor, 1);
    writeVersion(record, at, wallMs, 0, expiresMs, putId, values[i]);
    at += 48;
  });
  for (const value of values) {
    record.set(value ?? [], at);
    at += value?.length ?? 0;
  }
  seal(record, 0, size, HASH);
  return record;
}

export const contextOf = (...actors: readonly number[]): Uint8Array => {
  const context = new Uint8Array(14 * actors.length);
  actors.forEach((actor, i) => {
    writeDot(context, 14 * i, 1, actor, 1);
  });
  return context;
};

export const gone = (actor: number, wallMs: number, idSeconds = 0): Version => ({ actor, wallMs, idSeconds });
export const value = (actor: number, text: string, expiresMs = 0): Version => ({
  actor,
  wallMs: 5_000,
  idSeconds: 4,
  value: text,
  expiresMs,
});
