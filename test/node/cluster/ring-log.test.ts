/* Nodes that agree on rings: frames, acceptors with their files, proposals. */
import test from 'ava';
import type { ProposalOutcome } from '../../../src/membership/ring-proposer.js';
import type { PeerCredentials } from '../../../src/node/peers/credentials.js';
import type { ClusterParts } from '../../../src/node/cluster/parts.js';
import { PeerServer } from '../../../src/node/cluster/peer-server.js';
import { Incoming } from '../../../src/node/incoming.js';
import type { Session } from '../../../src/node/session.js';
import { encodeRingAccept, encodeRingLearn, encodeRingPrepare } from '../../../src/wire/codec-ring-log.js';
import * as kinds from '../../../src/wire/kinds.js';
import { ACCEPTOR_PATH } from '../../../src/storage/acceptor-file.js';
import { type Answered, nameOfRing, RingBench, ringBytes, sessionFor } from './ring-bench.js';

const textOf = (outcome: ProposalOutcome): string => (outcome.kind === 'noQuorum' ? outcome.text : outcome.kind);

test('a ring is proposed, decided and installed everywhere, and the next one on top of it', (t) => {
  const bench = new RingBench(3, true);
  t.is(bench.outcomeOf(bench.node(1).propose('a', bench.voters())).kind, 'won');
  t.is(bench.names(), 'a a a');
  t.is(bench.outcomeOf(bench.node(3).propose('b', bench.voters())).kind, 'won');
  t.is(bench.names(), 'b b b');
  t.deepEqual(bench.node(2).installed, ['a from 1', 'b from 3']);
});

test('two administrators at once: one of them is told which ring has come first', (t) => {
  for (let headStartMs = 0; headStartMs < 12; headStartMs++) {
    const bench = new RingBench(3, true);
    const one = bench.node(1).propose('a', bench.voters());
    bench.time.runFor(headStartMs);
    const other = bench.node(2).propose('b', bench.voters());
    const outcomes = [bench.outcomeOf(one), bench.outcomeOf(other)];
    const winner = outcomes.findIndex(({ kind }) => kind === 'won');
    const loser = outcomes[1 - winner] as ProposalOutcome;
    t.is(bench.names(), winner === 0 ? 'a a a' : 'b b b');
    if (loser.kind === 'lost') t.is(nameOfRing(loser.document.bytes), winner === 0 ? 'a' : 'b');
    else t.is(loser.kind, 'behind');
  }
});

test('one of three may be away, two may not; who is away learns later', (t) => {
  const bench = new RingBench(3, true);
  bench.node(3).isAway = true;
  t.is(bench.outcomeOf(bench.node(1).propose('a', bench.voters())).kind, 'won');
  t.is(bench.names(), 'a a named');
  bench.node(2).isAway = true;
  t.is(
    textOf(bench.outcomeOf(bench.node(1).propose('b', bench.voters()))),
    '3 voters, 2 must agree; node 2 is not connected; node 3 is not connected',
  );
  t.is(bench.names(), 'a a named');
  bench.node(2).isAway = bench.node(3).isAway = false;
  bench.node(3).learnFrom(1);
  bench.time.runFor(20);
  t.is(bench.names(), 'a a a');
  t.is(bench.outcomeOf(bench.node(3).propose('c', bench.voters())).kind, 'won');
});

test('a voter that is behind fetches the ring from whoever asks it, and votes then', (t) => {
  const bench = new RingBench(3, true);
  bench.node(3).isAway = true;
  bench.outcomeOf(bench.node(1).propose('a', bench.voters()));
  bench.node(3).isAway = false;
  bench.node(2).isAway = true;
  t.is(bench.outcomeOf(bench.node(1).propose('b', bench.voters())).kind, 'won');
  t.is(bench.names(), 'b a b');
});

test('a proposer that is behind fetches the ring', (t) => {
  const bench = new RingBench(3, true);
  bench.node(3).isAway = true;
  bench.outcomeOf(bench.node(1).propose('a', bench.voters()));
  bench.node(3).isAway = false;
  t.is(bench.outcomeOf(bench.node(3).propose('b', bench.voters())).kind, 'behind');
  t.is(bench.names(), 'a a a');
});

