/*
 * A get among peers that answer as a drawn plan says: late, twice, with a record or none, not knowing, not at all, at once
 * or after a while. A record is a set of versions, a merge their union. Two gets run one after the other through one
 * object, so that answers to the first come in during the second.
 */
import { fc } from '@fast-check/ava';
import type { Fault } from '../../src/coordinator/asked.js';
import type { PeerView, Preference } from '../../src/coordinator/preference.js';
import type { GetAnswer, GetPort, ReplicatedGet } from '../../src/coordinator/replicated-get.js';
import { claim, Timeline } from './timeline.js';

interface Plan {
  readonly kind: GetAnswer | 'unsent' | 'refused' | 'lost' | 'silent' | 'fails-then-finds';
  /** The versions that it holds, as bits. */
  readonly versions: number;
  readonly delayMs: number;
  readonly againMs: number;
  readonly atOnce: boolean;
}

interface GetScenario {
  readonly nodeCount: number;
  readonly ownerCount: number;
  readonly self: number;
  readonly r: number;
  readonly strict: boolean;
  readonly deadlineMs: number;
  readonly graceMs: number;
  readonly patienceMs: number;
  readonly suspects: readonly boolean[];
  readonly costs: readonly number[];
  readonly plans: readonly (readonly Plan[])[];
}

const NODES_MAX = 6;
const plan: fc.Arbitrary<Plan> = fc.record({
  kind: fc.constantFrom<Plan['kind']>(
    ...(['found', 'found', 'found', 'found', 'absent', 'absent', 'unknown'] as const),
    ...(['unsent', 'refused', 'lost', 'silent', 'fails-then-finds'] as const),
  ),
  versions: fc.constantFrom(1, 1, 2, 3),
  delayMs: fc.integer({ min: 0, max: 90 }),
  againMs: fc.constantFrom(-1, -1, 0, 30, 150),
  atOnce: fc.boolean(),
});

export const getScenarios: fc.Arbitrary<GetScenario> = fc.integer({ min: 1, max: NODES_MAX }).chain((nodeCount) =>
  fc.integer({ min: 1, max: Math.min(4, nodeCount) }).chain((ownerCount) =>
    fc.record({
      nodeCount: fc.constant(nodeCount),
      ownerCount: fc.constant(ownerCount),
      self: fc.integer({ min: 0, max: nodeCount - 1 }),
      r: fc.integer({ min: 1, max: ownerCount }),
      strict: fc.boolean(),
      deadlineMs: fc.constantFrom(10, 60, 200),
      graceMs: fc.constantFrom(0, 20, 100),
      patienceMs: fc.constantFrom(5, 25, 80),
      suspects: fc.array(fc.constantFrom(true, false, false), { minLength: NODES_MAX, maxLength: NODES_MAX }),
      costs: fc.array(fc.integer({ min: -1, max: 3 }), { minLength: NODES_MAX, maxLength: NODES_MAX }),
      plans: fc.array(fc.array(plan, { minLength: NODES_MAX, maxLength: NODES_MAX }), { minLength: 2, maxLength: 2 }),
    }),
  ),
);

export type MakeGet = (self: number, peers: PeerView, port: GetPort) => ReplicatedGet;

interface Question {
  readonly node: number;
  readonly row: number;
  readonly askedMs: number;
  readonly ticket: number;
  answer: GetAnswer | '';
  fault: Fault | '';
  merges: number;
  /** What it held when it answered. */
  versions: number;
}

class Attempt {
  readonly questions: Map<number, Question> = new Map();
  readonly repaired: Map<number, number> = new Map();
  startedMs = 0;
  repliedMs = -1;
  merged = 0;
  succeeded = false;
  ended = false;
}

export class GetWorld implements GetPort, PeerView {
  readonly #scenario: GetScenario;
  readonly #time = new Timeline();
  readonly #nodes: readonly number[];
  readonly #preference: Preference;
  readonly #get: ReplicatedGet;
  readonly #self: number;
  readonly #attempts: Attempt[] = [];
  #wakeup = 0;

  constructor(scenario: GetScenario, make: MakeGet) {
    this.#scenario = scenario;
    this.#nodes = Array.from({ length: scenario.nodeCount }, (_, i) => ordinal(i));
    this.#preference = {
      nodes: Uint16Array.from(this.#nodes),
      ownerCount: scenario.ownerCount,
      ringVersion: 7,
      handovers: [],
    };
    this.#self = ordinal(scenario.self);
    this.#get = make(this.#self, this, this);
  }

