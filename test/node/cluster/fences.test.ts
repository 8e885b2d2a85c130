/* After a start: what a node holds is not shown before owners that are there have told what they have reaped. */
import test from 'ava';
import { Fences } from '../../../src/node/cluster/fences.js';
import type { ClusterParts } from '../../../src/node/cluster/parts.js';
import { Preferences } from '../../../src/node/cluster/preferences.js';
import type { BodyAsker } from '../../../src/node/peers/request.js';
import { encodeFencesReply } from '../../../src/wire/codec-reap.js';
import { MemoryStorage } from '../../support/memory-storage.js';
import { SimulatedTime } from '../../support/simulated-time.js';
import { ringOf } from '../peers/cluster.js';

const RING = ringOf(3);
const SELF = 1;
const PARTITION = 0;

class Desk {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly connected: Set<number> = new Set([2, 3]);
  readonly silent: Set<number> = new Set();
  readonly suspects: Set<number> = new Set();
  readonly fences: Fences;

  constructor(setUp: (desk: Desk) => void = () => undefined) {
    setUp(this);
    const storage = new MemoryStorage();
    const link = (peer: number): unknown => ({
      state: this.connected.has(peer) ? 'ready' : 'down',
      ask: (_kind: number, _body: Uint8Array, _timeoutMs: number, asker: BodyAsker): object | null => {
        if (!this.connected.has(peer)) return null;
        const body = encodeFencesReply({ fences: [] });
        if (!this.silent.has(peer))
          this.time.after(5, () => {
            asker.onAnswered(peer, 0, body, 0, body.length);
          });
        return {};
      },
    });
    const nothing = { add: () => undefined, set: () => undefined };
    const parts = {
      services: { ring: RING, log: { warn: () => undefined, info: () => undefined } },
      self: SELF,
      timers: this.time,
      links: { get: link },
      table: { isHealthy: (peer: number) => !this.suspects.has(peer) },
      preferences: new Preferences(RING),
      meters: { caughtUp: nothing },
      nowMs: () => this.time.monotonicMs(),
    };
    this.fences = new Fences(parts as unknown as ClusterParts, storage.reaps);
  }

  hides(isFound: boolean): boolean {
    return this.fences.hides(PARTITION, isFound);
  }
}

test('a record is not shown before every owner that is there has told what it has reaped', (t) => {
  const desk = new Desk(({ silent }) => silent.add(3));
  t.true(desk.hides(true));
  t.false(desk.hides(false), 'that there is none is no news to anybody');
  desk.time.runFor(200);
  t.true(desk.hides(true), 'one of them has told');
  desk.time.runFor(5_000);
  t.true(desk.hides(true), 'it is connected, so it will');
});

test('when all have told, what is there is shown', (t) => {
  const desk = new Desk();
  t.true(desk.hides(true));
  desk.time.runFor(10);
  t.false(desk.hides(true));
  t.true(desk.fences.isSettled(PARTITION));
});

test('an owner that is down is waited for a second at most, or until that is known', (t) => {
  const desk = new Desk(({ connected }) => connected.delete(3));
  desk.time.runFor(900);
  t.true(desk.hides(true));
  desk.suspects.add(3);
  t.false(desk.hides(true));
  desk.suspects.clear();
  desk.time.runFor(200);
  t.false(desk.hides(true));
  t.false(desk.fences.isSettled(PARTITION), 'and it may yet be told that it is behind');
  desk.connected.add(3);
  t.true(desk.hides(true), 'it is there again');
  desk.time.runFor(300);
  t.false(desk.hides(true));
});
