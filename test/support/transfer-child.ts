/*
 * A receiver of a partition in a process of its own, which can be killed: `node transfer-child.js FOLDER OPENING HOW ADDRESS`.
 * It fetches from node 1 of a cluster at that peer address, when its parent says so.
 *
 *   HOW file      the partition's file
 *   HOW records   its records, which are merged one by one
 *   HOW plain     a file of so many bytes that its parent sends over a bare socket: read, checked, written and synced
 */
import { once } from 'node:events';
import { open as openFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { FreeSlices } from '../../src/background/slices.js';
import { RealDisk } from '../../src/disk/real-disk.js';
import type { Failure } from '../../src/model/errors.js';
import type { PartitionId } from '../../src/model/ids.js';
import { CHUNK_BYTES_MIN } from '../../src/model/transfer-messages.js';
import { PartitionTransfers } from '../../src/node/cluster/partition-transfers.js';
import type { PeerLinks } from '../../src/node/peers/links.js';
import type { BodyAsker } from '../../src/node/peers/request.js';
import type { Engine } from '../../src/storage/engine.js';
import { type Stored, WAIT_FOR_EARLIER, type WriteRequest } from '../../src/storage/storage.js';
import { MergePlan } from '../../src/versioning/merge.js';
import { checkRecord, recordBytes, recordKeyEnd, recordKeyStart } from '../../src/versioning/record.js';
import { PULL, TRANSFER_CHUNK } from '../../src/wire/kinds.js';
import { close, type Node, open, TIMERS } from '../storage/engine-real-world.js';
import { HASH } from '../storage/engine-requests.js';
import { silentLog } from './silent.js';
import { DONOR, linksTo } from './transfer-link.js';

export type FromChild =
  /** Its store is open. Goes on when it is told anything. */
  | { readonly kind: 'ready' }
  | {
      readonly kind: 'done';
      readonly result: string;
      /** Since it was told to begin. */
      readonly cpuMs: number;
      readonly ms: number;
      /** From the first piece asked for until all of them were on the disk; 0: that is not how it came. */
      readonly streamMs: number;
      readonly root: readonly number[];
    };

const PARTITION = 3 as PartitionId;
const MOVE = 77;
const REFUSED_PAUSE_MS = 20;

const merge = new MergePlan();

/** What anti-entropy does with a record, less its questions. */
class MergeRecord implements WriteRequest {
  readonly partition: PartitionId = PARTITION;
  readonly key: Uint8Array;
  readonly hashHi: number;
  readonly hashLo: number;
  readonly durable: boolean = true;
  readonly bytesHint: number;
  readonly markActorHi: number = 0;
  readonly markActorLo: number = 0;
  readonly markCounter: number = 0;
  readonly #record: Uint8Array;
  readonly #engine: Engine;
  readonly #done: () => void;
  #isNew = true;

  constructor(engine: Engine, record: Uint8Array, done: () => void) {
    this.#engine = engine;
    this.#record = record;
    this.#done = done;
    this.key = record.subarray(recordKeyStart(0), recordKeyEnd(record, 0));
    HASH.hash(this.key, 0, this.key.length);
    this.hashHi = HASH.hi;
    this.hashLo = HASH.lo;
    this.bytesHint = record.length;
  }

  decide({ bytes, start, end }: Stored): number {
    if (end === start) return this.#record.length;
    const outcome = merge.plan(bytes, start, this.#record, 0);
    if (outcome === 'same-as-a') return WAIT_FOR_EARLIER;
    this.#isNew = outcome === 'same-as-b';
    return merge.size;
  }

  encode(target: Uint8Array, at: number): void {
    if (this.#isNew) target.set(this.#record, at);
    else merge.encode(target, at, HASH);
  }

  onWritten(): void {
    this.#done();
  }

  onRefused(failure: Failure): void {
    if (failure.code !== 'OVERLOADED') throw new Error(failure.text);
    setTimeout(() => {
      this.#engine.write(this);
    }, REFUSED_PAUSE_MS);
  }
}

function say(message: FromChild): void {
  process.send?.(message);
}

interface Begun {
  readonly startedMs: number;
  readonly cpu: NodeJS.CpuUsage;
}

async function begin(): Promise<Begun> {
  const told = once(process, 'message');
  say({ kind: 'ready' });
  await told;
  return { startedMs: performance.now(), cpu: process.cpuUsage() };
}

const flushed = (node: Node): Promise<void> =>
  new Promise((resolve) => {
    node.engine.flush(resolve);
  });

async function end(node: Node | null, { startedMs, cpu }: Begun, result: string, streamMs = 0): Promise<void> {
  const ms = performance.now() - startedMs;
  if (node !== null) await flushed(node);
  const { user, system } = process.cpuUsage(cpu);
  const root = node === null ? [] : [...node.engine.liveTree(PARTITION).root(HASH)];
  if (node !== null) await close(node);
  say({ kind: 'done', result, cpuMs: (user + system) / 1_000, ms, streamMs, root });
  process.disconnect();
  process.exit();
}

function mergeAll(node: Node, bytes: Uint8Array, done: () => void): void {
  const records: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += recordBytes(bytes, at)) {
    records.push(bytes.slice(at, at + recordBytes(bytes, at)));
  }
  let left = records.length;
  const merged = (): void => {
    left -= 1;
    if (left === 0) done();
  };
  for (const record of records) {
    if (checkRecord(record, 0, record.length, HASH, null) !== null) throw new Error('A record was damaged');
    node.engine.write(new MergeRecord(node.engine, record, merged));
  }
}

async function takeRecords(node: Node, links: PeerLinks): Promise<void> {
  const begun = await begin();
  const asker: BodyAsker = {
    onAnswered: (_from, _tag, bytes, start, end_) => {
      if (end_ === start) void end(node, begun, 'copied');
      else mergeAll(node, bytes.slice(start, end_), next);
    },
    onRefused: (_from, _tag, { text }) => void end(node, begun, text),
    onUnanswered: (_from, _tag, why) => void end(node, begun, why),
  };
  const next = (): void => {
    if (links.bulk(DONOR)?.ask(PULL, new Uint8Array(0), 60_000, asker) !== true) throw new Error('Not asked');
  };
  next();
}

async function fetchFile(node: Node, links: PeerLinks, folder: string): Promise<void> {
  const begun = await begin();
  let firstMs = 0;
  let streamMs = 0;
  const { moves } = node.engine;
  const transfers = new PartitionTransfers({
    links: {
      bulk: (member) => {
        const link = links.bulk(member);
        if (link === undefined) return undefined;
        return {
          ask: (kind, body, timeoutMs, asker) => {
            if (kind === TRANSFER_CHUNK && firstMs === 0) firstMs = performance.now();
            return link.ask(kind, body, timeoutMs, asker);
          },
        };
      },
    },
    moves: {
      written: () => ({ writtenLsn: 0, flushedLsn: 0 }),
      copyFile: () => undefined,
      room: () => undefined,
      dropPartition: () => undefined,
      takeFile: () => undefined,
      installFile: (partition, path, done) => {
        streamMs = performance.now() - firstMs;
        moves.installFile(partition, path, done);
      },
    },
    disk: new RealDisk(folder),
    timers: TIMERS,
    slices: new FreeSlices(TIMERS),
    log: silentLog,
    hash: HASH,
    nowMs: () => performance.now(),
    fenceOf: () => 0,
  });
  transfers.fetch(PARTITION, DONOR, MOVE, (result) => {
    void end(node, begun, result.kind === 'installed' ? 'installed' : result.text, streamMs);
  });
}

/** The least that whoever copies a file safely has to do. */
async function takePlain(folder: string, port: number, size: number): Promise<void> {
  const file = await openFile(join(folder, 'plain'), 'w');
  const begun = await begin();
  let chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES_MIN);
  let [filled, done] = [0, 0];
  let sum = 0;
  for await (const bytes of connect({ host: '127.0.0.1', port }) as AsyncIterable<Buffer>) {
    for (let at = 0; at < bytes.length;) {
      const copied = bytes.copy(chunk, filled, at);
      at += copied;
      filled += copied;
      if (filled < chunk.length && done + filled < size) continue;
      HASH.hash(chunk, 0, filled);
      sum ^= HASH.lo;
      await file.write(chunk, 0, filled, done);
      done += filled;
      filled = 0;
    }
  }
  await file.datasync();
  await file.close();
  chunk = Buffer.alloc(0);
  await end(
    null,
    begun,
    done === size ? `copied ${sum >>> 0}` : `only ${done} bytes came`,
    performance.now() - begun.startedMs,
  );
}

if (process.send !== undefined) {
  const [folder = '', opening = '1', how = 'file', address = '', size = '0'] = process.argv.slice(2);
  const alive = setInterval(() => undefined, 1_000); // the timers of a store keep no process alive
  if (how === 'plain') await takePlain(folder, Number(address), Number(size));
  else {
    const node = await open(folder, Number(opening), 0, false);
    const links = linksTo(address);
    if (how === 'file') await fetchFile(node, links, folder);
    else await takeRecords(node, links);
  }
  process.on('disconnect', () => {
    clearInterval(alive);
  });
}
