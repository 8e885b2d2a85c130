/*
 * A few members, one key, and messages that may be late by any time: the rules of reaping played with records that are
 * mere numbers. Version n replaces all below it (a client that reads before it writes); odd ones are values, even ones
 * tombstones; 0 is nothing. A record knows that it has replaced what is above its base: so a merge is the greater of two,
 * unless the lower one is not above the base of the higher, and has come back. A value is compacted by raising its base
 * to just below it: it knows nothing any more of what it has replaced.
 *
 * The round is the real one (ReapRound), and so is the verdict. Members are written down in a few lines, with a memory, a
 * disk that lags behind it, and the fence in both. Each planted rule leaves out one thing.
 */
import type { Prng } from '../../src/lib/prng.js';
import { type ReapAnswer, type ReapPort, ReapRound } from '../../src/repair/reap-round.js';
import { judgeHolding, verdictNumber } from '../../src/repair/reap-verdict.js';

export interface Planted {
  /** Only owners are asked. */
  readonly ownersOnly?: boolean;
  /** The last owner is not asked. */
  readonly oneOwnerLess?: boolean;
  /** Records are taken whatever their stamp. */
  readonly noFence?: boolean;
  /** An owner drops what it has by then. */
  readonly noCompare?: boolean;
  /** An owner that holds another value agrees that this one may be compacted. */
  readonly compactWhateverHeld?: boolean;
}

interface Store {
  held: number;
  base: number;
  floor: number;
}

type Kept = Pick<Store, 'held' | 'base'>;

interface Member {
  readonly id: number;
  memory: Store;
  disk: Store;
  opening: number;
  /** Done at the next sync. */
  waiting: (() => void)[];
}

interface Message {
  /** It is stuck until then. */
  readonly untilStep: number;
  readonly deliver: () => void;
}

const MEMBERS = [1, 2, 3, 4, 5];
const OWNERS = [1, 2, 3];

export class ReapWorld {
  reaps = 0;
  compacted = 0;
  /** What has come back beside what had replaced it. */
  #back = '';
  readonly #random: Prng;
  readonly #planted: Planted;
  readonly #members: Map<number, Member>;
  #messages: Message[] = [];
  #lastVersion = 0;
  #isEnding = false;
  #steps = 0;
  #round: ReapRound | null = null;

