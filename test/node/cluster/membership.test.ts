/* How a ring comes into force: suspect, kept, applied, in that order, whatever comes between; and what is refused. */
import test from 'ava';
import type { Log } from '../../../src/env/meter.js';
import { Membership } from '../../../src/node/cluster/membership.js';
import type { ClusterParts } from '../../../src/node/cluster/parts.js';
import { encodeRing, type RingDocument } from '../../../src/ring/document.js';
import type { ReplicaStorage } from '../../../src/storage/replica-storage.js';
import { SimulatedTime } from '../../support/simulated-time.js';
import { ringOf } from '../peers/cluster.js';
import { copied, leaving, nextVersion, removed, rowOf, settled } from './moved-rings.js';

const LEAVER = 5;
const first = ringOf(5);
const copying = leaving(first, LEAVER);
const settling = copied(copying);
const over = settled(settling);

const versionOf = (document: Uint8Array): number =>
  (JSON.parse(Buffer.from(document).toString()) as RingDocument).version;

class Desk {
  readonly time: SimulatedTime = new SimulatedTime();
  readonly said: string[] = [];
  readonly errors: string[] = [];
  readonly membership: Membership;
  ring: RingDocument;
  kept: Uint8Array;
  /** Answered only when the test says so. */
  holds: 'suspect' | 'save' | null = null;
  readonly waiting: ((error: Error | null) => void)[] = [];
  named: { ordinal: number; state: string; ringVersion: number }[] = [];

  constructor(ring: RingDocument, self: number) {
    this.ring = ring;
    this.kept = encodeRing(ring);
    const log: Log = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (event, fields) => this.errors.push(`${event} ${JSON.stringify(fields)}`),
    };
    const ringNow = (): RingDocument => this.ring;
    const parts = {
      self,
      timers: this.time,
      links: { status: () => this.named },
      services: {
        log,
        get ring(): RingDocument {
          return ringNow();
        },
      },
    } as unknown as ClusterParts;
    const replicas = {
      suspect: (partition: number, _why: unknown, done: (error: Error | null) => void): void => {
        this.said.push(`suspect ${partition}`);
        this.#answer('suspect', done);
      },
    } as unknown as ReplicaStorage;
    this.membership = new Membership({
      parts,
      replicas,
      keeper: {
        kept: this.kept,
        save: (document, done): void => {
          this.said.push(`save ${versionOf(document)}`);
          this.#answer('save', (error) => {
            if (error === null) this.kept = document;
            done(error);
          });
        },
      },
      learnFrom: (whom) => this.said.push(`learn from ${whom}`),
      expect: (partitions) => this.said.push(`expect ${partitions.join(' ')}`),
      apply: (next): void => {
        this.said.push(`apply ${next.version}`);
        this.ring = next;
      },
      onRemoved: (version) => this.said.push(`removed ${version}`),
    });
  }

  install(ring: RingDocument): void {
    this.membership.install(encodeRing(ring));
  }

  /** Everything that it waits for answers so. */
  answer(error: Error | null = null): void {
    for (const done of this.waiting.splice(0)) done(error);
  }

  take(): readonly string[] {
    return this.said.splice(0);
  }

  #answer(call: 'suspect' | 'save', done: (error: Error | null) => void): void {
    if (this.holds === call) this.waiting.push(done);
    else done(null);
  }
}

const partitionsTo = (ring: RingDocument, self: number): readonly number[] =>
  ring.moves.filter(({ to }) => to === self).map(({ partition }) => partition);

/** What is said of a ring by which these partitions come to the node. */
const saidOf = (version: number, arriving: readonly number[]): readonly string[] => [
  `expect ${arriving.join(' ')}`,
  ...arriving.map((partition) => `suspect ${partition}`),
  `save ${version}`,
  `apply ${version}`,
];

test('what comes to this node is suspect before the ring is kept, and the ring is kept before it is in force', (t) => {
  const desk = new Desk(first, 1);
  const arriving = partitionsTo(copying, 1);
  t.true(arriving.length > 1);
  desk.install(copying);
  t.deepEqual(desk.take(), saidOf(2, arriving));

  for (const holds of ['suspect', 'save'] as const) {
    const slow = new Desk(first, 1);
    slow.holds = holds;
    slow.install(copying);
    t.is(slow.take().at(-1), holds === 'save' ? 'save 2' : `suspect ${arriving[0]}`);
    t.is(slow.ring.version, 1);
    t.is(slow.membership.ring().version, 1);
    t.deepEqual(slow.membership.ring().document, encodeRing(first));
    slow.holds = null;
    slow.answer();
    t.is(slow.take().at(-1), 'apply 2');
    t.deepEqual(slow.membership.ring().document, encodeRing(copying));
  }
});

