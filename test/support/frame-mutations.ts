/*
 * Frames that no client would send: good ones with something changed, protobuf that is legal and hostile, plain noise.
 */
import type { Prng } from '../../src/lib/prng.js';
import { CONTEXT_ENTRIES_MAX, FRAME_HEADER_BYTES, KEY_BYTES_MAX } from '../../src/model/limits.js';
import * as kinds from '../../src/wire/kinds.js';
import { partita } from '../../src/wire/protobuf.js';
import { encodeFrame, helloBody, newPutId } from './raw-client.js';

const v1 = partita.v1;

export function noise(prng: Prng, size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  prng.fill(bytes);
  return bytes;
}

export const helloFrame = (): Buffer => encodeFrame(kinds.HELLO, 1, helloBody());

const oneOf = <T>(prng: Prng, ...makers: readonly (() => T)[]): T => prng.pick(makers)();

/** Numbers at which something might give way. */
const edge = (prng: Prng): number => prng.pick([0, 1, 2, 127, 128, 255, 256, 65_535, 65_536, 0x7fff_ffff, 0xffff_ffff]);

function keyOf(prng: Prng): Buffer {
  if (prng.chance(0.7)) return Buffer.from(`hostile-${prng.int(200)}`);
  return oneOf(
    prng,
    () => Buffer.alloc(0),
    () => Buffer.from('__proto__'),
    () => noise(prng, KEY_BYTES_MAX),
    () => noise(prng, KEY_BYTES_MAX + 1 + prng.int(60_000)),
    () => Buffer.alloc(1 + prng.int(300)),
  );
}

/** Looks like a context, up to where the checksum would have to be right. */
function contextOf(prng: Prng): Buffer {
  if (prng.chance(0.5)) return Buffer.alloc(0);
  const bytes = noise(prng, prng.pick([1, 16, 24, 38, 200, 14 * CONTEXT_ENTRIES_MAX + 24]));
  if (bytes.length >= 16) {
    bytes.writeUInt16BE(0x0100, 0);
    bytes.writeUInt16BE(prng.pick([0, 1, Math.floor((bytes.length - 24) / 14), 0xffff]) & 0xffff, 2);
    bytes.writeUInt32BE(0, 4);
  }
  return bytes;
}

function putIdOf(prng: Prng): Uint8Array {
  if (prng.chance(0.6)) return newPutId();
  const id = noise(prng, 12);
  return oneOf<Uint8Array>(
    prng,
    () => id,
    () => noise(prng, prng.int(64)),
    () => {
      id.writeUInt32BE(Math.floor(Date.now() / 1_000) - 61 + prng.int(130), 0);
      return id;
    },
  );
}

const budgetOf = (prng: Prng): number => (prng.chance(0.8) ? 1 + prng.int(5_000) : edge(prng));
const namespaceOf = (prng: Prng): string => (prng.chance(0.95) ? '' : 'x'.repeat(1 + prng.int(3_000)));

function putOf(prng: Prng): Parameters<typeof v1.Put.encode>[0] {
  return {
    key: keyOf(prng),
    value: noise(prng, prng.chance(0.95) ? prng.int(3_000) : prng.int(1_200_000)),
    context: contextOf(prng),
    putId: putIdOf(prng),
    retry: prng.chance(0.2),
    budgetMs: budgetOf(prng),
    namespace: namespaceOf(prng),
    ringVersion: prng.chance(0.9) ? 0 : edge(prng),
    w: prng.chance(0.9) ? 0 : edge(prng),
    durable: prng.chance(0.1),
    ttlMs: prng.chance(0.9) ? 0 : edge(prng) * prng.pick([1, 1_000, 1_000_000]),
    returnSiblings: prng.chance(0.3),
  };
}

const getOf = (prng: Prng): Parameters<typeof v1.Get.encode>[0] => ({
  key: keyOf(prng),
  budgetMs: budgetOf(prng),
  namespace: namespaceOf(prng),
  r: prng.chance(0.9) ? 0 : edge(prng),
  strict: prng.chance(0.2),
});