  run(): void {
    this.#start();
    this.#time.run(() => {
      this.#checkProgress();
    });
    claim(this.#attempts.length === 2, 'the second get never started: the first has not ended');
    for (const attempt of this.#attempts) claim(attempt.ended, 'every get ends');
  }

  #start(): void {
    const attempt = new Attempt();
    attempt.startedMs = this.#time.nowMs;
    this.#attempts.push(attempt);
    const { r, strict, deadlineMs, graceMs } = this.#scenario;
    const terms = { r, strict, graceMs, deadlineMs: this.#time.nowMs + deadlineMs };
    this.#get.start(terms, this.#preference, this.#time.nowMs);
    this.#checkProgress();
  }

  get #current(): Attempt {
    return this.#attempts.at(-1) as Attempt;
  }

  isHealthy(node: number): boolean {
    return node === this.#self || this.#scenario.suspects[index(node)] !== true;
  }
  putPatienceMs(): number {
    return 0;
  }
  getPatienceMs(): number {
    return this.#scenario.patienceMs;
  }
  readCost(node: number): number {
    return this.#scenario.costs[index(node)] as number;
  }
  missed(): void {
    claim(false, 'a get reports nobody late: its patience is too short');
  }

  readHere(_get: ReplicatedGet, ticket: number): void {
    this.#ask(this.#self, ticket);
  }

  ask(_get: ReplicatedGet, ticket: number, node: number): void {
    claim(node !== this.#self, 'the local store is asked without a message');
    this.#ask(node, ticket);
  }

  #ask(node: number, ticket: number): void {
    const attempt = this.#current;
    claim(!attempt.ended && attempt.repliedMs < 0, 'nobody is asked after the reply');
    claim(!attempt.questions.has(node), 'no node is asked twice');
    claim(this.#expected(attempt) < this.#scenario.r, 'no more are asked than needed');
    this.#checkOrder(attempt, node);
    const { nowMs: askedMs } = this.#time;
    const row = attempt.questions.size;
    const question: Question = { node, row, askedMs, ticket, answer: '', fault: '', merges: 0, versions: 0 };
    attempt.questions.set(node, question);
    const { kind, versions, delayMs, againMs, atOnce } = this.#scenario.plans[this.#attempts.length - 1]?.[
      index(node)
    ] as Plan;
    const report = (): void => {
      switch (kind) {
        case 'silent':
          return;
        case 'unsent':
        case 'lost':
          this.#fail(attempt, question, kind);
          return;
        case 'refused':
          this.#fail(attempt, question, 'OVERLOADED');
          return;
        case 'fails-then-finds':
          this.#fail(attempt, question, 'lost');
          this.#answer(attempt, question, 'found', versions);
          return;
        default:
          this.#answer(attempt, question, kind, versions);
      }
    };
    if (atOnce) report();
    else this.#time.after(delayMs, report);
    if (againMs >= 0) this.#time.after(delayMs + againMs, report);
  }

  merge(get: ReplicatedGet, row: number): void {
    const attempt = this.#current;
    const question = attempt.questions.get(get.askedNode(row)) as Question;
    claim(!attempt.ended && question.answer === 'found' && question.row === row, 'only what was found is merged');
    question.merges += 1;
    claim(question.merges === 1, 'a record is merged once');
    attempt.merged |= question.versions;
  }

  isStale(get: ReplicatedGet, row: number): boolean {
    const attempt = this.#current;
    claim(attempt.succeeded && !attempt.ended, 'records are compared after the reply');
    return attempt.questions.get(get.askedNode(row))?.versions !== attempt.merged;
  }

  repair(_get: ReplicatedGet, node: number): void {
    const attempt = this.#current;
    claim(attempt.repliedMs >= 0 && !attempt.ended, 'repair follows a reply');
    claim(!attempt.repaired.has(node), 'a node is repaired once');
    claim(this.#isOwner(node), 'only owners are repaired');
    const question = attempt.questions.get(node);
    claim(question !== undefined && question.answer !== '', 'only who answered is known to be stale');
    claim(question?.versions !== attempt.merged && attempt.merged > 0, 'only what is stale is repaired');
    claim(attempt.succeeded || question?.answer === 'unknown', 'a get that failed repairs those who did not know');
    attempt.repaired.set(node, attempt.merged);
  }

  reply(get: ReplicatedGet): void {
    const attempt = this.#current;
    claim(attempt.repliedMs < 0 && !attempt.ended, 'a get replies once');
    attempt.repliedMs = this.#time.nowMs;
    attempt.succeeded = get.outcome === 'answered';
    const counted = this.#counted(attempt);
    if (attempt.succeeded) {
      claim(counted.length >= this.#scenario.r, `answered by ${counted.length} of ${this.#scenario.r}`);
      claim(get.answers === counted.length, 'answers are counted as they came');
      claim(
        get.standInAnswers === counted.filter(({ node }) => !this.#isOwner(node)).length,
        'stand-ins are told apart',
      );
      for (const { versions } of counted) claim((attempt.merged & versions) === versions, 'an answer was not merged');
      claim(
        counted.some(({ node }) => node === get.fastest),
        'the fastest is one that counts',
      );
      return;
    }
    claim(counted.length < this.#scenario.r, 'a failure, and R have answered');
    if (this.#time.nowMs >= attempt.startedMs + this.#scenario.deadlineMs) return;
    const { strict, ownerCount, nodeCount, r } = this.#scenario;
    const out = [...attempt.questions.values()].filter(({ answer, fault }) => answer === 'unknown' || fault !== '');
    claim((strict ? ownerCount : nodeCount) - out.length < r, 'given up early');
  }

  wakeAt(_get: ReplicatedGet, atMs: number): void {
    claim(!this.#current.ended && atMs < Infinity, 'a wake-up has a time, before the end');
    this.#wakeup += 1;
    const wakeup = this.#wakeup;
    this.#time.after(Math.max(0, atMs - this.#time.nowMs), () => {
      if (this.#wakeup === wakeup) this.#get.tick(this.#time.nowMs);
    });
  }

  ended(): void {
    const attempt = this.#current;
    claim(!attempt.ended && attempt.repliedMs >= 0, 'a get ends once, after its reply');
    this.#checkRepairs(attempt);
    attempt.ended = true;
    this.#wakeup += 1;
    if (this.#attempts.length < 2) this.#start();
  }

  #answer(attempt: Attempt, question: Question, answer: GetAnswer, versions: number): void {
    if (!attempt.ended && question.answer === '' && question.fault === '') {
      question.answer = answer;
      if (answer === 'found') question.versions = versions;
    }
    this.#get.answered(question.ticket, answer, this.#time.nowMs);
  }

  #fail(attempt: Attempt, question: Question, fault: Fault): void {
    if (!attempt.ended && question.answer === '') question.fault = fault;
    this.#get.failed(question.ticket, fault, this.#time.nowMs);
  }

  #isOwner(node: number): boolean {
    return index(node) < this.#scenario.ownerCount;
  }

  #counted(attempt: Attempt): Question[] {
    return [...attempt.questions.values()].filter(
      ({ node, answer }) =>
        (answer === 'found' || answer === 'absent') && (!this.#scenario.strict || this.#isOwner(node)),
    );
  }

  /** How many have answered, or may be expected to. */
  #expected(attempt: Attempt): number {
    const waiting = [...attempt.questions.values()].filter(
      ({ answer, fault, askedMs }) =>
        answer === '' && fault === '' && this.#time.nowMs - askedMs < this.#scenario.patienceMs,
    );
    return this.#counted(attempt).length + waiting.length;
  }

  #candidates(attempt: Attempt): number[] {
    const { ownerCount, strict } = this.#scenario;
    return (strict ? this.#nodes.slice(0, ownerCount) : this.#nodes).filter((node) => !attempt.questions.has(node));
  }

  #checkOrder(attempt: Attempt, node: number): void {
    const candidates = this.#candidates(attempt);
    claim(candidates.includes(node), 'strict asks owners only');
    const rank = (other: number): number => (this.isHealthy(other) ? 0 : 2) + (this.#isOwner(other) ? 0 : 1);
    for (const other of candidates) claim(rank(other) >= rank(node), `${other} is to be asked before ${node}`);
    if (rank(node) > 0 || node === this.#self) return;
    for (const other of candidates) {
      if (rank(other) > 0) continue;
      claim(other !== this.#self && this.readCost(other) >= this.readCost(node), `${other} is faster than ${node}`);
    }
  }

  #checkProgress(): void {
    const attempt = this.#current;
    if (attempt.repliedMs >= 0) return;
    claim(this.#counted(attempt).length < this.#scenario.r, 'R answers, and no reply');
    claim(this.#time.nowMs <= attempt.startedMs + this.#scenario.deadlineMs, 'no reply after the deadline');
    if (this.#time.nowMs === attempt.startedMs + this.#scenario.deadlineMs) return;
    const isShort = this.#expected(attempt) < this.#scenario.r && this.#candidates(attempt).length > 0;
    claim(!isShort || this.#wakesNow(attempt), 'too few may answer, and nobody else is asked');
  }

  /** Somebody became late in this very millisecond: the wake-up comes as its next event. */
  #wakesNow(attempt: Attempt): boolean {
    return [...attempt.questions.values()].some(
      ({ answer, fault, askedMs }) =>
        answer === '' && fault === '' && this.#time.nowMs - askedMs === this.#scenario.patienceMs,
    );
  }

  #checkRepairs(attempt: Attempt): void {
    if (!attempt.succeeded) {
      for (const { node, answer } of attempt.questions.values()) {
        const isOwed = answer === 'unknown' && attempt.merged > 0 && this.#isOwner(node);
        claim(attempt.repaired.has(node) === isOwed, `${node} does not know, and is left so`);
      }
      return;
    }
    const { graceMs } = this.#scenario;
    const open = [...attempt.questions.values()].filter(({ answer, fault }) => answer === '' && fault === '');
    claim(open.length === 0 || this.#time.nowMs >= attempt.repliedMs + graceMs, 'late answers have their grace');
    claim(this.#time.nowMs <= attempt.repliedMs + graceMs, 'the grace is over');
    for (const { node, answer, versions } of attempt.questions.values()) {
      const isStale = answer !== '' && attempt.merged > 0 && versions !== attempt.merged;
      if (this.#isOwner(node)) claim(attempt.repaired.has(node) === isStale, `${node} is stale, and is left so`);
    }
  }
}

function ordinal(position: number): number {
  return 5 + 3 * position;
}
function index(node: number): number {
  return (node - 5) / 3;
}
