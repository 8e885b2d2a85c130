/* The proposer of the ring log, answer by answer. */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import {
  type ProposalOutcome,
  type ProposerPort,
  RingProposer,
  ringQuorum,
} from '../../src/membership/ring-proposer.js';
import type { Ballot, RingBytes, RingLogAnswer, RingVoter } from '../../src/model/ring-log-messages.js';

const document = (name: string): RingBytes => ({ bytes: Buffer.from(name), hash: name });
const MINE = document('mine');
const THEIRS = document('theirs');

class Script implements ProposerPort {
  readonly lines: string[] = [];
  outcome: ProposalOutcome | null = null;

  prepare(voter: number, version: number, { round, ordinal }: Ballot): void {
    this.lines.push(`prepare ${voter} v${version} ${round}.${ordinal}`);
  }

  accept(voter: number, version: number, { round, ordinal }: Ballot, { hash }: RingBytes): void {
    this.lines.push(`accept ${voter} v${version} ${round}.${ordinal} ${hash}`);
  }

  ended(outcome: ProposalOutcome): void {
    this.lines.push(outcome.kind);
    this.outcome = outcome;
  }

  take(): readonly string[] {
    return this.lines.splice(0);
  }
}

const PROMISED: RingLogAnswer = { kind: 'promised', accepted: null, blank: false };
const BLANK: RingLogAnswer = { kind: 'promised', accepted: null, blank: true };
const ACCEPTED: RingLogAnswer = { kind: 'accepted', blank: false };
const ballot = (round: number, ordinal = 7): Ballot => ({ round, ordinal });
const promisedWith = (round: number, hash: string): RingLogAnswer => ({
  kind: 'promised',
  accepted: { ballot: ballot(round, 2), document: document(hash) },
  blank: false,
});

const votersOf = (names: readonly string[]): readonly RingVoter[] =>
  names.map((acceptorId, i) => ({ ordinal: i + 1, acceptorId }));

function started(names: readonly string[] = ['a', 'b', 'c']): {
  readonly proposer: RingProposer;
  readonly script: Script;
} {
  const script = new Script();
  const voters = votersOf(names);
  const proposer = new RingProposer({ baseVersion: 4, voters, ordinal: 7, document: MINE }, new Prng(1), script);
  proposer.start(1_000);
  return { proposer, script };
}

