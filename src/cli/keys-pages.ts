/* The keys of a node, page by page, from its admin socket; and how a key is written where bytes cannot be. */
import type { KeysReply, KeysRequest, ListedKey } from '../model/messages.js';
import { decodeKeysReply, encodeKeys } from '../wire/codec-keys.js';
import { KEYS, KEYS_REPLY } from '../wire/kinds.js';
import { askAdmin } from './admin.js';
import { parseWhole } from './durations.js';
import { UsageError } from './io.js';
import { asText } from './output.js';

export interface SelectionOptions {
  readonly partition?: string;
  readonly prefix?: string;
  readonly prefixBase64?: string;
  readonly firstOwner?: boolean;
  readonly all?: boolean;
  readonly cursor?: string;
}

export type Selection = Omit<KeysRequest, 'limit' | 'budgetMs'>;

export function selectionOf(options: SelectionOptions): Selection {
  const { prefix, prefixBase64, partition, cursor } = options;
  if (prefix !== undefined && prefixBase64 !== undefined)
    throw new UsageError('--prefix and --prefix-base64: give one of them');
  return {
    prefix: prefixBase64 === undefined ? Buffer.from(prefix ?? '', 'utf8') : base64Of(prefixBase64, '--prefix-base64'),
    partition: partition === undefined ? null : parseWhole(partition, '--partition', 0, 4_095),
    firstOwner: options.firstOwner === true,
    all: options.all === true,
    cursor: cursor === undefined ? new Uint8Array(0) : cursorOf(cursor),
  };
}

export function cursorText(cursor: Uint8Array): string {
  return Buffer.from(cursor).toString('base64url');
}

function cursorOf(text: string): Uint8Array {
  const bytes = Buffer.from(text.trim(), 'base64url');
  if (bytes.length > 0 && cursorText(bytes) === text.trim()) return bytes;
  throw new UsageError('--cursor: not a cursor as this command prints it: begin without one');
}

function base64Of(text: string, what: string): Buffer {
  const bytes = base64Bytes(text);
  if (bytes === null) throw new UsageError(`${what}: not base64`);
  return bytes;
}

/** Strict: what is no base64 is not half understood. */
export function base64Bytes(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '') ? bytes : null;
}

/** Asks for pages until `limit` keys were seen or there are no more. */
export async function* keyPages(
  address: string,
  timeoutMs: number,
  selection: Selection,
  limit: number,
  pageKeysMax: number,
): AsyncGenerator<KeysReply> {
  let { cursor } = selection;
  let left = limit;
  while (left > 0) {
    const page: KeysReply = await askAdmin(address, timeoutMs, {
      kind: KEYS,
      replyKind: KEYS_REPLY,
      body: encodeKeys({ ...selection, cursor, budgetMs: timeoutMs, limit: Math.min(left, pageKeysMax) }),
      read: decodeKeysReply,
    });
    yield page;
    left -= page.keys.length;
    cursor = page.cursor;
    if (cursor.length === 0) return;
  }
}

/** As text if every character of it can be seen; else null. */
function plainText(key: Uint8Array): string | null {
  const text = asText(key);
  return text === undefined || /[\p{C}\p{Zl}\p{Zp}]/u.test(text) ? null : text;
}

const HEX = 'hex:';

/** A key in a column or a line: itself if it can be seen and mistaken for nothing else, or its bytes. */
export function keyText({ key, hash }: Pick<ListedKey, 'key' | 'hash'>): string {
  if (key.length === 0) return `(hash ${hash})`;
  const text = plainText(key);
  return text === null || text.startsWith(HEX) || text.startsWith('(hash ')
    ? HEX + Buffer.from(key).toString('hex')
    : text;
}

/** In JSON: `key` if the bytes are UTF-8, else `keyBase64`. */
export function keyFields(key: Uint8Array): { readonly key: string } | { readonly keyBase64: string } {
  const text = asText(key);
  return text === undefined ? { keyBase64: Buffer.from(key).toString('base64') } : { key: text };
}
