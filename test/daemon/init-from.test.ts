/* A directory that is to become a member's: what makes it one, and what is refused without a change to anything. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import xxhash from 'xxhash-wasm';
import { loadConfig } from '../../src/daemon/config.js';
import { promised } from '../../src/daemon/flows.js';
import { type NodeDirectory, openDirectory } from '../../src/daemon/node-directory.js';
import { kernelRandom } from '../../src/daemon/real-world.js';
import { loadRing } from '../../src/daemon/ring-store.js';
import { StartRefusedError } from '../../src/daemon/running-node.js';
import { RealDisk } from '../../src/disk/real-disk.js';
import { hash64From } from '../../src/model/hash.js';
import { nodeId } from '../../src/model/ids.js';
import { newRing } from '../../src/ring/change.js';
import type { RingDocument } from '../../src/ring/document.js';
import { encodeRingFile } from '../../src/ring/ring-file.js';
import { NodeMetaFile } from '../../src/storage/node-meta.js';
import { folderFor } from '../support/temporary.js';

const hash = hash64From(await xxhash());
const NAMES = ['a', 'b', 'c'];

function ringOf(count: number, clusterId: string = 'c'.repeat(32)): RingDocument {
  const members = NAMES.slice(0, count).map((_, index) => ({
    nodeId: nodeId(`${clusterId.slice(1)}${index + 1}`),
    ordinal: index + 1,
    address: `127.0.0.1:${7_000 + index}`,
    peerAddress: `127.0.0.1:${8_000 + index}`,
    zone: '',
    capacity: 1,
  }));
  const ring = newRing({ cluster: 'shop', clusterId, partitionCount: 16, replicaCount: count, members }, 1);
  if ('fault' in ring) throw new Error(ring.fault);
  return ring;
}

class Desk {
  readonly folder: string;
  readonly data: string;

  constructor(t: ExecutionContext) {
    this.folder = folderFor(t, 'init-from');
    this.data = join(this.folder, 'data');
  }

  write(name: string, ring: RingDocument): string {
    const file = join(this.folder, name);
    writeFileSync(file, encodeRingFile({ ring, names: NAMES.slice(0, ring.members.length) }, hash));
    return file;
  }

  /** Opens the directory as partitad would, closes it again, and answers what it was. */
  async open(file: string, node: string): Promise<NodeDirectory> {
    const { config } = loadConfig({ flags: { 'data-dir': this.data }, env: {} });
    const initFrom = { file, node };
    const random = kernelRandom();
    const opened = await openDirectory({ config, init: false, initFrom, hash, random, clientAddress: 'h:1', env: {} });
    opened.lock.release();
    if ('waiting' in opened) throw new Error(opened.waiting);
    await new Promise<void>((resolve) => {
      opened.meta.close(() => {
        resolve();
      });
    });
    return opened;
  }

  /** The refusal's text; everything in the directory is as it was. */
  async refusal(t: ExecutionContext, file: string, node: string): Promise<string> {
    const before = this.contents();
    const error = await t.throwsAsync(this.open(file, node), { instanceOf: StartRefusedError });
    t.deepEqual(this.contents(), before);
    return error?.message ?? '';
  }

  contents(): Readonly<Record<string, string>> {
    const names = ['node.meta', 'ring/document'].map((name) => [name, join(this.data, name)] as const);
    return Object.fromEntries(names.map(([name, path]) => [name, read(path)]));
  }
}

function read(path: string): string {
  try {
    return readFileSync(path).toString('base64');
  } catch {
    return 'not there';
  }
}

test('an empty directory becomes the member: id and ordinal of the file, the ring in its slots', async (t) => {
  const desk = new Desk(t);
  const ring = ringOf(1);
  const file = desk.write('ring-1.json', ring);
  const { member, isNew, meta } = await desk.open(file, 'a');
  t.true(isNew);
  t.deepEqual(member, ring.members[0]);
  t.is(meta.meta.nodeId, member.nodeId);
  t.deepEqual(await promised(loadRing(new RealDisk(desk.data), hash)), ring);

  const again = await desk.open(file, 'a');
  t.false(again.isNew);
  t.deepEqual([again.ring, again.member.nodeId, again.meta.meta.opening], [ring, member.nodeId, 2]);
});

