/*
 * A put among peers that do as a drawn plan says: acknowledge late, twice, buffered first, refuse, break, fall silent with
 * or without having stored, at once or after a while. The world knows the truth, who holds what, and checks after each
 * event what the put claims. Two puts run one after the other through one object, so that answers to the first come in
 * during the second.
 */
import type { Fault } from '../../src/coordinator/asked.js';
import type { PeerView, Preference } from '../../src/coordinator/preference.js';
import type { PutTerms } from '../../src/coordinator/put-terms.js';
import type { PutPort, ReplicatedPut } from '../../src/coordinator/replicated-put.js';
import type { PutPlan, PutScenario } from './put-scenarios.js';
import { claim, Timeline } from './timeline.js';

export type MakePut = (self: number, peers: PeerView, port: PutPort) => ReplicatedPut;

/** What is true of one node in one put. */
interface Copy {
  readonly askedMs: number;
  readonly hintFor: number;
  ticket: number;
  stored: boolean;
  storedDurably: boolean;
  /** What was reported while the put was under way. */
  ackedAs: 'nothing' | 'buffered' | 'durable';
  fault: Fault | '';
}

class Attempt {
  readonly copies: Map<number, Copy> = new Map();
  readonly hintsHere: Set<number> = new Set();
  startedMs = 0;
  replies = 0;
  ended = false;
  encoded = false;
  saidUnknown = true;
  saidStored = false;
}

export class PutWorld implements PutPort, PeerView {
  readonly #scenario: PutScenario;
  readonly #time = new Timeline();
  readonly #nodes: readonly number[];
  readonly #preference: Preference;
  readonly #suspects: boolean[];
  readonly #put: ReplicatedPut;
  readonly #self: number;
  readonly #attempts: Attempt[] = [];
  #wakeup = 0;

