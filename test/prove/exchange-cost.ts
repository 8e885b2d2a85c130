/*
 * What does it cost two owners to find out what differs? Two real daemons with the same keys, of which k differ on the one
 * (half of them changed, half of them missing on the other), meet over TCP: questions and answers, bytes and time until
 * both hold the same, for k = 0, 1, 100, 10,000.
 *
 * The keys are written to the directories while no daemon runs, so that no hint and no read repair knows of them. Every
 * k begins with equal directories: what differed before has been healed, and that is looked at as well.
 */
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import xxhash from 'xxhash-wasm';
import { readKernelLimits } from '../../src/daemon/check-limits.js';
import { loadConfig } from '../../src/daemon/config.js';
import { openDirectory } from '../../src/daemon/node-directory.js';
import { kernelRandom, realClock, realTimers } from '../../src/daemon/real-world.js';
import { openStorage } from '../../src/daemon/storage-world.js';
import { hash64From } from '../../src/model/hash.js';
import { RealCluster } from '../support/real-cluster.js';
import { repairOf } from '../support/repair-figures.js';
import { silentLog, silentMeter } from '../support/silent.js';
import { TestWrite } from '../storage/engine-requests.js';
import type { Proof } from './proof.js';

const PARTITIONS = 256;
const DIFFER = [0, 1, 100, 10_000] as const;
const DIFFER_SHORT = [0, 1, 100, 2_000] as const;
const VALUE_BYTES = 100;
const UNDER_WAY_MAX = 256;
const REFUSED_PAUSE_MS = 100;
/** Of one partition whose owners agree: question and answer. */
const EQUAL_BYTES_MAX = 1_024;
/** Listings of a leaf tell of its other records too, and a difference costs nodes of the tree. */
const BYTES_PER_DIFFERENCE_MAX = 4_096;

interface Row {
  readonly differ: number;
  readonly meetings: number;
  readonly received: number;
  readonly sent: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly left: number;
}

/** Writes keys to the directory of a node that does not run; `counter` is their version. */
async function write(cluster: RealCluster, n: number, keys: Iterable<string>, counter: number): Promise<void> {
  const { name, client, peer } = cluster.member(n);
  const { config } = loadConfig({
    flags: { 'data-dir': join(cluster.folder, name), 'client-listen': client, 'peer-listen': peer },
    env: {},
  });
  const hash = hash64From(await xxhash());
  const directory = await openDirectory({
    config,
    init: false,
    initFrom: { file: cluster.ringFile, node: name },
    hash,
    random: kernelRandom(),
    clientAddress: client,
    peerAddress: '',
    env: {},
    limits: readKernelLimits(),
    hasSecret: true,
  });
  if ('waiting' in directory) throw new Error(directory.waiting);
  const fatal = (error: Error): void => {
    throw error;
  };
  const world = { config, directory, hash, clock: realClock, timers: realTimers(), random: kernelRandom() };
  const storage = await openStorage({ ...world, meter: silentMeter, log: silentLog, fatal });
  const { engine } = storage;
  await Promise.all(
    engine.status().suspectPartitions.map(
      (partition) =>
        new Promise((done) => {
          engine.trust(partition, done);
        }),
    ),
  );
  const ask = (key: string): TestWrite => {
    const one = new TestWrite(key, `${counter} `.padEnd(VALUE_BYTES, key), counter, PARTITIONS, false, () => undefined);
    engine.write(one);
    return one;
  };
  let underWay: readonly TestWrite[] = [];
  for (const key of keys) {
    underWay = [...underWay, ask(key)];
    while (underWay.length >= UNDER_WAY_MAX) underWay = await written(underWay, ask);
  }
  while (underWay.length > 0) underWay = await written(underWay, ask);
  const stays = setInterval(() => {}, 1_000); // a store keeps no process alive by itself
  await storage.close();
  clearInterval(stays);
  directory.lock.release();
}

/** Those that are not acknowledged yet; what was refused, since the store is behind, is asked for again. */
async function written(writes: readonly TestWrite[], ask: (key: string) => TestWrite): Promise<readonly TestWrite[]> {
  await new Promise((done) => setImmediate(done));
  const refused = writes.filter(({ state }) => state === 'refused');
  const left = writes.filter(({ state }) => state !== 'acked' && state !== 'refused');
  if (refused.length === 0) return left;
  await rest(REFUSED_PAUSE_MS);
  return [...left, ...refused.map(({ key }) => ask(Buffer.from(key).toString('latin1')))];
}

/** Every partition is met by n1, once. */
async function meet(cluster: RealCluster, differ: number): Promise<Row> {
  await cluster.start();
  await cluster.connected();
  const before = await repairOf(cluster.node(1), 'status');
  const startedMs = performance.now();
  const after = await repairOf(cluster.node(1), 'meet');
  const seconds = (performance.now() - startedMs) / 1_000;
  const again = await repairOf(cluster.node(1), 'meet');
  await cluster.stop();
  return {
    differ,
    meetings: after.met - before.met,
    received: after.received - before.received,
    sent: after.sent - before.sent,
    bytes: after.bytesIn + after.bytesOut - before.bytesIn - before.bytesOut,
    seconds,
    left: again.received + again.sent - after.received - after.sent,
  };
}

function keysOf(from: number, count: number): Iterable<string> {
  return (function* () {
    for (let i = from; i < from + count; i++) yield `key-${i}`;
  })();
}

export const prove: Proof = {
  name: 'exchange-cost',
  question: 'Two owners that hold the same find it out with a few KiB, and k differences move about k records?',
  async run({ full, print }) {
    const count = full ? 1_000_000 : 20_000;
    const cluster = await RealCluster.prepare({
      nodes: 2,
      replicas: 2,
      partitions: PARTITIONS,
      flags: ['--repair-period', '30d'],
    });
    try {
      for (const n of [1, 2]) await write(cluster, n, keysOf(0, count), 1);
      print(`${count} keys of ${VALUE_BYTES} bytes on two nodes, ${PARTITIONS} partitions`);
      const rows: Row[] = [];
      for (const differ of full ? DIFFER : DIFFER_SHORT) {
        const changed = Math.ceil(differ / 2);
        if (differ > 0) {
          await write(cluster, 2, keysOf(0, changed), 2 + rows.length);
          await write(cluster, 2, keysOf(count + 1_000_000 * rows.length, differ - changed), 1);
        }
        const row = await meet(cluster, differ);
        const { meetings, received, sent, bytes, seconds, left } = row;
        print(
          `k = ${differ}: ${meetings} meetings, ${received} records pulled, ${sent} pushed, ${bytes} bytes, ${seconds.toFixed(2)} s; ${left} moved when they met again`,
        );
        rows.push(row);
        for (const { event, failure } of cluster.node(1).log.splice(0)) {
          if (event === 'exchange-broken') print(`a meeting broke off: ${String(failure)}`);
        }
      }
      const faults = rows.filter(
        ({ differ, meetings, received, sent, bytes, left }) =>
          meetings < PARTITIONS ||
          left !== 0 ||
          received !== differ ||
          sent > differ ||
          bytes > PARTITIONS * EQUAL_BYTES_MAX + differ * (BYTES_PER_DIFFERENCE_MAX + (VALUE_BYTES + 150) * 2),
      );
      const equal = rows[0] as Row;
      const summary = rows.map(({ differ, bytes }) => `k = ${differ}: ${bytes} bytes`).join(', ');
      return {
        held: faults.length === 0,
        summary: `${summary}; an equal partition costs ${Math.round(equal.bytes / PARTITIONS)} bytes`,
      };
    } finally {
      await cluster.dispose();
    }
  },
};
