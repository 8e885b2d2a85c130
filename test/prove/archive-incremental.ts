/*
 * Is an archive that refers to earlier ones as good as a full one, and does it copy what has changed and nothing else? A
 * series of archives of a cluster that three clients write to between them, each time keys of some drawn partitions only:
 * values, deletes, versions side by side. Judged by the manifests: a partition was copied if and only if one of its keys
 * was written. Old archives are pruned on the way. At the end the last one is restored onto another cluster, where every key
 * must show what it shows here, and every archive of the series must be sound.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import xxhash from 'xxhash-wasm';
import type { Manifest } from '../../src/archive/manifest.js';
import type { Client } from '../../src/client/index.js';
import { Prng } from '../../src/lib/prng.js';
import { hash64From } from '../../src/model/hash.js';
import { partitionBits, partitionOf } from '../../src/ring/partition.js';
import type { RealCluster } from '../support/real-cluster.js';
import { inScope, scopedFolder } from '../support/scope.js';
import { differences, patient, rows, walk, type Walked, withCluster } from './archive-cluster.js';
import type { Print, Proof } from './proof.js';

const HASH = hash64From(await xxhash());
const PARTITIONS = 16;
const KEYS = 320;
const KEEP = 3;

interface Size {
  readonly rounds: number;
}
const SHORT: Size = { rounds: 3 };
const FULL: Size = { rounds: 60 };

function partitionOfKey(key: string): number {
  const bytes = Buffer.from(key);
  HASH.hash(bytes, 0, bytes.length);
  return partitionOf(HASH.hi, partitionBits(PARTITIONS));
}

async function change(db: Client<string>, key: string, random: Prng): Promise<void> {
  const { context } = await db.get(key);
  const dice = random.int(10);
  if (dice === 0) await db.delete(key, { context });
  else if (dice < 3) await db.put(key, `beside ${random.u32()}`);
  else await db.put(key, `value ${random.u32()}`, { context });
}

/** Partitions whose files an archive has itself. */
function copiedIn(target: string, name: string): ReadonlySet<number> {
  const { archive } = JSON.parse(readFileSync(join(target, name, 'manifest.json'), 'utf8')) as {
    readonly archive: Manifest;
  };
  return new Set(archive.partitions.flatMap(({ partition, file }) => (file?.archive === '' ? [partition] : [])));
}

async function series(
  cluster: RealCluster,
  { rounds }: Size,
  target: string,
  faults: string[],
  print: Print,
): Promise<Walked> {
  const keys = Array.from({ length: KEYS }, (_, i) => `key:${i}`);
  const random = new Prng(1_907);
  const admin = ['--admin', cluster.node(2).ready.admin];
  await using db = await patient(cluster);
  for (const key of keys) await db.put(key, 'first');
  let copied = 0;
  let referred = 0;
  for (let round = 0; round <= rounds; round++) {
    const touched = new Set(Array.from({ length: round === 0 ? 0 : 3 }, () => random.int(PARTITIONS)));
    const changed = keys.filter((key) => touched.has(partitionOfKey(key)) && random.chance(0.5));
    for (const key of changed) await change(db, key, random);
    const expected = new Set(round === 0 ? keys.map(partitionOfKey) : changed.map(partitionOfKey));
    const [[name = ''] = []] = await rows(['archive', 'create', target, '--since', 'latest', ...admin]);
    const found = copiedIn(target, name);
    const wrong = [...new Set([...expected, ...found])].filter((one) => expected.has(one) !== found.has(one));
    if (wrong.length > 0) faults.push(`round ${round}: partitions ${wrong.join(', ')} were copied, or not, in vain`);
    copied += found.size;
    referred += PARTITIONS - found.size;
    await rows(['archive', 'prune', target, '--keep', String(KEEP)]);
  }
  print(`${rounds + 1} archives of ${PARTITIONS} partitions: ${copied} copied, ${referred} referred to`);
  const verdicts = await rows(['archive', 'verify', target]);
  print(`${verdicts.length} of ${rounds + 1} archives are left after pruning to ${KEEP}, all sound`);
  return walk(cluster, keys);
}

function play(size: Size, print: Print): Promise<{ held: boolean; summary: string }> {
  return inScope(async (scope) => {
    const target = scopedFolder(scope, 'archives');
    const faults: string[] = [];
    const expected = await withCluster({ partitions: PARTITIONS }, print, (cluster) =>
      series(cluster, size, target, faults, print),
    );
    const wrong = await withCluster({ partitions: 2 * PARTITIONS }, print, async (other) => {
      await rows(['restore', target, '--admin', other.node(1).ready.admin]);
      return differences(expected, await walk(other, [...expected.keys()])).length;
    });
    print(`${KEYS - wrong} of ${KEYS} keys are elsewhere as they were here`);
    for (const fault of faults) print(`fault: ${fault}`);
    const held = faults.length === 0 && wrong === 0;
    return { held, summary: `${size.rounds + 1} archives, ${KEYS} keys, ${wrong} wrong, ${faults.length} faults` };
  });
}

export const prove: Proof = {
  name: 'archive-incremental',
  question: 'Does an incremental archive copy what has changed and nothing else, and is it as good as a full one?',
  run: ({ full, print }) => play(full ? FULL : SHORT, print),
};
