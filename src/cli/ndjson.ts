/*
 * One key a line, as `partita export` writes it and `partita import` reads it:
 *
 *   {"key":"cart:1","siblings":[{"value":"tea","writtenMs":1700000000000}],"context":"AQAA…"}
 *
 *   key        text, or keyBase64 where the bytes are no UTF-8
 *   siblings   the versions that nobody has merged, at least one: value, or valueBase64; writtenMs, for people;
 *              expiresMs where it expires
 *   context    what they replace, as get gave it; may be left out
 *
 * A line that is not exactly this is refused with what is wrong in it: a misspelt field would be lost in silence.
 */
import { Context, PartitaError } from '../client/index.js';
import type { Sibling } from '../client/index.js';
import { KEY_BYTES_MAX, SIBLINGS_MAX, VALUE_BYTES_HARD_MAX } from '../model/limits.js';
import { base64Bytes, keyFields } from './keys-pages.js';
import { asText } from './output.js';

export interface KeyLine {
  readonly key: Uint8Array;
  readonly siblings: readonly Sibling<Uint8Array>[];
  /** Empty: not given. */
  readonly context: Context;
}

/** What is wrong with a line, and why. */
export class LineFault extends Error {}

/** With its line break. */
export function encodeLine({ key, siblings, context }: KeyLine): string {
  const versions = siblings.map(({ value, writtenMs, expiresMs }) => {
    const text = asText(value);
    const bytes = text === undefined ? { valueBase64: Buffer.from(value).toString('base64') } : { value: text };
    return { ...bytes, writtenMs, ...(expiresMs === 0 ? {} : { expiresMs }) };
  });
  return `${JSON.stringify({ ...keyFields(key), siblings: versions, context: context.toString() })}\n`;
}

export function decodeLine(text: string): KeyLine {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch (error) {
    throw new LineFault(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const fields = objectOf(line, 'the line', ['key', 'keyBase64', 'siblings', 'context']);
  const key = bytesOf(fields, 'key');
  if (key.length < 1 || key.length > KEY_BYTES_MAX)
    throw new LineFault(`key: it has ${key.length} bytes, keys have 1 to ${KEY_BYTES_MAX}`);
  const { siblings, context } = fields;
  if (!Array.isArray(siblings) || siblings.length === 0)
    throw new LineFault('siblings: expected a list of at least one version');
  if (siblings.length > SIBLINGS_MAX)
    throw new LineFault(`siblings: ${siblings.length} versions, a key may have ${SIBLINGS_MAX}`);
  return { key, siblings: siblings.map(siblingOf), context: contextOf(context) };
}

function siblingOf(value: unknown, index: number): Sibling<Uint8Array> {
  const what = `siblings[${index}]`;
  const fields = objectOf(value, what, ['value', 'valueBase64', 'writtenMs', 'expiresMs']);
  const bytes = bytesOf(fields, 'value', `${what}.`);
  if (bytes.length > VALUE_BYTES_HARD_MAX)
    throw new LineFault(
      `${what}.value: ${bytes.length} bytes, more than the ${VALUE_BYTES_HARD_MAX} that any node accepts`,
    );
  return { value: bytes, writtenMs: timeOf(fields, 'writtenMs', what), expiresMs: timeOf(fields, 'expiresMs', what) };
}

function timeOf(fields: Fields, name: 'writtenMs' | 'expiresMs', what: string): number {
  const ms = fields[name] ?? 0;
  if (typeof ms === 'number' && Number.isSafeInteger(ms) && ms >= 0) return ms;
  throw new LineFault(`${what}.${name}: expected milliseconds since 1970, a whole number`);
}

function contextOf(value: unknown): Context {
  if (value === undefined) return Context.empty;
  if (typeof value !== 'string') throw new LineFault('context: expected the text that export or get gave');
  try {
    return Context.parse(value);
  } catch (error) {
    if (PartitaError.is(error)) throw new LineFault(`context: ${error.message}`);
    throw error;
  }
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(value: unknown, what: string, known: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LineFault(`${what}: expected an object`);
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) throw new LineFault(`${what}: unknown field ${JSON.stringify(name)}`);
  }
  return value as Fields;
}

/** `name` as text or `nameBase64` as bytes: one of them. */
function bytesOf(fields: Fields, name: string, before: string = ''): Uint8Array {
  const base64 = fields[`${name}Base64`];
  const text = fields[name];
  if ((base64 === undefined) === (text === undefined))
    throw new LineFault(`${before}${name}: give ${name} or ${name}Base64, one of them`);
  if (base64 === undefined) {
    if (typeof text !== 'string') throw new LineFault(`${before}${name}: expected text`);
    if (/[\ud800-\udfff]/u.test(text)) throw new LineFault(`${before}${name}: half a character, which is no UTF-8`);
    return Buffer.from(text, 'utf8');
  }
  const bytes = typeof base64 === 'string' ? base64Bytes(base64) : null;
  if (bytes === null) throw new LineFault(`${before}${name}Base64: not base64`);
  return bytes;
}
