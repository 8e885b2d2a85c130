/*
 * What does it cost a node to count its load? CPU nanoseconds of a get or put that is coordinated and served here, by
 * the popularity of its key; and of the sketch alone, were every request looked at. Each figure is the least of several
 * rounds, which is what the machine does when nobody disturbs it.
 *
 *   node dist/bench/load-counters.js [--rounds 9] [--requests 1000000]
 */
import { parseArgs } from 'node:util';
import { LoadCounters } from '../src/balance/load-counters.js';
import { SpaceSaving } from '../src/balance/space-saving.js';
import { Prng } from '../src/lib/prng.js';
import { Zipfian } from './load/zipf.js';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '9' }, requests: { type: 'string', default: '1000000' } },
});
const rounds = Number(values.rounds);
const REQUESTS = Number(values.requests);
const KEYS = 100_000;
const PARTITION_BITS = 8;
const BYTES = 1_024;
const WATCHED = 512;
const KEY_BYTES_KEPT = 128;

interface Requests {
  readonly keys: readonly Uint8Array[];
  readonly his: Uint32Array;
  readonly los: Uint32Array;
  readonly order: Uint32Array;
}

function requestsOf(draw: (prng: Prng) => number): Requests {
  const prng = new Prng(1);
  return {
    keys: Array.from({ length: KEYS }, (_, i) => Buffer.from(`user${String(i).padStart(12, '0')}`)),
    his: Uint32Array.from({ length: KEYS }, () => prng.u32()),
    los: Uint32Array.from({ length: KEYS }, () => prng.u32()),
    order: Uint32Array.from({ length: REQUESTS }, () => draw(prng)),
  };
}

/** ns a request; `each` gets the number of the key. */
function timed({ order }: Requests, each: (key: number) => void): number {
  let least = Infinity;
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < REQUESTS; i++) each(order[i] as number);
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, user + system);
  }
  return (1_000 * least) / REQUESTS;
}

function measure(name: string, requests: Requests): void {
  const { keys, his, los } = requests;
  const counters = new LoadCounters(2 ** PARTITION_BITS, 0);
  const sketch = new SpaceSaving(WATCHED, KEY_BYTES_KEPT);
  let seen = 0;
  const nothing = timed(requests, (key) => {
    seen = (seen + (his[key] as number) + (los[key] as number) + (keys[key] === undefined ? 1 : 0)) | 0;
  });
  const counted = timed(requests, (key) => {
    const hi = his[key] as number;
    const partition = hi >>> (32 - PARTITION_BITS);
    counters.requested(partition, hi, los[key] as number, keys[key] as Uint8Array);
    counters.read(partition, BYTES);
  });
  const sketched = timed(requests, (key) => {
    sketch.note(his[key] as number, los[key] as number, keys[key] as Uint8Array);
  });
  const figures = [counted - nothing, sketched - nothing].map((ns) => `${ns.toFixed(1)} ns`.padStart(10)).join('');
  console.log(`${name.padEnd(24)}${figures}`);
}

console.log(`${''.padEnd(24)}   counted  the sketch of every request, for ${KEYS} keys`);
measure(
  'uniform',
  requestsOf((prng) => prng.int(KEYS)),
);
const ranks = new Zipfian(new Prng(2), KEYS);
measure(
  'zipf 0.99',
  requestsOf(() => ranks.next(KEYS)),
);
