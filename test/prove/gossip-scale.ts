/*
 * How soon do all nodes know of a newer ring, and what does it cost that they gossip? membership/ alone, with the bytes of
 * the wire, in rings of 10, 100 and 1,000 nodes, with a tenth of all messages lost and with none. Push and pull together
 * need about log3(n) rounds until half of the nodes know, and few more until the last does; each lost message costs a part
 * of a round.
 *
 * What a beat costs is a matter of its columns: the ordinal's difference, opening and ring version one byte each while
 * they are small, the beat three. A node is in two exchanges a second, as asker and as receiver, each of which tells it
 * at most all beats, and asks with all.
 */
import { FRAME_HEADER_BYTES } from '../../src/model/limits.js';
import type { GossipMessage, GossipReply } from '../../src/model/gossip-messages.js';
import { nodeId } from '../../src/model/ids.js';
import { GOSSIP_LIMITS } from '../../src/membership/gossip.js';
import { newRing } from '../../src/ring/change.js';
import { encodeRing } from '../../src/ring/document.js';
import { encodeGossip, encodeGossipReply } from '../../src/wire/codec-gossip.js';
import { countTo, GossipWorld, idOf, type Node, ringOf, ROUND_MS } from '../membership/gossip-world.js';
import type { Print, Proof } from './proof.js';

const SIZES = [10, 100, 1_000] as const;
const LOSSES = [0, 0.1] as const;
/** Rounds until the last node knows, for each doubling of the nodes. */
const ROUNDS_BAR: Readonly<Record<(typeof LOSSES)[number], number>> = { 0: 1.5, 0.1: 2 };
/** Sent and received for a node, a second: of each other node, and of every exchange. */
const BYTES_A_NODE = 25;
const BYTES_AN_EXCHANGE = 400;
const BEATS_BEFORE = 20_000;
const WARM_ROUNDS = 12;
const QUIET_ROUNDS = 5;
const DOCUMENT_BYTES_MAX = 65_536;

interface Figures {
  /** Rounds from the first node that has the ring to the last that knows of it. */
  readonly rounds: number;
  /** For a node: a second, when nothing is new; in all, until every node has the new ring. */
  readonly quietBytes: number;
  readonly newsBytes: number;
  /** The longest for which a node was not heard of by another, though both were up. */
  readonly quietMs: number;
}

const isReply = (message: GossipMessage | GossipReply): message is GossipReply => 'wants' in message;

function bytesOf(message: GossipMessage | GossipReply): number {
  return FRAME_HEADER_BYTES + (isReply(message) ? encodeGossipReply(message) : encodeGossip(message)).length;
}

/** One ring of nodes that have run for some hours. */
function spread(count: number, loss: number, seed: number, watched: number): Figures {
  const world = new GossipWorld(count, seed);
  warmUp(world);
  world.loss = loss;
  world.rounds(WARM_ROUNDS);
  let quietMs = 0;
  for (let i = 0; i < watched; i++) {
    world.round();
    quietMs = Math.max(quietMs, ...world.nodes.map((node) => longest(node, world.nowMs)));
  }
  let bytes = 0;
  world.onMessage = (message) => {
    bytes += bytesOf(message);
  };
  world.rounds(QUIET_ROUNDS);
  const quietBytes = (2 * bytes) / count / QUIET_ROUNDS;
  bytes = 0;
  const rounds = announce(world);
  return { rounds, quietBytes, newsBytes: (2 * bytes) / count, quietMs };
}

/** All know all, and beats have as many bytes as they will have for weeks. */
function warmUp({ nodes }: GossipWorld): void {
  for (const { gossip } of nodes) for (let i = 0; i < BEATS_BEFORE; i++) gossip.beat(0);
  const entries = nodes.map(({ gossip }) => gossip.own);
  for (const { gossip } of nodes) gossip.take(0, { beats: [], entries, wants: [] }, 0);
}

function longest({ gossip }: Node, nowMs: number): number {
  return Math.max(...gossip.members(nowMs).map(({ quietMs }) => quietMs));
}

