/* When the receiver of a partition, and a node that leaves, say that they are further: each step waits for what it says. */
import test from 'ava';
import { Prng } from '../../../src/lib/prng.js';
import { type Catching, MoveDriver, type Proposing } from '../../../src/node/cluster/move-driver.js';
import { SETTLE_MS } from '../../../src/node/cluster/owner-meeting.js';
import type { ClusterParts } from '../../../src/node/cluster/parts.js';
import { decodeRing, type RingDocument } from '../../../src/ring/document.js';
import type { RingMove } from '../../../src/ring/moves.js';
import { SimulatedTime } from '../../support/simulated-time.js';
import { ringOf } from '../peers/cluster.js';
import { copied, leaving, removed, settled } from './moved-rings.js';

/** Several looks. */
const A_WHILE = 3_000;
const LEAVER = 5;

/** A driver in a world in which all is as the test says. */
class Desk implements Catching, Proposing {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly driver: MoveDriver;
  readonly self: number;
  ring: RingDocument;
  /** Of links: by ordinal. */
  readonly links: Map<number, { state: string; ringVersion: number }> = new Map();
  // Catching
  suspect: number[] = [];
  /** Partition → since when all owners have been met. */
  readonly met: Map<number, number> = new Map();
  readonly hastened: Map<number, number> = new Map();
  departures: { isOver: boolean } = { isOver: true };
  // Proposing
  acceptorId: string = '';
  readonly proposed: RingDocument[] = [];
  readonly proposedMs: number[] = [];
  outcome: string | null = 'noQuorum';
  readonly #waiting: (() => void)[] = [];
  // ClusterParts
  hints: { count: number } = { count: 0 };
  readonly inherited: number[] = [];
  /** Null: no answer. */
  inheritError: Error | null | 'no answer' = null;

  constructor(ring: RingDocument, self: number) {
    this.ring = ring;
    this.self = self;
    for (const { ordinal } of ring.members)
      if (ordinal !== self) this.links.set(ordinal, { state: 'ready', ringVersion: ring.version });
    const ringNow = (): RingDocument => this.ring;
    const parts = {
      self,
      timers: this.time,
      links: this.links,
      services: {
        clock: this.time,
        get ring(): RingDocument {
          return ringNow();
        },
      },
      hints: this.hints,
      fences: {
        inherit: (partition: number, done: (error: Error | null) => void): void => {
          this.inherited.push(partition);
          if (this.inheritError !== 'no answer') done(this.inheritError);
        },
      },
      nowMs: () => this.time.monotonicMs(),
    };
    this.driver = new MoveDriver(parts as unknown as ClusterParts, this, this, new Prng(3));
  }

  suspects(): ReadonlySet<number> {
    return new Set(this.suspect);
  }

  hasten(partition: number, sinceMs: number): void {
    this.hastened.set(partition, sinceMs);
  }

  hasMetAll(partition: number, sinceMs: number): boolean {
    return (this.met.get(partition) ?? -1) >= sinceMs;
  }

  propose(document: Uint8Array, done: (outcome: { readonly kind: string }) => void): void {
    const ring = decodeRing(document);
    if ('fault' in ring) throw new Error(ring.fault);
    this.proposed.push(ring);
    this.proposedMs.push(this.time.monotonicMs());
    const tell = (): void => {
      done({ kind: this.outcome ?? '' });
    };
    if (this.outcome === null) this.#waiting.push(tell);
    else this.time.endOfTurn(tell);
  }

  learnFrom(): void {}

  /** Every partition has been met by now. */
  metAll(): void {
    for (const partition of this.hastened.keys()) this.met.set(partition, this.time.monotonicMs());
  }

  install(ring: RingDocument): void {
    this.ring = ring;
    for (const link of this.links.values()) link.ringVersion = ring.version;
    this.driver.setRing();
  }

  steps(): string {
    return [...new Set(this.driver.status().map(({ step }) => step))].join(' ');
  }
}

const first = ringOf(5);
const copying = leaving(first, LEAVER);
const settling = copied(copying);
const RECEIVER = (copying.moves[0] as RingMove).to;
const incoming = (ring: RingDocument): readonly RingMove[] => ring.moves.filter(({ to }) => to === RECEIVER);

