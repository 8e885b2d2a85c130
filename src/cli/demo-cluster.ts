/*
 * The cluster behind `npm start`: made once by what is behind `partita cluster init`, then three partitads on loopback. Its
 * directory survives, so that what was put yesterday is there today; its addresses are in its ring and stay the same.
 * Where they are taken, or the directory is somebody else's, another cluster is made and nothing is harmed.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import xxhash from 'xxhash-wasm';
import { parseAddress } from '../daemon/config-units.js';
import { hash64From } from '../model/hash.js';
import { decodeRingFile } from '../ring/ring-file.js';
import { runClusterInit } from './commands/cluster-init.js';
import { DemoNode, type Seat } from './demo-node.js';
import { shown } from './demo-words.js';
import { areFree, freePorts } from '../net/free-ports.js';
import type { Io } from './io.js';

const NAMES = ['n1', 'n2', 'n3'];
const LOOK_MS = 100;
const LOOKS_MAX = 150;
const USUAL_PORTS = [7_700, 7_701, 7_702, 7_703, 7_704, 7_705];

type Tell = (text: string) => void;

export class DemoCluster {
  readonly folder: string;
  readonly nodes: readonly DemoNode[];
  /** The folder goes away with the nodes. */
  readonly temporary: boolean;

  private constructor(folder: string, seats: readonly Seat[], temporary: boolean) {
    this.folder = folder;
    this.nodes = seats.map((seat) => new DemoNode(seat));
    this.temporary = temporary;
  }

  /** Made where it is not there yet, and not started. `tell` hears of what is not as usual. */
  static async prepare(usualFolder: string, tell: Tell): Promise<DemoCluster> {
    const folder = folderFor(usualFolder, tell);
    const seats = isMade(folder)
      ? await readSeats(folder)
      : await makeSeats(folder, (await areFree(USUAL_PORTS)) ? USUAL_PORTS : await toldPorts(tell));
    if (await areFree(portsOf(seats))) return new DemoCluster(folder, seats, false);
    const other = mkdtempSync(join(tmpdir(), 'partita-demo-'));
    const ports = portsOf(seats).join(', ');
    tell(
      `The cluster in ${shown(folder)} is running already, or one of its ports is taken (${ports}); using ${shown(other)} this time`,
    );
    return new DemoCluster(other, await makeSeats(other, await freePorts(USUAL_PORTS.length)), true);
  }

  async start(): Promise<void> {
    const started = await Promise.allSettled(this.nodes.map((node) => node.start()));
    for (const one of started) if (one.status === 'rejected') throw one.reason;
    await this.#connected();
  }

  /** Until all nodes reach each other: a put in the first moment could find too few of them. */
  async #connected(): Promise<void> {
    const others = this.nodes.length - 1;
    for (let look = 0; look < LOOKS_MAX; look++) {
      const seen = await Promise.all(this.nodes.map((node) => node.status()));
      if (seen.every((status) => status?.['peersUp'] === others && status['suspect'] === 0)) return;
      await rest(LOOK_MS);
    }
    throw new Error(`The nodes did not reach each other within ${(LOOKS_MAX * LOOK_MS) / 1_000} s`);
  }

  nameOf(nodeId: string): string {
    return this.nodes.find((node) => node.nodeId === nodeId)?.seat.name ?? nodeId.slice(0, 8);
  }

  nodeOf(nodeId: string): DemoNode {
    const node = this.nodes.find((one) => one.nodeId === nodeId);
    if (node === undefined) throw new Error(`No node of the demo has the id ${nodeId}`);
    return node;
  }

  /** True: each stopped as asked. */
  async stop(): Promise<boolean> {
    const ends = await Promise.all(this.nodes.map((node) => node.stop()));
    if (this.temporary) rmSync(this.folder, { recursive: true, force: true });
    return ends.every(({ code }) => code === 0);
  }
}

/** A release of one node kept its data right in this folder: that is left as it is. */
function folderFor(usual: string, tell: Tell): string {
  const folder = resolve(usual);
  if (!existsSync(join(folder, 'node.meta'))) return folder;
  const other = `${folder}-3`;
  tell(`${shown(folder)} holds a single node of an earlier npm start and is left as it is; using ${shown(other)}`);
  return other;
}

async function toldPorts(tell: Tell): Promise<readonly number[]> {
  tell(`One of the ports ${USUAL_PORTS[0]} to ${USUAL_PORTS.at(-1)} is taken; using free ones`);
  return freePorts(USUAL_PORTS.length);
}

/** What was cut short before any node was made is made again. */
function isMade(folder: string): boolean {
  const files = [join(folder, 'ring-1.json'), join(folder, 'cluster.secret')];
  if (files.every(existsSync)) return true;
  if (NAMES.some((name) => existsSync(join(folder, name))))
    throw new Error(
      `${shown(folder)} has nodes, and ${files.map(shown).join(' or ')} is gone. Remove the folder to begin anew`,
    );
  for (const file of files) rmSync(file, { force: true });
  return false;
}

/** `ports`: for each node its clients', then its peers'. */
async function makeSeats(folder: string, ports: readonly number[]): Promise<readonly Seat[]> {
  mkdirSync(folder, { recursive: true });
  const node = NAMES.map((name, i) => `${name}=127.0.0.1:${ports[2 * i]},peer=127.0.0.1:${ports[2 * i + 1]}`);
  await runClusterInit(SILENT, { node, cluster: 'demo', out: join(folder, 'ring-1.json'), output: 'raw' });
  return readSeats(folder);
}

async function readSeats(folder: string): Promise<readonly Seat[]> {
  const ringFile = join(folder, 'ring-1.json');
  const secretFile = join(folder, 'cluster.secret');
  const read = decodeRingFile(readFileSync(ringFile), hash64From(await xxhash()));
  if ('fault' in read) throw new Error(`${ringFile} cannot be used: ${read.fault}`);
  const { ring, names } = read;
  return ring.members.map(({ address, peerAddress }, i) => {
    const name = names[i] ?? '';
    return { name, client: address, peer: peerAddress, dataDir: join(folder, name), ringFile, secretFile };
  });
}

function portsOf(seats: readonly Seat[]): readonly number[] {
  return seats
    .flatMap(({ client, peer }) => [client, peer])
    .map((text) => {
      const parsed = parseAddress(text);
      return parsed.ok ? parsed.value.port : 0;
    });
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

const SILENT: Io = {
  env: {},
  stdinIsTTY: false,
  stdoutIsTTY: false,
  stderrIsTTY: false,
  drained: () => Promise.resolve(),
  stdin: nothing(),
  out: () => {},
  err: () => {},
};