test('a majority, or all if one of them has no name', (t) => {
  const quorums = [['a'], ['a', 'b'], ['a', 'b', 'c'], ['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'd', 'e'], ['a', '', 'c']];
  t.deepEqual(
    quorums.map((names) => ringQuorum(votersOf(names))),
    [1, 2, 2, 3, 3, 3],
  );
});

test('two phases, each with a majority', (t) => {
  const { proposer, script } = started();
  t.deepEqual(script.take(), ['prepare 1 v5 1.7', 'prepare 2 v5 1.7', 'prepare 3 v5 1.7']);
  proposer.answered(2, ballot(1), PROMISED);
  proposer.answered(2, ballot(1), PROMISED);
  t.deepEqual(script.take(), []);
  proposer.answered(3, ballot(1), PROMISED);
  t.deepEqual(script.take(), ['accept 1 v5 1.7 mine', 'accept 2 v5 1.7 mine', 'accept 3 v5 1.7 mine']);
  proposer.answered(1, ballot(1), PROMISED); // late
  proposer.answered(1, ballot(1), ACCEPTED);
  t.false(proposer.isOver);
  proposer.answered(2, ballot(1), ACCEPTED);
  t.deepEqual(script.take(), ['won']);
  t.true(proposer.isOver);
  proposer.answered(3, ballot(1), ACCEPTED);
  proposer.tick(99_000);
  t.deepEqual(script.take(), []);
});

test('what was accepted before is proposed again, of several the highest, and the proposal is lost', (t) => {
  const { proposer, script } = started(['a', 'b', 'c', 'd', 'e']);
  script.take();
  proposer.answered(1, ballot(1), promisedWith(3, 'older'));
  proposer.answered(5, ballot(1), promisedWith(5, 'theirs'));
  proposer.answered(3, ballot(1), promisedWith(4, 'old'));
  t.is(script.take()[0], 'accept 1 v5 1.7 theirs');
  for (const voter of [1, 2, 3]) proposer.answered(voter, ballot(1), ACCEPTED);
  t.deepEqual(script.outcome, { kind: 'lost', document: THEIRS });
});

test('its own document, met again, is its own', (t) => {
  const { proposer, script } = started(['a']);
  proposer.answered(1, ballot(1), promisedWith(1, 'mine'));
  proposer.answered(1, ballot(1), ACCEPTED);
  t.is(script.outcome?.kind, 'won');
});

test('refused: a pause, then a round above what was refused for', (t) => {
  const { proposer, script } = started();
  script.take();
  proposer.answered(1, ballot(1), { kind: 'refused', promised: ballot(8, 3) });
  t.deepEqual(script.take(), []);
  proposer.answered(2, ballot(1), { kind: 'refused', promised: ballot(6, 3) });
  proposer.tick(1_000);
  t.deepEqual(script.take(), []);
  proposer.tick(1_050);
  t.deepEqual(script.take(), ['prepare 1 v5 9.7', 'prepare 2 v5 9.7', 'prepare 3 v5 9.7']);
  proposer.answered(3, ballot(1), PROMISED); // of the first round
  proposer.answered(1, ballot(9), PROMISED);
  t.deepEqual(script.take(), []);
});

test('a repeat of the first phase, refused, does not spoil the second', (t) => {
  const { proposer, script } = started();
  for (const voter of [1, 2]) proposer.answered(voter, ballot(1), PROMISED);
  script.take();
  for (const voter of [1, 2, 3]) proposer.answered(voter, ballot(1), { kind: 'refused', promised: ballot(1) });
  for (const voter of [1, 2]) proposer.answered(voter, ballot(1), ACCEPTED);
  t.deepEqual(script.take(), ['won']);
});

test('a document that a few have accepted is tried again, not given up', (t) => {
  const { proposer, script } = started();
  for (const voter of [1, 2]) proposer.answered(voter, ballot(1), PROMISED);
  proposer.answered(1, ballot(1), ACCEPTED);
  for (const voter of [2, 3]) proposer.failed(voter, ballot(1));
  script.take();
  proposer.tick(1_050);
  t.is(script.take()[0], 'prepare 1 v5 2.7');
});

test('with one nameless voter, all have to agree in both phases', (t) => {
  const { proposer, script } = started(['a', '', 'c']);
  script.take();
  proposer.answered(1, ballot(1), PROMISED);
  proposer.answered(3, ballot(1), PROMISED);
  t.deepEqual(script.take(), []);
  proposer.answered(2, ballot(1), BLANK);
  t.is(script.take().length, 3);
  proposer.answered(1, ballot(1), ACCEPTED);
  proposer.answered(3, ballot(1), ACCEPTED);
  t.deepEqual(script.take(), []);
  proposer.answered(2, ballot(1), { kind: 'accepted', blank: true });
  t.deepEqual(script.take(), ['won']);
});

test('a blank vote counts for nothing where the ring names the voters', (t) => {
  const { proposer, script } = started();
  script.take();
  for (const voter of [1, 2, 3]) proposer.answered(voter, ballot(1), BLANK);
  t.deepEqual(script.take(), ['noQuorum']);
});

test('one that knows a newer ring ends it, whenever it says so', (t) => {
  const { proposer, script } = started();
  proposer.answered(1, ballot(1), { kind: 'decided', version: 4 }); // no newer one
  t.false(proposer.isOver);
  proposer.answered(1, ballot(99), { kind: 'decided', version: 6 });
  t.deepEqual(script.outcome, { kind: 'behind', version: 6, from: 1 });
});

test('too many abstain: it says so at once, but hears the others out', (t) => {
  const { proposer, script } = started();
  proposer.answered(1, ballot(1), { kind: 'abstains', reason: 'its slots were lost' });
  proposer.answered(2, ballot(1), { kind: 'abstains', reason: 'its disk is full' });
  t.false(proposer.isOver);
  proposer.answered(3, ballot(1), PROMISED);
  t.deepEqual(script.outcome, {
    kind: 'noQuorum',
    text: '3 voters, 2 must agree; node 1 abstains: its slots were lost; node 2 abstains: its disk is full',
    uncertain: false,
  });
});

test('nobody answers: it goes on until the deadline, and names them', (t) => {
  const { proposer, script } = started(['a', '', 'c']);
  for (let nowMs = 1_000; nowMs < 11_000; nowMs += 50) {
    proposer.tick(nowMs);
    if (nowMs === 5_000) proposer.failed(2, ballot(2), 'is not connected');
    if (script.lines.at(-1)?.startsWith('prepare 3') === true) {
      const round = Number(/(\d+)\.7$/.exec(script.lines.at(-1) ?? '')?.[1]);
      proposer.answered(3, ballot(round), { kind: 'behind', version: 3 });
    }
  }
  t.false(proposer.isOver);
  proposer.tick(11_000);
  t.deepEqual(script.outcome, {
    kind: 'noQuorum',
    text: '3 voters, all must agree; node 1 did not answer; node 2 did not answer; node 3 has only ring 3 yet',
    uncertain: false,
  });
});

test('stopped after voters were told to accept: it may yet happen', (t) => {
  const { proposer, script } = started(['a', 'b']);
  for (const voter of [1, 2]) proposer.answered(voter, ballot(1), PROMISED);
  proposer.answered(1, ballot(1), ACCEPTED);
  proposer.stop();
  t.deepEqual(script.outcome, {
    kind: 'noQuorum',
    text: '2 voters, 2 must agree; this node is being stopped',
    uncertain: true,
  });
});

test('one that answered after its round was over is not called silent', (t) => {
  const { proposer, script } = started();
  for (const voter of [2, 3]) proposer.failed(voter, ballot(1), 'is not connected');
  proposer.answered(1, ballot(1), PROMISED);
  proposer.tick(1_050);
  for (const voter of [2, 3]) proposer.failed(voter, ballot(2), 'is not connected');
  proposer.tick(11_000);
  t.deepEqual(script.outcome, {
    kind: 'noQuorum',
    text: '3 voters, 2 must agree; node 2 is not connected; node 3 is not connected',
    uncertain: false,
  });
});

test('voters that go on refusing: the time is over at some point', (t) => {
  const { proposer, script } = started(['a']);
  for (let nowMs = 1_000; nowMs < 11_000; nowMs += 50) {
    const round = Number(/(\d+)\.7$/.exec(script.lines.at(-1) ?? '')?.[1] ?? 0);
    if (round > 0) proposer.answered(1, ballot(round), { kind: 'refused', promised: ballot(round + 1, 2) });
    proposer.tick(nowMs);
  }
  proposer.answered(1, ballot(0), PROMISED);
  proposer.tick(11_000);
  t.like(script.outcome, { text: '1 voter, 1 must agree; node 1 has promised to wait for another proposal' });
});

test('one voter is enough where there is only one', (t) => {
  const { proposer, script } = started(['']);
  proposer.answered(1, ballot(1), BLANK);
  proposer.answered(1, ballot(1), { kind: 'accepted', blank: true });
  t.is(script.outcome?.kind, 'won');
});