test('what a quorum has accepted is decided, though the proposer is gone and all were restarted', (t) => {
  let settled = 0;
  for (let cutMs = 1; ; cutMs++) {
    const bench = new RingBench(3, true);
    bench.node(1).propose('a', bench.voters());
    bench.time.runFor(cutMs);
    for (const node of bench.nodes) node.restart();
    const decided = bench.node(1).name === 'a';
    if (bench.node(2).name === 'a') break; // it has learnt that in time
    bench.node(1).isAway = true;
    const outcome = bench.outcomeOf(bench.node(2).propose('b', bench.voters()));
    if (decided) t.true(outcome.kind === 'lost' || outcome.kind === 'behind', `cut after ${cutMs} ms`);
    const names = new Set(
      bench
        .names()
        .split(' ')
        .slice(decided ? 0 : 1),
    );
    t.is(names.size, 1);
    if (outcome.kind === 'lost') settled += 1;
  }
  t.true(settled > 0);
});

test('whose file was lost abstains, until a ring names the new one', (t) => {
  const bench = new RingBench(3, true);
  const before = bench.voters();
  const third = bench.node(3);
  for (const at of [40, 1_052_672 + 40]) third.disk.flipBit(ACCEPTOR_PATH, at, 1);
  third.restart();
  bench.node(2).isAway = true;
  t.is(
    textOf(bench.outcomeOf(bench.node(1).propose('a', before))),
    '3 voters, 2 must agree; node 2 is not connected; node 3 abstains: its file ring/acceptor is not the one that ring 2 names: it was lost, and promises with it',
  );
  bench.node(2).isAway = false;
  const heard = bench.node(1).learnFrom(3);
  bench.time.runFor(20);
  t.is(heard.reply?.acceptorId, third.acceptorId);
  t.is(heard.reply?.document, null);
  t.is(bench.outcomeOf(bench.node(1).propose('b', bench.voters())).kind, 'won');
  bench.node(2).isAway = true;
  t.is(bench.outcomeOf(bench.node(1).propose('c', bench.voters())).kind, 'won');
});

test('where no voter is named, all must be there', (t) => {
  const bench = new RingBench(3, false);
  bench.node(3).isAway = true;
  t.is(
    textOf(bench.outcomeOf(bench.node(1).propose('a', bench.voters()))),
    '3 voters, all must agree; node 3 is not connected',
  );
  bench.node(3).isAway = false;
  t.is(bench.outcomeOf(bench.node(1).propose('a', bench.voters())).kind, 'won');
  t.is(bench.names(), 'a a a');
});

test('a disk that cannot be written: it abstains and says so; when it can be, it votes', (t) => {
  const bench = new RingBench(3, true);
  bench.node(2).disk.fail({ at: 1, code: 'ENOSPC', forever: true });
  bench.node(3).isAway = true;
  t.regex(
    textOf(bench.outcomeOf(bench.node(1).propose('a', bench.voters()))),
    /node 2 abstains: its file ring\/acceptor cannot be written: .*ENOSPC/,
  );
  bench.node(2).disk.fail(null);
  t.is(bench.outcomeOf(bench.node(1).propose('a', bench.voters())).kind, 'won');
});

test('a file that cannot be opened: the node is there, and abstains', (t) => {
  const bench = new RingBench(3, true);
  const voters = bench.voters();
  const second = bench.node(2);
  second.restart((disk) => {
    disk.fail({ at: 2, code: 'EIO', forever: true });
  });
  t.is(second.log.acceptorId, '');
  bench.node(3).isAway = true;
  t.regex(
    textOf(bench.outcomeOf(bench.node(1).propose('a', voters))),
    /node 2 abstains: it cannot use its file ring\/acceptor: .*EIO/,
  );
  second.restart();
  t.is(bench.outcomeOf(bench.node(1).propose('a', voters)).kind, 'won');
});

test('a ring that does not make sense is neither proposed nor accepted', (t) => {
  const bench = new RingBench(3, true);
  bench.node(1).fault = 'nobody owns partition 7';
  const own = bench.outcomeOf(bench.node(1).propose('a', bench.voters()));
  t.deepEqual(own, {
    kind: 'noQuorum',
    text: 'this cannot be the next ring: nobody owns partition 7',
    uncertain: false,
  });
  bench.node(3).fault = bench.node(1).fault;
  t.regex(
    textOf(bench.outcomeOf(bench.node(2).propose('a', bench.voters()))),
    /node 1 abstains: it would not install that ring: nobody owns partition 7; node 3 abstains/,
  );
  t.is(bench.names(), 'named named named');
});

