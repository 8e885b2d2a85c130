/*
 * npm start: three nodes, and what makes them one store, before the reader's eyes. Every line marked › really happened
 * just now, through the SDK, over TCP, to partitads that sync to disk. Then they stay up for whoever wants to go on.
 */
import { styleText } from 'node:util';
import { Client, codecs, PartitaError } from '../client/index.js';
import { DemoCluster } from './demo-cluster.js';
import { type DemoNode, endText } from './demo-node.js';
import { say } from './demo-words.js';
import { howToGoOn, introduce, tellHints, tour } from './demo-tour.js';
import type { Cart } from './demo-tour.js';

const DATA_DIR = 'data/demo';
const CALL_TIMEOUT_MS = 10_000;
const AGAIN_AFTER_MS = 10_000;
/** Ctrl-C comes from the terminal, and may come from npm once more. */
const ONE_KEYSTROKE_MS = 500;

class Demo {
  readonly #cluster: DemoCluster;
  #touring = true;
  #stopping = false;

  constructor(cluster: DemoCluster) {
    this.#cluster = cluster;
  }

  async run(): Promise<number> {
    const stopped = this.#untilStopped();
    try {
      await this.#cluster.start();
      await this.#tour();
    } catch (error) {
      if (this.#stopping) return stopped; // what we were about failed for that
      await this.#cluster.stop();
      throw error;
    }
    this.#touring = false;
    for (const node of this.#cluster.nodes) this.#watch(node);
    return stopped;
  }

  async #tour(): Promise<void> {
    introduce(this.#cluster);
    await using db = await Client.connect<Cart>({
      seeds: this.#cluster.nodes.map(({ seat }) => seat.client),
      codec: codecs.json<Cart>(),
      timeoutMs: CALL_TIMEOUT_MS,
    });
    await tour(db, this.#cluster);
    howToGoOn(this.#cluster, AGAIN_AFTER_MS / 1_000);
  }

  /** Whoever kills a node sees it come back. */
  #watch(node: DemoNode): void {
    void node.ended.then((end) => {
      if (this.#stopping || this.#touring) return;
      const { name } = node.seat;
      say(`\n${name} has ended (${endText(end)}). Go on: put, get. It is started again in ${AGAIN_AFTER_MS / 1_000} s`);
      setTimeout(() => void this.#revive(node), AGAIN_AFTER_MS);
    });
  }

  async #revive(node: DemoNode): Promise<void> {
    if (this.#stopping) return;
    try {
      await node.start();
      this.#watch(node);
      say(`${node.seat.name} is back (pid ${node.pid})`);
      await tellHints(this.#cluster);
    } catch (error) {
      if (!this.#stopping) say((error as Error).message);
    }
  }

  /** Resolves with the exit code when we have been told to stop, and have. */
  #untilStopped(): Promise<number> {
    return new Promise((resolve) => {
      let askedMs = 0;
      const stop = (): void => {
        if (this.#stopping) {
          if (performance.now() - askedMs > ONE_KEYSTROKE_MS) process.exit(1);
          return;
        }
        askedMs = performance.now();
        this.#stopping = true;
        say('\nStopping: the nodes answer what is under way and sync …');
        void this.#cluster.stop().then((clean) => {
          const kept = this.#cluster.temporary ? 'gone with its temporary directory' : 'still there the next time';
          say(clean ? `Stopped. What you put is ${kept}.` : 'Not every node stopped as it was asked to');
          resolve(clean ? 0 : 1);
        });
      };
      process.on('SIGINT', stop);
      process.on('SIGTERM', stop);
      process.on('SIGHUP', stop); // the terminal is gone: the nodes would outlive it
    });
  }
}

async function main(): Promise<number> {
  say(styleText('bold', 'Partita: an always-writeable key-value store, three nodes'));
  const cluster = await DemoCluster.prepare(DATA_DIR, (text) => {
    say(styleText('yellow', text));
  });
  return new Demo(cluster).run();
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const text =
      error instanceof PartitaError
        ? `${error.code}: ${error.message}`
        : error instanceof Error
          ? error.message
          : String(error);
    process.stderr.write(`error: ${text}\n`);
    process.exit(1);
  },
);
