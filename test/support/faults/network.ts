/*
 * A network of our own: one switch, and hosts that are plugged into it, each in a network namespace. What happens in it
 * touches nothing outside of it. Needs root and iproute2; `networkFault` says what is missing.
 *
 *   10.77.0.1, .2, …   the nodes ──┐
 *                                  ├── bridge, in a namespace of its own
 *   10.77.0.100        the client ─┘
 *
 * Nobody asks for addresses here: every host has a fixed table of its neighbours' hardware addresses. To cut the way from
 * A to B, A's entry for B gets an address that nobody has. The switch then hands A's frames to everybody and nobody
 * takes them: they vanish without a word, in that direction only, for connections that are open as for new ones. It is
 * what a broken cable does; a firewall's rule would do as much, and need a package more.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import type { Scope } from '../scope.js';

const SUBNET = '10.77.0';
const DEVICE = 'v0';
const BRIDGE = 'br0';
let networks = 0;

/** Why no such network can be made here, or null. */
export function networkFault(): string | null {
  const needed = 'needs root and iproute2';
  if (process.getuid?.() !== 0) return needed;
  const name = `partita-probe-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', name], { encoding: 'utf8' });
  if (made.error !== undefined) return needed;
  if (made.status !== 0) return `${needed}, and a kernel that lets us make network namespaces: ${made.stderr.trim()}`;
  spawnSync('ip', ['netns', 'del', name]);
  return null;
}

export interface Host {
  /** Last number of its address. */
  readonly number: number;
  readonly address: string;
  /** Words before a command that is to run on this host. `ip` becomes the command: the pid is the command's own. */
  readonly prefix: readonly string[];
}

export class Network {
  readonly hosts: readonly Host[];
  readonly #namespaces: ReadonlyMap<Host, string>;
  readonly #cuts: Map<string, readonly [Host, Host]> = new Map();

  /** Goes with the scope; processes on its hosts must be deferred later than this, so that they end before. */
  constructor(scope: Scope, numbers: readonly number[]) {
    networks += 1;
    const name = `partita-${process.pid}-${networks}`;
    const bridge = addNamespace(scope, `${name}-switch`);
    ip(['-n', bridge], [`link add ${BRIDGE} type bridge`, `link set ${BRIDGE} up`]);
    const namespaces: Map<Host, string> = new Map();
    for (const number of numbers) {
      const namespace = addNamespace(scope, `${name}-${number}`);
      const host = { number, address: `${SUBNET}.${number}`, prefix: ['ip', 'netns', 'exec', namespace] };
      namespaces.set(host, namespace);
      ip(
        [],
        [
          `link add ${DEVICE} address ${hardwareAddress(number)} netns ${namespace} type veth peer name port${number} netns ${bridge}`,
        ],
      );
      ip(['-n', bridge], [`link set port${number} master ${BRIDGE} up`]);
      ip(['-n', namespace], ['link set lo up', `addr add ${host.address}/24 dev ${DEVICE}`, `link set ${DEVICE} up`]);
    }
    this.#namespaces = namespaces;
    this.hosts = [...namespaces.keys()];
    for (const from of this.hosts)
      this.#point(
        from,
        this.hosts.filter((to) => to !== from),
        true,
      );
  }

  host(number: number): Host {
    const found = this.hosts.find((host) => host.number === number);
    if (found === undefined) throw new RangeError(`There is no host ${number} in this network`);
    return found;
  }

  /** Nothing that `from` sends reaches `to`; the other direction stays as it is. */
  cut(from: Host, to: readonly Host[]): void {
    const others = to.filter((one) => one !== from);
    for (const one of others) this.#cuts.set(`${from.number} ${one.number}`, [from, one]);
    this.#point(from, others, false);
  }

  /** Neither direction, between `host` and each of `others`. */
  isolate(host: Host, others: readonly Host[]): void {
    this.cut(host, others);
    for (const other of others) if (other !== host) this.cut(other, [host]);
  }

  isCut(from: Host, to: Host): boolean {
    return this.#cuts.has(`${from.number} ${to.number}`);
  }

  /** Everybody reaches everybody again. */
  heal(): void {
    const cuts = [...this.#cuts.values()];
    this.#cuts.clear();
    for (const from of this.hosts)
      this.#point(
        from,
        cuts.filter(([one]) => one === from).map(([, to]) => to),
        true,
      );
  }

  #point(from: Host, to: readonly Host[], toItself: boolean): void {
    const namespace = this.#namespaces.get(from);
    if (namespace === undefined || to.length === 0) return;
    ip(
      ['-n', namespace],
      to.map(
        ({ number, address }) =>
          `neigh replace ${address} lladdr ${toItself ? hardwareAddress(number) : nobodysAddress(number)} dev ${DEVICE} nud permanent`,
      ),
    );
  }
}

const hex = (number: number): string => number.toString(16).padStart(2, '0');
const hardwareAddress = (number: number): string => `02:00:0a:4d:00:${hex(number)}`;
const nobodysAddress = (number: number): string => `02:00:0a:4d:ff:${hex(number)}`;

function addNamespace(scope: Scope, name: string): string {
  execFileSync('ip', ['netns', 'add', name], { stdio: 'pipe' });
  scope.defer(`remove network namespace ${name}`, () => {
    execFileSync('ip', ['netns', 'del', name], { stdio: 'pipe' });
  });
  return name;
}

/** Several commands in one call of the program. */
function ip(words: readonly string[], lines: readonly string[]): void {
  execFileSync('ip', [...words, '-batch', '-'], { input: `${lines.join('\n')}\n`, stdio: ['pipe', 'pipe', 'pipe'] });
}
