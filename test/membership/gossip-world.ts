/* Nodes that gossip, in one process and at once: rounds pass when a test says so, and messages are lost if it says that. */
import { Prng } from '../../src/lib/prng.js';
import { Gossip, type GossipRing } from '../../src/membership/gossip.js';
import type { GossipAlarm, GossipMember, GossipMessage, GossipReply } from '../../src/model/gossip-messages.js';

export const ROUND_MS = 1_000;

export const idOf = (ordinal: number): string => ordinal.toString(16).padStart(32, '0');
export const hashOf = (version: number): string => version.toString(16).padStart(16, '0');

export function ringOf(ordinals: readonly number[], version: number, hash: string = hashOf(version)): GossipRing {
  return { version, hash, members: ordinals.map((ordinal) => ({ ordinal, nodeId: idOf(ordinal) })) };
}

export const countTo = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1);

export class Node {
  readonly gossip: Gossip;
  readonly alarms: GossipAlarm[] = [];
  isUp = true;

  constructor(ordinal: number, ring: GossipRing, opening: number, nowMs: number) {
    const self = { ordinal, nodeId: idOf(ordinal), opening, peerAddress: '' };
    this.gossip = new Gossip(self, ring, (alarm) => this.alarms.push(alarm), nowMs);
  }

  get ordinal(): number {
    return this.gossip.own.ordinal;
  }

  of(ordinal: number, nowMs: number): GossipMember | undefined {
    return this.gossip.members(nowMs).find((member) => member.ordinal === ordinal);
  }
}

export class GossipWorld {
  readonly prng: Prng;
  readonly nodes: Node[];
  /** Share of messages lost. */
  loss = 0;
  nowMs = 0;
  /** Who cannot hear whom. */
  isCut: (a: Node, b: Node) => boolean = () => false;
  #byOrdinal: Map<number, readonly Node[]> = new Map();
  /** Told of each exchange when it is over. */
  onMet: (asker: Node, other: Node) => void = () => undefined;
  /** Told of each message that is sent. */
  onMessage: (message: GossipMessage | GossipReply) => void = () => undefined;

  constructor(count: number, seed: number, ring: GossipRing = ringOf(countTo(count), 1)) {
    this.prng = new Prng(seed);
    this.nodes = countTo(count).map((ordinal) => new Node(ordinal, ring, 1, 0));
  }

  node(ordinal: number): Node {
    return this.nodes[ordinal - 1] as Node;
  }

  /** Each node in a turn of its own within the second, drawn anew each time. */
  round(): void {
    this.#byOrdinal = new Map();
    for (const node of this.nodes) this.#byOrdinal.set(node.ordinal, [...this.#named(node.ordinal), node]);
    const turns = this.nodes.map((node) => ({ node, atMs: this.prng.float() * ROUND_MS }));
    const startMs = this.nowMs;
    for (const { node, atMs } of turns.sort((a, b) => a.atMs - b.atMs)) {
      this.nowMs = startMs + atMs;
      if (node.isUp) this.turn(node);
    }
    this.nowMs = startMs + ROUND_MS;
  }

  rounds(count: number): void {
    for (let i = 0; i < count; i++) this.round();
  }

  turn(node: Node): void {
    node.gossip.beat(this.nowMs);
    const meets = (other: Node): boolean => other !== node && other.isUp && !this.isCut(node, other);
    const isReady = (ordinal: number): boolean => this.#named(ordinal).some(meets);
    const partner = node.gossip.whomToMeet(this.prng.float(), isReady, []);
    if (partner?.kind === 'member') this.meet(node, this.prng.pick(this.#named(partner.ordinal).filter(meets)));
  }

  /** Usually one. */
  #named(ordinal: number): readonly Node[] {
    return this.#byOrdinal.get(ordinal) ?? [];
  }

  /** One exchange, each of its messages lost or not. */
  meet(asker: Node, other: Node): void {
    this.#exchange(asker, other);
    this.onMet(asker, other);
  }

  #exchange(asker: Node, other: Node): void {
    const question = asker.gossip.question();
    if (!this.#arrives(question)) return;
    const reply = other.gossip.answer(asker.ordinal, question, this.nowMs);
    if (!this.#arrives(reply)) return;
    const more = asker.gossip.take(other.ordinal, reply, this.nowMs);
    if (more === null || !this.#arrives(more)) return;
    this.onMessage(other.gossip.answer(asker.ordinal, more, this.nowMs));
  }

  #arrives(message: GossipMessage | GossipReply): boolean {
    this.onMessage(message);
    return this.loss === 0 || !this.prng.chance(this.loss);
  }
}