test("a partition whose arrival is known is not suspect again when it is this node's", (t) => {
  const desk = new Desk(copying, 1);
  desk.install(settling);
  t.deepEqual(desk.take(), saidOf(3, []));
  desk.install(over);
  t.deepEqual(desk.take(), saidOf(4, []));
});

test('versions may be skipped: what has come meanwhile is suspect', (t) => {
  const desk = new Desk(first, 1);
  desk.install(over);
  t.deepEqual(desk.take(), saidOf(4, partitionsTo(copying, 1)));
});

test('what is taken over from a node that was lost is suspect, even if a copy of it was on its way', (t) => {
  const lost = removed(copying, LEAVER);
  const desk = new Desk(copying, 1);
  desk.install(lost);
  const arriving = lost.owners.flatMap((owner, at) => (owner === 1 ? [Math.floor(at / lost.replicaCount)] : []));
  const had = copying.owners.flatMap((owner, at) => (owner === 1 ? [Math.floor(at / lost.replicaCount)] : []));
  t.deepEqual(
    desk.take(),
    saidOf(
      3,
      arriving.filter((partition) => !had.includes(partition)),
    ),
  );
});

test('a ring that comes while another is being kept waits, and only the newest of those that wait is installed', (t) => {
  const desk = new Desk(first, 2);
  desk.holds = 'save';
  desk.install(copying);
  desk.take();
  desk.install(settling);
  desk.install(over);
  desk.install(settling);
  t.deepEqual(desk.take(), []);
  desk.holds = null;
  desk.answer();
  t.deepEqual(desk.take(), ['apply 2', 'expect ', 'save 4', 'apply 4']);
});

test('a ring that could not be kept is tried again, or the newer one that has come meanwhile', (t) => {
  const desk = new Desk(first, 2);
  desk.holds = 'save';
  desk.install(copying);
  desk.answer(new Error('The disk is full'));
  t.is(desk.ring.version, 1);
  t.regex(desk.errors[0] as string, /^ring-not-kept .*The disk is full/);
  desk.take();
  desk.time.runFor(1_100);
  t.is(desk.take().at(-1), 'save 2');
  desk.install(over);
  desk.answer(new Error('The disk is full'));
  desk.holds = null;
  desk.time.runFor(1_100);
  t.is(desk.take().at(-1), 'apply 4');
});

test('what is no ring, or one of another cluster, is refused and nothing is done', (t) => {
  const desk = new Desk(first, 1);
  const strangers: readonly (readonly [Uint8Array, RegExp])[] = [
    [Buffer.from('no ring'), /not JSON/],
    [Buffer.from('{}'), /ring format/],
    [encodeRing({ ...copying, owners: copying.owners.slice(1) }), /owners/],
    [encodeRing({ ...copying, clusterId: 'd'.repeat(32) }), /of the cluster with id d/],
    [encodeRing({ ...ringOf(5, 1), version: 2 }), /Q and N never change/],
  ];
  for (const [document, reason] of strangers) {
    t.regex(desk.membership.faultOf(document), reason);
    desk.membership.install(document);
    t.regex(desk.errors.pop() as string, reason);
  }
  t.regex(desk.membership.faultOf(encodeRing(settling)), /it has version 3, and 1 is in force/);
  t.regex(desk.membership.faultOf(encodeRing(first)), /it has version 1, and 1 is in force/);
  t.is(desk.membership.faultOf(encodeRing(copying)), '');
  t.deepEqual(desk.take(), []);
  t.is(desk.ring, first);
});

test('an older ring and the same one are no news; another one of the same version is an alarm', (t) => {
  const desk = new Desk(settling, 1);
  desk.install(copying);
  desk.install(settling);
  t.deepEqual(desk.errors, []);
  desk.install({ ...settling, change: 'another' });
  t.regex(desk.errors[0] as string, /^two-rings .*"version":3/);
  t.deepEqual(desk.take(), []);

  desk.holds = 'save';
  desk.install(over);
  desk.install({ ...over, change: 'another' });
  t.regex(desk.errors[1] as string, /^two-rings .*"version":4/);
});

