/*
 * Faults of links. Each takes hold of some directed links for a drawn time and lets go of the same ones afterwards.
 */
import type { Prng } from '../../src/lib/prng.js';
import type { Host, Link, SimulatedNetwork } from './network.js';
import { between, exponential } from './tools.js';

export type NetworkFault =
  | 'isolate'
  | 'one-way'
  | 'partial'
  | 'clog'
  | 'swizzle'
  | 'slow-link'
  | 'lossy-link'
  | 'reset'
  | 'cut-pair'
  | 'flapping';

export interface NetworkFaultParts {
  readonly network: SimulatedNetwork;
  readonly nodes: readonly Host[];
  /** Nodes and clients. */
  readonly hosts: readonly Host[];
  readonly random: Prng;
  /** Mean. */
  readonly lastsMs: number;
}

export function beginNetworkFault(kind: NetworkFault, parts: NetworkFaultParts): void {
  const { nodes, hosts, random } = parts;
  const node = random.pick(nodes);
  switch (kind) {
    case 'isolate':
      cut(parts, [...linksFrom(parts, node), ...linksTo(parts, node)]);
      return;
    case 'one-way':
      cut(parts, random.chance(0.5) ? linksFrom(parts, node) : linksTo(parts, node));
      return;
    case 'partial':
      cut(parts, betweenSides(parts));
      return;
    case 'clog':
      cut(parts, [linkBetween(parts, node, random.pick(hosts))]);
      return;
    case 'swizzle':
      swizzle(parts);
      return;
    case 'slow-link':
      worsen(parts, node, (link) => {
        link.extraMs = between(random, 5, 500);
        link.bytesPerMs = between(random, 30, 125);
      });
      return;
    case 'lossy-link':
      worsen(parts, node, (link) => {
        link.lossChance = between(random, 0.01, 0.3);
      });
      return;
    case 'reset':
      reset(parts, node);
      return;
    case 'cut-pair':
      cut(parts, betweenNodes(parts, node));
      return;
    case 'flapping':
      flap(parts, node);
  }
}

function linkBetween({ network, hosts }: NetworkFaultParts, from: Host, to: Host): Link {
  return network.link(from, to === from ? (hosts.find((host) => host !== from) as Host) : to);
}

function linksFrom({ network, hosts }: NetworkFaultParts, host: Host): readonly Link[] {
  return hosts.filter((other) => other !== host).map((other) => network.link(host, other));
}

function linksTo({ network, hosts }: NetworkFaultParts, host: Host): readonly Link[] {
  return hosts.filter((other) => other !== host).map((other) => network.link(other, host));
}

/** Everybody is on one of two sides; some, on both, still reach all. */
function betweenSides({ network, hosts, random }: NetworkFaultParts): readonly Link[] {
  const side = new Map(hosts.map((host) => [host, random.chance(0.15) ? 'both' : random.chance(0.5) ? 'a' : 'b']));
  return hosts.flatMap((from) =>
    hosts
      .filter((to) => side.get(from) !== side.get(to) && side.get(from) !== 'both' && side.get(to) !== 'both')
      .map((to) => network.link(from, to)),
  );
}

/** Two nodes no longer reach each other, or one of them not the other; everybody else reaches both. */
function betweenNodes({ network, nodes, random }: NetworkFaultParts, node: Host): readonly Link[] {
  const other = random.pick(nodes.filter((one) => one !== node));
  const there = network.link(node, other);
  return random.chance(0.5) ? [there] : [there, network.link(other, node)];
}

/** A node that is cut off and back, again and again. */
function flap(parts: NetworkFaultParts, node: Host): void {
  const { network, random, lastsMs } = parts;
  const links = [...linksFrom(parts, node), ...linksTo(parts, node)];
  const endsMs = network.time.monotonicMs() + lastsMs;
  const once = (): void => {
    if (network.time.monotonicMs() > endsMs) return;
    for (const link of links) network.cut(link);
    network.time.after(between(random, 20, 900), () => {
      for (const link of links) network.heal(link);
      network.time.after(between(random, 20, 900), once);
    });
  };
  once();
}

function cut({ network, random, lastsMs }: NetworkFaultParts, links: readonly Link[]): void {
  for (const link of links) network.cut(link);
  network.time.after(exponential(random, lastsMs), () => {
    for (const link of links) network.heal(link);
  });
}

/** Some hosts lose all their links one after the other, and get them back one after the other in another order. */
function swizzle(parts: NetworkFaultParts): void {
  const { network, hosts, random, lastsMs } = parts;
  const victims = hosts.filter(() => random.chance(0.5));
  for (const victim of victims) {
    const links = [...linksFrom(parts, victim), ...linksTo(parts, victim)];
    const from = random.float() * lastsMs;
    const until = lastsMs + random.float() * lastsMs;
    network.time.after(from, () => {
      for (const link of links) network.cut(link);
    });
    network.time.after(until, () => {
      for (const link of links) network.heal(link);
    });
  }
}

function worsen(parts: NetworkFaultParts, node: Host, change: (link: Link) => void): void {
  const { network, random, hosts, lastsMs } = parts;
  const other = random.pick(hosts);
  const links = [linkBetween(parts, node, other), linkBetween(parts, other === node ? node : other, node)];
  for (const link of links) change(link);
  network.time.after(exponential(random, lastsMs), () => {
    for (const link of links) {
      link.extraMs = 0;
      link.lossChance = 0;
      link.bytesPerMs = Number.POSITIVE_INFINITY;
    }
  });
}

function reset({ network, random }: NetworkFaultParts, node: Host): void {
  for (const end of network.open) {
    if (end.link.from === node && random.chance(0.5)) end.reset();
  }
}
