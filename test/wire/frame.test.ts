import test from 'ava';
import fc from 'fast-check';
import { toHex } from '../../src/lib/bytes.js';
import { FrameDecoder, frameOf } from '../../src/wire/frame.js';
import type { FrameSink } from '../../src/wire/frame.js';
import { PoisonPool } from '../support/poison-pool.js';

/** Keeps what it hears as text; may do something at each frame. */
class Ear implements FrameSink {
  readonly heard: string[] = [];
  fault: string = '';
  atFrame: () => void = () => undefined;

  onFrame(kind: number, requestId: number, bytes: Uint8Array, start: number, end: number): void {
    this.heard.push(`${kind} ${requestId} ${toHex(bytes.subarray(start, end))}`);
    this.atFrame();
  }

  onFault(fault: string, text: string): void {
    this.fault = `${this.fault}${fault}: ${text}`;
  }
}

/** A decoder that knows nothing of chunks: the whole stream at once. */
function dumbFrames(stream: Uint8Array, bodyBytesMax: number): { heard: string[]; fault: string } {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.length);
  const heard: string[] = [];
  for (let at = 0; stream.length - at >= 12;) {
    const length = view.getUint32(at);
    if (view.getUint8(at + 5) !== 0 || view.getUint16(at + 6) !== 0) return { heard, fault: 'reserved-not-zero' };
    if (length > bodyBytesMax) return { heard, fault: 'too-large' };
    if (at + 12 + length > stream.length) break;
    heard.push(
      `${view.getUint8(at + 4)} ${view.getUint32(at + 8)} ${toHex(stream.subarray(at + 12, at + 12 + length))}`,
    );
    at += 12 + length;
  }
  return { heard, fault: '' };
}

const BODIES = [[], [1], [2, 3, 4], [], [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]];
const STREAM = Buffer.concat(BODIES.map((body, i) => frameOf(0x10 + i, 0xfffffff0 + i, Uint8Array.from(body))));

test('frames come out the same however the stream is cut in three', (t) => {
  const expected = dumbFrames(STREAM, 100).heard;
  t.is(expected.length, BODIES.length);
  for (let first = 0; first <= STREAM.length; first++) {
    for (let second = first; second <= STREAM.length; second++) {
      const ear = new Ear();
      const decoder = new FrameDecoder(ear, 100);
      for (const chunk of [STREAM.subarray(0, first), STREAM.subarray(first, second), STREAM.subarray(second)]) {
        decoder.push(Buffer.from(chunk), 1);
      }
      t.deepEqual(ear.heard, expected, `cut at ${first} and ${second}`);
      t.false(decoder.hasPartial);
    }
  }
});

test('frames come out the same byte by byte', (t) => {
  const ear = new Ear();
  const decoder = new FrameDecoder(ear, 100);
  for (const byte of STREAM) decoder.push(Uint8Array.of(byte), 1);
  t.deepEqual(ear.heard, dumbFrames(STREAM, 100).heard);
});

test('a frame that lies whole in a chunk is not copied', (t) => {
  const chunk = Buffer.from(STREAM);
  let seen: Uint8Array | null = null;
  const decoder = new FrameDecoder(
    {
      onFrame: (_kind, _id, bytes) => {
        seen = bytes;
      },
      onFault: () => t.fail(),
    },
    100,
  );
  decoder.push(chunk, 0);
  t.true(Object.is(seen, chunk));
  t.is(decoder.heldCapacity, 0);
});

test('any stream in any chunks gives what a decoder of whole streams gives', (t) => {
  const smallFrame = fc
    .tuple(fc.integer({ min: 0, max: 255 }), fc.nat(0xffffffff), fc.uint8Array({ maxLength: 40 }))
    .map(([kind, id, body]) => frameOf(kind, id, body));
  const streams = fc.array(fc.oneof({ weight: 9, arbitrary: smallFrame }, fc.uint8Array({ maxLength: 30 })), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(streams, fc.array(fc.integer({ min: 1, max: 50 }), { maxLength: 40 }), (pieces, cuts) => {
      const stream = Buffer.concat(pieces);
      const ear = new Ear();
      const decoder = new FrameDecoder(ear, 35);
      let at = 0;
      for (const cut of [...cuts, stream.length]) {
        decoder.push(Buffer.from(stream.subarray(at, at + cut)), 0);
        at += cut;
      }
      const expected = dumbFrames(stream, 35);
      t.deepEqual(ear.heard, expected.heard);
      t.is(ear.fault.split(':')[0], expected.fault);
    }),
    { numRuns: 2_000 },
  );
});

