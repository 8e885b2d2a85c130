/* Five real daemons on loopback. */
import { cpSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import type { Client } from '../../../src/client/index.js';
import * as kinds from '../../../src/wire/kinds.js';
import { partita } from '../../../src/wire/protobuf.js';
import type { Daemon } from '../daemon.js';
import { hintsKept } from '../hints-kept.js';
import { encodeFrame, helloBody, newPutId, openSocket, RawClient } from '../raw-client.js';
import type { RealCluster } from '../real-cluster.js';
import { type KeyNodes, keyNodes, NO_CONTEXT } from './ring-of-five.js';
import type { PutWords, RingOfFive, Saw, ScriptedNode, Wrote } from './ring-of-five.js';

const v1 = partita.v1;

export class RealNode implements ScriptedNode {
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

  async kill(): Promise<void> {
    await this.daemon.kill();
  }

  async start(): Promise<void> {
    await this.daemon.start();
  }

  wipe(): void {
    rmSync(this.daemon.dataDir, { recursive: true, force: true });
    mkdirSync(this.daemon.dataDir, { recursive: true });
  }

  backUp(): () => void {
    const { dataDir } = this.daemon;
    const copy = `${dataDir}.copy`;
    // What it listens on is there, and is none of its data.
    cpSync(dataDir, copy, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });
    return () => {
      rmSync(dataDir, { recursive: true, force: true });
      renameSync(copy, dataDir);
    };
  }

  async putUnheard(key: string, value: string, putId: Uint8Array): Promise<void> {
    const socket = await openSocket(this.address);
    socket.write(encodeFrame(kinds.HELLO, 1, helloBody()));
    const put = { key: Buffer.from(key), value: Buffer.from(value), putId, budgetMs: 5_000 };
    socket.write(encodeFrame(kinds.PUT, 2, v1.Put.encode(put).finish()));
    try {
      for (let attempt = 0; attempt < 100; attempt++) {
        if ((await this.get(key, 1)).values.includes(value)) return;
        await this.pass(20);
      }
      throw new Error(`The put of ${key} did not arrive within 2 s`);
    } finally {
      socket.destroy();
    }
  }

  async hintsKept(): Promise<number> {
    return hintsKept(this.daemon);
  }

  newPutId(): Uint8Array {
    return newPutId();
  }

  pass(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
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

export class RealRing implements RingOfFive {
  readonly nodes: readonly RealNode[];
  readonly #client: Client<string>;

  constructor(cluster: RealCluster, client: Client<string>) {
    this.nodes = cluster.members.map(({ client: address, daemon }) => new RealNode(address, daemon));
    this.#client = client;
  }

  of(key: string): KeyNodes {
    const found = this.#client
      .preferenceList(key)
      .map(({ address }) => this.nodes.find((node) => node.address === address))
      .filter((node) => node !== undefined);
    return keyNodes(key, found);
  }
}
