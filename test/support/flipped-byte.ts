/*
 * One byte in each of many records of one replica turned over, on its disk, anywhere in the record's value. Clients read
 * all the while, through every node and with every R; whatever they are told must be what was put. Half of the records are
 * found by those reads and the other half by the scrub; then that replica is asked alone.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as rest } from 'node:timers/promises';
import { PartitaError } from '../../src/client/index.js';
import type { Client } from '../../src/client/index.js';
import { Prng } from '../../src/lib/prng.js';
import type { Daemon } from './daemon.js';
import { RealCluster } from './real-cluster.js';
import { runCli } from './run-cli.js';

const PARTITIONS = 4;
const PATIENCE_MS = 60_000;
const POLL_MS = 100;
const ROUNDS = 4;
const VALUE_CHARACTERS = 120;
/** Who asks all owners of a record of which one is damaged is told so: there are only two that know. */
const OWNERS = 3;

type Print = (line: string) => void;

const valueOf = (key: string): string => `the sound value of ${key} `.padEnd(VALUE_CHARACTERS, key);

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = performance.now() + PATIENCE_MS; !(await holds()); await rest(POLL_MS))
    if (performance.now() > deadline) throw new Error(`Not within ${PATIENCE_MS} ms: ${what}`);
}

const filesOf = ({ dataDir }: Daemon): readonly string[] =>
  readdirSync(join(dataDir, 'partitions'))
    .filter((name) => name.endsWith('.mdb'))
    .map((name) => join(dataDir, 'partitions', name));

/** In every place where the value is. */
function flip(daemon: Daemon, keys: readonly string[], prng: Prng): number {
  let flipped = 0;
  for (const path of filesOf(daemon)) {
    const bytes = readFileSync(path);
    for (const key of keys) {
      const value = valueOf(key);
      const offset = prng.int(value.length);
      for (let at = bytes.indexOf(value); at >= 0; at = bytes.indexOf(value, at + value.length)) {
        bytes.writeUInt8(bytes.readUInt8(at + offset) ^ (1 << prng.int(8)), at + offset);
        flipped += 1;
      }
    }
    writeFileSync(path, bytes);
  }
  return flipped;
}

async function scrub(daemon: Daemon, verb: 'start' | 'status'): Promise<Readonly<Record<string, number | null>>> {
  const { code, out, err } = await runCli(['scrub', verb, '--admin', daemon.ready.admin, '-o', 'json']);
  if (code !== 0) throw new Error(`partita scrub: ${err}`);
  return JSON.parse(out) as Readonly<Record<string, number | null>>;
}

/** What clients are told. A refusal is no lie, but one that two owners could have answered is none that need be. */
async function readThrough(
  clients: readonly Client<string>[],
  keys: readonly string[],
  r: number,
): Promise<{ readonly wrong: readonly string[]; readonly refused: number; readonly reads: number }> {
  const wrong: string[] = [];
  let refused = 0;
  let reads = 0;
  for (const client of clients) {
    for (const key of keys) {
      reads += 1;
      try {
        const got = await client.get(key, { r, strict: true });
        const values = got.found ? got.siblings.map(({ value }) => value) : [];
        if (values.length !== 1 || values[0] !== valueOf(key))
          wrong.push(`${key} with r = ${r}: ${values.join(' | ')}`);
      } catch (error) {
        if (!PartitaError.is(error)) throw error;
        if (r < OWNERS) refused += 1;
      }
    }
  }
  return { wrong, refused, reads };
}

export async function flippedByte(
  count: number,
  print: Print,
): Promise<{ readonly held: boolean; readonly text: string }> {
  const flags = ['--memory-max', '128MiB', '--value-bytes-max', '64KiB'];
  const cluster = await RealCluster.prepare({ partitions: PARTITIONS, flags });
  try {
    await cluster.start();
    await cluster.connected();
    const keys = Array.from({ length: count }, (_, i) => `key-${i}`);
    const [damaged] = cluster.daemons as readonly [Daemon];
    {
      await using db = await cluster.connect();
      for (const key of keys) await db.put(key, valueOf(key), { w: 3 });
    }
    await until('its files have all records', () => {
      const texts = filesOf(damaged).map((path) => readFileSync(path));
      return keys.every((key) => texts.some((text) => text.includes(valueOf(key))));
    });
    await damaged.stop();
    const flipped = flip(damaged, keys, new Prng(count));
    await damaged.start();
    await cluster.connected();
    const told = await readWhileDamaged(cluster, keys);
    await until('all is repaired', async () => ((await scrub(damaged, 'status'))['repaired'] ?? 0) >= count);
    const { damaged: found } = await scrub(damaged, 'status');
    await Promise.all(cluster.daemons.slice(1).map((daemon) => daemon.stop()));
    await using alone = await cluster.connect({ seeds: [cluster.member(1).client] });
    const end = await readThrough([alone], keys, 1);
    const wrong = [...told.wrong, ...end.wrong];
    for (const text of wrong.slice(0, 5)) print(`served: ${text}`);
    const text =
      `${flipped} bytes flipped in ${count} records of one replica: ${wrong.length} of ${told.reads} reads were wrong (${told.refused} refused that two owners could answer), ` +
      `${found ?? 0} found damaged, ${count - end.refused - end.wrong.length} sound on that replica alone afterwards`;
    print(text);
    return { held: flipped >= count && wrong.length === 0 && end.refused === 0 && told.refused === 0, text };
  } finally {
    await cluster.dispose();
  }
}

/** Half of the keys first, by whoever reads; then the scrub begins, and all are read. */
async function readWhileDamaged(
  cluster: RealCluster,
  keys: readonly string[],
): Promise<Awaited<ReturnType<typeof readThrough>>> {
  const clients: Client<string>[] = [];
  for (const { client } of cluster.members) clients.push(await cluster.connect({ seeds: [client], routing: 'any' }));
  let wrong: readonly string[] = [];
  let refused = 0;
  let reads = 0;
  const read = async (of: readonly string[], r: number): Promise<void> => {
    const told = await readThrough(clients, of, r);
    wrong = [...wrong, ...told.wrong];
    refused += told.refused;
    reads += told.reads;
  };
  try {
    for (const r of [1, 2, 3]) await read(keys.slice(0, keys.length / 2), r);
    await scrub(cluster.node(1), 'start');
    for (let round = 0; round < ROUNDS; round++) await read(keys, 1 + (round % 3));
    return { wrong, refused, reads };
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}
