/* A put or a get moved by hand: what it asks for is a list of lines, what is told to it are calls. */
import type { Fault } from '../../src/coordinator/asked.js';
import type { Handover, PeerView, Preference } from '../../src/coordinator/preference.js';
import { type GetAnswer, ReplicatedGet } from '../../src/coordinator/replicated-get.js';
import { ReplicatedPut } from '../../src/coordinator/replicated-put.js';

export interface Setting {
  /** Owners 1, 2, 3 and fallbacks 4, 5 unless said otherwise. */
  readonly nodes?: readonly number[];
  readonly ownerCount?: number;
  readonly self?: number;
  readonly handovers?: readonly Handover[];
  readonly quorum?: number;
  readonly strict?: boolean;
  readonly durable?: boolean;
  readonly suspects?: readonly number[];
  readonly stale?: readonly number[];
  readonly costs?: Readonly<Record<number, number>>;
}

export const PATIENCE_MS = 20;
export const DEADLINE_MS = 100;
const GRACE_MS = 30;

function peersOf(setting: Setting, missed: number[]): PeerView {
  return {
    isHealthy: (node) => setting.suspects?.includes(node) !== true,
    putPatienceMs: () => PATIENCE_MS,
    getPatienceMs: () => PATIENCE_MS,
    readCost: (node) => setting.costs?.[node] ?? 1,
    missed: (node) => missed.push(node),
  };
}

function preferenceOf({ nodes = [1, 2, 3, 4, 5], ownerCount = 3, handovers = [] }: Setting): Preference {
  return { nodes, ownerCount, ringVersion: 7, handovers };
}

export class PutScript {
  readonly put: ReplicatedPut;
  /** Who was late. */
  readonly missed: number[] = [];
  nowMs: number = 0;
  readonly #tickets: Map<number, number> = new Map();
  readonly #setting: Setting;
  #lines: string[] = [];

  constructor(setting: Setting = {}) {
    this.#setting = setting;
    this.put = new ReplicatedPut(setting.self ?? 1, peersOf(setting, this.missed), {
      storeHere: (_put, ticket, hintFor) => {
        this.#tickets.set(setting.self ?? 1, ticket);
        this.#lines.push(`store${hintFor < 0 ? '' : ` for ${hintFor}`}`);
      },
      sendCopy: (_put, ticket, node, hintFor) => {
        this.#tickets.set(node, ticket);
        this.#lines.push(`send ${node}${hintFor < 0 ? '' : ` for ${hintFor}`}`);
      },
      keepHint: (_put, owner) => this.#lines.push(`keep for ${owner}`),
      reply: (put) =>
        this.#lines.push(
          put.outcome === 'stored'
            ? `stored ${put.acks}/${put.w}${put.durable ? ' durable' : ''}${put.standInAcks > 0 ? ' sloppy' : ''}`
            : `${put.outcome} ${put.acks}/${put.w}${put.outcomeUnknown ? ' unknown' : ''}`,
        ),
      wakeAt: () => undefined,
      ended: () => this.#lines.push('ended'),
    });
    this.start();
  }

  start(): void {
    const { quorum: w = 2, strict = false, durable = false } = this.#setting;
    const terms = { w, strict, durable, deadlineMs: this.nowMs + DEADLINE_MS };
    this.put.start(terms, preferenceOf(this.#setting), this.nowMs);
  }

  /** What it has asked for since the last look. */
  get lines(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }

  ticket(node: number): number {
    return this.#tickets.get(node) ?? -1;
  }
  encoded(): readonly string[] {
    this.put.encoded(this.ticket(this.#setting.self ?? 1), this.nowMs);
    return this.lines;
  }
  ack(node: number, durable: boolean = true): readonly string[] {
    this.put.acked(this.ticket(node), durable, this.nowMs);
    return this.lines;
  }
  keptForOthers(node: number): readonly string[] {
    this.put.keptForOthers(this.ticket(node), true, this.nowMs);
    return this.lines;
  }
  fail(node: number, fault: Fault = 'lost'): readonly string[] {
    this.put.failed(this.ticket(node), fault, this.nowMs);
    return this.lines;
  }
  waitUntil(nowMs: number): readonly string[] {
    this.nowMs = nowMs;
    this.put.tick(nowMs);
    return this.lines;
  }
}

export class GetScript {
  readonly get: ReplicatedGet;
  nowMs: number = 0;
  readonly #tickets: Map<number, number> = new Map();
  #lines: string[] = [];

  constructor(setting: Setting = {}) {
    this.get = new ReplicatedGet(setting.self ?? 1, peersOf(setting, []), {
      readHere: (_get, ticket) => {
        this.#tickets.set(setting.self ?? 1, ticket);
        this.#lines.push('read');
      },
      ask: (_get, ticket, node) => {
        this.#tickets.set(node, ticket);
        this.#lines.push(`ask ${node}`);
      },
      merge: (get, row) => this.#lines.push(`merge ${get.askedNode(row)}`),
      reply: (get) =>
        this.#lines.push(`${get.outcome} ${get.answers}/${get.r}${get.standInAnswers > 0 ? ' sloppy' : ''}`),
      isStale: (get, row) => setting.stale?.includes(get.askedNode(row)) === true,
      repair: (_get, node) => this.#lines.push(`repair ${node}`),
      wakeAt: () => undefined,
      ended: () => this.#lines.push('ended'),
    });
    const { quorum: r = 2, strict = false } = setting;
    this.get.start({ r, strict, deadlineMs: DEADLINE_MS, graceMs: GRACE_MS }, preferenceOf(setting), 0);
  }

  get lines(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }
  answer(node: number, answer: GetAnswer = 'found'): readonly string[] {
    this.get.answered(this.#tickets.get(node) ?? -1, answer, this.nowMs);
    return this.lines;
  }
  fail(node: number, fault: Fault = 'lost'): readonly string[] {
    this.get.failed(this.#tickets.get(node) ?? -1, fault, this.nowMs);
    return this.lines;
  }
  waitUntil(nowMs: number): readonly string[] {
    this.nowMs = nowMs;
    this.get.tick(nowMs);
    return this.lines;
  }
}