test('the sink may pause at any frame: nothing is lost, nothing comes early', (t) => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 12 }), fc.integer({ min: 1, max: 30 }), (pauses, step) => {
      const ear = new Ear();
      const decoder = new FrameDecoder(ear, 100);
      let frames = 0;
      ear.atFrame = () => {
        if (pauses[frames++] === true) decoder.pause();
      };
      for (let at = 0; at < STREAM.length; at += step) {
        const before = ear.heard.length;
        const wasPaused = decoder.paused;
        decoder.push(Buffer.from(STREAM.subarray(at, at + step)), 0);
        if (wasPaused) t.is(ear.heard.length, before);
        if (decoder.paused && at % 2 === 0) decoder.resume(0);
      }
      while (decoder.paused) decoder.resume(0);
      t.deepEqual(ear.heard, dumbFrames(STREAM, 100).heard);
      t.is(decoder.heldBytes, 0);
    }),
  );
});

test('a pause and a resume within one frame change nothing', (t) => {
  const ear = new Ear();
  const decoder = new FrameDecoder(ear, 100);
  ear.atFrame = () => {
    decoder.pause();
    decoder.resume(0);
  };
  decoder.push(Buffer.from(STREAM), 0);
  t.is(ear.heard.length, BODIES.length);
});

test('what waits while paused survives the transport taking its chunk back', (t) => {
  const ear = new Ear();
  const decoder = new FrameDecoder(ear, 100);
  ear.atFrame = () => {
    decoder.pause();
  };
  const chunk = Buffer.from(STREAM);
  decoder.push(chunk, 0);
  chunk.fill(0xee);
  while (decoder.paused) decoder.resume(0);
  t.deepEqual(ear.heard, dumbFrames(STREAM, 100).heard);
});

test('the limit is that of the moment when a header is read', (t) => {
  const ear = new Ear();
  const decoder = new FrameDecoder(ear, 4);
  ear.atFrame = () => {
    decoder.setBodyBytesMax(50);
  };
  decoder.push(Buffer.concat([frameOf(1, 1, new Uint8Array(4)), frameOf(2, 2, new Uint8Array(50))]), 0);
  t.is(ear.heard.length, 2);
  decoder.push(frameOf(3, 3, new Uint8Array(51)), 0);
  t.is(ear.heard.length, 2);
  t.is(ear.fault, 'too-large: A PING frame announces 51 bytes, at most 50 are accepted');
});

for (const length of [4_097, 0x7fffffff, 0x80000000, 0xffffffff]) {
  test(`a header that announces ${length} bytes is refused before anything is kept`, (t) => {
    const ear = new Ear();
    const decoder = new FrameDecoder(ear, 4_096);
    const header = Buffer.alloc(12);
    header.writeUInt32BE(length);
    decoder.push(header.subarray(0, 4), 0);
    t.true(decoder.heldCapacity <= 64);
    decoder.push(header.subarray(4), 0);
    t.regex(ear.fault, /^too-large: /);
    t.true(decoder.heldCapacity <= 64);
    decoder.push(STREAM, 0);
    t.deepEqual(ear.heard, []);
    t.true(decoder.stopped);
  });
}

for (const offset of [5, 6, 7]) {
  test(`a header whose byte ${offset} is not zero is refused, once`, (t) => {
    const ear = new Ear();
    const decoder = new FrameDecoder(ear, 4_096);
    const frame = frameOf(3, 9, new Uint8Array(2));
    frame[offset] = 1;
    decoder.push(frame, 0);
    decoder.push(frame, 0);
    t.is(ear.fault, 'reserved-not-zero: Flags and reserved bytes of a frame header must be zero');
    t.false(decoder.hasPartial);
  });
}

test('memory follows what has arrived, at most twice of it, and never more than the frame', (t) => {
  const ear = new Ear();
  const decoder = new FrameDecoder(ear, 16_777_216);
  const frame = frameOf(0x12, 1, new Uint8Array(3_000_000));
  let reallocations = 0;
  let capacity = 0;
  for (let at = 0; at < frame.length; at += 1_000) {
    const arrived = Math.min(at + 1_000, frame.length);
    decoder.push(frame.subarray(at, arrived), 0);
    if (ear.heard.length > 0) break;
    t.true(
      decoder.heldCapacity <= Math.min(Math.max(2 * arrived, 64), frame.length),
      `${decoder.heldCapacity} of ${arrived}`,
    );
    if (decoder.heldCapacity !== capacity) reallocations++;
    capacity = decoder.heldCapacity;
  }
  t.is(ear.heard.length, 1);
  t.true(reallocations < 20, 'grows geometrically');
  t.is(decoder.heldCapacity, 0, 'a large buffer is given back');
});

