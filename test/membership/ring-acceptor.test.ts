/* The acceptor of the ring log, request by request. Whatever it says, it has been told before that it is durable. */
import test from 'ava';
import {
  type AcceptorPort,
  type AcceptorState,
  type Answer,
  compareBallots,
  RingAcceptor,
  WAITING_MAX,
} from '../../src/membership/ring-acceptor.js';
import type { Ballot, RingBytes, RingLogAnswer } from '../../src/model/ring-log-messages.js';

const ID = 'a'.repeat(32);
const OTHER = 'b'.repeat(32);

class Disk implements AcceptorPort {
  readonly asked: AcceptorState[] = [];

  persist(state: AcceptorState): void {
    this.asked.push(state);
  }
}

const ballot = (round: number, ordinal = 1): Ballot => ({ round, ordinal });
const document = (name: string): RingBytes => ({ bytes: Buffer.from(name), hash: name.padEnd(16, '0') });

interface Bench {
  readonly acceptor: RingAcceptor;
  readonly disk: Disk;
  readonly heard: RingLogAnswer[];
  readonly hear: Answer;
}

function bench(named: string | null = ID, state: AcceptorState | null = null): Bench {
  const disk = new Disk();
  const acceptor = new RingAcceptor(ID, state, disk);
  acceptor.onInstalled(4, named);
  const heard: RingLogAnswer[] = [];
  return { acceptor, disk, heard, hear: (answer) => heard.push(answer) };
}

test('ballots are ordered by round, then by ordinal', (t) => {
  t.true(compareBallots(ballot(2, 1), ballot(1, 9)) > 0);
  t.true(compareBallots(ballot(2, 1), ballot(2, 2)) < 0);
  t.is(compareBallots(ballot(2, 2), ballot(2, 2)), 0);
});

test('a promise is durable before it is given, and so is what is accepted', (t) => {
  const { acceptor, disk, heard, hear } = bench();
  acceptor.prepare(5, ballot(1), hear);
  t.deepEqual(disk.asked, [{ version: 5, promised: ballot(1), accepted: null }]);
  t.deepEqual(heard, []);
  acceptor.persisted();
  t.deepEqual(heard.splice(0), [{ kind: 'promised', accepted: null, blank: false }]);

  acceptor.accept(5, ballot(1), document('x'), hear);
  const accepted = { ballot: ballot(1), document: document('x') };
  t.deepEqual(disk.asked[1], { version: 5, promised: ballot(1), accepted });
  t.deepEqual(heard, []);
  acceptor.persisted();
  t.deepEqual(heard.splice(0), [{ kind: 'accepted', blank: false }]);

  acceptor.prepare(5, ballot(2), hear);
  acceptor.persisted();
  t.deepEqual(heard, [{ kind: 'promised', accepted, blank: false }]);
});

test('lower ballots are refused, and so is one that was promised already', (t) => {
  const { acceptor, disk, heard, hear } = bench();
  acceptor.prepare(5, ballot(3, 2), hear);
  acceptor.persisted();
  acceptor.prepare(5, ballot(3, 1), hear);
  acceptor.accept(5, ballot(3, 1), document('x'), hear);
  acceptor.prepare(5, ballot(3, 2), hear);
  t.deepEqual(heard.slice(1), Array(3).fill({ kind: 'refused', promised: ballot(3, 2) }));
  t.is(disk.asked.length, 1);
});

test('accepting the same again costs no write; another document with that ballot is refused', (t) => {
  const { acceptor, disk, heard, hear } = bench();
  acceptor.accept(5, ballot(1), document('x'), hear);
  acceptor.persisted();
  acceptor.accept(5, ballot(1), document('x'), hear);
  acceptor.accept(5, ballot(1), document('y'), hear);
  t.deepEqual(
    heard.map(({ kind }) => kind),
    ['accepted', 'accepted', 'refused'],
  );
  t.is(disk.asked.length, 1);
});

test('one write at a time: later requests wait for it, and see what it has changed', (t) => {
  const { acceptor, disk, heard, hear } = bench();
  acceptor.prepare(5, ballot(5), hear);
  acceptor.prepare(5, ballot(4), hear);
  acceptor.prepare(5, ballot(6), hear);
  t.is(disk.asked.length, 1);
  acceptor.persisted();
  t.deepEqual(
    heard.map(({ kind }) => kind),
    ['promised', 'refused'],
  );
  t.is(disk.asked.length, 2);
  acceptor.persisted();
  t.is(heard.length, 3);
});

test('more requests than may wait are refused, with no ballot in the way', (t) => {
  const { acceptor, heard, hear } = bench();
  for (let round = 1; round <= WAITING_MAX + 1; round++) acceptor.prepare(5, ballot(round), hear);
  t.deepEqual(heard, []);
  acceptor.prepare(5, ballot(99), hear);
  t.deepEqual(heard, [{ kind: 'refused', promised: ballot(0, 0) }]);
});

