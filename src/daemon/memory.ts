/*
 * One number, `memoryMax`, gives all the others. Shares of it, in sixteenths:
 *
 *      0        4      6      8     10          14    16
 *      ├────────┼──────┼──────┼──────┼───────────┼─────┤
 *       write    in     conn.  hot    V8 old      rest: young generation, stacks, libuv, LMDB's pages
 *       buffer   flight bufs   cache  space       under way, live Merkle leaves (12 bytes x 2^20)
 *
 * What is mapped from partition files is the page cache's and not counted: the kernel takes it back when it wants to.
 *
 * The old space is a target that this process cannot set for itself: V8 reads its limit when the isolate is made, and
 * v8.setFlagsFromString('--max-old-space-size=…') afterwards changes nothing (measured on Node 20: 393 MiB of live
 * objects under a "limit" of 128). Whoever starts node has to pass it; `oldSpaceAdvice` says how when nobody did.
 */
import { assert } from '../lib/assert.js';
import { MALLOC_ENVIRONMENT } from '../lib/malloc-environment.js';
import { FRAME_HEADER_BYTES, FRAME_OVERHEAD_BYTES } from '../model/limits.js';
import type { Auto } from './config-schema.js';
import type { MemoryShares } from './config-types.js';
import { formatSize } from './config-units.js';

const MIB = 1_048_576;

/** What a connection that does nothing costs (measured: 21 KiB of heap and about as much beside it): socket, decoder, session. */
export const CONNECTION_BUFFER_BYTES = 32_768;
export const CONNECTIONS_DEFAULT_MAX = 8_192;

export interface MemoryWishes {
  readonly memoryMax: number;
  readonly valueBytesMax: number;
  readonly segmentBytes: number;
  readonly logBytesMax: number | Auto;
  readonly connectionsMax: number | Auto;
  readonly inFlightBytesPerConnection: number | Auto;
}

export interface MemoryPlan {
  readonly memory: MemoryShares;
  readonly logBytesMax: number;
  readonly connectionsMax: number;
  readonly inFlightBytesPerConnection: number;
}

export type MemoryResult =
  | { readonly ok: true; readonly plan: MemoryPlan }
  | { readonly ok: false; readonly faults: readonly { readonly path: string; readonly message: string }[] };

/** The largest frame of a client: a value, and what goes with it. */
export function frameBytesMax(valueBytesMax: number): number {
  return FRAME_HEADER_BYTES + FRAME_OVERHEAD_BYTES + valueBytesMax;
}

export function planMemory(wishes: MemoryWishes): MemoryResult {
  const sixteenth = Math.floor(wishes.memoryMax / 16);
  const memory: MemoryShares = {
    writeBufferBytes: 4 * sixteenth,
    inFlightBytes: 2 * sixteenth,
    connectionBufferBytes: 2 * sixteenth,
    hotCacheBytes: 2 * sixteenth,
    oldSpaceBytes: 4 * sixteenth,
  };
  const frameMax = frameBytesMax(wishes.valueBytesMax);
  const plan: MemoryPlan = {
    memory,
    logBytesMax: pick(wishes.logBytesMax, Math.max(2 * memory.writeBufferBytes, 2 * wishes.segmentBytes)),
    connectionsMax: pick(
      wishes.connectionsMax,
      Math.min(CONNECTIONS_DEFAULT_MAX, Math.floor(memory.connectionBufferBytes / CONNECTION_BUFFER_BYTES)),
    ),
    inFlightBytesPerConnection: pick(
      wishes.inFlightBytesPerConnection,
      Math.min(memory.inFlightBytes, Math.max(Math.floor(memory.inFlightBytes / 4), frameMax)),
    ),
  };
  const faults = faultsOf(wishes, plan, frameMax);
  if (faults.length > 0) return { ok: false, faults };
  assertRelations(wishes.memoryMax, plan, frameMax);
  return { ok: true, plan };
}

function pick(wish: number | Auto, derived: number): number {
  return wish === 'auto' ? derived : wish;
}

