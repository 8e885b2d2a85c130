import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'ava';
import { fromHex, toHex } from '../../src/lib/bytes.js';
import { FrameDecoder } from '../../src/wire/frame.js';
import { KNOWN_KINDS, nameOfKind } from '../../src/wire/kinds.js';
import { CODECS, FILES, fromJson, toJson } from './vectors.js';
import type { Refusal, Vector } from './vectors.js';

const folder = new URL('../../../protocol/vectors/', import.meta.url);
const FRAME_BODY_BYTES_MAX = 1_310_720;

function vectorsIn<T>(file: string): readonly T[] {
  return JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as T[];
}

test('every file in protocol/vectors is read here', (t) => {
  t.deepEqual(readdirSync(folder).sort(), [...FILES, 'refused'].map((file) => `${file}.json`).sort());
});

test('the files are what the code would write', (t) => {
  const script = new URL('./write-vectors.js', import.meta.url).pathname;
  t.is(execFileSync(process.execPath, [script], { encoding: 'utf8' }), '');
});

test('every kind has a vector', (t) => {
  const seen = new Set(FILES.flatMap((file) => vectorsIn<Vector>(`${file}.json`).map((vector) => vector.kind)));
  t.deepEqual([...seen].sort(), [...KNOWN_KINDS].sort());
});

for (const file of FILES) {
  for (const vector of vectorsIn<Vector>(`${file}.json`)) {
    test(`${file}/${vector.name}: these bytes, this message`, (t) => {
      const codec = CODECS.get(vector.kind);
      t.truthy(codec, nameOfKind(vector.kind));
      let frames = 0;
      const decoder = new FrameDecoder(
        {
          onFrame: (kind, requestId, bytes, start, end) => {
            frames++;
            t.is(kind, vector.kind);
            t.is(requestId, vector.requestId);
            t.deepEqual(toJson(codec?.decode(bytes, start, end)), vector.message);
          },
          onFault: (fault, text) => {
            t.fail(`${fault}: ${text}`);
          },
        },
        FRAME_BODY_BYTES_MAX,
      );
      decoder.push(fromHex(vector.hex), 0);
      t.is(frames, 1);
      const frame = codec?.encode(fromJson(vector.message) as never, vector.requestId);
      t.is(toHex(frame ?? new Uint8Array(0)), vector.hex);
    });
  }
}

for (const refusal of vectorsIn<Refusal>('refused.json')) {
  test(`refused/${refusal.name}`, (t) => {
    const faults: string[] = [];
    const decoder = new FrameDecoder(
      {
        onFrame: (kind, _requestId, bytes, start, end) => {
          if (typeof CODECS.get(kind)?.decode(bytes, start, end) === 'string') faults.push('body');
        },
        onFault: (fault) => {
          faults.push(fault);
        },
      },
      refusal.frameBodyBytesMax,
    );
    decoder.push(fromHex(refusal.hex), 0);
    t.deepEqual(faults, [refusal.fault]);
  });
}

test('the example in PROTOCOL.md is the vector', (t) => {
  const text = readFileSync(new URL('../PROTOCOL.md', folder), 'utf8').replaceAll(/\s+/g, '');
  for (const name of ['get', 'get-reply']) {
    const vector = vectorsIn<Vector>('data.json').find((it) => it.name === name);
    t.truthy(vector);
    t.true(text.includes(vector?.hex ?? 'nothing'), `${name}: ${vector?.hex ?? ''}`);
  }
});
