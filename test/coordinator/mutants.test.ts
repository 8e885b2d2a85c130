/* The random tests can fail: each of these bugs is found by them. */
import { fc } from '@fast-check/ava';
import test, { type ExecutionContext } from 'ava';
import type { HintBook } from '../../src/coordinator/hint-book.js';
import type { ReplicatedGet } from '../../src/coordinator/replicated-get.js';
import type { ReplicatedPut } from '../../src/coordinator/replicated-put.js';
import { getScenarios, GetWorld, type MakeGet } from './get-world.js';
import { hintSteps, HintWorld, type MakeBook } from './hint-world.js';
import { loadMutant, type Mutant } from './mutants.js';
import { putScenarios } from './put-scenarios.js';
import { type MakePut, PutWorld } from './put-world.js';

const RUNS = 10_000;

const PUT: readonly Mutant[] = [
  {
    bug: 'an ack is counted as often as it comes',
    from: '        this.#asked.set(row, durable ?',
    to: '        if (this.replied === false) { const again = this.#asked.state(row) === "buffered"; if (again) this.w -= 1; }\n        this.#asked.set(row, durable ?',
  },
  {
    bug: 'strict counts stand-ins',
    from: 'return !this.#strict || (this.#asked.isOwnerRow(row) && !this.copyIsExtra(row));',
    to: 'return true;',
  },
  {
    bug: 'an answer to an earlier put is taken for one to this',
    file: 'asked.js',
    from: 'return (ticket - row) / ASKED_MAX === this.#generation && row < this.count ? row : -1;',
    to: 'return row < this.count ? row : -1;',
  },
  {
    bug: 'an ack counts for the node asked last',
    from: `const row = this.#asked.row(ticket);
        if (row < 0 || this.#asked.state(row) === 'durable')`,
    to: `const row = this.#asked.row(ticket) < 0 ? -1 : this.#asked.count - 1;
        if (row < 0 || this.#asked.state(row) === 'durable')`,
  },
  {
    bug: 'a failure is taken for an ack',
    from: 'this.#asked.set(row, fault);',
    to: "this.#asked.set(row, fault === 'lost' ? 'durable' : fault);",
  },
  {
    bug: 'a slow owner is counted as if it had answered',
    from: "return state === 'durable' || (state === 'buffered' && !this.#mustBeDurable);",
    to: "return state === 'durable' || state === 'slow' || (state === 'buffered' && !this.#mustBeDurable);",
  },
  {
    bug: 'a hint counts before it is durable',
    from: `if (!durable && !this.#asked.isOwnerRow(row))
            return;`,
    to: '',
  },
  {
    bug: 'buffered passes for durable',
    from: "if (this.#asked.state(row) === 'durable')\n                this.durableAcks += 1;",
    to: 'this.durableAcks += 1;',
  },
  {
    bug: 'a durable put takes buffered acks',
    from: "(state === 'buffered' && !this.#mustBeDurable);",
    to: "state === 'buffered';",
  },
  {
    bug: 'after the reply nobody cares for the owners that have not answered',
    from: `if (!this.#isEncoded)
            return true;`,
    to: 'return true;',
  },
  {
    bug: 'no hint is kept here when the fallbacks have run out',
    from: 'this.#port.keepHint(this, owner);',
    to: 'void owner;',
  },
  {
    bug: 'the hint names another owner',
    from: 'const node = isBack ? owner : this.#unaskedFallback(true, nowMs);',
    to: 'const node = isBack ? owner : this.#unaskedFallback(true, nowMs); if (!isBack && node >= 0) { this.#hinted[i] = true; this.#send(node, nodes[(i + 1) % ownerCount], nowMs); continue; }',
  },
  {
    bug: 'two owners share a stand-in',
    from: 'if (this.#asked.rowOf(node) >= 0)\n                continue;',
    to: '',
  },
  {
    bug: 'a silent owner is waited for until the deadline',
    from: 'nowMs + this.#peers.putPatienceMs(node)',
    to: 'this.#deadlineMs',
  },
  {
    bug: 'a failed put says that surely nobody has it',
    from: "return this.outcome === 'too-few';",
    to: 'return false;',
  },
  {
    bug: 'a refused put says that somebody may have it',
    from: "return this.outcome === 'too-few';",
    to: "return this.outcome !== 'stored';",
  },
  {
    bug: 'given up while suspects are left to be asked',
    from: 'this.#reachForMore(nowMs);',
    to: '',
  },
  {
    bug: 'given up while answers that came at once are not looked at',
    from: `if (this.#stepAgain)
            return;`,
    to: '',
  },
  {
    bug: 'a copy is sent before there is a record',
    from: 'if (!this.#isEncoded) {',
    to: 'if (false) {',
  },
  {
    bug: 'W - 1 is enough',
    from: "if (!this.replied && this.#count() >= this.w)\n            this.#reply('stored');",
    to: "if (!this.replied && this.#count() >= Math.max(1, this.w - 1))\n            this.#reply('stored');",
  },
  {
    bug: 'the reply comes when everybody has answered',
    from: 'if (!this.replied && this.#count() >= this.w)',
    to: 'if (!this.replied && this.#count() >= this.w && this.#asked.nextSlowMs() === Infinity)',
  },
  {
    bug: 'replies again with every ack after W',
    from: `if (this.replied)
            return;
        this.outcome = outcome;`,
    to: 'this.outcome = outcome;',
  },
];

