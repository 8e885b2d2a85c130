import test from 'ava';
import { KNOWN_KINDS, groupOfKind, nameOfKind } from '../../src/wire/kinds.js';

test('every byte has a group, and known kinds are of one that is known', (t) => {
  const counts = new Map<string, number>();
  for (let kind = 0; kind < 256; kind++) {
    const group = groupOfKind(kind);
    counts.set(group, (counts.get(group) ?? 0) + 1);
    if (KNOWN_KINDS.includes(kind)) t.true(group !== 'unknown', nameOfKind(kind));
  }
  t.deepEqual([...counts].sort(), [
    ['admin', 64],
    ['connection', 15],
    ['data', 48],
    ['peer', 64],
    ['unknown', 65],
  ]);
});

test('names are for people, also those of kinds that we do not know', (t) => {
  t.is(nameOfKind(0x10), 'GET');
  t.is(nameOfKind(0x09), '0x09');
  t.is(new Set(KNOWN_KINDS.map(nameOfKind)).size, KNOWN_KINDS.length);
});
