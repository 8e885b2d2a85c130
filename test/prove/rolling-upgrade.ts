/*
 * An upgrade as operators do it: three nodes of an earlier build, replaced one after the other by this one while clients
 * write and read; one is taken back in between, as whoever has second thoughts would; then it is finalized, and the earlier
 * build is refused. The earlier build is a tree that was built elsewhere: PARTITA_PREVIOUS=DIR.
 *
 * Each client writes keys of its own, one put after the other, so that what must be there in the end is known: the last
 * value that was acknowledged, or one that was put after it and not acknowledged.
 */
import { setTimeout as rest } from 'node:timers/promises';
import { Client, codecs } from '../../src/client/index.js';
import { BUILD } from '../../src/model/build.js';
import { ROOT, type Daemon } from '../support/daemon.js';
import { statusOf } from '../support/growing-cluster.js';
import { RealCluster } from '../support/real-cluster.js';
import { runCli } from '../support/run-cli.js';
import { printTail, type Print, type Proof } from './proof.js';

const WRITERS = 4;
const KEYS_EACH = 25;
const PAUSE_MS = 5;
const SETTLE_MS = 1_500;
const WITHIN_MS = 30_000;

interface Told {
  /** Last acknowledged, and what was put after it. */
  acked: string;
  readonly since: string[];
}

class Writers {
  readonly keys: Map<string, Told> = new Map();
  puts = 0;
  failed = 0;
  readonly errors: Map<string, number> = new Map();
  readonly #db: Client<string>;
  #over = false;
  readonly #running: Promise<void>[];

  constructor(db: Client<string>) {
    this.#db = db;
    this.#running = Array.from({ length: WRITERS }, (_, writer) => this.#write(writer));
  }

  async stop(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#running);
  }

  async #write(writer: number): Promise<void> {
    for (let i = 0; !this.#over; i++) {
      await this.#putNext(`${writer}/${i % KEYS_EACH}`, `value ${i}`);
      await rest(PAUSE_MS);
    }
  }

  async #putNext(key: string, value: string): Promise<void> {
    const told = this.keys.get(key) ?? { acked: '', since: [] };
    this.keys.set(key, told);
    told.since.push(value);
    try {
      const { context } = await this.#db.get(key);
      await this.#db.put(key, value, { context });
      this.puts += 1;
      told.acked = value;
      told.since.length = 0;
    } catch (error) {
      this.failed += 1;
      const text = (error as Error).message.replaceAll(/[0-9]+/g, 'n').slice(0, 80);
      this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
    }
  }

  /** Keys under which is what cannot be. */
  async wrong(): Promise<readonly string[]> {
    const wrong: string[] = [];
    for (const [key, { acked, since }] of this.keys) {
      const found = await this.#db.get(key);
      const values = found.found ? found.siblings.map(({ value }) => value) : [];
      const mayBe = values.length > 0 && values.every((value) => value === acked || since.includes(value));
      if (acked !== '' && !mayBe) wrong.push(`${key}: ${values.join()} instead of ${acked}`);
    }
    return wrong;
  }
}

const finalize = (daemon: Daemon): ReturnType<typeof runCli> =>
  runCli(['cluster', 'finalize', '--admin', daemon.ready.admin, '-o', 'table']);

let restarts = 0;

async function becomes(cluster: RealCluster, n: number, build: string): Promise<void> {
  const daemon = cluster.node(n);
  await daemon.stop();
  daemon.build = build;
  await daemon.start();
  restarts += 1;
  await cluster.connected();
  await rest(SETTLE_MS);
}

async function untilLevel(cluster: RealCluster, level: number): Promise<void> {
  for (const deadline = performance.now() + WITHIN_MS; ; await rest(100)) {
    const each = await Promise.all(cluster.daemons.map((daemon) => statusOf(daemon)));
    if (each.every((facts) => facts.level === level)) return;
    if (performance.now() > deadline) throw new Error(`Not all nodes are at level ${level} after ${WITHIN_MS} ms`);
  }
}

/** What fell short; none: all held. */
async function upgraded(cluster: RealCluster, previous: string, print: Print): Promise<readonly string[]> {
  const short: string[] = [];
  const claim = (isSo: boolean, text: string): void => {
    print(`${isSo ? 'yes' : 'NO '}  ${text}`);
    if (!isSo) short.push(text);
  };
  await becomes(cluster, 1, ROOT);
  const mixed = await finalize(cluster.node(1));
  claim(
    mixed.code === 1 && /node 2 has a release that names no levels/.test(mixed.err),
    'a mixed cluster is not finalized, and those in the way are named',
  );
  await becomes(cluster, 2, ROOT);
  await becomes(cluster, 2, previous);
  claim(true, 'one node was upgraded and taken back to the build before');
  await becomes(cluster, 2, ROOT);
  await becomes(cluster, 3, ROOT);
  const ready = (await statusOf(cluster.node(2))).finalize;
  claim(ready?.isReady === true, `status: ${ready?.text ?? 'nothing to finalize'}`);
  const done = await finalize(cluster.node(3));
  claim(done.code === 0, `finalize: ${(done.out + done.err).trim()}`);
  await untilLevel(cluster, BUILD.levelMax);
  await rest(SETTLE_MS);
  const daemon = cluster.node(3);
  await daemon.stop();
  daemon.build = previous;
  daemon.spawn();
  const { code } = await daemon.exited;
  const why = daemon.log.map((line) => JSON.stringify(line)).filter((line) => line.includes('ring format 3'));
  claim(code !== 0 && why.length > 0, `the earlier build does not start on it (exit ${code})`);
  await becomes(cluster, 3, ROOT);
  return short;
}

async function run(print: Print): Promise<{ readonly held: boolean; readonly summary: string }> {
  const previous = process.env['PARTITA_PREVIOUS'];
  if (previous === undefined) throw new Error('PARTITA_PREVIOUS=DIR is needed: the tree of an earlier build');
  const cluster = await RealCluster.prepare({ nodes: 3, partitions: 8, build: previous });
  try {
    await cluster.start();
    await cluster.connected();
    const db = await Client.connect<string>({ seeds: cluster.addresses, codec: codecs.utf8, timeoutMs: 5_000 });
    const writers = new Writers(db);
    await rest(SETTLE_MS);
    const short = await upgraded(cluster, previous, print);
    await writers.stop();
    const wrong = await writers.wrong();
    for (const text of wrong.slice(0, 10)) print(`wrong: ${text}`);
    for (const [text, count] of writers.errors) print(`${count} times: ${text}`);
    db.destroy();
    const { puts, failed, keys } = writers;
    const held = short.length === 0 && wrong.length === 0 && failed === 0;
    return {
      held,
      summary: `${puts} puts acknowledged over ${restarts} restarts, ${failed} refused or unanswered; ${wrong.length} of ${keys.size} keys wrong`,
    };
  } catch (error) {
    printTail(cluster.transcript(), 40, print);
    throw error;
  } finally {
    await cluster.dispose();
  }
}

export const prove: Proof = {
  name: 'rolling-upgrade',
  question:
    'Are three nodes of an earlier build (PARTITA_PREVIOUS=DIR) upgraded under load, one taken back between, and finalized, without a write lost or refused?',
  run: ({ print }) => run(print),
};