const GET: readonly Mutant[] = [
  {
    bug: 'unknown counts',
    from: `            const state = this.#asked.state(row);
            if (state === 'found' || state === 'absent')
                count += 1;`,
    to: `            const state = this.#asked.state(row);
            if (state === 'found' || state === 'absent' || state === 'unknown')
                count += 1;`,
  },
  {
    bug: 'a repeated answer is counted and merged again',
    from: 'if (row < 0 || this.#ended || !this.#asked.isOpen(row))',
    to: 'if (row < 0 || this.#ended)',
  },
  {
    bug: 'a node that is slow is asked once more',
    from: `            if (this.#asked.rowOf(node) >= 0)
                continue;
            if (node === this.#self)
                return node;
            if (!this.#peers`,
    to: `            if (this.#asked.rowOf(node) >= 0 && this.#asked.state(this.#asked.rowOf(node)) !== 'slow')
                continue;
            if (node === this.#self)
                return node;
            if (!this.#peers`,
  },
  {
    bug: 'a hedge counts as an answer',
    from: `let count = this.#count();
        for`,
    to: `let count = this.#count() + (withSlow ? 0 : 1);
        for`,
  },
  { bug: 'strict asks fallbacks', from: 'if (!this.#strict) {', to: 'if (true) {' },
  { bug: 'everybody is asked at once', from: 'this.#countPossible(false) < this.r &&', to: '' },
  { bug: 'no hedge', from: 'nowMs + this.#peers.getPatienceMs(node)', to: 'Infinity' },
  {
    bug: 'an answer to an earlier get is taken for one to this',
    file: 'asked.js',
    from: 'return (ticket - row) / ASKED_MAX === this.#generation && row < this.count ? row : -1;',
    to: 'return row < this.count ? row : -1;',
  },
  { bug: 'fallbacks are repaired', from: 'if (!this.#asked.isOwnerRow(row))\n                continue;', to: '' },
  { bug: 'all that were found are repaired', from: ' && this.#port.isStale(this, row)', to: '' },
  {
    bug: 'an owner that has nothing is not repaired',
    from: "(isAnswered && state === 'absent') ||",
    to: '',
  },
  {
    bug: 'a get that failed repairs nobody',
    from: "state === 'unknown' ||",
    to: "(isAnswered && state === 'unknown') ||",
  },
  {
    bug: 'a get that failed repairs all that differ',
    from: "const isAnswered = this.outcome === 'answered';",
    to: 'const isAnswered = true;',
  },
  {
    bug: 'late answers have no grace',
    from: 'this.#graceEndsMs = nowMs + this.#graceMs;',
    to: 'this.#graceEndsMs = nowMs;',
  },
  { bug: 'the slowest owner first', from: 'cost >= bestCost', to: 'cost <= bestCost' },
  { bug: 'one answer is enough', from: 'if (this.#count() >= this.r)', to: 'if (this.#count() >= 1)' },
];