test('it acts for the version after the installed one, and for no other', (t) => {
  const { acceptor, disk, heard, hear } = bench();
  acceptor.prepare(4, ballot(1), hear);
  acceptor.prepare(6, ballot(1), hear);
  t.deepEqual(heard, [
    { kind: 'decided', version: 4 },
    { kind: 'behind', version: 4 },
  ]);
  t.is(disk.asked.length, 0);
});

test('a new ring makes it forget what it has promised for that one', (t) => {
  const { acceptor, heard, hear } = bench();
  acceptor.accept(5, ballot(7), document('x'), hear);
  acceptor.persisted();
  acceptor.onInstalled(5, ID);
  acceptor.onInstalled(4, ID); // late
  acceptor.prepare(6, ballot(1), hear);
  acceptor.persisted();
  t.deepEqual(heard[1], { kind: 'promised', accepted: null, blank: false });
  acceptor.prepare(5, ballot(8), hear);
  t.deepEqual(heard[2], { kind: 'decided', version: 5 });
});

test('a ring that comes while the disk is busy: the write still counts for its version only', (t) => {
  const { acceptor, heard, hear } = bench();
  acceptor.prepare(5, ballot(1), hear);
  acceptor.prepare(5, ballot(2), hear);
  acceptor.onInstalled(5, ID);
  acceptor.persisted();
  t.deepEqual(heard, [
    { kind: 'promised', accepted: null, blank: false },
    { kind: 'decided', version: 5 },
  ]);
  t.deepEqual(acceptor.state, { version: 6, promised: null, accepted: null });
});

test('after a restart it knows what it has said', (t) => {
  const accepted = { ballot: ballot(2), document: document('x') };
  const { acceptor, heard, hear } = bench(ID, { version: 5, promised: ballot(3), accepted });
  acceptor.accept(5, ballot(2), document('x'), hear);
  acceptor.prepare(5, ballot(4), hear);
  acceptor.persisted();
  t.deepEqual(heard, [
    { kind: 'refused', promised: ballot(3) },
    { kind: 'promised', accepted, blank: false },
  ]);
});

test('who is not the one that the ring names abstains, and says why', (t) => {
  for (const [named, reason] of [
    [OTHER, /ring\/acceptor is not the one that ring 4 names/],
    [null, /ring 4 does not name it/],
  ] as const) {
    const { acceptor, disk, heard, hear } = bench(named);
    acceptor.prepare(5, ballot(1), hear);
    acceptor.accept(5, ballot(1), document('x'), hear);
    t.is(disk.asked.length, 0);
    t.is(heard.length, 2);
    for (const answer of heard) t.regex(answer.kind === 'abstains' ? answer.reason : '', reason);
  }
});

test('whom the ring does not name votes blank, until one names it', (t) => {
  const { acceptor, heard, hear } = bench('');
  acceptor.prepare(5, ballot(1), hear);
  acceptor.persisted();
  acceptor.accept(5, ballot(1), document('x'), hear);
  acceptor.persisted();
  acceptor.onInstalled(5, ID);
  acceptor.prepare(6, ballot(1), hear);
  acceptor.persisted();
  t.deepEqual(
    heard.map((answer) => 'blank' in answer && answer.blank),
    [true, true, false],
  );
});

test('one that has voted beyond its ring has lost that ring, and abstains until it is back', (t) => {
  const { acceptor, heard, hear } = bench(ID, { version: 6, promised: ballot(3), accepted: null });
  acceptor.prepare(5, ballot(9), hear);
  t.deepEqual(heard.splice(0), [{ kind: 'abstains', reason: 'it has voted on version 6, but has lost ring 5' }]);
  acceptor.onInstalled(5, ID);
  acceptor.prepare(6, ballot(2), hear);
  t.deepEqual(heard, [{ kind: 'refused', promised: ballot(3) }]);
});

test('a write that fails is as good as none: whoever asked is told, and the next is written and answered', (t) => {
  const { acceptor, disk, heard, hear } = bench();
  acceptor.prepare(5, ballot(2), hear);
  acceptor.prepare(5, ballot(1), hear);
  acceptor.notPersisted('its disk is full');
  t.deepEqual(heard.splice(0), [{ kind: 'abstains', reason: 'its disk is full' }]);
  t.is(disk.asked.length, 2, 'nobody has heard of ballot 2');
  acceptor.persisted();
  t.like(heard, [{ kind: 'promised', accepted: null }]);
});

test('without a file it abstains from all that is to be decided, and says why', (t) => {
  const disk = new Disk();
  const acceptor = new RingAcceptor('', null, disk, 'it has no file');
  acceptor.onInstalled(4, ID);
  const heard: RingLogAnswer[] = [];
  for (const version of [5, 4]) acceptor.prepare(version, ballot(1), (answer) => heard.push(answer));
  t.like(heard, [{ kind: 'abstains', reason: 'it has no file' }, { kind: 'decided' }]);
  t.deepEqual(disk.asked, []);
});
