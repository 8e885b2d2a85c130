/* A directory that is to become a member's: what makes it one, and what is refused without a change to anything. */
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import xxhash from 'xxhash-wasm';
import type { KernelLimits } from '../../src/daemon/check-limits.js';
import { loadConfig } from '../../src/daemon/config.js';
import { promised } from '../../src/daemon/flows.js';
import { type DirectoryOptions, type NodeDirectory, openDirectory } from '../../src/daemon/node-directory.js';
import { kernelRandom } from '../../src/daemon/real-world.js';
import { loadRing } from '../../src/daemon/ring-store.js';
import { StartRefusedError } from '../../src/daemon/running-node.js';
import { RealDisk } from '../../src/disk/real-disk.js';
import { hash64From } from '../../src/model/hash.js';
import { nodeId } from '../../src/model/ids.js';
import { newRing } from '../../src/ring/change.js';
import { encodeRing, type RingDocument } from '../../src/ring/document.js';
import { encodeRingFile } from '../../src/ring/ring-file.js';
import { folderFor } from '../support/temporary.js';

const hash = hash64From(await xxhash());
const NAMES = ['a', 'b', 'c'];
const UNLIMITED: KernelLimits = { openFiles: null, addressSpace: null, mapCount: null };

function ringOf(count: number, clusterId: string = 'c'.repeat(32), partitionCount: number = 16): RingDocument {
  const members = NAMES.slice(0, count).map((_, index) => ({
    nodeId: nodeId(`${clusterId.slice(1)}${index + 1}`),
    ordinal: index + 1,
    address: `127.0.0.1:${7_000 + index}`,
    peerAddress: `127.0.0.1:${8_000 + index}`,
    zone: '',
    capacity: 1,
    leaving: false,
  }));
  const ring = newRing({ cluster: 'shop', clusterId, partitionCount, replicaCount: count, members }, 1);
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
    writeFileSync(
      file,
      encodeRingFile({ ring, document: encodeRing(ring), names: NAMES.slice(0, ring.members.length) }, hash),
    );
    return file;
  }

  /** Opens the directory as partitad would, closes it again, and answers what it was. */
  async open(file: string, node: string, more: Partial<DirectoryOptions> = {}): Promise<NodeDirectory> {
    const { config } = loadConfig({ flags: { 'data-dir': this.data }, env: {} });
    const opened = await openDirectory({
      config,
      init: false,
      initFrom: { file, node },
      hash,
      random: kernelRandom(),
      clientAddress: 'h:1',
      peerAddress: '',
      env: {},
      limits: UNLIMITED,
      hasSecret: true,
      ...more,
    });
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
  async refusal(
    t: ExecutionContext,
    file: string,
    node: string,
    more: Partial<DirectoryOptions> = {},
  ): Promise<string> {
    const before = this.contents();
    const error = await t.throwsAsync(this.open(file, node, more), { instanceOf: StartRefusedError });
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

test('a member of several needs the secret of its cluster, before it is made one and at every start', async (t) => {
  const desk = new Desk(t);
  const ring = ringOf(3);
  const file = desk.write('ring-1.json', ring);
  const noSecret =
    /belongs to cluster shop of 3 nodes, .* has been told none: name the file with peer\.secretFile \(--peer-secret-file FILE\)/;
  t.regex(await desk.refusal(t, file, 'b', { hasSecret: false }), noSecret);
  t.deepEqual(Object.values(desk.contents()), ['not there', 'not there']);
  const opened = await desk.open(file, 'b');
  t.deepEqual([opened.ring, opened.member], [ring, ring.members[1]]);
  t.regex(await desk.refusal(t, file, 'b', { hasSecret: false }), noSecret);
  t.regex(await desk.refusal(t, file, 'b', { hasSecret: false, initFrom: undefined }), noSecret);
  t.is((await desk.open(file, 'b')).meta.meta.opening, 2, 'refused starts opened nothing and left no lock');
});

test('kernel limits are judged by the partitions of the ring, not by those of the configuration', async (t) => {
  const desk = new Desk(t);
  const [small, large] = [desk.write('small.json', ringOf(1)), desk.write('large.json', ringOf(1, undefined, 1_024))];
  const { config } = loadConfig({ flags: { 'data-dir': desk.data, 'limits-connections-max': '100' }, env: {} });
  t.is(config.partitions, 256);
  const limits = { ...UNLIMITED, openFiles: 1_000 }; // 16 partitions need 404, 256 need 1,124
  t.regex(
    await desk.refusal(t, large, 'a', { config, limits }),
    /1024 partitions and 100 connections need 3428 open files, the limit is 1000: raise it with "ulimit -n 3428"/,
  );
  t.deepEqual(Object.values(desk.contents()), ['not there', 'not there']);
  await desk.open(small, 'a', { config, limits });
  await desk.open(small, 'a', { config, limits, initFrom: undefined });
  t.regex(
    await desk.refusal(t, small, 'a', { config, limits: { ...limits, openFiles: 403 }, initFrom: undefined }),
    /^16 partitions and 100 connections need 404 open files/,
  );
  t.is(
    (await desk.open(small, 'a', { config })).meta.meta.opening,
    3,
    'refused starts opened nothing and left no lock',
  );
});

test('a first ring is judged by the partitions that it will have; a directory that waits by none', async (t) => {
  const desk = new Desk(t);
  const { config } = loadConfig({ flags: { 'data-dir': desk.data, 'limits-connections-max': '100' }, env: {} });
  const limits = { ...UNLIMITED, openFiles: 1_000 };
  t.regex(
    await desk.refusal(t, '', '', { config, limits, initFrom: undefined, init: true }),
    /^256 partitions and 100 connections need 1124 open files/,
  );
  await t.throwsAsync(desk.open('', '', { config, limits, initFrom: undefined }), { message: /is empty: this node/ });
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
  await desk.open(file, 'a');
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