  constructor(random: Prng, planted: Planted = {}) {
    this.#random = random;
    this.#planted = planted;
    this.#members = new Map(
      MEMBERS.map((id) => {
        const store = { held: 0, base: 0, floor: 0 };
        return [id, { id, memory: { ...store }, disk: { ...store }, opening: 1, waiting: [] }];
      }),
    );
  }

  /** What went wrong; empty: nothing. */
  run(steps: number): string {
    for (let i = 0; i < steps; i++) {
      this.#step();
      const fault = this.#back || this.#lost();
      if (fault !== '') return fault;
    }
    this.#isEnding = true;
    for (let i = 0; i < 2_000 && this.#messages.length > 0; i++) {
      this.#deliverOne();
      for (const member of this.#members.values()) this.#sync(member);
    }
    if (this.#back !== '') return this.#back;
    const newest = Math.max(...[...this.#members.values()].map(({ memory }) => memory.held));
    if (newest === 0 && this.#isDeleted()) return '';
    return newest < this.#lastVersion ? `version ${newest} is back, after ${this.#lastVersion}` : '';
  }

  #isDeleted(): boolean {
    return this.#lastVersion % 2 === 0;
  }

  /** A value that nobody deleted must be somewhere: in a store, or under way to one. */
  #lost(): string {
    if (this.#isDeleted()) return '';
    const isHeld = [...this.#members.values()].some(
      ({ memory, disk }) => Math.max(memory.held, disk.held) === this.#lastVersion,
    );
    return isHeld ? '' : `version ${this.#lastVersion} is lost`;
  }

  #step(): void {
    this.#steps += 1;
    const random = this.#random;
    const draw = random.float();
    const member = this.#member(random.pick(MEMBERS));
    if (draw < 0.65) this.#deliverOne();
    else if (draw < 0.8) this.#sync(member);
    else if (draw < 0.81) this.#write();
    else if (draw < 0.89) this.#spread(member);
    else if (draw < 0.992) this.#reap();
    else this.#crash(member);
  }

  #member(id: number): Member {
    return this.#members.get(id) as Member;
  }

  #sync(member: Member): void {
    member.disk = { ...member.memory };
    for (const done of member.waiting.splice(0)) done();
  }

  #crash(member: Member): void {
    member.memory = { ...member.disk };
    member.opening += 1;
    member.waiting = [];
  }

  #deliverOne(): void {
    if (this.#messages.length === 0) return;
    const at = this.#random.int(this.#messages.length);
    if ((this.#messages[at] as Message).untilStep > this.#steps && !this.#isEnding) return;
    this.#messages.splice(at, 1)[0]?.deliver();
  }

  /** By an owner that has the newest on its disk, as a client would that has read it; synced at once. */
  #write(): void {
    const owner = this.#member(this.#random.pick(OWNERS));
    const isReaped = [...this.#members.values()].every(({ memory, disk }) => memory.held === 0 && disk.held === 0);
    if (owner.disk.held !== this.#lastVersion && !(isReaped && this.#isDeleted())) return;
    this.#lastVersion += 1;
    if (owner.memory.held === 0) owner.memory.base = this.#lastVersion - 1;
    owner.memory.held = this.#lastVersion;
    this.#sync(owner);
    this.#spread(owner);
  }

  /** What a member holds goes to another: as a copy, a repair, a hint, or a hint that comes home. */
  #spread(member: Member): void {
    const { held, base } = member.memory;
    if (held === 0) return;
    const stamp = member.disk.floor;
    const isHint = !OWNERS.includes(member.id);
    const to = this.#random.pick(!isHint && this.#random.chance(0.1) ? MEMBERS : OWNERS);
    this.#messages.push({
      untilStep: this.#steps + (this.#random.chance(0.15) ? this.#random.int(700) : 0),
      deliver: () => {
        const receiver = this.#member(to);
        if (stamp < receiver.memory.floor && this.#planted.noFence !== true) return;
        this.#merge(receiver.memory, { held, base });
        if (isHint && OWNERS.includes(to) && receiver !== member) this.#delivered(member, receiver, held);
      },
    });
  }

  #merge(store: Store, { held, base }: Kept): void {
    const [low, high] = store.held < held ? [store, { held, base }] : [{ held, base }, store];
    // A delete beside a value is nothing but a delete beside a value.
    if (low.held % 2 === 1 && low.held < high.held && low.held <= high.base)
      this.#back = `version ${low.held} is back beside ${high.held}`;
    const lowest = low.held === 0 ? high.base : Math.min(low.base, high.base);
    store.held = high.held;
    store.base = lowest;
  }

  /** The owner has it durably: the one who kept it for it drops it, if it is still that. */
  #delivered(keeper: Member, owner: Member, held: number): void {
    owner.waiting.push(() => {
      this.#messages.push({
        untilStep: 0,
        deliver: () => {
          if (keeper.memory.held === held) keeper.memory.held = 0;
          if (keeper.memory.held === 0) keeper.memory.base = 0;
        },
      });
    });
  }

  #reap(): void {
    const owner = this.#member(this.#random.pick(OWNERS));
    const { held, base } = owner.memory;
    const isOver = held % 2 === 0 || base < held - 1;
    if (held === 0 || !isOver || this.#round?.isOver === false) {
      if (this.#random.chance(0.02)) this.#round?.abandon();
      return;
    }
    const { ownersOnly, oneOwnerLess } = this.#planted;
    const asked = oneOwnerLess === true ? MEMBERS.filter((id) => id !== OWNERS.at(-1)) : MEMBERS;
    const owners = oneOwnerLess === true ? OWNERS.slice(0, -1) : OWNERS;
    const port: ReapPort = {
      ask: (round, id, fence) => {
        this.#messages.push({
          untilStep: 0,
          deliver: () => {
            this.#ask(round, this.#member(id), fence, { held, base });
          },
        });
      },
      order: (_round, id, fence, opening) => {
        this.#messages.push({
          untilStep: 0,
          deliver: () => {
            this.#order(this.#member(id), fence, opening, { held, base });
          },
        });
      },
      ended: (round) => {
        if (held % 2 === 0) this.reaps += round.ordered.length;
        else this.compacted += round.ordered.length;
      },
    };
    this.#round = new ReapRound(1, ownersOnly === true ? OWNERS : asked, owners, port);
    this.#round.start();
  }

  #ask(round: ReapRound, member: Member, fence: number, asked: Kept): void {
    const { memory } = member;
    const refused = fence > 0 && memory.floor >= fence;
    if (fence > memory.floor) memory.floor = fence;
    const look = (): void => {
      const opening = member.opening;
      const verdicts = Uint8Array.of(verdictNumber(refused ? 'fence' : this.#verdict(member, asked)));
      const answer: ReapAnswer = { fence: member.memory.floor, opening, verdicts };
      const send = (): void => {
        this.#messages.push({
          untilStep: 0,
          deliver: () => {
            round.answered(member.id, fence, answer);
          },
        });
      };
      member.waiting.push(send);
    };
    member.waiting.push(look);
  }

  #verdict({ id, memory }: Member, asked: Kept): ReturnType<typeof judgeHolding> {
    const isAgreed = this.#planted.compactWhateverHeld === true && asked.held % 2 === 1;
    return judgeHolding({
      isOwner: OWNERS.includes(id),
      state: memory.held === 0 ? 'absent' : 'ok',
      isSame: isAgreed || isSame(memory, asked),
      isHinted: false,
      isOldEnough: true,
      isReaped: false,
    });
  }

  #order(owner: Member, fence: number, opening: number, ordered: Kept): void {
    const { memory } = owner;
    if (owner.opening !== opening || owner.disk.floor < fence) return;
    if (!isSame(memory, ordered) && this.#planted.noCompare !== true) return;
    if (ordered.held % 2 === 1) memory.base = Math.max(0, memory.held - 1);
    else memory.held = memory.base = 0;
  }
}

const isSame = (a: Kept, b: Kept): boolean => a.held === b.held && a.base === b.base;