const HINTS: readonly Mutant[] = [
  {
    bug: 'a stale ack removes the hint',
    from: 'entry === undefined || entry.version !== version',
    to: 'entry === undefined',
  },
  {
    bug: 'a hint that is merged into keeps its version',
    from: 'entry.version = version;',
    to: '',
  },
  {
    bug: 'a removal that is not on the disk is believed',
    from: 'return !this.#outstanding.has(partition);',
    to: 'return ![...this.#byId.values()].some((entry) => entry.partition === partition);',
  },
  {
    bug: 'hints of an earlier opening are not counted',
    from: `const entry = { ...hint, durableVersion: hint.version };
        this.#insert(entry);`,
    to: '',
  },
  { bug: 'delivered to a suspect', from: 'if (!this.#peers.isHealthy(owner, nowMs))\n            return 0;', to: '' },
  { bug: 'two batches at once', from: 'queue.ticket !== 0 || ', to: '' },
  { bug: 'the end of an earlier batch ends this one', from: ' || queue.ticket !== ticket', to: '' },
  { bug: 'no bound', from: 'return null;\n        this.#lastVersion', to: ';\n        this.#lastVersion' },
  { bug: 'the removal is not written', from: 'this.#port.forget(entry);', to: '' },
  {
    bug: 'versions start over with each opening',
    from: 'this.#lastVersion = opening * VERSIONS_PER_OPENING;',
    to: 'this.#lastVersion = 1e9; this.#lastVersion -= 1e9 - 1; if (opening > 1) this.restore = (hint) => { this.#insert({ ...hint, durableVersion: hint.version }); };',
  },
];

/** Runs until the bug shows; the line says after how many drawn worlds, and what gave it away. */
async function hunt<World>(
  t: ExecutionContext,
  mutants: readonly Mutant[],
  load: (mutant: Mutant) => Promise<(world: World) => void>,
  worlds: fc.Arbitrary<World>,
): Promise<void> {
  for (const mutant of mutants) {
    const run = await load(mutant);
    const property = fc.property(worlds, run);
    const found = fc.check(property, { numRuns: RUNS, seed: 1, endOnFailure: true });
    const what = found.errorInstance instanceof Error ? found.errorInstance.message : '';
    t.true(found.failed, `not found in ${RUNS} runs: ${mutant.bug}`);
    t.log(`${mutant.bug}: run ${found.numRuns}, ${what}`);
  }
}

test('Every bug planted in a put is found', async (t) => {
  const load = async (mutant: Mutant): Promise<(scenario: Scenario<typeof putScenarios>) => void> => {
    const { ReplicatedPut: Put } = (await loadMutant('replicated-put.js', mutant)) as {
      ReplicatedPut: new (...args: Parameters<MakePut>) => ReplicatedPut;
    };
    return (scenario) => {
      new PutWorld(scenario, (...args) => new Put(...args)).run();
    };
  };
  await hunt(t, PUT, load, putScenarios);
});

test('Every bug planted in a get is found', async (t) => {
  const load = async (mutant: Mutant): Promise<(scenario: Scenario<typeof getScenarios>) => void> => {
    const { ReplicatedGet: Get } = (await loadMutant('replicated-get.js', mutant)) as {
      ReplicatedGet: new (...args: Parameters<MakeGet>) => ReplicatedGet;
    };
    return (scenario) => {
      new GetWorld(scenario, (...args) => new Get(...args)).run();
    };
  };
  await hunt(t, GET, load, getScenarios);
});

test('Every bug planted in the hint book is found', async (t) => {
  const load = async (mutant: Mutant): Promise<(steps: Scenario<typeof hintSteps>) => void> => {
    const { HintBook: Book } = (await loadMutant('hint-book.js', mutant)) as {
      HintBook: new (...args: Parameters<MakeBook>) => HintBook;
    };
    return (steps) => {
      new HintWorld((...args) => new Book(...args)).run(steps);
    };
  };
  await hunt(t, HINTS, load, hintSteps);
});

type Scenario<A> = A extends fc.Arbitrary<infer T> ? T : never;