test('one proposal at a time; stopped, it ends', (t) => {
  const bench = new RingBench(3, true);
  bench.node(2).isAway = bench.node(3).isAway = true;
  const first = bench.node(1).propose('a', bench.voters());
  const second = bench.outcomeOf(bench.node(1).propose('b', bench.voters()));
  t.is(textOf(second), 'this node is proposing a ring already: wait for its end');
  t.is(first.outcome, null);
  bench.node(1).log.stop();
  t.regex(textOf(bench.outcomeOf(first)), /^3 voters, 2 must agree/);
  t.is(textOf(bench.outcomeOf(bench.node(1).propose('c', bench.voters()))), 'this node is being stopped');
});

test('a document that was damaged on its way is refused', (t) => {
  const bench = new RingBench(3, true);
  const flip = (body: Uint8Array): Uint8Array => {
    const damaged = Uint8Array.from(body);
    if (damaged.length > 100) damaged[60] = (damaged[60] as number) ^ 1;
    return damaged;
  };
  bench.damage = flip;
  t.regex(
    textOf(bench.outcomeOf(bench.node(1).propose('a', bench.voters()))),
    /node 2 refused: The hash of the ring is another: it was damaged on its way, send it again \(INVALID_ARGUMENT\)/,
  );
  t.is(bench.names(), 'named named named');
});

function answerTo(bench: RingBench, kind: number, body: Uint8Array): Answered | null {
  let answer: Answered | null = null;
  bench.node(1).serve(kind, body, 2, (said) => {
    answer = said;
  });
  bench.time.runFor(100);
  return answer;
}

test('frames that cannot be read are refused', (t) => {
  const bench = new RingBench(1, true);
  for (const kind of [kinds.RING_PREPARE, kinds.RING_ACCEPT, kinds.RING_LEARN]) {
    const answer = answerTo(bench, kind, Uint8Array.of(0x0a, 0x7f, 0x00));
    t.is(answer?.refusal?.code, 'PROTOCOL');
    t.regex(answer?.refusal?.text ?? '', /^RING_[A-Z]+ cannot be read/);
  }
});

test('each request gets the reply of its kind, and a wrong hash an error', (t) => {
  const bench = new RingBench(1, true);
  const document = { bytes: ringBytes(3, 'x', bench.voters()), hash: '0'.repeat(16) };
  const prepare = { budgetMs: 1, version: 3, ballot: { round: 1, ordinal: 2 } };
  t.is(answerTo(bench, kinds.RING_PREPARE, encodeRingPrepare(prepare))?.kind, kinds.RING_PREPARE_REPLY);
  const old = encodeRingAccept({ ...prepare, document });
  t.is(answerTo(bench, kinds.RING_ACCEPT, old)?.refusal?.code, 'INVALID_ARGUMENT');
  const told = encodeRingLearn({ budgetMs: 1, version: 3, document });
  t.is(answerTo(bench, kinds.RING_LEARN, told)?.refusal?.code, 'INVALID_ARGUMENT');
  const asked = encodeRingLearn({ budgetMs: 1, version: 1, document: null });
  t.is(answerTo(bench, kinds.RING_LEARN, asked)?.kind, kinds.RING_LEARN_REPLY);
  t.is(bench.names(), 'named');
});

test('the server of peers hands these frames on, and refuses them where rings are not agreed on', (t) => {
  const bench = new RingBench(1, true);
  const parts = { preferences: { ringVersion: 1 } } as unknown as ClusterParts;
  const credentials = { memberOf: () => ({ ordinal: 2 }) } as unknown as PeerCredentials;
  const server = new PeerServer(parts, credentials, null as never, null as never);
  const ask = (): Answered | null => {
    let answer: Answered | null = null;
    const session = sessionFor((said) => (answer ??= said));
    const frame = new Incoming();
    const bytes = encodeRingLearn({ budgetMs: 1, version: 1, document: null });
    Object.assign(frame, { kind: kinds.RING_LEARN, requestId: 1, bytes, start: 0, end: bytes.length });
    server.serve({ ...session, acceptance: { member: { nodeId: 'x' } } } as unknown as Session, frame);
    return answer;
  };
  t.is(ask()?.refusal?.code, 'PROTOCOL');
  server.ringLog = bench.node(1).server;
  t.is(ask()?.kind, kinds.RING_LEARN_REPLY);
});