/** What an operator can get wrong, in the operator's terms. */
function faultsOf(wishes: MemoryWishes, plan: MemoryPlan, frameMax: number): { path: string; message: string }[] {
  const faults: { path: string; message: string }[] = [];
  const demand = (holds: boolean, path: string, message: string): void => {
    if (!holds) faults.push({ path, message });
  };
  const { memory } = plan;
  // A record may hold its old siblings too, and the buffer is refused at its end: room for eight largest values.
  const memoryFor = Math.max(Math.ceil((8 * frameMax) / 4), Math.ceil((2 * frameMax) / 2)) * 16;
  demand(
    8 * frameMax <= memory.writeBufferBytes && 2 * frameMax <= memory.inFlightBytes,
    'memoryMax',
    `Values of ${formatSize(wishes.valueBytesMax)} need a memoryMax of at least ${Math.ceil(memoryFor / MIB)}MiB; raise it, or lower valueBytesMax`,
  );
  demand(
    plan.connectionsMax * CONNECTION_BUFFER_BYTES <= memory.connectionBufferBytes,
    'limits.connectionsMax',
    `memoryMax leaves room for ${Math.floor(memory.connectionBufferBytes / CONNECTION_BUFFER_BYTES)} connections (${formatSize(CONNECTION_BUFFER_BYTES)} each)`,
  );
  demand(
    wishes.inFlightBytesPerConnection === 'auto' || frameMax <= plan.inFlightBytesPerConnection,
    'limits.inFlightBytesPerConnection',
    `The largest frame has ${frameMax} bytes, and one must fit`,
  );
  demand(
    plan.inFlightBytesPerConnection <= memory.inFlightBytes,
    'limits.inFlightBytesPerConnection',
    `memoryMax leaves ${formatSize(memory.inFlightBytes)} for all connections together`,
  );
  demand(
    wishes.logBytesMax === 'auto' || wishes.logBytesMax >= Math.max(2 * wishes.segmentBytes, memory.writeBufferBytes),
    'storage.logBytesMax',
    `It must hold two segments and the write buffer: at least ${formatSize(Math.max(2 * wishes.segmentBytes, memory.writeBufferBytes))}`,
  );
  demand(
    2 * frameMax <= wishes.segmentBytes,
    'storage.segmentBytes',
    `A segment must hold at least two of the largest records: ${Math.ceil((2 * frameMax) / MIB)}MiB with this valueBytesMax`,
  );
  return faults;
}

/** What only we can get wrong. */
function assertRelations(memoryMax: number, plan: MemoryPlan, frameMax: number): void {
  const { memory } = plan;
  const sum = Object.values(memory as unknown as Record<string, number>).reduce((a, b) => a + b, 0);
  assert(sum <= memoryMax - memoryMax / 16, 'the shares leave room for what is not counted');
  assert(frameMax <= plan.inFlightBytesPerConnection, 'one frame fits into what a connection may have under way');
  assert(plan.inFlightBytesPerConnection <= memory.inFlightBytes, 'one connection may not have more than all together');
  assert(memory.writeBufferBytes <= plan.logBytesMax, 'the log is allowed what the buffer holds');
  assert(plan.connectionsMax >= 1, 'somebody can connect');
}

/** A line for the log if V8 may grow beyond its share, or undefined. `heapLimit`: v8.getHeapStatistics().heap_size_limit. */
export function oldSpaceAdvice(memoryMax: number, oldSpaceBytes: number, heapLimit: number): string | undefined {
  if (heapLimit <= memoryMax) return undefined;
  const mib = Math.floor(oldSpaceBytes / MIB);
  return `V8 may grow its heap to ${Math.round(heapLimit / MIB)}MiB, beyond memoryMax: start with NODE_OPTIONS=--max-old-space-size=${mib}`;
}

/** A line for the log if nobody told it, or undefined. */
export function mallocAdvice(env: NodeJS.ProcessEnv): string | undefined {
  if (env['MALLOC_MMAP_THRESHOLD_'] !== undefined) return undefined;
  const words = Object.entries(MALLOC_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  return `malloc keeps what large values have freed, beyond memoryMax: start with ${words.join(' ')} in the environment`;
}