  constructor(scenario: PutScenario, make: MakePut) {
    this.#scenario = scenario;
    this.#nodes = Array.from({ length: scenario.nodeCount }, (_, i) => ordinal(i));
    const nodes = Uint16Array.from(this.#nodes);
    this.#preference = { nodes, ownerCount: scenario.ownerCount, ringVersion: 7, handovers: [] };
    this.#suspects = [...scenario.suspects];
    this.#self = ordinal(scenario.self);
    this.#put = make(this.#self, this, this);
  }

  run(): void {
    for (const { atMs, node } of this.#scenario.flips) {
      this.#time.after(atMs, () => {
        this.#suspects[node] = this.#suspects[node] !== true;
      });
    }
    this.#start();
    this.#time.run(() => {
      this.#checkProgress();
    });
    claim(this.#attempts.length === 2, 'the second put never started: the first has not ended');
    for (const attempt of this.#attempts) this.#checkEnd(attempt);
  }

  #start(): void {
    const attempt = new Attempt();
    attempt.startedMs = this.#time.nowMs;
    this.#attempts.push(attempt);
    const { w, strict, durable, deadlineMs } = this.#scenario;
    const terms: PutTerms = { w, strict, durable, deadlineMs: this.#time.nowMs + deadlineMs };
    this.#put.start(terms, this.#preference, this.#time.nowMs);
    this.#checkProgress();
  }

  get #current(): Attempt {
    return this.#attempts.at(-1) as Attempt;
  }

  isHealthy(node: number): boolean {
    return node === this.#self || this.#suspects[index(node)] !== true;
  }
  putPatienceMs(): number {
    return this.#scenario.patienceMs;
  }
  getPatienceMs(): number {
    return 0;
  }
  readCost(): number {
    return 0;
  }
  missed(node: number): void {
    const copy = this.#current.copies.get(node) as Copy;
    const open = copy.fault === '' && (copy.hintFor < 0 ? copy.ackedAs === 'nothing' : copy.ackedAs !== 'durable');
    claim(open && this.#time.nowMs - copy.askedMs >= this.#scenario.patienceMs, `${node} is not late`);
  }

  storeHere(_put: ReplicatedPut, ticket: number, hintFor: number): void {
    const attempt = this.#current;
    claim(attempt.copies.size === 0, 'the coordinator stores first, and once');
    const copy = this.#newCopy(attempt, this.#self, hintFor);
    copy.ticket = ticket;
    const { kind, delayMs, atOnce, againMs } = this.#plan(attempt, this.#self);
    if (kind === 'refused' || kind === 'unsent') {
      this.#later(atOnce, delayMs, () => {
        this.#fail(attempt, copy, 'DISK_FULL');
      });
      return;
    }
    this.#later(atOnce, delayMs / 2, () => {
      attempt.encoded = true;
      copy.stored = true;
      this.#put.encoded(ticket, this.#time.nowMs);
    });
    if (kind === 'lost') {
      this.#time.after(delayMs, () => {
        this.#fail(attempt, copy, 'lost');
      });
      return;
    }
    this.#later(atOnce, delayMs, () => {
      this.#ack(attempt, copy, hintFor >= 0 || kind !== 'buffered');
    });
    if (againMs >= 0) {
      this.#time.after(delayMs + againMs, () => {
        this.#ack(attempt, copy, true);
      });
    }
  }

  sendCopy(_put: ReplicatedPut, ticket: number, node: number, hintFor: number): void {
    const attempt = this.#current;
    claim(attempt.encoded, 'nothing can be sent before there is a record');
    claim(this.#nodes.includes(node), 'only members are asked');
    this.#checkReason(attempt, node, hintFor);
    const copy = this.#newCopy(attempt, node, hintFor);
    copy.ticket = ticket;
    const { kind, delayMs, againMs, atOnce } = this.#plan(attempt, node);
    const report = this.#reportOf(attempt, copy, kind);
    this.#later(atOnce, delayMs / 2, () => {
      if (!['unsent', 'refused', 'lost', 'silent', 'fails-then-acks'].includes(kind)) copy.stored = true;
    });
    this.#later(atOnce, delayMs, report);
    if (againMs >= 0) this.#time.after(delayMs + againMs, report);
  }

  #reportOf(attempt: Attempt, copy: Copy, kind: PutPlan['kind']): () => void {
    switch (kind) {
      case 'durable':
        return () => {
          this.#ack(attempt, copy, true);
        };
      case 'buffered':
        return () => {
          this.#ack(attempt, copy, false);
        };
      case 'upgrade':
        return () => {
          this.#ack(attempt, copy, false);
          this.#time.after(10, () => {
            this.#ack(attempt, copy, true);
          });
        };
      case 'unsent':
        return () => {
          this.#fail(attempt, copy, 'unsent');
        };
      case 'refused':
        return () => {
          this.#fail(attempt, copy, 'OVERLOADED');
        };
      case 'lost':
      case 'lost-stored':
        return () => {
          this.#fail(attempt, copy, 'lost');
        };
      case 'silent':
      case 'silent-stored':
        return () => undefined;
      case 'fails-then-acks':
        return () => {
          this.#fail(attempt, copy, 'lost');
          this.#time.after(5, () => {
            this.#ack(attempt, copy, true);
          });
        };
    }
  }

  keepHint(_put: ReplicatedPut, owner: number): void {
    const attempt = this.#current;
    claim(!attempt.ended, 'no hint is kept after the end');
    claim(this.#isOwner(owner) && owner !== this.#self, 'hints are for other owners');
    claim(!attempt.hintsHere.has(owner), 'a hint is kept once');
    this.#checkMissing(attempt, owner);
    attempt.hintsHere.add(owner);
  }

  reply(put: ReplicatedPut): void {
    const attempt = this.#current;
    attempt.replies += 1;
    claim(attempt.replies === 1 && !attempt.ended, 'a put replies once');
    attempt.saidUnknown = put.outcomeUnknown;
    attempt.saidStored = put.outcome === 'stored';
    if (put.outcome === 'stored') this.#checkSuccess(attempt, put);
    else this.#checkFailure(attempt, put);
  }

  wakeAt(_put: ReplicatedPut, atMs: number): void {
    claim(!this.#current.ended, 'no wake-up is asked for after the end');
    claim(atMs < Infinity, 'a wake-up has a time');
    this.#wakeup += 1;
    const wakeup = this.#wakeup;
    this.#time.after(Math.max(0, atMs - this.#time.nowMs), () => {
      if (this.#wakeup === wakeup) this.#put.tick(this.#time.nowMs);
    });
  }

  ended(): void {
    const attempt = this.#current;
    claim(!attempt.ended, 'a put ends once');
    claim(attempt.replies === 1, 'a put ends after its reply');
    attempt.ended = true;
    this.#wakeup += 1;
    this.#checkProvidedFor(attempt);
    if (this.#attempts.length < 2) this.#start();
  }

  #newCopy(attempt: Attempt, node: number, hintFor: number): Copy {
    claim(!attempt.ended, 'nobody is asked after the end');
    claim(!attempt.copies.has(node), 'no node is asked twice');
    claim(this.#isOwner(node) === hintFor < 0, 'an owner keeps no hint, a fallback does');
    claim(hintFor < 0 || this.#isOwner(hintFor), 'a hint is for an owner');
    const copy: Copy = {
      askedMs: this.#time.nowMs,
      hintFor,
      ticket: 0,
      stored: false,
      storedDurably: false,
      ackedAs: 'nothing',
      fault: '',
    };
    attempt.copies.set(node, copy);
    return copy;
  }

  #ack(attempt: Attempt, copy: Copy, durable: boolean): void {
    copy.stored = true;
    if (durable) copy.storedDurably = true;
    if (!attempt.ended && copy.ackedAs !== 'durable') copy.ackedAs = durable ? 'durable' : 'buffered';
    this.#put.acked(copy.ticket, durable, this.#time.nowMs);
  }

  #fail(attempt: Attempt, copy: Copy, fault: Fault): void {
    if (!attempt.ended && copy.ackedAs === 'nothing') copy.fault = fault;
    this.#put.failed(copy.ticket, fault, this.#time.nowMs);
  }

  #plan(attempt: Attempt, node: number): PutPlan {
    return this.#scenario.plans[this.#attempts.indexOf(attempt)]?.[index(node)] as PutPlan;
  }

  #later(atOnce: boolean, delayMs: number, run: () => void): void {
    if (atOnce) run();
    else this.#time.after(delayMs, run);
  }

  #isOwner(node: number): boolean {
    return this.#nodes.indexOf(node) < this.#preference.ownerCount && this.#nodes.includes(node);
  }

  #isCounted(copy: Copy): boolean {
    const { strict, durable } = this.#scenario;
    if (copy.hintFor >= 0) return !strict && copy.ackedAs === 'durable';
    return copy.ackedAs === 'durable' || (copy.ackedAs === 'buffered' && !durable);
  }

  #counted(attempt: Attempt): Copy[] {
    return [...attempt.copies.values()].filter((copy) => this.#isCounted(copy));
  }

  /** Nobody has it for this owner, nor is about to: only then is a stand-in or a hint due. */
  #checkMissing(attempt: Attempt, owner: number): void {
    for (const [node, copy] of attempt.copies) {
      if (copy.hintFor < 0 ? node !== owner : copy.hintFor !== owner) continue;
      const isLate = node !== this.#self && this.#time.nowMs - copy.askedMs >= this.#scenario.patienceMs;
      const acked = copy.hintFor < 0 ? copy.ackedAs !== 'nothing' : copy.ackedAs === 'durable';
      claim(!acked && (copy.fault !== '' || isLate), `${node} has it, or is about to, for ${owner}`);
    }
  }

  #checkReason(attempt: Attempt, node: number, hintFor: number): void {
    if (hintFor < 0) {
      if (this.isHealthy(node)) return;
      this.#checkTooFew(attempt, `the suspect owner ${node} is asked though others will do`);
      return;
    }
    claim(
      attempt.copies.has(hintFor) || !this.isHealthy(hintFor),
      `${hintFor} is healthy: it is asked before a fallback`,
    );
    if (this.isHealthy(node)) {
      const unpromised = this.#countPossible(attempt) < this.#scenario.w && attempt.replies === 0;
      if (!unpromised) this.#checkMissing(attempt, hintFor);
      return;
    }
    this.#checkTooFew(attempt, `the suspect fallback ${node} is asked though others will do`);
  }

  #checkTooFew(attempt: Attempt, text: string): void {
    claim(attempt.replies === 0 && this.#countPossible(attempt) < this.#scenario.w, text);
  }

  #countPossible(attempt: Attempt): number {
    const { strict, patienceMs } = this.#scenario;
    return [...attempt.copies].filter(([node, copy]) => {
      if (this.#isCounted(copy)) return true;
      if (strict && copy.hintFor >= 0) return false;
      const isLate = node !== this.#self && this.#time.nowMs - copy.askedMs >= patienceMs;
      const answered = copy.hintFor < 0 && copy.ackedAs !== 'nothing';
      return !answered && copy.fault === '' && !isLate;
    }).length;
  }

  #checkProgress(): void {
    const attempt = this.#current;
    const { w, deadlineMs } = this.#scenario;
    if (attempt.encoded && this.#counted(attempt).length >= w) claim(attempt.replies === 1, 'W acks, and no reply');
    if (this.#time.nowMs > attempt.startedMs + deadlineMs) claim(attempt.replies === 1, 'no reply after the deadline');
  }

  #checkSuccess(attempt: Attempt, put: ReplicatedPut): void {
    const { w, strict, durable } = this.#scenario;
    const all = [...attempt.copies.values()];
    const holders = all.filter((copy) => (copy.hintFor < 0 ? copy.stored : copy.storedDurably && !strict));
    const durably = holders.filter((copy) => copy.storedDurably);
    claim(holders.length >= w, `success, and ${holders.length} of ${w} hold it`);
    if (put.durable || durable) claim(durably.length >= w, `durable, and ${durably.length} of ${w} have it on disk`);
    claim(!durable || put.durable, 'durable was asked for');
    const counted = this.#counted(attempt);
    claim(put.acks === counted.length, `${put.acks} counted, ${counted.length} were to be`);
    claim(put.standInAcks === counted.filter((copy) => copy.hintFor >= 0).length, 'stand-ins are told apart');
    claim(put.ringVersion === 7, 'the reply names the ring');
    for (let row = 0; row < put.copyCount; row++) {
      claim(
        attempt.copies.get(put.copyNode(row))?.hintFor === put.copyHintFor(row),
        'the rows say who stood in for whom',
      );
    }
  }

  #checkFailure(attempt: Attempt, put: ReplicatedPut): void {
    const { w, strict, deadlineMs, nodeCount } = this.#scenario;
    claim(this.#counted(attempt).length < w, 'a failure, and W have acknowledged');
    const copies = [...attempt.copies.values()];
    const surelyNot = copies.every((copy) => copy.ackedAs === 'nothing' && copy.fault !== '' && copy.fault !== 'lost');
    claim(put.outcomeUnknown === !surelyNot, surelyNot ? 'nobody can have it' : 'somebody may have it');
    if (put.outcome === 'refused' || this.#time.nowMs >= attempt.startedMs + deadlineMs) return;
    const failed = copies.filter(
      (copy) => copy.fault !== '' && copy.ackedAs === 'nothing' && (!strict || copy.hintFor < 0),
    );
    const stillPossible = (strict ? this.#scenario.ownerCount : nodeCount) - failed.length;
    claim(stillPossible < w, `given up early: ${stillPossible} nodes had not failed, W is ${w}`);
  }

  #checkProvidedFor(attempt: Attempt): void {
    if (!attempt.encoded) return;
    for (const owner of this.#nodes.slice(0, this.#scenario.ownerCount)) {
      const own = attempt.copies.get(owner);
      const isKept = [...attempt.copies.values()].some((copy) => copy.hintFor === owner && copy.storedDurably);
      const acked = own !== undefined && own.ackedAs !== 'nothing';
      claim(
        acked || isKept || attempt.hintsHere.has(owner) || owner === this.#self,
        `${owner} has no copy and no hint`,
      );
    }
  }

  #checkEnd(attempt: Attempt): void {
    claim(attempt.replies === 1, 'every put replies');
    claim(attempt.ended, 'every put ends');
    if (attempt.saidStored || attempt.saidUnknown) return;
    for (const [node, copy] of attempt.copies) claim(!copy.stored, `${node} stored what surely nobody had`);
  }
}

function ordinal(position: number): number {
  return 5 + 3 * position;
}
function index(node: number): number {
  return (node - 5) / 3;
}