test('large frames are collected in buffers of the pool, which are given back when they were handed on', (t) => {
  for (const bodyBytes of [70_000, 1_000_000, 9_000_000]) {
    const ear = new Ear();
    const pool = new PoisonPool();
    const decoder = new FrameDecoder(ear, 16_777_216, pool);
    const body = new Uint8Array(bodyBytes).map((_, i) => i * 7);
    const frame = frameOf(0x12, 1, body);
    let reallocations = 0;
    for (let at = 0, capacity = 0; at < frame.length; at += 1_000) {
      const arrived = Math.min(at + 1_000, frame.length);
      decoder.push(frame.subarray(at, arrived), 0);
      t.true(decoder.heldCapacity <= Math.max(2 * arrived, 64));
      if (decoder.heldCapacity !== capacity) reallocations++;
      capacity = decoder.heldCapacity;
    }
    t.is(ear.heard.length, 1);
    t.true(ear.heard[0] === `18 1 ${toHex(body)}`);
    t.true(reallocations < 24 && pool.given > 0);
    t.is(decoder.heldCapacity, 0);
  }
});

test('the pool has as many buffers after hundreds of large frames as after some', (t) => {
  const pool = new PoisonPool();
  let heard = 0;
  const sink = { onFrame: () => (heard += 1), onFault: () => undefined };
  const decoder = new FrameDecoder(sink, 16_777_216, pool);
  const frame = frameOf(0x12, 1, new Uint8Array(1_000_000));
  const push = (frames: number): void => {
    for (let i = 0; i < frames; i++) {
      for (let at = 0; at < frame.length; at += 65_536) decoder.push(frame.subarray(at, at + 65_536), 0);
    }
  };
  push(5);
  const { free } = pool;
  push(300);
  t.true(heard >= 300);
  t.true(pool.free <= free + 1, `${pool.free} after ${free}`);
});

test('a sink that stops the decoder still reads the frame that it was given', (t) => {
  const pool = new PoisonPool();
  let seen = 0;
  const decoder: FrameDecoder = new FrameDecoder(
    {
      onFrame: (_kind, _requestId, bytes, start, end) => {
        decoder.stop();
        pool.take(end - start).fill(1);
        seen = bytes.subarray(start, end).filter((byte) => byte === 5).length;
      },
      onFault: () => undefined,
    },
    1_000_000,
    pool,
  );
  const frame = frameOf(0x12, 1, new Uint8Array(100_000).fill(5));
  decoder.push(frame.subarray(0, 90_000), 0);
  decoder.push(frame.subarray(90_000), 0);
  t.is(seen, 100_000);
});

test('memory stays geometric while paused, too', (t) => {
  const decoder = new FrameDecoder(new Ear(), 1_000_000);
  decoder.push(frameOf(1, 1, new Uint8Array(900_000)).subarray(0, 20), 0);
  decoder.pause();
  let reallocations = 0;
  let capacity = decoder.heldCapacity;
  for (let i = 0; i < 2_000_00; i += 100) {
    decoder.push(new Uint8Array(100), 0);
    if (decoder.heldCapacity !== capacity) reallocations++;
    capacity = decoder.heldCapacity;
  }
  t.is(decoder.heldBytes, 200_020);
  t.true(reallocations < 20);
});

test('partialSince is when the frame under way began, however it trickles', (t) => {
  const decoder = new FrameDecoder(new Ear(), 100);
  t.is(decoder.partialSince, -1);
  const frame = frameOf(1, 1, new Uint8Array(10));
  for (let at = 0; at < frame.length - 1; at++) {
    decoder.push(frame.subarray(at, at + 1), 1_000 + at);
    t.is(decoder.partialSince, 1_000);
  }
  decoder.push(Buffer.concat([frame.subarray(frame.length - 1), frame.subarray(0, 3)]), 2_000);
  t.is(decoder.partialSince, 2_000, 'the next one begins');
  decoder.push(frame.subarray(3), 3_000);
  t.is(decoder.partialSince, -1);
});

test('while paused no frame is half-sent, and the clock starts at the resume', (t) => {
  const ear = new Ear();
  const decoder = new FrameDecoder(ear, 100);
  ear.atFrame = () => {
    decoder.pause();
  };
  decoder.push(Buffer.concat([frameOf(1, 1, new Uint8Array(1)), frameOf(2, 2, new Uint8Array(9)).subarray(0, 15)]), 5);
  t.false(decoder.hasPartial);
  decoder.resume(50);
  t.is(decoder.partialSince, 50);
});

test('a sink that stops the decoder hears no more, in the middle of a chunk', (t) => {
  const ear = new Ear();
  const decoder = new FrameDecoder(ear, 100);
  ear.atFrame = () => {
    decoder.stop();
  };
  decoder.push(Buffer.from(STREAM), 0);
  decoder.push(Buffer.from(STREAM), 0);
  t.is(ear.heard.length, 1);
  t.is(decoder.heldBytes, 0);
});