test('a member of several: the directory is made, and the start refused, each time', async (t) => {
  const desk = new Desk(t);
  const ring = ringOf(3);
  const file = desk.write('ring-1.json', ring);
  const error = await t.throwsAsync(desk.open(file, 'b'), { instanceOf: StartRefusedError });
  t.regex(
    error?.message ?? '',
    /a member of cluster shop, a ring of 3 nodes with 3 replicas; serving .* not part of this/,
  );
  const disk = new RealDisk(desk.data);
  t.deepEqual(await promised(loadRing(disk, hash)), ring);
  t.is((await promised(NodeMetaFile.read(disk, hash)))?.nodeId, ring.members[1]?.nodeId);
  t.regex(await desk.refusal(t, file, 'b'), /a ring of 3 nodes/);
});

test('a file that cannot be used: nothing is made, not even the directory', async (t) => {
  const desk = new Desk(t);
  const file = desk.write('ring-1.json', ringOf(1));
  t.regex(await desk.refusal(t, `${file}x`, 'a'), /The ring file .* cannot be read: ENOENT/);
  t.regex(await desk.refusal(t, file, 'z'), /has no node "z"; its nodes are a$/);
  writeFileSync(file, readFileSync(file, 'utf8').replace('7000', '7009'));
  t.regex(await desk.refusal(t, file, 'a'), /cannot be used: its checksum does not hold/);
  t.deepEqual(readdirSync(desk.folder), ['ring-1.json']);
});

test('a directory that is somebody else’s is left as it is', async (t) => {
  const desk = new Desk(t);
  const file = desk.write('three.json', ringOf(3));
  await t.throwsAsync(desk.open(file, 'a'), { instanceOf: StartRefusedError });
  t.regex(
    await desk.refusal(t, file, 'b'),
    /cannot become node b of .*: it is the directory of node c+1, and the file means node c+2\. Nothing was changed/,
  );
  const other = desk.write('other.json', ringOf(3, 'd'.repeat(32)));
  t.regex(await desk.refusal(t, other, 'a'), /it belongs to cluster shop \(id c+\), and the file is of shop \(id d+\)/);
  const later = desk.write('later.json', { ...ringOf(3), version: 2 });
  t.regex(await desk.refusal(t, later, 'a'), /it has ring version 1, and the file version 2/);
  const moved = ringOf(3).members.map((member) => ({ ...member, zone: `z${member.ordinal}` }));
  const twin = desk.write('twin.json', { ...ringOf(3), members: moved });
  t.regex(await desk.refusal(t, twin, 'a'), /both have ring version 1, and they differ/);
});

test('an initialisation that was cut short is finished by the same file, and by no other', async (t) => {
  const desk = new Desk(t);
  const file = desk.write('ring-1.json', ringOf(1));
  await desk.open(file, 'a');
  rmSync(join(desk.data, 'ring'), { recursive: true });
  const other = desk.write('other.json', ringOf(1, 'd'.repeat(32)));
  t.regex(await desk.refusal(t, other, 'a'), /it is the directory of node c+1, and the file means node d+1/);
  t.deepEqual((await desk.open(file, 'a')).member, ringOf(1).members[0]);
});

test('a directory that holds something is not empty', async (t) => {
  const desk = new Desk(t);
  const file = desk.write('ring-1.json', ringOf(1));
  mkdirSync(join(desk.data, 'log'), { recursive: true });
  t.regex(await desk.refusal(t, file, 'a'), /has no ring document but holds log: this is no empty directory/);
});

test('a directory that is ahead of the file goes on with what it has', async (t) => {
  const desk = new Desk(t);
  await desk.open(desk.write('later.json', { ...ringOf(1), version: 5 }), 'a');
  const { ring } = await desk.open(desk.write('ring-1.json', ringOf(1)), 'a');
  t.is(ring.version, 5);
});
