import { PartitaError } from './errors.js';

/** Turns application values into bytes and back. One per client, or per view made by `withCodec()`. */
export interface Codec<T> {
  /** For error texts. */
  readonly name: string;
  /** The bytes must not change until the call has settled. Throwing makes put() reject with what was thrown. */
  encode(value: T): Uint8Array;
  /** Throwing makes the call reject with `DECODE`. */
  decode(bytes: Uint8Array): T;
  /**
   * `decode` keeps no reference to the bytes that it is given, so it may be given a piece of the receive buffer, which
   * saves a copy a value. Default: false.
   */
  readonly borrows?: boolean;
  /**
   * `encode` makes bytes that nobody will ever change, so that large values need not be copied before they are sent.
   * Default: false.
   */
  readonly fresh?: boolean;
}

const bytes: Codec<Uint8Array> = {
  name: 'bytes',
  encode: (value) => value,
  decode: (value) => value,
};

const utf8: Codec<string> = {
  name: 'utf8',
  encode: (value) => Buffer.from(value, 'utf8'),
  decode: (value) => asBuffer(value).toString('utf8'),
  borrows: true,
  fresh: true,
};

function json<T = unknown>(parse?: (raw: unknown) => T): Codec<T> {
  return {
    name: 'json',
    encode: (value) => {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined)
        throw new PartitaError(
          'INVALID_ARGUMENT',
          `JSON has no way to write a ${typeof value}; delete the key, or put null`,
        );
      return Buffer.from(text, 'utf8');
    },
    decode: (value) => {
      const raw: unknown = JSON.parse(asBuffer(value).toString('utf8'));
      return parse === undefined ? (raw as T) : parse(raw);
    },
    borrows: true,
    fresh: true,
  };
}

function asBuffer(value: Uint8Array): Buffer {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

/**
 * - `bytes`: values as they are stored; the default
 * - `utf8`: strings
 * - `json(parse?)`: what JSON.stringify can write; `parse` checks or revives what comes back (a zod schema's `parse`)
 */
export const codecs: {
  readonly bytes: Codec<Uint8Array>;
  readonly utf8: Codec<string>;
  json<T = unknown>(parse?: (raw: unknown) => T): Codec<T>;
} = { bytes, utf8, json };
