/* The round in which deletes are forgotten: alone, and among members whose messages come as they like. */
import test from 'ava';
import { Prng } from '../../src/lib/prng.js';
import { type ReapAnswer, type ReapPort, ReapRound } from '../../src/repair/reap-round.js';
import { verdictNumber, type ReapVerdict } from '../../src/repair/reap-verdict.js';
import { type Planted, ReapWorld } from './reap-world.js';

class Script implements ReapPort {
  readonly lines: string[] = [];

  ask(_round: ReapRound, member: number, fence: number, keys: readonly number[]): void {
    this.lines.push(`ask ${member} fence=${fence} keys=${keys.join(',')}`);
  }

  order(_round: ReapRound, owner: number, fence: number, opening: number, keys: readonly number[]): void {
    this.lines.push(`order ${owner} fence=${fence} opening=${opening} keys=${keys.join(',')}`);
  }

  ended(): void {
    this.lines.push('ended');
  }

  take(): readonly string[] {
    return this.lines.splice(0);
  }
}

const say = (fence: number, ...verdicts: readonly ReapVerdict[]): ReapAnswer => ({
  fence,
  opening: 7,
  verdicts: Uint8Array.from(verdicts, verdictNumber),
});

function started(keyCount = 1): { readonly round: ReapRound; readonly script: Script } {
  const script = new Script();
  const round = new ReapRound(keyCount, [1, 2, 3], [1, 2], script);
  round.start();
  return { round, script };
}

test('all members are asked, then a fence above all of theirs is proposed to all, then the owners are told', (t) => {
  const { round, script } = started();
  t.deepEqual(script.take(), ['ask 1 fence=0 keys=0', 'ask 2 fence=0 keys=0', 'ask 3 fence=0 keys=0']);
  round.answered(1, 0, say(4, 'yes'));
  round.answered(2, 0, say(9, 'yes'));
  t.deepEqual(script.take(), []);
  round.answered(3, 0, say(2, 'yes'));
  t.deepEqual(script.take(), ['ask 1 fence=10 keys=0', 'ask 2 fence=10 keys=0', 'ask 3 fence=10 keys=0']);
  for (const member of [3, 1, 2]) round.answered(member, 10, say(10, 'yes'));
  t.deepEqual(script.take(), ['order 1 fence=10 opening=7 keys=0', 'order 2 fence=10 opening=7 keys=0', 'ended']);
  t.is(round.objections.size, 0);
});

test('one that is silent stops all of it, before any fence is raised, and is named', (t) => {
  const { round, script } = started(2);
  script.take();
  round.answered(1, 0, say(0, 'yes', 'yes'));
  round.failed(3, 0);
  round.answered(2, 0, say(0, 'yes', 'hint'));
  t.deepEqual(script.take(), ['ended']);
  t.deepEqual(round.objections.get(0), [{ member: 3, why: 'silent' }]);
  t.deepEqual(round.objections.get(1), [
    { member: 3, why: 'silent' },
    { member: 2, why: 'hint' },
  ]);
});

test('keys that somebody objects to are left out, in the first part and in the second', (t) => {
  const { round, script } = started(3);
  script.take();
  round.answered(1, 0, say(0, 'yes', 'differs', 'yes'));
  round.answered(2, 0, say(0, 'yes', 'yes', 'yes'));
  round.answered(3, 0, say(0, 'yes', 'yes', 'yes'));
  t.is(script.take()[0], 'ask 1 fence=1 keys=0,2');
  round.answered(1, 1, say(1, 'yes', 'yes'));
  round.answered(2, 1, say(1, 'differs', 'yes'));
  round.answered(3, 1, say(1, 'yes', 'yes'));
  t.deepEqual(script.take(), ['order 1 fence=1 opening=7 keys=2', 'order 2 fence=1 opening=7 keys=2', 'ended']);
  t.deepEqual([...round.objections.keys()].sort(), [0, 1]);
});

test('late, repeated and incomplete answers are no yes', (t) => {
  const { round, script } = started();
  for (const member of [1, 2, 3]) round.answered(member, 0, say(0, 'yes'));
  script.take();
  round.answered(1, 0, say(0, 'yes')); // of the question before
  round.answered(1, 1, say(1, 'yes'));
  round.answered(1, 1, say(1, 'yes'));
  round.answered(2, 1, say(1, 'yes'));
  t.deepEqual(script.take(), []);
  round.answered(3, 1, say(1));
  t.deepEqual(script.take(), ['ended']);
  t.deepEqual(round.objections.get(0), [{ member: 3, why: 'silent' }]);
  round.answered(3, 1, say(1, 'yes'));
  t.deepEqual(script.take(), []);
});

test('a round that is abandoned ends, and hears nothing more', (t) => {
  const { round, script } = started();
  script.take();
  round.abandon();
  round.abandon();
  for (const member of [1, 2, 3]) round.answered(member, 0, say(0, 'yes'));
  t.deepEqual(script.take(), ['ended']);
});

const RUNS = 800;
const STEPS = 1_500;

interface FirstFault {
  readonly fault: string;
  readonly seed: number;
  readonly reaps: number;
  readonly compacted: number;
}

function firstFault(planted: Planted): FirstFault {
  let reaps = 0;
  let compacted = 0;
  for (let seed = 1; seed <= RUNS; seed++) {
    const world = new ReapWorld(new Prng(seed), planted);
    const fault = world.run(STEPS);
    reaps += world.reaps;
    compacted += world.compacted;
    if (fault !== '') return { fault, seed, reaps, compacted };
  }
  return { fault: '', seed: RUNS, reaps, compacted };
}

test('whatever comes late, and whoever goes down: nothing comes back, and nothing is lost', (t) => {
  const { fault, seed, reaps, compacted } = firstFault({});
  t.is(fault, '', `seed ${seed}`);
  t.log(`${RUNS} worlds, ${reaps} deletes forgotten, ${compacted} values compacted`);
  t.true(reaps > RUNS / 20 && compacted > RUNS / 50);
});

const PLANTED: Readonly<Record<string, Planted>> = {
  'only owners are asked': { ownersOnly: true },
  'one owner is not asked': { oneOwnerLess: true },
  'records are taken whatever their stamp': { noFence: true },
  'owners drop without comparing': { noCompare: true },
  'an owner agrees to a compaction though it holds another value': { compactWhateverHeld: true },
};
for (const [what, planted] of Object.entries(PLANTED)) {
  test(`found: ${what}`, (t) => {
    const { fault, seed } = firstFault(planted);
    t.not(fault, '');
    t.log(`seed ${seed}: ${fault}`);
  });
}