test('a copy is done when reap logs, records, nodes and a last comparison are, in that order', (t) => {
  const desk = new Desk(copying, RECEIVER);
  const partitions = incoming(copying).map(({ partition }) => partition);
  desk.inheritError = new Error('An owner does not answer');
  desk.suspect = [...partitions];
  desk.time.runFor(A_WHILE);
  t.is(desk.steps(), 'reap-logs');
  t.true(desk.inherited.length > partitions.length, 'it is tried again');

  desk.inheritError = null;
  desk.time.runFor(A_WHILE);
  t.is(desk.steps(), 'restoring');
  t.is(desk.hastened.size, 0);

  desk.suspect = [];
  const late = desk.links.get(LEAVER) as { ringVersion: number };
  late.ringVersion = copying.version - 1;
  desk.time.runFor(A_WHILE);
  t.is(desk.steps(), 'waiting-for-nodes');
  t.is(desk.hastened.size, 0);

  late.ringVersion = copying.version;
  desk.time.runFor(SETTLE_MS);
  t.is(desk.steps(), 'waiting-for-nodes', 'what they had begun may be too young to be compared');
  desk.time.runFor(A_WHILE);
  t.is(desk.steps(), 'comparing');
  t.deepEqual([...desk.hastened.keys()], partitions);
  t.is(desk.proposed.length, 0);

  desk.metAll();
  desk.time.runFor(1_000);
  const [next] = desk.proposed as [RingDocument];
  t.is(next.version, copying.version + 1);
  t.true(incoming(next).every(({ phase }) => phase === 'settle'));
  t.true(
    next.moves.filter(({ to }) => to !== RECEIVER).every(({ phase }) => phase === 'copy'),
    'those are not its',
  );
});

test('meetings that began before everybody knew do not count', (t) => {
  const desk = new Desk(copying, RECEIVER);
  for (const { partition } of incoming(copying)) desk.met.set(partition, 0);
  desk.time.runFor(SETTLE_MS + A_WHILE);
  t.is(desk.steps(), 'comparing');
  for (const sinceMs of desk.hastened.values()) t.true(sinceMs >= SETTLE_MS);
  t.is(desk.proposed.length, 0);
});

test('a node that was away and comes back by an older ring makes the last comparison void', (t) => {
  const desk = new Desk(copying, RECEIVER);
  const away = desk.links.get(LEAVER) as { state: string; ringVersion: number };
  away.state = 'closed';
  away.ringVersion = 0;
  desk.time.runFor(SETTLE_MS + A_WHILE);
  t.is(desk.steps(), 'comparing', 'nobody waits for it');
  away.state = 'ready';
  away.ringVersion = copying.version - 1;
  desk.time.runFor(1_000);
  t.is(desk.steps(), 'waiting-for-nodes');
  desk.metAll();
  const backMs = desk.time.monotonicMs();
  away.ringVersion = copying.version;
  desk.time.runFor(SETTLE_MS);
  t.is(desk.proposed.length, 0);
  desk.time.runFor(A_WHILE);
  t.is(desk.steps(), 'comparing');
  for (const sinceMs of desk.hastened.values()) t.true(sinceMs >= backMs + SETTLE_MS);
});

test('what is settled needs that everybody who is connected knows, and every owner, connected or not', (t) => {
  const desk = new Desk(settling, RECEIVER);
  const late = desk.links.get(LEAVER) as { state: string; ringVersion: number };
  late.ringVersion = settling.version - 1;
  desk.time.runFor(A_WHILE);
  t.is(desk.steps(), 'settling');
  t.is(desk.proposed.length, 0);
  late.state = 'down';
  desk.time.runFor(A_WHILE);
  const [next] = desk.proposed as [RingDocument];
  t.deepEqual(incoming(next), []);
  t.is(next.moves.length, settling.moves.length - incoming(settling).length);
});

test('an owner that is away holds up the end of a move until it has heard of the ring', (t) => {
  const desk = new Desk(settling, RECEIVER);
  const n = settling.replicaCount;
  const [{ partition }] = incoming(settling) as [RingMove];
  const owner = settling.owners.slice(partition * n, partition * n + n).find((one) => one !== RECEIVER) as number;
  const away = desk.links.get(owner) as { state: string; ringVersion: number };
  Object.assign(away, { state: 'down', ringVersion: settling.version - 1 });
  desk.time.runFor(A_WHILE);
  const waits = (ring: RingDocument | undefined): boolean =>
    incoming(ring ?? settling).some((move) => move.partition === partition);
  t.true(waits(desk.proposed.at(-1)));
  away.ringVersion = settling.version;
  desk.time.runFor(20_000);
  t.false(waits(desk.proposed.at(-1)));
});

