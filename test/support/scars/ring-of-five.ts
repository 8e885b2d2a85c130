/*
 * A cluster of five for scripts: a key's owners and fallbacks by name, puts and gets that go to one node and say exactly
 * what they carry, and nodes that are killed, stopped, wiped and started.
 *
 * Two stay out of a key's three owners, so that there is always somebody to stand in.
 */
import { mkdirSync, rmSync } from 'node:fs';
import type { Client } from '../../../src/client/index.js';
import * as kinds from '../../../src/wire/kinds.js';
import { partita } from '../../../src/wire/protobuf.js';
import type { Daemon } from '../daemon.js';
import { newPutId, RawClient, RefusedError } from '../raw-client.js';
import type { RealCluster } from '../real-cluster.js';

const v1 = partita.v1;
const POLL_MS = 100;
const HEAL_TIMEOUT_MS = 30_000;
export const NO_CONTEXT: Uint8Array = new Uint8Array(0);

export interface Wrote {
  readonly context: Uint8Array;
  readonly siblingCount: number;
}

export interface Saw {
  readonly values: readonly string[];
  readonly context: Uint8Array;
}

/** What a put carries beside its value. */
export interface PutWords {
  readonly context?: Uint8Array;
  readonly w?: number;
  readonly putId?: Uint8Array;
  readonly retry?: boolean;
}

export class ScriptedNode {
  readonly address: string;
  readonly daemon: Daemon;

  constructor(address: string, daemon: Daemon) {
    this.address = address;
    this.daemon = daemon;
  }

  async put(key: string, value: string, words: PutWords = {}): Promise<Wrote> {
    const { context = NO_CONTEXT, w = 0, putId = newPutId(), retry = false } = words;
    const head = { key: Buffer.from(key), value: Buffer.from(value), context, w, putId, retry, budgetMs: 5_000 };
    return this.#write(kinds.PUT, v1.Put.encode(head).finish());
  }

  async remove(key: string, context: Uint8Array, w: number = 0): Promise<Wrote> {
    const head = { key: Buffer.from(key), context, w, putId: newPutId(), budgetMs: 5_000 };
    return this.#write(kinds.DELETE, v1.Delete.encode(head).finish());
  }

  async get(key: string, r: number = 0): Promise<Saw> {
    const body = v1.Get.encode({ key: Buffer.from(key), r, budgetMs: 5_000 }).finish();
    const reply = v1.GetReply.decode(await this.#ask(kinds.GET, body));
    const values = reply.siblings.map(({ value }) => Buffer.from(value ?? NO_CONTEXT).toString());
    return { values: values.sort(), context: reply.context };
  }

  /** Its process is gone at once. */
  async kill(): Promise<void> {
    await this.daemon.kill();
  }

  async start(): Promise<void> {
    await this.daemon.start();
  }

  /** As if its disk had been replaced: the same member, and nothing of what it held. It must not be running. */
  wipe(): void {
    rmSync(this.daemon.dataDir, { recursive: true, force: true });
    mkdirSync(this.daemon.dataDir, { recursive: true });
  }

  async #write(kind: number, body: Uint8Array): Promise<Wrote> {
    const { context, siblingCount } = v1.PutReply.decode(await this.#ask(kind, body));
    return { context, siblingCount };
  }

  async #ask(kind: number, body: Uint8Array): Promise<Uint8Array> {
    const client = await RawClient.connect(this.address);
    try {
      return (await client.request(kind, body)).body;
    } finally {
      client.close();
    }
  }
}

/** The nodes as one key sees them. */
export interface KeyNodes {
  readonly key: string;
  readonly owners: readonly [ScriptedNode, ScriptedNode, ScriptedNode];
  readonly fallbacks: readonly [ScriptedNode, ScriptedNode];
  readonly all: readonly ScriptedNode[];
}

export class RingOfFive {
  readonly nodes: readonly ScriptedNode[];
  readonly #client: Client<string>;

  constructor(cluster: RealCluster, client: Client<string>) {
    this.nodes = cluster.members.map(({ client: address, daemon }) => new ScriptedNode(address, daemon));
    this.#client = client;
  }

  of(key: string): KeyNodes {
    const found = this.#client
      .preferenceList(key)
      .map(({ address }) => this.nodes.find((node) => node.address === address))
      .filter((node) => node !== undefined);
    const [first, second, third, fourth, fifth] = found;
    if (!first || !second || !third || !fourth || !fifth) throw new Error(`Only ${found.length} nodes are known`);
    return { key, owners: [first, second, third], fallbacks: [fourth, fifth], all: found };
  }
}

/** Waits until every one of `nodes`, asked for all three owners, shows exactly these; answers what is amiss otherwise. */
export async function showsEverywhere(
  what: string,
  nodes: readonly ScriptedNode[],
  key: string,
  values: readonly string[],
): Promise<readonly string[]> {
  const expected = [...values].sort().join(' ');
  const deadline = performance.now() + HEAL_TIMEOUT_MS;
  for (;;) {
    const shown = await Promise.all(nodes.map((node) => show(node, key)));
    const wrong = shown.filter((text) => text !== expected);
    if (wrong.length === 0) return [];
    if (performance.now() > deadline)
      return [
        `${what}: ${key} should show ${expected.slice(0, 100) || 'nothing'}, and ${shown.map((text) => `"${text.slice(0, 100)}"`).join(', ')} is shown`,
      ];
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function show(node: ScriptedNode, key: string): Promise<string> {
  try {
    return (await node.get(key, 3)).values.join(' ');
  } catch (error) {
    if (error instanceof RefusedError) return `(${error.message})`;
    throw error;
  }
}
