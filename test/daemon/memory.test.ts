import { fc } from '@fast-check/ava';
import test from 'ava';
import { CONNECTION_BUFFER_BYTES, frameBytesMax, oldSpaceAdvice, planMemory } from '../../src/daemon/memory.js';
import type { MemoryWishes } from '../../src/daemon/memory.js';

const MIB = 1_048_576;
const wishes: MemoryWishes = {
  memoryMax: 512 * MIB,
  valueBytesMax: MIB,
  segmentBytes: 64 * MIB,
  logBytesMax: 'auto',
  connectionsMax: 'auto',
  inFlightBytesPerConnection: 'auto',
};

function faultPaths(changed: Partial<MemoryWishes>): readonly string[] {
  const result = planMemory({ ...wishes, ...changed });
  return result.ok ? [] : result.faults.map((fault) => fault.path);
}

test('512 MiB: 128 MiB of write buffer, 256 MiB of log, 2048 connections', (t) => {
  const result = planMemory(wishes);
  if (!result.ok) return t.fail(JSON.stringify(result.faults));
  t.is(result.plan.memory.writeBufferBytes, 128 * MIB);
  t.is(result.plan.logBytesMax, 256 * MIB);
  t.is(result.plan.connectionsMax, 2_048);
  t.is(result.plan.inFlightBytesPerConnection, 16 * MIB);
  return undefined;
});

test('any memoryMax gives a plan that keeps its relations, or a fault', (t) => {
  const size = fc.integer({ min: 128, max: 1_048_576 });
  fc.assert(
    fc.property(
      size,
      fc.integer({ min: 1, max: 16 * 1024 }),
      fc.integer({ min: 1, max: 1_024 }),
      (memoryMib, valueKib, segmentMib) => {
        const memoryMax = memoryMib * MIB;
        const valueBytesMax = valueKib * 1_024;
        const result = planMemory({ ...wishes, memoryMax, valueBytesMax, segmentBytes: segmentMib * MIB });
        if (!result.ok) return result.faults.length > 0;
        const { memory, connectionsMax, inFlightBytesPerConnection, logBytesMax } = result.plan;
        const shares = [
          memory.writeBufferBytes,
          memory.inFlightBytes,
          memory.connectionBufferBytes,
          memory.hotCacheBytes,
          memory.oldSpaceBytes,
        ];
        return (
          shares.reduce((a, b) => a + b, 0) < memoryMax &&
          connectionsMax * CONNECTION_BUFFER_BYTES <= memory.connectionBufferBytes &&
          frameBytesMax(valueBytesMax) <= inFlightBytesPerConnection &&
          inFlightBytesPerConnection <= memory.inFlightBytes &&
          memory.writeBufferBytes <= logBytesMax
        );
      },
    ),
    { numRuns: 2_000 },
  );
  t.pass();
});

test('wishes that contradict memoryMax are faults, named by their setting', (t) => {
  t.deepEqual(faultPaths({ valueBytesMax: 16 * MIB }), ['memoryMax']);
  t.deepEqual(faultPaths({ connectionsMax: 4_097 }), ['limits.connectionsMax']);
  t.deepEqual(faultPaths({ inFlightBytesPerConnection: MIB }), ['limits.inFlightBytesPerConnection']);
  t.deepEqual(faultPaths({ inFlightBytesPerConnection: 65 * MIB }), ['limits.inFlightBytesPerConnection']);
  t.deepEqual(faultPaths({ logBytesMax: 127 * MIB }), ['storage.logBytesMax']);
  t.deepEqual(faultPaths({ segmentBytes: 2 * MIB }), ['storage.segmentBytes']);
});

test('a heap that may outgrow memoryMax is pointed out, with the option that stops it', (t) => {
  t.is(oldSpaceAdvice(512 * MIB, 128 * MIB, 400 * MIB), undefined);
  t.regex(oldSpaceAdvice(512 * MIB, 128 * MIB, 4_144 * MIB) ?? '', /4144MiB.*--max-old-space-size=128$/);
});