test('a node that a ring does not name keeps the ring, is told, and installs nothing any more', (t) => {
  const gone = removed(first, LEAVER);
  const desk = new Desk(first, LEAVER);
  desk.install(gone);
  t.deepEqual(desk.take(), ['expect ', 'save 2', 'removed 2']);
  t.deepEqual(desk.kept, encodeRing(gone));
  desk.named = [{ ordinal: 1, state: 'ready', ringVersion: 2 }];
  desk.time.runFor(5_000);
  desk.install(nextVersion(gone));
  t.deepEqual(desk.take(), []);
});

test('whoever names the newest ring is asked for it, as long as it is newer than what is here or on its way', (t) => {
  const desk = new Desk(first, 1);
  desk.named = [
    { ordinal: 2, state: 'ready', ringVersion: 2 },
    { ordinal: 3, state: 'ready', ringVersion: 4 },
    { ordinal: 4, state: 'closed', ringVersion: 9 },
    { ordinal: 5, state: 'ready', ringVersion: 4 },
  ];
  desk.time.runFor(600);
  t.deepEqual(desk.take(), ['learn from 3']);
  desk.holds = 'save';
  desk.install(over);
  desk.take();
  desk.time.runFor(5_000);
  t.deepEqual(desk.take(), []);
  desk.membership.stop();
  desk.answer();
  t.deepEqual(desk.take(), [], 'stopped in between');
});

test('what a node owned and what comes back to it after it was given up is suspect', (t) => {
  const desk = new Desk(over, LEAVER);
  const back = leaving(over, LEAVER, false);
  desk.install(back);
  const arriving = partitionsTo(back, LEAVER);
  t.true(arriving.some((partition) => rowOf(first, partition).includes(LEAVER)));
  t.deepEqual(desk.take(), saidOf(5, arriving));
});

test('the bytes that were agreed on are kept and passed on, whatever this release would make of them', (t) => {
  const desk = new Desk(first, 1);
  const raw = JSON.parse(Buffer.from(encodeRing(copying)).toString()) as Record<string, unknown>;
  const document = Buffer.from(JSON.stringify({ colour: 'red', ...raw }));
  desk.membership.install(document);
  t.deepEqual(Buffer.from(desk.kept), document);
  t.deepEqual(Buffer.from(desk.membership.ring().document), document);
  desk.membership.install(Uint8Array.from(document));
  t.deepEqual(desk.errors, [], 'it is the same ring');
  desk.membership.install(encodeRing(copying));
  t.is(desk.errors.length, 1, 'these are other bytes than those that were agreed on');
  t.regex(desk.errors[0] ?? '', /^two-rings/);
});

test('a ring that this build does not understand is not accepted and not installed, and that is said once', (t) => {
  const desk = new Desk(first, 1);
  const raw = JSON.parse(Buffer.from(encodeRing(nextVersion(first))).toString()) as object;
  const newer = Buffer.from(JSON.stringify({ ...raw, level: 9, release: '9.9.9' }));
  t.regex(desk.membership.faultOf(newer), /the ring is at feature level 9, .* install Partita 9\.9\.9 or later/);
  for (let i = 0; i < 3; i++) desk.membership.install(newer);
  t.deepEqual(desk.take(), []);
  t.is(desk.errors.length, 1);
  t.regex(desk.errors[0] ?? '', /^ring-refused .*feature level 9/);
  desk.install(nextVersion(first));
  t.is(desk.ring.version, 2, 'others are installed as before');
});

test('no ring goes back to a lower level', (t) => {
  const desk = new Desk(first, 1);
  t.is(first.level, 2);
  const lower = { ...nextVersion(first), level: 1 };
  t.is(desk.membership.faultOf(encodeRing(lower)), 'it is at feature level 1, and 2 is in force');
  desk.install(lower);
  t.deepEqual(desk.take(), []);
  t.is(desk.errors.length, 1);
});

test('whoever waits for a ring is told when it is in force, or cannot be kept now', (t) => {
  const desk = new Desk(first, 1);
  const tellAs = (name: string) => (): void => void desk.said.push(name);
  desk.membership.whenInForce(first.version, tellAs('at once'));
  t.deepEqual(desk.take(), ['at once']);
  desk.holds = 'save';
  desk.install(copying);
  desk.membership.whenInForce(copying.version, tellAs('later'));
  t.false(desk.take().includes('later'));
  desk.answer();
  t.deepEqual(desk.take(), [`apply ${copying.version}`, 'later']);
  desk.install(settling);
  desk.membership.whenInForce(settling.version, tellAs('not kept'));
  desk.take();
  desk.answer(new Error('The disk is full'));
  t.deepEqual(desk.take(), ['not kept']);
});