/** A request whose form is right and whose content may be anything. */
export function legalFrame(prng: Prng): Buffer {
  const id = prng.chance(0.9) ? prng.u32() : edge(prng);
  return oneOf(
    prng,
    () => encodeFrame(kinds.GET, id, v1.Get.encode(getOf(prng)).finish()),
    () => encodeFrame(kinds.PUT, id, v1.Put.encode(putOf(prng)).finish()),
    () =>
      encodeFrame(
        kinds.DELETE,
        id,
        v1.Delete.encode({
          key: keyOf(prng),
          putId: putIdOf(prng),
          context: contextOf(prng),
          budgetMs: budgetOf(prng),
        }).finish(),
      ),
    () => encodeFrame(kinds.PING, id, v1.Ping.encode({ budgetMs: budgetOf(prng) }).finish()),
    () => encodeFrame(kinds.RING_FETCH, id, v1.RingFetch.encode({ knownVersion: edge(prng) }).finish()),
    () => encodeFrame(kinds.EXPLAIN, id, v1.Explain.encode({ key: keyOf(prng), budgetMs: budgetOf(prng) }).finish()),
    () => {
      const gets = Array.from({ length: prng.int(prng.chance(0.9) ? 20 : 1_100) }, () => getOf(prng));
      return encodeFrame(kinds.MULTI_GET, id, v1.MultiGet.encode({ gets, budgetMs: budgetOf(prng) }).finish());
    },
    () => {
      const items = Array.from({ length: prng.int(prng.chance(0.9) ? 8 : 40) }, () => ({ put: putOf(prng) }));
      return encodeFrame(kinds.MULTI_PUT, id, v1.MultiPut.encode({ items, budgetMs: budgetOf(prng) }).finish());
    },
  );
}

/** Protobuf that decodes, or nearly, at the highest price that a few bytes can ask for. */
export function bombFrame(prng: Prng): Buffer {
  const kind = prng.pick(kinds.KNOWN_KINDS);
  const size = 1 + prng.int(1_000_000);
  const body = oneOf(
    prng,
    () => Buffer.alloc(size & ~1, Buffer.from([0x0a, 0x00])), // empty sub-messages of field 1
    () => Buffer.alloc(size, 0x0b), // groups in groups
    () => Buffer.alloc(size, 0xff), // a number without an end
    () => Buffer.alloc(size & ~1, Buffer.from([0xf8, 0x01])), // fields nobody knows
    () => Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), // a field of 4 GiB
    () => Buffer.concat(Array.from({ length: 2_000 }, (_, i) => Buffer.from([0x0a, (2_000 - i) & 0x7f]))),
  );
  return encodeFrame(kind, prng.u32(), body);
}

/** A good frame with a fault in it: bits, bytes, header, length, end, or two frames run into each other. */
export function mutate(prng: Prng, frame: Buffer): Buffer {
  const changed = Buffer.from(frame);
  const at = prng.int(changed.length);
  return oneOf(
    prng,
    () => {
      changed[at] = (changed[at] ?? 0) ^ (1 << prng.int(8));
      return changed;
    },
    () => {
      for (let i = 0; i < 1 + prng.int(16); i++) changed[prng.int(changed.length)] = prng.u32();
      return changed;
    },
    () => {
      changed.writeUInt32BE(
        prng.chance(0.5) ? edge(prng) : Math.max(0, changed.length - FRAME_HEADER_BYTES - 3 + prng.int(7)),
        0,
      );
      return changed;
    },
    () => {
      changed[4] = prng.u32();
      return changed;
    },
    () => {
      changed[5 + prng.int(3)] = prng.u32();
      return changed;
    },
    () => changed.subarray(0, at),
    () => Buffer.concat([changed.subarray(0, at), noise(prng, prng.int(64)), changed.subarray(at)]),
    () => Buffer.concat([changed.subarray(at), changed]),
    () => {
      const more = prng.int(0xff);
      return Buffer.concat([
        changed.subarray(0, FRAME_HEADER_BYTES),
        noise(prng, more),
        changed.subarray(FRAME_HEADER_BYTES),
      ]);
    },
  );
}