/** A node has a newer ring; each that hears of it has it, too. Rounds until all have. */
function announce(world: GossipWorld): number {
  const { nodes, prng } = world;
  const ring = ringOf(countTo(nodes.length), 2);
  const having: Set<Node> = new Set();
  const take = (node: Node): void => {
    if (having.has(node) || (having.size > 0 && node.gossip.newestRing().version < ring.version)) return;
    having.add(node);
    node.gossip.setRing(ring, world.nowMs);
  };
  take(prng.pick(nodes));
  const startMs = world.nowMs;
  let endMs = startMs;
  world.onMet = (asker, other) => {
    const before = having.size;
    take(asker);
    take(other);
    if (having.size > before) endMs = world.nowMs;
  };
  while (having.size < nodes.length) world.round();
  return (endMs - startMs) / ROUND_MS;
}

const columns = (texts: readonly string[]): string => texts.map((text) => text.padStart(11)).join('');

function gossip(full: boolean, print: Print): { readonly held: boolean; readonly text: string } {
  let held = true;
  let worst = 0;
  let quietMs = 0;
  print(columns(['nodes', 'lost', 'rings', 'rounds', 'at most', 'a doubling', 'B/s quiet', 'bar', 'B for news']));
  for (const count of SIZES) {
    const seeds = (full ? 3_000 : 500) / count;
    for (const loss of LOSSES) {
      const runs = countTo(Math.ceil(seeds)).map((seed) => spread(count, loss, seed, count < 1_000 || full ? 60 : 0));
      const rounds = runs.map((run) => run.rounds).sort((a, b) => a - b);
      const most = rounds[rounds.length - 1] ?? Number.POSITIVE_INFINITY;
      const quietBytes = Math.max(...runs.map((run) => run.quietBytes));
      const bytesBar = BYTES_A_NODE * count + 2 * BYTES_AN_EXCHANGE;
      const perDoubling = most / Math.log2(count);
      quietMs = Math.max(quietMs, ...runs.map((run) => run.quietMs));
      worst = Math.max(worst, perDoubling);
      held &&= perDoubling <= ROUNDS_BAR[loss] && quietBytes <= bytesBar;
      const newsBytes = Math.max(...runs.map((run) => run.newsBytes));
      const median = rounds[Math.floor(rounds.length / 2)] ?? most;
      print(
        columns([
          String(count),
          `${100 * loss} %`,
          String(runs.length),
          median.toFixed(1),
          most.toFixed(1),
          perDoubling.toFixed(2),
          quietBytes.toFixed(0),
          String(bytesBar),
          newsBytes.toFixed(0),
        ]),
      );
    }
  }
  held &&= quietMs < GOSSIP_LIMITS.silentMs;
  print(
    `no node that was up was unheard of for longer than ${(quietMs / 1_000).toFixed(1)} s (silent after ${GOSSIP_LIMITS.silentMs / 1_000} s)`,
  );
  const text = `all know of a new ring within ${worst.toFixed(2)}·log2(n) rounds (bars ${ROUNDS_BAR[0]}, ${ROUNDS_BAR[0.1]} with loss)`;
  return { held, text };
}

function documents(print: Print): { readonly held: boolean; readonly text: string } {
  const sizes = [1_024, 4_096].map((partitionCount) => {
    const members = countTo(30).map((ordinal) => ({
      nodeId: nodeId(idOf(ordinal)),
      ordinal,
      address: `node-${ordinal}.example.net:7700`,
      peerAddress: `node-${ordinal}.example.net:7702`,
      zone: `zone-${ordinal % 3}`,
      capacity: 1,
      leaving: false,
    }));
    const head = { cluster: 'example', clusterId: 'c'.repeat(32), partitionCount, replicaCount: 3, members };
    const ring = newRing(head, 1);
    if ('fault' in ring) throw new Error(ring.fault);
    const { length } = encodeRing(ring);
    print(`ring document at Q = ${partitionCount}, N = 3, S = 30: ${length} bytes`);
    return length;
  });
  return {
    held: sizes.every((size) => size <= DOCUMENT_BYTES_MAX),
    text: `a ring document is ${sizes.join(' or ')} bytes (bar ${DOCUMENT_BYTES_MAX})`,
  };
}

export const prove: Proof = {
  name: 'gossip-scale',
  question: 'Do all nodes soon know of a newer ring, whatever is lost, at a bounded cost?',
  run({ full, print }) {
    const verdicts = [gossip(full, print), documents(print)];
    const held = verdicts.every((verdict) => verdict.held);
    return Promise.resolve({ held, summary: verdicts.map(({ text }) => text).join('; ') });
  },
};
