/*
 * The protocol of earlier releases (test/fixtures) against the present one, both ways: what they send is read, what they would
 * have written is still written for the same words, and what is sent today says the same to them, by the schema that they have,
 * as it does to us. A node of the present build works beside theirs on nothing but that.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import protobuf from 'protobufjs';
import { fromHex, toHex } from '../../src/lib/bytes.js';
import { FRAME_HEADER_BYTES } from '../../src/model/limits.js';
import { FrameDecoder } from '../../src/wire/frame.js';
import { nameOfKind } from '../../src/wire/kinds.js';
import { ROOT } from '../support/daemon.js';
import { FIXTURES } from '../support/kept-cluster.js';
import { CODECS, FILES, fromJson, type Refusal, toJson, type Vector, vectorsOf } from './vectors.js';

const RELEASES = readdirSync(FIXTURES).filter((name) => existsSync(join(FIXTURES, name, 'partita.proto')));
const PRESENT = schemaAt(join(ROOT, 'protocol', 'partita.proto'));

function schemaAt(path: string): protobuf.Root {
  return protobuf.parse(readFileSync(path, 'utf8'), { keepCase: true }).root;
}

/** All messages, those within others too, by their full names. */
function messagesOf(space: protobuf.NamespaceBase): readonly protobuf.Type[] {
  return space.nestedArray.flatMap((one) => [
    ...(one instanceof protobuf.Type ? [one] : []),
    ...(one instanceof protobuf.Namespace ? messagesOf(one) : []),
  ]);
}

/** `HELLO_REPLY` is the kind of `HelloReply`. */
function messageOfKind(schema: protobuf.Root, kind: number): protobuf.Type | null {
  const words = nameOfKind(kind).toLowerCase().split('_');
  const name = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  const found = schema.lookup(`partita.v1.${name}`);
  return found instanceof protobuf.Type ? found : null;
}

/** All that `theirs` has, with the same value in `ours`. */
function isPartOf(theirs: unknown, ours: unknown): boolean {
  if (typeof theirs !== 'object' || theirs === null) return theirs === ours;
  if (typeof ours !== 'object' || ours === null) return false;
  return Object.entries(theirs).every(([name, value]) => isPartOf(value, (ours as Record<string, unknown>)[name]));
}

function vectorsIn(release: string): readonly Vector[] {
  const folder = join(FIXTURES, release, 'vectors');
  return readdirSync(folder)
    .filter((file) => file !== 'refused.json')
    .flatMap((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Vector[]);
}

test('there are releases', (t) => {
  t.deepEqual(RELEASES, ['release-0']);
});

for (const release of RELEASES) {
  test(`${release}: what it sends is read, and the same words are still the same bytes`, (t) => {
    const vectors = vectorsIn(release);
    t.true(vectors.length > 100);
    for (const { name, kind, requestId, message, hex } of vectors) {
      const codec = CODECS.get(kind);
      const bytes = fromHex(hex);
      t.deepEqual(toJson(codec?.decode(bytes, FRAME_HEADER_BYTES, bytes.length)), message, name);
      t.is(toHex(codec?.encode(fromJson(message) as never, requestId) ?? new Uint8Array(0)), hex, name);
    }
  });

  test(`${release}: what it refuses is refused`, (t) => {
    const refusals = JSON.parse(readFileSync(join(FIXTURES, release, 'vectors', 'refused.json'), 'utf8')) as Refusal[];
    for (const { name, frameBodyBytesMax, hex, fault } of refusals) {
      const faults: string[] = [];
      const sink = {
        onFrame: (kind: number, _id: number, bytes: Uint8Array, start: number, end: number): void => {
          if (typeof CODECS.get(kind)?.decode(bytes, start, end) === 'string') faults.push('body');
        },
        onFault: (what: string): void => {
          faults.push(what);
        },
      };
      new FrameDecoder(sink, frameBodyBytesMax).push(fromHex(hex), 0);
      t.deepEqual(faults, [fault], name);
    }
  });

  const theirs = schemaAt(join(FIXTURES, release, 'partita.proto'));

  test(`${release}: each of its fields has its number, its name and its type`, (t) => {
    const fields = messagesOf(theirs).flatMap((message) => message.fieldsArray.map((field) => ({ message, field })));
    t.true(fields.length > 200);
    for (const { message, field } of fields) {
      const present = PRESENT.lookupType(message.fullName).fields[field.name];
      const facts = (one: protobuf.Field | undefined): unknown => [one?.id, one?.type, one?.repeated];
      t.deepEqual(facts(present), facts(field), `${message.fullName}.${field.name}`);
    }
  });

  test(`${release}: what is sent today says the same to it as to us`, (t) => {
    let read = 0;
    for (const { name, kind, hex } of FILES.flatMap((file) => vectorsOf(file))) {
      const [old, present] = [messageOfKind(theirs, kind), messageOfKind(PRESENT, kind)];
      if (old === null || present === null) continue; // a kind that it does not know, and refuses
      const body = fromHex(hex).subarray(FRAME_HEADER_BYTES);
      t.true(isPartOf(old.decode(body).toJSON(), present.decode(body).toJSON()), `${name}: ${nameOfKind(kind)}`);
      read += 1;
    }
    t.true(read > 100, `${read} vectors`);
  });
}
