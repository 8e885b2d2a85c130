/* The hybrid clock of a node over a restart: what its log says of it. */
import test from 'ava';
import { run } from '../../src/lib/flow.js';
import { Prng } from '../../src/lib/prng.js';
import type { OpenLog } from '../../src/storage/engine-deps.js';
import { observing } from '../../src/storage/engine-log.js';
import type { Lsn } from '../../src/model/ids.js';
import { LOG_KINDS } from '../../src/storage/log-types.js';
import { freshActorHi } from '../../src/versioning/actor.js';
import { Hlc } from '../../src/versioning/hlc.js';
import { encodePlain } from '../versioning/support.js';

const HOUR_MS = 3_600_000;
const NOW_MS = 1_700_000_000_000;

/** A log that holds one record, stamped by the node with this ordinal. */
function logWith(ordinal: number, wallMs: number, logical: number): OpenLog {
  const prng = new Prng(1);
  const random = { u32: () => prng.u32(), fill: (bytes: Uint8Array) => prng.fill(bytes) };
  const actor = freshActorHi(ordinal, random).toString(16).padStart(8, '0') + '00000001';
  const sibling = {
    actor,
    counter: 1,
    tombstone: false,
    wallMs,
    logical,
    expiresMs: 0,
    putId: '0'.repeat(24),
    value: 'v',
  };
  const body = encodePlain({ key: 'k', context: { [actor]: 1 }, siblings: [sibling], remembered: [], cut: 0 });
  return function* (visit): ReturnType<OpenLog> {
    yield* [];
    visit(LOG_KINDS.record, 0, 1 as Lsn, body);
    return {} as ReturnType<OpenLog> extends Generator<unknown, infer Opened> ? Opened : never;
  };
}

function clockAfter(openLog: OpenLog): Hlc {
  const hlc = new Hlc(0, 0);
  const clock = { wallMs: () => NOW_MS, monotonicMs: () => 0 };
  const events = { onWritten: nothing, onDurable: nothing, onFailed: nothing, onDiskFull: nothing };
  run(observing(openLog, hlc, clock, 7)(nothing, events, 0), (error) => {
    if (error !== null) throw error;
  });
  return hlc;
}

const nothing = (): void => undefined;

test('a node never stamps below what it stamped before a restart, however far its wall clock was set back', (t) => {
  const hlc = clockAfter(logWith(7, NOW_MS + HOUR_MS, 3));
  hlc.tick(NOW_MS);
  t.deepEqual([hlc.wallMs, hlc.logical], [NOW_MS + HOUR_MS, 4]);
});

test('what another node stamped is followed only as far as the allowed skew', (t) => {
  const hlc = clockAfter(logWith(8, NOW_MS + HOUR_MS, 3));
  t.is(hlc.wallMs, NOW_MS + 60_000);
});