test('what was lost with a node is taken over when it is believed, and the reap logs are known', (t) => {
  const lost = removed(first, LEAVER);
  const desk = new Desk(lost, RECEIVER);
  const taken = incoming(lost).map(({ partition }) => partition);
  t.true(taken.length > 1);
  desk.inheritError = 'no answer';
  desk.time.runFor(A_WHILE);
  t.is(desk.steps(), 'reap-logs');
  t.deepEqual(desk.inherited, taken, 'each is asked for once at a time');
  t.is(desk.proposed.length, 0);

  const again = new Desk(lost, RECEIVER);
  again.suspect = taken.slice(1);
  again.time.runFor(1_000);
  const [next] = again.proposed as [RingDocument];
  t.deepEqual(
    incoming(next).map(({ partition }) => partition),
    taken.slice(1),
  );
});

test('proposals that come to nothing are made at growing intervals, one at a time', (t) => {
  const desk = new Desk(settling, RECEIVER);
  desk.outcome = null;
  desk.time.runFor(60_000);
  t.is(desk.proposed.length, 1, 'the first has not ended');

  for (const outcome of ['noQuorum', 'lost', 'behind', 'won']) {
    const other = new Desk(settling, RECEIVER);
    other.outcome = outcome;
    other.time.runFor(600_000);
    const { length } = other.proposed;
    t.true(length > 10 && length < 150, `${outcome}: ${length} in ten minutes`);
    const early = other.proposedMs.filter((ms) => ms < 60_000).length;
    const late = other.proposedMs.filter((ms) => ms >= 540_000).length;
    t.true(late < early, `${outcome}: ${early} in the first minute, ${late} in the last`);
  }
});

test('a new ring ends the pause', (t) => {
  const desk = new Desk(settling, RECEIVER);
  desk.time.runFor(120_000);
  const before = desk.proposed.length;
  const next = desk.proposed[0] as RingDocument;
  const rest = { ...copied(copying), version: next.version };
  desk.install(rest);
  desk.time.runFor(1_000);
  t.true(desk.proposed.length > before);
  t.is((desk.proposed.at(-1) as RingDocument).version, next.version + 1);
});

test('a node that leaves says so only when it holds nothing', (t) => {
  const over = settled(settling);
  const desk = new Desk(over, LEAVER);
  desk.departures.isOver = false;
  desk.time.runFor(A_WHILE);
  t.is(desk.proposed.length, 0);
  desk.departures.isOver = true;
  desk.hints.count = 1;
  desk.time.runFor(A_WHILE);
  t.is(desk.proposed.length, 0);
  desk.hints.count = 0;
  desk.time.runFor(1_000);
  const [next] = desk.proposed as [RingDocument];
  t.false(next.members.some(({ ordinal }) => ordinal === LEAVER));
  t.is(next.change, 'node 5 has left');
});

test('a node that leaves stays as long as it gives something up, and who does not leave never goes', (t) => {
  for (const [ring, self] of [
    [copying, LEAVER],
    [settling, LEAVER],
    [settled(settling), 1],
  ] as const) {
    const desk = new Desk(ring, self);
    for (const { to, partition } of ring.moves) if (to === self) desk.suspect.push(partition);
    desk.time.runFor(A_WHILE);
    t.true(desk.proposed.every(({ members }) => members.some(({ ordinal }) => ordinal === self)));
    t.true(self !== LEAVER || desk.proposed.length === 0);
  }
});

test('a move of the next ring begins anew, and nothing is done after the stop', (t) => {
  const desk = new Desk(copying, RECEIVER);
  desk.time.runFor(SETTLE_MS + A_WHILE);
  t.is(desk.steps(), 'comparing');
  const back = leaving(leaving(first, LEAVER), LEAVER, false);
  desk.install(back);
  t.is(desk.steps(), '');
  const anew = leaving(back, LEAVER);
  desk.install(anew);
  t.is(desk.steps(), 'reap-logs');
  desk.driver.stop();
  const before = desk.inherited.length;
  desk.time.runFor(60_000);
  t.is(desk.inherited.length, before);
});
